package seal

import (
	"errors"
	"math"
	mathrand "math/rand/v2"
	"testing"
)

// borders are sizes at which a formula could go wrong.
func borders(limit int64) []int64 {
	var sizes []int64
	random := mathrand.New(mathrand.NewPCG(3, 4))
	near := func(x int64) {
		for d := int64(-2); d <= 2; d++ {
			if x+d >= 0 && x+d <= limit {
				sizes = append(sizes, x+d)
			}
		}
	}
	for _, unit := range []int64{minChunk, minChunk + chunkOverhead, chunkStep, minPart, 1 << 30} {
		for _, n := range []int64{0, 1, 2, 3, 159, 160, 511, 512, 513, limit / unit} {
			near(n * unit)
		}
	}
	near(limit)
	for range 2000 {
		sizes = append(sizes, random.Int64N(limit+1), random.Int64N(1<<random.IntN(32)))
	}
	return sizes
}

func TestSingleSizes(t *testing.T) {
	t.Parallel()
	for _, plain := range borders(MaxSingle) {
		stored, err := SingleSize(plain)
		if err != nil {
			t.Fatalf("%d: %v", plain, err)
		}
		chunks := int64(1)
		if plain > 0 {
			chunks = (plain-1)/minChunk + 1
		}
		if want := 64 + plain + 28*chunks; stored != want {
			t.Fatalf("%d: stored %d, want %d", plain, stored, want)
		}
		if got, err := SinglePlain(stored); err != nil || got != plain {
			t.Fatalf("%d stored as %d: inverse %d, %v", plain, stored, got, err)
		}
	}
	if stored, err := SingleSize(MaxSingle); err != nil || stored != MaxStored {
		t.Errorf("the largest is stored as %d, %v", stored, err)
	}
	for _, plain := range []int64{-1, MaxSingle + 1, math.MaxInt64, math.MinInt64} {
		if _, err := SingleSize(plain); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d: %v", plain, err)
		}
	}
}

// Every stored size there is up to some chunks: either it is the size of
// exactly one plaintext, or it is refused.
func TestSinglePlainIsExact(t *testing.T) {
	t.Parallel()
	sizes := map[int64]int64{}
	for plain := range int64(3*minChunk + 100) {
		stored, err := SingleSize(plain)
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := sizes[stored]; twice {
			t.Fatalf("%d and %d are stored as %d", other, plain, stored)
		}
		sizes[stored] = plain
	}
	for stored := range int64(3*minChunk + 200) {
		want, exists := sizes[stored]
		got, err := SinglePlain(stored)
		if exists && (err != nil || got != want) || !exists && !errors.Is(err, ErrSize) {
			t.Fatalf("%d: got %d, %v", stored, got, err)
		}
	}
	for _, stored := range []int64{-1, MaxStored + 1, math.MaxInt64, math.MinInt64} {
		if _, err := SinglePlain(stored); !errors.Is(err, ErrSize) {
			t.Errorf("%d: %v", stored, err)
		}
	}
}

func TestPartSizes(t *testing.T) {
	t.Parallel()
	for _, plain := range borders(MaxPart) {
		stored, err := PartSize(plain)
		if err != nil || stored != plain+14_416 {
			t.Fatalf("%d: stored %d, %v", plain, stored, err)
		}
		if got, err := PartPlain(stored); err != nil || got != plain {
			t.Fatalf("%d: inverse %d, %v", plain, got, err)
		}
		chunk := partChunk(plain)
		count := chunkCount(plain, chunk)
		c := partCipher{fields: fields{Multipart, Header{Part: Part{Length: plain}}}, chunk: chunk, count: count}
		switch {
		case chunk%minChunk != 0 || chunk < minChunk || chunk > 10<<20:
			t.Fatalf("%d: chunks of %d", plain, chunk)
		case count < 1 || count > 512:
			t.Fatalf("%d: %d chunks", plain, count)
		case plain > 0 && (c.plain(count-1) < 1 || int64(c.plain(count-1)) > chunk):
			t.Fatalf("%d: last chunk of %d", plain, c.plain(count-1))
		case c.fill() < 16 || HeaderSize+plain+chunkOverhead*count+c.fill() != stored:
			t.Fatalf("%d: fill %d", plain, c.fill())
		case len(newBuffer(c.buffer()).bytes) < c.buffer():
			t.Fatalf("%d: buffer of %d", plain, c.buffer())
		}
	}
	for plain, want := range map[int64]int64{0: 64 << 10, 32 << 20: 64 << 10, 32<<20 + 1: 128 << 10, 100 << 20: 256 << 10, MaxPart: 10 << 20} {
		if got := partChunk(plain); got != want {
			t.Errorf("%d: chunks of %d, want %d", plain, got, want)
		}
	}
	if maxChunk != 10<<20 || MaxPart != 5_368_694_704 {
		t.Errorf("largest chunk %d, largest part %d", maxChunk, int64(MaxPart))
	}
	for _, plain := range []int64{-1, MaxPart + 1, math.MaxInt64} {
		if _, err := PartSize(plain); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d: %v", plain, err)
		}
	}
}

