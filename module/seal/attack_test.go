package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
)

// flip calls try with every single bit of stored inverted, one at a time.
func flip(stored []byte, try func(bit int, changed []byte)) {
	changed := bytes.Clone(stored)
	for bit := range len(stored) * 8 {
		changed[bit/8] ^= 1 << (bit % 8)
		try(bit, changed)
		changed[bit/8] ^= 1 << (bit % 8)
	}
}

func TestEveryBitOfASingleObject(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{0, 1, 50} {
		o := newObject(t, Single)
		stored := sealSingle(t, o, pattern(size, 1))
		flip(stored, func(bit int, changed []byte) {
			got, err := openSingle(o, changed)
			wantDamage(t, err)
			if len(got) > 0 {
				t.Fatalf("bit %d: %d bytes came out", bit, len(got))
			}
		})
	}
}

// Header, chunk, fill of a part and of a closing part: 2 parts of 29 KiB are too
// many bits for the fill, of which every byte is tried instead.
func TestEveryBitOfAMultipartObject(t *testing.T) {
	t.Parallel()
	u := newUpload(t, []int64{3}, nil, true)
	stored := u.stored()
	try := func(changed []byte, at int) {
		_, err := openAll(u.object.OpenMultipart(bytes.NewReader(changed), int64(len(changed)), 2))
		if d := wantDamage(t, err); d.Part != 1+at/(3+PartOverhead) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	const sealed = HeaderSize + chunkOverhead + 3
	flip(stored[:sealed], func(bit int, changed []byte) { try(append(bytes.Clone(changed), stored[sealed:]...), bit/8) })
	closing := 3 + PartOverhead
	flip(stored[closing:closing+HeaderSize], func(bit int, changed []byte) {
		try(slices.Concat(stored[:closing], changed, stored[closing+HeaderSize:]), closing+bit/8)
	})
	for at := range stored {
		inFill := at >= sealed && at < closing || at >= closing+HeaderSize
		if inFill {
			stored[at] ^= 1 << (at % 8)
			try(stored, at)
			stored[at] ^= 1 << (at % 8)
		}
	}
}

func TestEveryBitOfAHeader(t *testing.T) {
	t.Parallel()
	o := newObject(t, Multipart)
	raw := sealPart(t, o, Part{Number: 3}, []byte("x"))[:HeaderSize]
	if h, err := o.ParseHeader(raw); err != nil || h.Number != 3 || h.Length != 1 || h.Final || h.Closing {
		t.Fatalf("got %+v, %v", h, err)
	}
	flip(raw, func(bit int, changed []byte) {
		_, err := o.ParseHeader(changed)
		wantDamage(t, err)
	})
	if _, err := o.ParseHeader(raw[:HeaderSize-1]); err == nil {
		t.Error("a short header was accepted")
	}
	_, err := newObject(t, Multipart).ParseHeader(raw)
	wantDamage(t, err)
}

// Cut or extended anywhere: at every byte of a small object, and around every
// border of a larger one.
func TestTruncationAndExtension(t *testing.T) {
	t.Parallel()
	plain := pattern(3*minChunk+10, 1)
	single := newObject(t, Single)
	stored := sealSingle(t, single, plain)
	var cuts []int
	for border := HeaderSize; border <= len(stored); border += minChunk + chunkOverhead {
		cuts = append(cuts, border-1, border, border+1)
	}
	for _, cut := range append(cuts, 0, 1, len(stored)-1) {
		if cut >= len(stored) {
			continue
		}
		// With the size of the whole, and with the size of what is left.
		for _, size := range []int64{int64(len(stored)), int64(cut)} {
			got, err := openAll(single.OpenSingle(bytes.NewReader(stored[:cut]), size))
			if err == nil || len(got) >= len(plain) {
				t.Fatalf("cut at %d, size %d: %d bytes, %v", cut, size, len(got), err)
			}
			if !errors.Is(err, ErrSize) {
				wantDamage(t, err)
			}
		}
	}
	u := newUpload(t, []int64{minChunk + 1, 0, 9}, nil, true)
	whole := u.stored()
	for cut := range whole {
		if cut%997 != 0 && cut > 200 && cut < len(whole)-200 {
			continue
		}
		_, err := openAll(u.object.OpenMultipart(bytes.NewReader(whole[:cut]), int64(len(whole)), 4))
		wantDamage(t, err)
		for parts := 1; parts <= 4; parts++ {
			if _, err := openAll(u.object.OpenMultipart(bytes.NewReader(whole[:cut]), int64(cut), parts)); err == nil {
				t.Fatalf("cut at %d in %d parts was accepted", cut, parts)
			}
		}
	}
	for _, more := range []int{1, 28, 64, PartOverhead, minChunk + chunkOverhead} {
		tail := make([]byte, more)
		for _, size := range []int{0, more} {
			longer := append(bytes.Clone(stored), tail...)
			got, err := openAll(single.OpenSingle(bytes.NewReader(longer), int64(len(stored)+size)))
			if err == nil || len(got) >= len(plain) {
				t.Errorf("single with %d more: %d bytes, %v", more, len(got), err)
			}
			longer = append(bytes.Clone(whole), tail...)
			for parts := 4; parts <= 5; parts++ {
				got, err = openAll(u.object.OpenMultipart(bytes.NewReader(longer), int64(len(whole)+size), parts))
				if err == nil || len(got) >= len(u.plain) {
					t.Errorf("multipart with %d more in %d parts: %d bytes, %v", more, parts, len(got), err)
				}
			}
		}
	}
}

// Chunks of one object, dropped, swapped, repeated and put into another.
func TestChunkOrder(t *testing.T) {
	t.Parallel()
	const chunk = minChunk + chunkOverhead
	o, plain := newObject(t, Single), pattern(4*minChunk, 1)
	stored := sealSingle(t, o, plain)
	other := sealSingle(t, newObject(t, Single), plain)
	header, c := stored[:HeaderSize], func(i int) []byte { return stored[HeaderSize+i*chunk:][:chunk] }
	for name, chunks := range map[string][][]byte{
		"drop first":   {c(1), c(2), c(3)},
		"drop middle":  {c(0), c(2), c(3)},
		"drop last":    {c(0), c(1), c(2)},
		"swap":         {c(0), c(2), c(1), c(3)},
		"duplicate":    {c(0), c(1), c(1), c(3)},
		"insert":       {c(0), c(1), c(1), c(2), c(3)},
		"last earlier": {c(0), c(3)},
		"splice":       {c(0), other[HeaderSize+chunk:][:chunk], c(2), c(3)},
		"all other":    {other[HeaderSize:]},
	} {
		changed := append(bytes.Clone(header), bytes.Join(chunks, nil)...)
		got, err := openSingle(o, changed)
		wantDamage(t, err)
		if len(got) > 0 && !bytes.HasPrefix(plain, got) {
			t.Errorf("%s: bytes came out that are not where they belong", name)
		}
	}
	_, err := openSingle(o, other)
	wantDamage(t, err)

	// Between two attempts of one part, and two parts of one upload.
	m := newObject(t, Multipart)
	first := sealPart(t, m, Part{Number: 1, Final: true}, plain)
	for name, from := range map[string][]byte{
		"other attempt": sealPart(t, m, Part{Number: 1, Final: true}, plain),
		"other part":    sealPart(t, m, Part{Number: 2, Final: true}, plain),
	} {
		mixed := bytes.Clone(first)
		copy(mixed[HeaderSize+chunk:], from[HeaderSize+chunk:][:chunk])
		_, err := openMultipart(m, mixed)
		if d := wantDamage(t, err); d.Part != 1 || d.Chunk != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPartOrder(t *testing.T) {
	t.Parallel()
	o, stranger := newObject(t, Multipart), newObject(t, Multipart)
	part := func(o *Object, number int, final bool) []byte {
		return sealPart(t, o, Part{Number: number, Final: final}, []byte(fmt.Sprintf("part %d", number)))
	}
	closing := func(o *Object, number int, earlier ...int) []byte {
		var list []Part
		for _, n := range earlier {
			list = append(list, Part{Number: n, Length: 6})
		}
		stored, err := o.ClosingPart(number, list)
		if err != nil {
			t.Fatal(err)
		}
		return stored
	}
	p1, p2, p3, f2, f3 := part(o, 1, false), part(o, 2, false), part(o, 3, false), part(o, 2, true), part(o, 3, true)
	longer := sealPart(t, o, Part{Number: 2}, []byte("part two"))

	for name, parts := range map[string][][]byte{
		"final":             {p1, p2, f3},
		"final attempt":     {p1, f2},
		"closed":            {p1, p2, p3, closing(o, 4, 1, 2, 3)},
		"closed with a gap": {p1, p3, closing(o, 9, 1, 3)},
		"closed early gap":  {p2, closing(o, 3, 2)},
	} {
		if _, err := openMultipart(o, parts...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := walk(o, bytes.Join(parts, nil)); err != nil {
			t.Errorf("%s, layout: %v", name, err)
		}
	}
	for name, parts := range map[string][][]byte{
		"drop first":                {p2, f3},
		"drop middle":               {p1, f3},
		"drop last":                 {p1, p2},
		"swap":                      {p2, p1, f3},
		"duplicate":                 {p1, p1, f2},
		"duplicate final":           {p1, f2, f2},
		"after final":               {p1, f2, p3},
		"final first":               {f3, p1, p2},
		"final then closing":        {p1, f2, closing(o, 3, 1, 2)},
		"of another upload":         {p1, part(stranger, 2, false), f3},
		"final of another upload":   {p1, p2, part(stranger, 3, true)},
		"closing of another upload": {p1, p2, closing(stranger, 3, 1, 2)},
		"closing lists fewer":       {p1, p2, closing(o, 3, 1)},
		"closing lists more":        {p1, closing(o, 4, 1, 2)},
		"closing lists others":      {p1, p3, closing(o, 4, 1, 2)},
		"closing other lengths":     {p1, longer, closing(o, 3, 1, 2)},
		"closing number too low":    {p1, p2, p3, closing(o, 3, 1, 2)},
		"closing alone":             {closing(o, 2, 1)},
		"closing first":             {closing(o, 2, 1), p3},
		"closing twice":             {p1, closing(o, 2, 1), closing(o, 2, 1)},
		"part after closing":        {p1, closing(o, 2, 1), f3},
	} {
		got, err := openMultipart(o, parts...)
		wantDamage(t, err)
		if total := len(bytes.Join(parts, nil)) - len(parts)*PartOverhead; len(got) >= total && total > 0 {
			t.Errorf("%s: all %d bytes came out", name, total)
		}
		_, err = walk(o, bytes.Join(parts, nil))
		wantDamage(t, err)
	}
}

// A length that follows from a wrong number of parts is never filled up.
func TestWrongNumberOfParts(t *testing.T) {
	t.Parallel()
	for _, sizes := range [][]int64{{100_000, 5}, {3, 50_000}, {100_000, 50_000, 20_000}, {14_416}, {200_000, 14_416, 0}} {
		for _, closed := range []bool{false, true} {
			u := newUpload(t, sizes, nil, closed)
			stored := u.stored()
			for parts := 1; parts < len(u.parts)+4; parts++ {
				told, err := MultipartPlain(int64(len(stored)), parts)
				if err != nil || parts == len(u.parts) {
					continue
				}
				got, err := openAll(u.object.OpenMultipart(bytes.NewReader(stored), int64(len(stored)), parts))
				wantDamage(t, err)
				if int64(len(got)) >= told && told > 0 {
					t.Errorf("%v, closed %v, %d parts: %d bytes came out, %d were told", sizes, closed, parts, len(got), told)
				}
			}
		}
	}
}

// The header of a closing part that the store is made to seal is no other's.
func TestClosingPart(t *testing.T) {
	t.Parallel()
	o := newObject(t, Multipart)
	list := []Part{{Number: 1, Length: 5 << 20}, {Number: 4, Length: MaxPart}}
	first, err := o.ClosingPart(5, list)
	if err != nil {
		t.Fatal(err)
	}
	second, err := again(t, o).ClosingPart(5, list)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, second, first)
	if len(first) != PartOverhead {
		t.Errorf("%d bytes", len(first))
	}
	other, err := newObject(t, Multipart).ClosingPart(5, list)
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("two uploads have one closing part, %v", err)
	}
	for name, test := range map[string]struct {
		number  int
		earlier []Part
	}{
		"no parts":       {1, nil},
		"number zero":    {0, nil},
		"not the last":   {4, list},
		"too high":       {MaxParts + 1, list},
		"not in order":   {5, []Part{list[1], list[0]}},
		"twice":          {5, []Part{list[0], list[0]}},
		"part zero":      {5, []Part{{Number: 0}}},
		"negative":       {5, []Part{{Number: 1, Length: -1}}},
		"too large":      {5, []Part{{Number: 1, Length: MaxPart + 1}}},
		"behind a final": {5, []Part{{Number: 1, Final: true}}},
	} {
		if _, err := o.ClosingPart(test.number, test.earlier); !errors.Is(err, ErrPart) {
			t.Errorf("%s: got %v, want ErrPart", name, err)
		}
	}
}

// Kinds are not mixed: not in a call, and not by an envelope whose flag was
// changed.
func TestKinds(t *testing.T) {
	t.Parallel()
	single, multi := newObject(t, Single), newObject(t, Multipart)
	whole := sealSingle(t, single, []byte("whole"))
	part := sealPart(t, multi, Part{Number: 1, Final: true}, []byte("part"))
	layout, err := walk(multi, part)
	if err != nil {
		t.Fatal(err)
	}
	_, sealErr := multi.SealSingle(bytes.NewReader(nil), 0)
	_, partErr := single.SealPart(bytes.NewReader(nil), Part{Number: 1})
	_, closeErr := single.ClosingPart(2, []Part{{Number: 1}})
	_, openErr := multi.OpenSingle(bytes.NewReader(whole), int64(len(whole)))
	_, openPartErr := single.OpenMultipart(bytes.NewReader(part), int64(len(part)), 1)
	_, headerErr := single.ParseHeader(part[:HeaderSize])
	_, rangeErr := single.OpenRange(bytes.NewReader(part), layout, Extent{0, 1})
	_, idErr := single.SealUploadID("id")
	for i, err := range []error{sealErr, partErr, closeErr, openErr, openPartErr, headerErr, rangeErr, idErr} {
		if !errors.Is(err, ErrKind) {
			t.Errorf("call %d: got %v, want ErrKind", i, err)
		}
	}
	turned := again(t, single)
	turned.envelope.Kind = Multipart
	_, err = turned.ParseHeader(whole[:HeaderSize])
	wantDamage(t, err)
	turned = again(t, multi)
	turned.envelope.Kind = Single
	if _, err := openSingle(turned, part); err == nil {
		t.Error("a part was opened as a single object")
	}
}

// A range is of its place: chunks of elsewhere in the object do not open there.
func TestRangeOfAnotherPlace(t *testing.T) {
	t.Parallel()
	u := newUpload(t, []int64{3 * minChunk, 3 * minChunk}, nil, true)
	stored := u.stored()
	want := Extent{minChunk, minChunk}
	for name, other := range map[string]Extent{"chunk": {0, minChunk}, "part": {4 * minChunk, minChunk}} {
		from, err := u.layout.Stored(other)
		if err != nil {
			t.Fatal(err)
		}
		_, err = openAll(u.object.OpenRange(bytes.NewReader(stored[from.Offset:from.End()]), u.layout, want))
		if d := wantDamage(t, err); d.Part != 1 || d.Chunk != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What lies between two parts is checked where a range crosses it.
	across := Extent{2 * minChunk, 2 * minChunk}
	from, err := u.layout.Stored(across)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{3*minChunk + HeaderSize + 3*chunkOverhead, 3*minChunk + PartOverhead - 1, 3*minChunk + PartOverhead + 50} {
		changed := bytes.Clone(stored)
		changed[at] ^= 1
		got, err := openAll(u.object.OpenRange(bytes.NewReader(changed[from.Offset:from.End()]), u.layout, across))
		wantDamage(t, err)
		if len(got) > 0 {
			t.Errorf("byte %d changed: %d bytes came out", at, len(got))
		}
	}
	_, err = openAll(u.object.OpenRange(io.LimitReader(bytes.NewReader(stored[from.Offset:]), from.Length-1), u.layout, across))
	wantDamage(t, err)
}
