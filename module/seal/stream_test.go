package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/iotest"
)

func TestPlaintextLength(t *testing.T) {
	t.Parallel()
	broken := errors.New("the client went away")
	for _, announced := range []int64{0, 1, minChunk, minChunk + 5, 3 * minChunk} {
		right := pattern(announced, 1)
		tests := []struct {
			name string
			src  io.Reader
			want error
		}{
			{"longer by one", bytes.NewReader(pattern(announced+1, 1)), ErrPlaintextLength},
			{"longer by a chunk", bytes.NewReader(pattern(announced+minChunk, 1)), ErrPlaintextLength},
			{"fails at the end", io.MultiReader(bytes.NewReader(right), iotest.ErrReader(broken)), broken},
			{"fails with the last byte", &failing{data: right, err: broken}, broken},
			{"nothing, for ever", io.MultiReader(bytes.NewReader(right), silent{}), io.ErrNoProgress},
		}
		if announced > 0 {
			short := right[:announced-1]
			tests = append(tests, []struct {
				name string
				src  io.Reader
				want error
			}{
				{"shorter by one", bytes.NewReader(short), ErrPlaintextLength},
				{"empty", bytes.NewReader(nil), ErrPlaintextLength},
				{"fails before", io.MultiReader(bytes.NewReader(short), iotest.ErrReader(broken)), broken},
				{"source ends unexpectedly", io.MultiReader(bytes.NewReader(short), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF},
			}...)
		}
		for _, test := range tests {
			t.Run(fmt.Sprintf("%d %s", announced, test.name), func(t *testing.T) {
				t.Parallel()
				s, err := newObject(t, Single).SealSingle(test.src, announced)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				got, err := io.ReadAll(s)
				if !errors.Is(err, test.want) {
					t.Errorf("got error %v, want %v", err, test.want)
				}
				if int64(len(got)) >= s.Size() {
					t.Errorf("all %d bytes came out", len(got))
				}
				if _, again := s.Read(make([]byte, 1)); !errors.Is(again, err) {
					t.Errorf("then %v", again)
				}
			})
		}
	}
}

// failing returns its error together with the last bytes, and then claims to
// have ended well.
type failing struct {
	data []byte
	err  error
}

func (f *failing) Read(p []byte) (int, error) {
	n := copy(p, f.data)
	f.data = f.data[n:]
	err := io.EOF
	if len(f.data) == 0 && f.err != nil {
		err, f.err = f.err, nil
	} else if len(f.data) > 0 {
		err = nil
	}
	return n, err
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

// An error of the store's connection is not damage.
func TestSourceErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset")
	u := newUpload(t, []int64{minChunk, 5}, nil, true)
	stored := u.stored()
	for _, at := range []int{0, 10, HeaderSize, 1000, minChunk + 100, minChunk + PartOverhead, len(stored) - 1, len(stored)} {
		for _, cause := range []error{broken, io.ErrUnexpectedEOF} {
			src := io.MultiReader(bytes.NewReader(stored[:at]), iotest.ErrReader(cause))
			got, err := openAll(u.object.OpenMultipart(src, int64(len(stored)), 3))
			if !errors.Is(err, cause) || len(got) == len(u.plain) {
				t.Errorf("at %d: %d bytes, %v", at, len(got), err)
			}
		}
	}
}

func TestSealedOnce(t *testing.T) {
	t.Parallel()
	o := newObject(t, Single)
	sealSingle(t, o, []byte("first attempt"))
	if _, err := o.SealSingle(bytes.NewReader(nil), 0); !errors.Is(err, ErrReused) {
		t.Errorf("got %v, want ErrReused", err)
	}
	for _, p := range []Part{{Number: 0}, {Number: -1}, {Number: MaxParts + 1}} {
		if _, err := newObject(t, Multipart).SealPart(bytes.NewReader(nil), p); !errors.Is(err, ErrPart) {
			t.Errorf("part %d: %v", p.Number, err)
		}
	}
	if _, err := newObject(t, Multipart).SealPart(bytes.NewReader(nil), Part{Number: 1, Length: MaxPart + 1}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := newObject(t, Single).SealSingle(bytes.NewReader(nil), MaxSingle+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// Two attempts of one part, even with the same bytes, share no key, and no
// chunk of an attempt shares a nonce with another.
func TestNoKeyAndNonceTwice(t *testing.T) {
	t.Parallel()
	o := newObject(t, Multipart)
	salts, nonces := map[string]bool{}, map[string]bool{}
	for range 20 {
		stored := sealPart(t, o, Part{Number: 1}, make([]byte, 4*minChunk))
		salt := string(stored[16:48])
		if salts[salt] {
			t.Fatal("a salt was used twice")
		}
		salts[salt] = true
		for at := HeaderSize; at < HeaderSize+4*(minChunk+chunkOverhead); at += minChunk + chunkOverhead {
			if nonce := string(stored[at : at+nonceSize]); nonces[nonce] {
				t.Fatal("a nonce was used twice")
			} else {
				nonces[nonce] = true
			}
		}
	}
	if len(nonces) != 80 {
		t.Errorf("%d nonces", len(nonces))
	}
}

// A size the store made up gives another key: nothing opens, in a range either.
func TestWrongSingleSize(t *testing.T) {
	t.Parallel()
	o := newObject(t, Single)
	plain := pattern(3*minChunk, 1)
	stored := sealSingle(t, o, plain)
	for _, size := range []int64{int64(len(stored)) - 1, int64(len(stored)) + 29, int64(len(stored)) - minChunk - chunkOverhead} {
		l, err := SingleLayout(size)
		if err != nil {
			t.Fatal(err)
		}
		from, err := l.Stored(Extent{minChunk, 10})
		if err != nil {
			t.Fatal(err)
		}
		got, err := openAll(o.OpenRange(bytes.NewReader(stored[from.Offset:from.End()]), l, Extent{minChunk, 10}))
		wantDamage(t, err)
		if len(got) > 0 {
			t.Errorf("%d bytes came out", len(got))
		}
		_, err = openAll(o.OpenSingle(bytes.NewReader(stored), size))
		wantDamage(t, err)
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	u := newUpload(t, []int64{3}, nil, true)
	prk := u.object.prk()
	u.object.Wipe()
	u.object.Wipe()
	if !bytes.Equal(prk, make([]byte, 32)) {
		t.Error("the key is still there")
	}
	_, sealErr := u.object.SealPart(bytes.NewReader(nil), Part{Number: 1})
	_, closeErr := u.object.ClosingPart(2, []Part{{Number: 1}})
	_, openErr := openMultipart(u.object, u.parts...)
	_, headerErr := u.object.ParseHeader(u.parts[0][:HeaderSize])
	_, rangeErr := openRange(u.object, u.layout, u.stored(), Extent{0, 1})
	_, idErr := u.object.SealUploadID("x")
	for i, err := range []error{sealErr, closeErr, openErr, headerErr, rangeErr, idErr} {
		if !errors.Is(err, ErrWiped) {
			t.Errorf("call %d: got %v, want ErrWiped", i, err)
		}
	}
}

// One object, many streams: parts sealed and opened at once.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	o := newObject(t, Multipart)
	const parts = 12
	plain := pattern(parts*2*minChunk, 1)
	sealed := make([][]byte, parts)
	var group sync.WaitGroup
	for i := range parts {
		group.Go(func() {
			sealed[i] = sealPart(t, o, Part{Number: i + 1, Final: i == parts-1}, plain[i*2*minChunk:][:2*minChunk])
		})
	}
	group.Wait()
	stored := bytes.Join(sealed, nil)
	layout, err := walk(o, stored)
	if err != nil {
		t.Fatal(err)
	}
	for i := range parts {
		group.Go(func() {
			_, extent, err := layout.Part(i + 1)
			if err != nil {
				t.Error(err)
				return
			}
			got, err := openRange(o, layout, stored, extent)
			if err != nil || !bytes.Equal(got, plain[extent.Offset:extent.End()]) {
				t.Errorf("part %d: %d bytes, %v", i+1, len(got), err)
			}
		})
	}
	group.Wait()
}

// stalled blocks in Read until it is told to go on.
type stalled struct {
	io.Reader
	reached, goOn chan struct{}
}

func (s stalled) Read(p []byte) (int, error) {
	s.reached <- struct{}{}
	<-s.goOn
	return s.Reader.Read(p)
}

// Close does not wait for a Read that hangs, and buffers are not given to others
// before it came back.
func TestCloseWhileReading(t *testing.T) {
	t.Parallel()
	plain := pattern(2*minChunk, 1)
	single := newObject(t, Single)
	stored := sealSingle(t, single, plain)
	for name, start := range map[string]func(io.Reader) (io.ReadCloser, error){
		"sealer": func(r io.Reader) (io.ReadCloser, error) {
			return newObject(t, Single).SealSingle(r, int64(len(plain)))
		},
		"opener": func(r io.Reader) (io.ReadCloser, error) { return single.OpenSingle(r, int64(len(stored))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := plain
			if name == "opener" {
				data = stored
			}
			src := stalled{bytes.NewReader(data), make(chan struct{}), make(chan struct{})}
			stream, err := start(src)
			if err != nil {
				t.Fatal(err)
			}
			result := make(chan error)
			go func() {
				_, err := io.Copy(io.Discard, struct{ io.Reader }{stream})
				result <- err
			}()
			<-src.reached
			if err := stream.Close(); err != nil {
				t.Fatal(err)
			}
			if err := stream.Close(); err != nil {
				t.Fatal(err)
			}
			go func() { // the rest of the Read in progress
				for {
					select {
					case src.goOn <- struct{}{}:
					case <-src.reached:
					case <-t.Context().Done():
						return
					}
				}
			}()
			if err := <-result; !errors.Is(err, ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
			switch of := stream.(type) {
			case *Sealer:
				if of.buf != nil {
					t.Error("the sealer kept its buffer")
				}
			case *Opener:
				if of.buf != nil {
					t.Error("the opener kept its buffer")
				}
			}
			if _, err := stream.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
				t.Errorf("then %v", err)
			}
		})
	}
}

// Buffers go back when a stream is closed half read, and at its end.
func TestBuffersGoBack(t *testing.T) {
	t.Parallel()
	plain := pattern(3*minChunk, 1)
	o := newObject(t, Multipart)
	stored := sealPart(t, o, Part{Number: 1, Final: true}, plain)
	for _, read := range []int64{HeaderSize + 1, minChunk + 5, 1 << 30} {
		s, err := o.SealPart(bytes.NewReader(plain), Part{Number: 1, Length: int64(len(plain))})
		if err != nil {
			t.Fatal(err)
		}
		opener, err := o.OpenMultipart(bytes.NewReader(stored), int64(len(stored)), 1)
		if err != nil {
			t.Fatal(err)
		}
		if opener.Size() != int64(len(plain)) {
			t.Errorf("Size says %d", opener.Size())
		}
		for _, r := range []io.Reader{s, opener} {
			if _, err := io.CopyN(struct{ io.Writer }{io.Discard}, r, read); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		}
		if (s.buf == nil || opener.buf == nil) != (read == 1<<30) {
			t.Errorf("after %d bytes: %v, %v", read, s.buf != nil, opener.buf != nil)
		}
		s.Close()
		opener.Close()
		if s.buf != nil || opener.buf != nil || s.ready != nil || opener.ready != nil {
			t.Errorf("after %d bytes a buffer was not given back", read)
		}
	}
}

// Many closes against many reads, for the race detector.
func TestCloseRace(t *testing.T) {
	t.Parallel()
	plain := pattern(3*minChunk, 1)
	o := newObject(t, Multipart)
	stored := sealPart(t, o, Part{Number: 1, Final: true}, plain)
	for range 50 {
		s, err := o.SealPart(bytes.NewReader(plain), Part{Number: 1, Length: int64(len(plain))})
		if err != nil {
			t.Fatal(err)
		}
		opener, err := o.OpenMultipart(bytes.NewReader(stored), int64(len(stored)), 1)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for _, stream := range []io.ReadCloser{s, opener} {
			group.Go(func() { _, _ = io.Copy(io.Discard, struct{ io.Reader }{stream}) })
			group.Go(func() { _ = stream.Close() })
		}
		group.Wait()
		if s.buf != nil || opener.buf != nil {
			t.Fatal("a buffer was not given back")
		}
	}
}

// endless is plaintext without end, in no memory.
type endless struct{ next byte }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.next
		e.next++
	}
	return len(p), nil
}

// The largest part there is begins as any other, in chunks of 10 MiB; what is
// sealed and opened of it is two of them.
func TestLargestPart(t *testing.T) {
	t.Parallel()
	o := newObject(t, Multipart)
	s, err := o.SealPart(&endless{}, Part{Number: 1, Length: MaxPart, Final: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Size() != MaxStored {
		t.Errorf("stored size %d", s.Size())
	}
	stored := make([]byte, HeaderSize+2*(maxChunk+chunkOverhead))
	if _, err := io.ReadFull(s, stored); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 2*maxChunk)
	if _, err := io.ReadFull(&endless{}, want); err != nil {
		t.Fatal(err)
	}
	got, err := openAll(o.OpenMultipart(bytes.NewReader(stored), MaxStored, 1))
	if d := wantDamage(t, err); d.Part != 1 || d.Chunk != 2 {
		t.Errorf("got %v", err)
	}
	wantSame(t, got, want)
	h, err := o.ParseHeader(stored[:HeaderSize])
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLayout(MaxStored, []Header{h})
	if err != nil {
		t.Fatal(err)
	}
	got, err = openRange(o, l, stored, Extent{maxChunk - 3, 10})
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, got, want[maxChunk-3:maxChunk+7])
}
