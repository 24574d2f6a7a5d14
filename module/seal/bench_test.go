package seal

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// BenchmarkRaw is what the machine can do: AES-256-GCM alone, on chunks of the
// same sizes. Seal and Open of many chunks are to reach two thirds of it.
func BenchmarkRaw(b *testing.B) {
	for _, chunk := range []int{minChunk, 4 * minChunk} {
		aead := newAEAD(make([]byte, KeySize))
		buf := make([]byte, chunk+chunkOverhead)
		other := make([]byte, chunk+chunkOverhead)
		b.Run(fmt.Sprintf("seal/%dKiB", chunk>>10), func(b *testing.B) {
			b.SetBytes(int64(chunk))
			for b.Loop() {
				aead.Seal(other[:0], nil, buf[:chunk], nil)
			}
		})
		sealed := aead.Seal(nil, nil, buf[:chunk], nil)
		b.Run(fmt.Sprintf("open/%dKiB", chunk>>10), func(b *testing.B) {
			b.SetBytes(int64(chunk))
			for b.Loop() {
				if _, err := aead.Open(other[:0], nil, sealed, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The sizes of objects that are measured: one chunk, many, and parts with
// larger chunks.
var benchSizes = []int64{minChunk, 8 << 20, 100 << 20}

// Reads of 32 KiB are what net/http does.
var benchReads = []int{32 << 10, 1 << 20}

func BenchmarkSeal(b *testing.B) {
	for _, size := range benchSizes {
		for _, step := range benchReads {
			b.Run(fmt.Sprintf("%dKiB/read%dKiB", size>>10, step>>10), func(b *testing.B) {
				o, plain, p := newObject(b, Multipart), make([]byte, size), make([]byte, step)
				b.SetBytes(size)
				for b.Loop() {
					s, err := o.SealPart(bytes.NewReader(plain), Part{Number: 1, Length: size, Final: true})
					if err != nil {
						b.Fatal(err)
					}
					benchRead(b, s, p)
					s.Close()
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range benchSizes {
		for _, step := range benchReads {
			b.Run(fmt.Sprintf("%dKiB/read%dKiB", size>>10, step>>10), func(b *testing.B) {
				o, p := newObject(b, Multipart), make([]byte, step)
				stored := sealPart(b, o, Part{Number: 1, Final: true}, make([]byte, size))
				b.SetBytes(size)
				for b.Loop() {
					opener, err := o.OpenMultipart(bytes.NewReader(stored), int64(len(stored)), 1)
					if err != nil {
						b.Fatal(err)
					}
					benchRead(b, opener, p)
					opener.Close()
				}
			})
		}
	}
}

func benchRead(b *testing.B, r io.Reader, p []byte) {
	b.Helper()
	for {
		if _, err := r.Read(p); err == io.EOF {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}