func TestMultipartPlain(t *testing.T) {
	t.Parallel()
	random := mathrand.New(mathrand.NewPCG(5, 6))
	for range 500 {
		parts := 1 + random.IntN(MaxParts)
		var plain, stored int64
		for range parts {
			p := random.Int64N(MaxPart + 1)
			s, err := PartSize(p)
			if err != nil {
				t.Fatal(err)
			}
			plain, stored = plain+p, stored+s
		}
		if got, err := MultipartPlain(stored, parts); err != nil || got != plain {
			t.Fatalf("%d parts: %d, %v; want %d", parts, got, err, plain)
		}
	}
	if got, err := MultipartPlain(MaxStored*MaxParts, MaxParts); err != nil || got != MaxPart*MaxParts {
		t.Errorf("the largest: %d, %v", got, err)
	}
	for _, bad := range []struct {
		stored int64
		parts  int
	}{{PartOverhead - 1, 1}, {PartOverhead, 2}, {0, 0}, {PartOverhead, 0}, {PartOverhead, -1}, {-1, 1}, {MaxStored + 1, 1},
		{MaxStored*MaxParts + 1, MaxParts}, {PartOverhead * (MaxParts + 1), MaxParts + 1}, {math.MaxInt64, 1}, {math.MinInt64, 1}, {1, math.MaxInt}} {
		if got, err := MultipartPlain(bad.stored, bad.parts); !errors.Is(err, ErrSize) {
			t.Errorf("%+v: %d, %v", bad, got, err)
		}
	}
}

func TestMustBeFinal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		number int
		length int64
		want   bool
	}{{1, 0, true}, {1, 5<<20 - 1, true}, {1, 5 << 20, false}, {9999, MaxPart, false}, {10000, MaxPart, true}} {
		if got := MustBeFinal(test.number, test.length); got != test.want {
			t.Errorf("part %d of %d: %v", test.number, test.length, got)
		}
	}
}

// Sizes of the largest layouts, with nothing allocated but the headers.
func TestLargestLayouts(t *testing.T) {
	t.Parallel()
	headers := make([]Header, MaxParts)
	for i := range headers {
		headers[i].Part = Part{Number: i + 1, Length: MaxPart, Final: i == MaxParts-1}
	}
	l, err := NewLayout(MaxStored*MaxParts, headers)
	if err != nil {
		t.Fatal(err)
	}
	if l.Plain() != MaxPart*MaxParts || l.Parts() != MaxParts || l.Kind() != Multipart {
		t.Errorf("%d bytes in %d parts", l.Plain(), l.Parts())
	}
	for _, test := range []struct{ plain, want Extent }{
		{Extent{0, 1}, Extent{64, 10<<20 + 28}},
		{Extent{MaxPart, 1}, Extent{MaxStored + 64, 10<<20 + 28}},
		{Extent{MaxPart*MaxParts - 1, 1}, Extent{MaxStored*(MaxParts-1) + 64 + 511*(10<<20+28), MaxPart - 511*(10<<20) + 28}},
		{Extent{10<<20 - 1, 2}, Extent{64, 2 * (10<<20 + 28)}},
	} {
		if got, err := l.Stored(test.plain); err != nil || got != test.want {
			t.Errorf("%+v: got %+v, %v; want %+v", test.plain, got, err, test.want)
		}
	}
	if rank, err := l.Find(MaxPart); err != nil || rank != 2 {
		t.Errorf("rank %d, %v", rank, err)
	}
	for _, offset := range []int64{-1, l.Plain(), math.MaxInt64} {
		if _, err := l.Find(offset); !errors.Is(err, ErrRange) {
			t.Errorf("byte %d: %v", offset, err)
		}
	}
	for _, rank := range []int{-1, 0, MaxParts + 1} {
		if _, _, err := l.Part(rank); !errors.Is(err, ErrPart) {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
	single, err := SingleLayout(MaxStored)
	if err != nil || single.Plain() != MaxSingle || single.Kind() != Single || single.Parts() != 1 {
		t.Errorf("single: %+v, %v", single, err)
	}
	if _, err := NewLayout(10, nil); !errors.Is(err, ErrSize) {
		t.Errorf("no headers: %v", err)
	}
}
