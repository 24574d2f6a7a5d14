package seal

import (
	"bytes"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"testing"
	"testing/iotest"
)

var singleSizes = []int64{0, 1, 100, minChunk - 1, minChunk, minChunk + 1, 2*minChunk - 1, 2 * minChunk, 2*minChunk + 1, 5*minChunk + 77}

func TestSingleRoundTrip(t *testing.T) {
	t.Parallel()
	for _, size := range singleSizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			o, plain := newObject(t, Single), pattern(size, uint64(size))
			stored := sealSingle(t, o, plain)
			got, err := openSingle(again(t, o), stored)
			if err != nil {
				t.Fatal(err)
			}
			wantSame(t, got, plain)
			if size > 32 && bytes.Contains(stored, plain[:32]) {
				t.Error("the stored bytes hold plaintext")
			}
		})
	}
}

// Readers may ask for and get any number of bytes at a time.
func TestReadSizes(t *testing.T) {
	t.Parallel()
	plain := pattern(3*minChunk+5, 1)
	for _, step := range []int{1, 27, HeaderSize, 4096, 32 << 10, minChunk, minChunk + chunkOverhead, 1 << 20} {
		for name, slow := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r },
			"half":  iotest.HalfReader,
			"eof":   iotest.DataErrReader,
		} {
			t.Run(fmt.Sprintf("%d_%s", step, name), func(t *testing.T) {
				t.Parallel()
				single, multi := newObject(t, Single), newObject(t, Multipart)
				s, err := single.SealSingle(slow(bytes.NewReader(plain)), int64(len(plain)))
				if err != nil {
					t.Fatal(err)
				}
				stored := readBy(t, s, step)
				opener, err := single.OpenSingle(slow(bytes.NewReader(stored)), int64(len(stored)))
				if err != nil {
					t.Fatal(err)
				}
				wantSame(t, readBy(t, opener, step), plain)

				s, err = multi.SealPart(slow(bytes.NewReader(plain)), Part{Number: 1, Length: int64(len(plain)), Final: true})
				if err != nil {
					t.Fatal(err)
				}
				stored = readBy(t, s, step)
				opener, err = multi.OpenMultipart(slow(bytes.NewReader(stored)), int64(len(stored)), 1)
				if err != nil {
					t.Fatal(err)
				}
				wantSame(t, readBy(t, opener, step), plain)
			})
		}
	}
}

func readBy(t *testing.T, r io.Reader, step int) []byte {
	t.Helper()
	var all bytes.Buffer
	if _, err := io.CopyBuffer(struct{ io.Writer }{&all}, struct{ io.Reader }{r}, make([]byte, step)); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

// upload is a multipart object whose parts have these sizes and numbers.
type upload struct {
	object *Object
	plain  []byte
	parts  [][]byte
	layout *Layout
}

func (u *upload) stored() []byte { return bytes.Join(u.parts, nil) }

// newUpload seals parts as the gateway would: the last one is final or a
// closing part follows.
func newUpload(t testing.TB, sizes []int64, numbers []int, closed bool) *upload {
	t.Helper()
	u := &upload{object: newObject(t, Multipart)}
	var list []Part
	for i, size := range sizes {
		plain := pattern(size, uint64(i+1))
		p := Part{Number: i + 1, Length: size, Final: !closed && i == len(sizes)-1}
		if numbers != nil {
			p.Number = numbers[i]
		}
		u.plain = append(u.plain, plain...)
		u.parts = append(u.parts, sealPart(t, u.object, p, plain))
		list = append(list, p)
	}
	if closed {
		last, err := u.object.ClosingPart(list[len(list)-1].Number+1, list)
		if err != nil {
			t.Fatal(err)
		}
		u.parts = append(u.parts, last)
	}
	layout, err := walk(u.object, u.stored())
	if err != nil {
		t.Fatal(err)
	}
	u.layout = layout
	return u
}

func TestMultipartRoundTrip(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		sizes   []int64
		numbers []int
		closed  bool
	}{
		{"one empty part", []int64{0}, nil, false},
		{"one byte", []int64{1}, nil, false},
		{"one closed part", []int64{minChunk}, nil, true},
		{"final", []int64{minChunk + 1, 3 * minChunk, 7}, nil, false},
		{"closed", []int64{minChunk + 1, 3 * minChunk, 7}, nil, true},
		{"gaps", []int64{100, minChunk, 5}, []int{2, 7, 9998}, true},
		{"empty parts", []int64{0, 5, 0, 0, minChunk, 0}, nil, false},
		{"empty parts, closed", []int64{0, 0}, nil, true},
		{"larger chunks", []int64{chunkStep, chunkStep + 1, 1}, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := newUpload(t, test.sizes, test.numbers, test.closed)
			got, err := openMultipart(again(t, u.object), u.parts...)
			if err != nil {
				t.Fatal(err)
			}
			wantSame(t, got, u.plain)
			if got, want := u.layout.Plain(), int64(len(u.plain)); got != want {
				t.Errorf("layout says %d bytes, want %d", got, want)
			}
			if got, want := u.layout.Parts(), len(test.sizes); got != want {
				t.Errorf("layout says %d parts, want %d", got, want)
			}
			at := int64(0)
			for i, size := range test.sizes {
				p, extent, err := u.layout.Part(i + 1)
				if err != nil || extent != (Extent{at, size}) || p.Length != size {
					t.Errorf("part %d: got %+v at %+v, %v", i+1, p, extent, err)
				}
				if size > 0 {
					got, err := openRange(u.object, u.layout, u.stored(), extent)
					if err != nil {
						t.Fatal(err)
					}
					wantSame(t, got, u.plain[at:at+size])
				}
				at += size
			}
		})
	}
}

