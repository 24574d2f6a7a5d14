package seal

import (
	"strings"
	"testing"
)

// The rules one by one, for headers that are authentic: what is refused here is
// refused whoever sealed it.
func TestOrder(t *testing.T) {
	t.Parallel()
	part := func(number int, length int64) Header { return Header{Part: Part{Number: number, Length: length}} }
	final := func(number int, length int64) Header {
		return Header{Part: Part{Number: number, Length: length, Final: true}}
	}
	closing := func(number int, listed ...Header) Header {
		sum := newDigest()
		for _, h := range listed {
			sum.add(h.Part)
		}
		return Header{Part: Part{Number: number, Final: true}, Closing: true, salt: sum.salt()}
	}
	tests := []struct {
		name    string
		parts   int
		plain   int64
		headers []Header
		want    string // the problem with the last header, "" for none
	}{
		{"final", 2, 15, []Header{part(1, 10), final(2, 5)}, ""},
		{"closed", 3, 15, []Header{part(1, 10), part(2, 5), closing(3, part(1, 10), part(2, 5))}, ""},
		{"closed with gaps", 3, 15, []Header{part(4, 10), part(6, 5), closing(9, part(4, 10), part(6, 5))}, ""},
		{"number twice", 3, 20, []Header{part(1, 10), part(1, 10)}, "number 1 after number 1"},
		{"number falls", 3, 20, []Header{part(2, 10), part(1, 10)}, "number 1 after number 2"},
		{"number zero", 1, 20, []Header{part(0, 20)}, "number 0"},
		{"closing number", 3, 20, []Header{part(1, 10), part(3, 10), closing(3, part(1, 10), part(3, 10))}, "number 3 after number 3"},
		{"more bytes than told", 2, 20, []Header{part(1, 10), final(2, 11)}, "does not fit"},
		{"more parts than told", 2, 20, []Header{part(1, 10), final(2, 10), final(3, 0)}, "does not fit"},
		{"too few parts", 2, 20, []Header{part(1, 10), part(2, 10)}, "not final"},
		{"fewer parts than told", 3, 20, []Header{part(1, 10), final(2, 10)}, "goes on"},
		{"fewer bytes than told", 2, 21, []Header{part(1, 10), final(2, 10)}, "goes on"},
		{"closing alone", 1, 0, []Header{closing(1)}, "lists"},
		{"closing lists more", 2, 10, []Header{part(1, 10), closing(3, part(1, 10), part(2, 10))}, "lists"},
		{"closing lists another length", 2, 10, []Header{part(1, 10), closing(3, part(1, 11))}, "lists"},
		{"gap at the start", 1, 10, []Header{final(2, 10)}, "missing"},
		{"gap", 2, 20, []Header{part(1, 10), final(3, 10)}, "missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := newOrder(test.plain, test.parts)
			for i, h := range test.headers {
				problem := o.add(h)
				if i < len(test.headers)-1 {
					if problem != "" {
						t.Fatalf("header %d: %s", i, problem)
					}
				} else if test.want == "" && problem != "" || !strings.Contains(problem, test.want) {
					t.Errorf("got %q, want %q", problem, test.want)
				}
			}
		})
	}
}

// What no header may say is refused before any key is derived.
func TestDecodeHeader(t *testing.T) {
	t.Parallel()
	f := fields{Multipart, Header{Part: Part{Number: 1, Length: 5}}}
	right := f.encode()
	if _, problem := decodeHeader(&right); problem != "" {
		t.Fatal(problem)
	}
	for name, change := range map[string]func(*[HeaderSize]byte){
		"magic":                   func(b *[HeaderSize]byte) { b[0] = 'S' },
		"single":                  func(b *[HeaderSize]byte) { b[4] = flagFinal },
		"unknown flag":            func(b *[HeaderSize]byte) { b[4] |= 8 },
		"closing, not final":      func(b *[HeaderSize]byte) { b[4], b[15] = flagMultipart|flagClosing, 0 },
		"closing, with plaintext": func(b *[HeaderSize]byte) { b[4] = flagMultipart | flagClosing | flagFinal },
		"suite":                   func(b *[HeaderSize]byte) { b[5] = 2 },
		"number 0":                func(b *[HeaderSize]byte) { b[7] = 0 },
		"number 10001":            func(b *[HeaderSize]byte) { b[6], b[7] = 10001>>8, 10001&0xff },
		"length":                  func(b *[HeaderSize]byte) { b[8] = 0x80 },
		"length above the limit":  func(b *[HeaderSize]byte) { b[11] = 2 },
	} {
		changed := right
		change(&changed)
		if got, problem := decodeHeader(&changed); problem == "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if !HasMagic(right[:]) || !HasMagic([]byte(magic)) || HasMagic([]byte(magic[:3])) || HasMagic([]byte("plain text")) || HasMagic(nil) {
		t.Error("HasMagic")
	}
}

func TestDamageText(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]*Damage{
		"seal: damaged part: x":               {Chunk: -1, Problem: "x"},
		"seal: part 3 is damaged: x":          {Part: 3, Chunk: -1, Problem: "x"},
		"seal: part 3, chunk 0 is damaged: x": {Part: 3, Problem: "x"},
	} {
		if got := d.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
