package seal

import (
	"fmt"
	"slices"
	"sort"
)

// Layout says where the plaintext of an object is among its stored bytes. It
// holds no key, is never modified and is safe for concurrent use. What it says
// of a multipart object is authentic; the size of a single object is only what
// the store told until bytes of it have been opened.
type Layout struct {
	kind    Kind
	headers []Header
	starts  []int64 // plaintext offset of each part, and the end of the last
}

// SingleLayout returns the layout of a single object of stored bytes. The error
// is [ErrSize].
func SingleLayout(stored int64) (*Layout, error) {
	plain, err := SinglePlain(stored)
	if err != nil {
		return nil, err
	}
	f := singleFields(plain)
	return &Layout{kind: Single, headers: []Header{f.Header}, starts: []int64{0, plain}}, nil
}

// NewLayout returns the layout of a multipart object of stored bytes of the
// headers of all its parts, closing part included, in the order they are
// stored. It holds them against the rules for whole objects. The headers must
// come from [Object.ParseHeader] of one object; they are copied. The error is
// [ErrSize] or a [*Damage].
func NewLayout(stored int64, headers []Header) (*Layout, error) {
	plain, err := MultipartPlain(stored, len(headers))
	if err != nil {
		return nil, err
	}
	rules := newOrder(plain, len(headers))
	l := &Layout{kind: Multipart, headers: slices.Clone(headers), starts: make([]int64, 1, len(headers)+1)}
	for i, h := range headers {
		if problem := rules.add(h); problem != "" {
			return nil, &Damage{Part: i + 1, Chunk: -1, Problem: problem}
		}
		l.starts = append(l.starts, l.starts[i]+h.Length)
	}
	return l, nil
}

// Kind returns whether the object is single or multipart.
func (l *Layout) Kind() Kind { return l.kind }

// Plain returns the size of the plaintext, in bytes.
func (l *Layout) Plain() int64 { return l.starts[len(l.headers)] }

// Parts returns the number of parts, without a closing part, which is not a
// client's. A single object has one.
func (l *Layout) Parts() int {
	n := len(l.headers)
	if l.headers[n-1].Closing {
		n--
	}
	return n
}

// Part returns the part of this rank, from 1 to [Layout.Parts], and the extent
// of its plaintext, which is empty for a part without bytes. The error is
// [ErrPart].
func (l *Layout) Part(rank int) (Part, Extent, error) {
	if rank < 1 || rank > l.Parts() {
		return Part{}, Extent{}, fmt.Errorf("%w: rank %d of %d", ErrPart, rank, l.Parts())
	}
	p := l.headers[rank-1].Part
	return p, Extent{l.starts[rank-1], p.Length}, nil
}

// Find returns the rank of the part that holds the plaintext byte at offset.
// The error is [ErrRange].
func (l *Layout) Find(offset int64) (rank int, err error) {
	if offset < 0 || offset >= l.Plain() {
		return 0, fmt.Errorf("%w: byte %d of %d", ErrRange, offset, l.Plain())
	}
	// The end is searched, so that parts without bytes are passed over.
	return 1 + sort.Search(len(l.headers), func(i int) bool { return l.starts[i+1] > offset }), nil
}

// Stored returns the stored bytes that hold the extent of plaintext: what
// [Object.OpenRange] has to be given. Where the extent crosses parts, headers
// and fill between them are included. The error is [ErrRange].
func (l *Layout) Stored(plain Extent) (Extent, error) {
	if plain.Offset < 0 || plain.Length < 1 || plain.Offset > l.Plain()-plain.Length {
		return Extent{}, fmt.Errorf("%w: %d bytes from %d of %d", ErrRange, plain.Length, plain.Offset, l.Plain())
	}
	from := must(l.locate(plain.Offset))
	to := must(l.locate(plain.End() - 1))
	start := from.stored(from.chunk)
	return Extent{start, min(to.stored(to.chunk+1), to.end) - start}, nil
}

// place is a chunk among the stored bytes.
type place struct {
	index int   // of the part
	chunk int64 // index of the chunk in it
	skip  int   // bytes before the wanted one in the chunk
	size  int64 // of the part's chunks, of plaintext
	start int64 // where the first chunk is stored
	end   int64 // where the last chunk ends
}

// stored returns the offset of chunk i. Behind the last chunk it is too high.
func (p place) stored(i int64) int64 { return p.start + i*(p.size+chunkOverhead) }

func (l *Layout) locate(offset int64) (place, error) {
	rank, err := l.Find(offset)
	if err != nil {
		return place{}, err
	}
	p := place{index: rank - 1, size: minChunk}
	length := l.headers[p.index].Length
	if l.kind == Multipart {
		p.size = partChunk(length)
	}
	p.start = l.starts[p.index] + PartOverhead*int64(p.index) + HeaderSize
	p.end = p.start + length + chunkOverhead*chunkCount(length, p.size)
	within := offset - l.starts[p.index]
	p.chunk, p.skip = within/p.size, int(within%p.size)
	return p, nil
}
