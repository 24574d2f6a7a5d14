package sigv4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func crc64Trailer(payload []byte) Trailer {
	return Trailer{
		Length: int64(len(payload)),
		Name:   "x-amz-checksum-crc64nvme",
		Value:  func() (string, error) { return testChecksums["crc64nvme"](payload), nil },
	}
}

func TestEncodeTrailerExact(t *testing.T) {
	t.Parallel()
	payload := []byte("Hello world")
	r, n := EncodeTrailer(bytes.NewReader(payload), Trailer{
		Length: 11,
		Name:   "x-amz-checksum-sha256",
		Value:  func() (string, error) { return testChecksums["sha256"](payload), nil },
	})
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	want := "b\r\nHello world\r\n0\r\nx-amz-checksum-sha256:ZOyIygCyaOW6GjVnihtTFtIS9PNmskdyMlNKiuyjfzw=\r\n\r\n"
	if string(got) != want || n != int64(len(want)) {
		t.Fatalf("got %q and length %d, want %q and %d", got, n, want, len(want))
	}
}

func TestEncodeTrailerSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 15, 16, 255, 256, blockSize, upstreamChunk - 1, upstreamChunk, upstreamChunk + 1, 2 * upstreamChunk, 3*upstreamChunk + 17} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole":        func(r io.Reader) io.Reader { return r },
			"EOF with end": iotest.DataErrReader,
			"halves":       iotest.HalfReader,
		} {
			t.Run(fmt.Sprintf("%d/%s", size, name), func(t *testing.T) {
				t.Parallel()
				payload := randomBytes(size)
				r, n := EncodeTrailer(wrap(bytes.NewReader(payload)), crc64Trailer(payload))
				encoded, err := io.ReadAll(r)
				if err != nil {
					t.Fatal(err)
				}
				if int64(len(encoded)) != n {
					t.Fatalf("length %d was announced, %d bytes came", n, len(encoded))
				}
				u := upload{form: PayloadUnsignedTrailer, payload: payload, trailer: "crc64nvme"}
				wantPayload(t, mustOpen(t, exampleProof(u.form), u.request(), bytes.NewReader(encoded)), payload)
			})
		}
	}
}

func TestEncodeTrailerProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		payload := randomBytes(rapid.IntRange(0, 2*upstreamChunk+100).Draw(t, "size"))
		r, n := EncodeTrailer(&pieces{data: payload, sizes: drawSizes(t, "arrive")}, crc64Trailer(payload))
		encoded, err := readInPieces(r, drawSizes(t, "ask"))
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(encoded)) != n {
			t.Fatalf("length %d was announced, %d bytes came", n, len(encoded))
		}
		u := upload{form: PayloadUnsignedTrailer, payload: payload, trailer: "crc64nvme"}
		b, err := u.open(bytes.NewReader(encoded))
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if got, err := readAll(b); err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("got %d bytes and %v, want %d", len(got), err, len(payload))
		}
	})
}

// An error must never look like a complete body.
func TestEncodeTrailerErrors(t *testing.T) {
	t.Parallel()
	payload := randomBytes(2000)
	broken := errors.New("broken")
	never := func() (string, error) { panic("asked for the value of a payload that failed") }
	for _, tc := range []struct {
		name    string
		body    io.Reader
		trailer Trailer
		is      error
		text    string
	}{
		{"payload short", bytes.NewReader(payload[:1999]), Trailer{2000, "x-amz-checksum-crc32", never}, io.ErrUnexpectedEOF, "1 bytes early"},
		{"payload long", bytes.NewReader(payload), Trailer{1999, "x-amz-checksum-crc32", never}, nil, "longer than 1999"},
		{"payload fails", io.MultiReader(bytes.NewReader(payload[:10]), iotest.ErrReader(broken)), Trailer{2000, "x-amz-checksum-crc32", never}, broken, ""},
		{"payload fails at its end", io.MultiReader(bytes.NewReader(payload), iotest.ErrReader(broken)), Trailer{2000, "x-amz-checksum-crc32", never}, broken, ""},
		{"value fails", bytes.NewReader(payload), Trailer{2000, "x-amz-checksum-crc32", func() (string, error) { return "", broken }}, broken, ""},
		{"value of another length", bytes.NewReader(payload), Trailer{2000, "x-amz-checksum-crc32", func() (string, error) { return "AAAA", nil }}, nil, "4 characters, want 8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, n := EncodeTrailer(tc.body, tc.trailer)
			got, err := io.ReadAll(r)
			if err == nil || int64(len(got)) >= n {
				t.Fatalf("got %d of %d bytes and %v", len(got), n, err)
			}
			if tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.text) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(string(got), "\r\n0\r\n") {
				t.Fatal("the final chunk was sent")
			}
			if m, again := r.Read(make([]byte, 10)); m != 0 || again != err {
				t.Fatalf("then got %d, %v", m, again)
			}
		})
	}
}

func TestEncodeTrailerRefuses(t *testing.T) {
	t.Parallel()
	for _, trailer := range []Trailer{
		{Length: 1, Name: "x-amz-checksum-crc16"},
		{Length: 1, Name: "crc32"},
		{Length: 1},
		{Length: -1, Name: "x-amz-checksum-crc32"},
	} {
		r, n := EncodeTrailer(strings.NewReader("x"), trailer)
		if got, err := io.ReadAll(r); n != -1 || err == nil || len(got) > 0 {
			t.Errorf("%q: got %d bytes, %v and length %d", trailer.Name, len(got), err, n)
		}
	}
}

// A Body that fails in the end must not be completed by the framing around it.
func TestEncodeTrailerOfRejectedBody(t *testing.T) {
	t.Parallel()
	payload := randomBytes(200_000)
	req, proof := plain(PayloadHash, payload)
	proof.PayloadHash = hexSHA256(nil)
	b := mustOpen(t, proof, req, bytes.NewReader(payload))
	r, n := EncodeTrailer(b, Trailer{b.Length(), "x-amz-checksum-crc32", func() (string, error) { return "AAAAAA==", nil }})
	got, err := io.ReadAll(r)
	wantCode(t, err, "XAmzContentSHA256Mismatch")
	if int64(len(got)) > n-blockSize {
		t.Fatalf("%d of %d bytes came out", len(got), n)
	}
}

func TestEncodeTrailerDoesNotCopyOrAllocate(t *testing.T) {
	payload := randomBytes(upstreamChunk)
	src := &addressed{Reader: bytes.NewReader(payload)}
	r, _ := EncodeTrailer(src, crc64Trailer(payload))
	buf := make([]byte, 4096)
	if got := testing.AllocsPerRun(50, func() {
		if _, err := r.Read(buf); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Fatalf("%v allocations per Read", got)
	}
	if src.last != &buf[0] {
		t.Fatal("payload was copied on its way")
	}
}