// Any vector of part sizes, any range: the same as slicing the plaintext.
func TestAnyRange(t *testing.T) {
	t.Parallel()
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for round := range 60 {
		var sizes []int64
		for range 1 + random.IntN(6) {
			size := random.Int64N(4 * minChunk)
			switch random.IntN(5) {
			case 0:
				size = minChunk * random.Int64N(4)
			case 1:
				size = random.Int64N(3)
			}
			sizes = append(sizes, size)
		}
		u := newUpload(t, sizes, nil, round%2 == 0)
		stored := u.stored()
		single := newObject(t, Single)
		whole := sealSingle(t, single, u.plain)
		layout, err := SingleLayout(int64(len(whole)))
		if err != nil {
			t.Fatal(err)
		}
		total := int64(len(u.plain))
		for range 30 {
			if total == 0 {
				break
			}
			e := Extent{Offset: random.Int64N(total)}
			e.Length = 1 + random.Int64N(total-e.Offset)
			if random.IntN(2) == 0 { // borders are where mistakes are
				e.Offset = max(0, min(total-1, e.Offset/minChunk*minChunk-1+random.Int64N(3)))
				e.Length = 1 + random.Int64N(min(3, total-e.Offset))
			}
			for name, of := range map[string]struct {
				object *Object
				layout *Layout
				stored []byte
			}{"multipart": {u.object, u.layout, stored}, "single": {single, layout, whole}} {
				got, err := openRange(of.object, of.layout, of.stored, e)
				if err != nil {
					t.Fatalf("%s of %v, extent %+v: %v", name, sizes, e, err)
				}
				if !bytes.Equal(got, u.plain[e.Offset:e.End()]) {
					t.Fatalf("%s of %v, extent %+v: wrong bytes", name, sizes, e)
				}
			}
		}
		if got, err := MultipartPlain(int64(len(stored)), len(u.parts)); err != nil || got != total {
			t.Fatalf("MultipartPlain of %v: %d, %v; want %d", sizes, got, err, total)
		}
	}
}

// A range of a single object needs no more than the reply to one request that
// was made without knowing the size.
func TestSingleExtentBeforeSizeIsKnown(t *testing.T) {
	t.Parallel()
	plain := pattern(3*minChunk+99, 3)
	o := newObject(t, Single)
	stored := sealSingle(t, o, plain)
	total := int64(len(plain))
	layout, err := SingleLayout(int64(len(stored)))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []Extent{{0, 1}, {0, total}, {minChunk - 1, 2}, {minChunk, minChunk}, {total - 1, 1}, {5, 1 << 40 >> 10}} {
		asked, err := SingleExtent(e)
		if err != nil {
			t.Fatal(err)
		}
		reply := stored[asked.Offset:min(asked.End(), int64(len(stored)))]
		e.Length = min(e.Length, total-e.Offset)
		got, err := openAll(o.OpenRange(bytes.NewReader(reply), layout, e))
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, got, plain[e.Offset:e.End()])
	}
	for _, n := range []int64{1, 98, 99, 100, minChunk, minChunk + 99, total} {
		suffix, err := SingleSuffix(n)
		if err != nil {
			t.Fatal(err)
		}
		e := Extent{total - n, n}
		need, err := layout.Stored(e)
		if err != nil {
			t.Fatal(err)
		}
		if start := max(0, int64(len(stored))-suffix); start > need.Offset {
			t.Errorf("the last %d bytes: suffix begins at %d, %d is needed", n, start, need.Offset)
		}
	}
}

func TestImpossibleRanges(t *testing.T) {
	t.Parallel()
	u := newUpload(t, []int64{10, 20}, nil, false)
	for _, e := range []Extent{{0, 0}, {-1, 2}, {0, 31}, {30, 1}, {1 << 62, 1 << 62}, {5, -1}} {
		if _, err := u.layout.Stored(e); err == nil {
			t.Errorf("Stored(%+v) succeeded", e)
		}
		if _, err := u.object.OpenRange(bytes.NewReader(nil), u.layout, e); err == nil {
			t.Errorf("OpenRange(%+v) succeeded", e)
		}
	}
	for _, e := range []Extent{{-1, 2}, {0, 0}, {0, MaxSingle + 1}, {MaxSingle, 1}, {1 << 62, 1 << 62}} {
		if _, err := SingleExtent(e); err == nil {
			t.Errorf("SingleExtent(%+v) succeeded", e)
		}
	}
}
