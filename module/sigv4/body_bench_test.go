package sigv4

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

var benchSizes = []int{1 << 20, 64 << 20}

// benchmarkBody measures reading what open returns, through the 32 KiB buffer
// of io.Copy.
func benchmarkBody(b *testing.B, size int, open func() *Body) {
	b.Helper()
	buf := make([]byte, 32<<10)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		body := open()
		for {
			if _, err := body.Read(buf); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		body.Close()
	}
}

func BenchmarkBodyPlain(b *testing.B) {
	for _, tc := range []struct {
		name   string
		form   Payload
		header string
	}{
		{"unsigned", PayloadUnsigned, ""},
		{"sha256", PayloadHash, ""},
		{"md5", PayloadUnsigned, "Content-Md5"},
		{"crc64nvme", PayloadUnsigned, "X-Amz-Checksum-Crc64nvme"},
	} {
		for _, size := range benchSizes {
			b.Run(tc.name+"/"+sizeName(size), func(b *testing.B) {
				payload := bytes.Repeat([]byte{'a'}, size)
				req, proof := plain(tc.form, payload)
				switch tc.header {
				case "Content-Md5":
					setTestHeader(req, tc.header, testChecksums["md5"](payload))
				case "X-Amz-Checksum-Crc64nvme":
					setTestHeader(req, tc.header, testChecksums["crc64nvme"](payload))
				}
				benchmarkBody(b, size, func() *Body {
					body, err := proof.Open(req, bytes.NewReader(payload))
					if err != nil {
						b.Fatal(err)
					}
					return body
				})
			})
		}
	}
}

func BenchmarkBodyStreaming(b *testing.B) {
	for _, tc := range []struct {
		form    Payload
		trailer string
		chunk   int
	}{
		{PayloadUnsignedTrailer, "crc32", blockSize},
		{PayloadUnsignedTrailer, "crc64nvme", 8192},
		{PayloadSignedChunks, "", blockSize},
		{PayloadSignedChunksTrailer, "crc32c", blockSize},
	} {
		for _, size := range benchSizes {
			b.Run(fmt.Sprintf("%v/%s/%s", tc.form, tc.trailer, sizeName(size)), func(b *testing.B) {
				u := upload{form: tc.form, payload: bytes.Repeat([]byte{'a'}, size), trailer: tc.trailer}
				for range size / tc.chunk {
					u.sizes = append(u.sizes, tc.chunk)
				}
				encoded := u.encode().bytes()
				req, proof := u.request(), exampleProof(u.form)
				benchmarkBody(b, size, func() *Body {
					body, err := proof.Open(req, bytes.NewReader(encoded))
					if err != nil {
						b.Fatal(err)
					}
					return body
				})
			})
		}
	}
}

func BenchmarkEncodeTrailer(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(sizeName(size), func(b *testing.B) {
			payload := make([]byte, size)
			buf := make([]byte, 32<<10)
			value := func() (string, error) { return "AAAAAAAAAAA=", nil }
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r, _ := EncodeTrailer(bytes.NewReader(payload), Trailer{int64(size), "x-amz-checksum-crc64nvme", value})
				for {
					if _, err := r.Read(buf); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
