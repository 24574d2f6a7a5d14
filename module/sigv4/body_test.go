package sigv4

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/sealgate/sealgate/module/s3"
)

var interestingSizes = []int{0, 1, 100, blockSize - 1, blockSize, blockSize + 1, 2*blockSize + 3, 300_000}

func TestBodyPlain(t *testing.T) {
	t.Parallel()
	for _, form := range []Payload{PayloadNone, PayloadUnsigned, PayloadHash} {
		for _, size := range interestingSizes {
			t.Run(fmt.Sprintf("%v/%d", form, size), func(t *testing.T) {
				t.Parallel()
				payload := randomBytes(size)
				req, proof := plain(form, payload)
				b := mustOpen(t, proof, req, iotest.HalfReader(bytes.NewReader(payload)))
				if b.Length() != int64(size) || b.MustVerify() != (form == PayloadHash) || b.TrailerName() != "" {
					t.Fatalf("Length %d, MustVerify %v, TrailerName %q", b.Length(), b.MustVerify(), b.TrailerName())
				}
				wantPayload(t, b, payload)
			})
		}
	}
}

func TestBodyStreaming(t *testing.T) {
	t.Parallel()
	for _, form := range []Payload{PayloadSignedChunks, PayloadSignedChunksTrailer, PayloadUnsignedTrailer} {
		for _, size := range interestingSizes {
			for _, lineEnd := range []string{"\r\n", "\n", "\n\r\n"} {
				u := upload{form: form, payload: randomBytes(size), sizes: []int{7, 8192, blockSize}, lineEnd: lineEnd}
				if form.Trailer() {
					u.trailer = "crc32c"
				}
				t.Run(fmt.Sprintf("%v/%d/%q", form, size, lineEnd), func(t *testing.T) {
					t.Parallel()
					encoded := u.encode().bytes()
					req := u.request()
					req.ContentLength = int64(len(encoded))
					b := mustOpen(t, exampleProof(form), req, bytes.NewReader(encoded))
					if b.Length() != int64(size) || !b.MustVerify() {
						t.Fatalf("Length %d, MustVerify %v", b.Length(), b.MustVerify())
					}
					if len(b.Checksums()) != 0 {
						t.Fatal("checksums before the end")
					}
					wantPayload(t, b, u.payload)
					if u.trailer == "" {
						return
					}
					if got := b.TrailerName(); got != "x-amz-checksum-crc32c" {
						t.Fatalf("TrailerName %q", got)
					}
					if got, want := b.Checksums().Get("x-amz-checksum-crc32c"), testChecksums["crc32c"](u.payload); got != want {
						t.Fatalf("checksum %q, want %q", got, want)
					}
				})
			}
		}
	}
}

func TestBodyAnonymousTrailer(t *testing.T) {
	t.Parallel()
	u := upload{form: PayloadUnsignedTrailer, payload: []byte("hello"), trailer: "sha256"}
	proof := Proof{Claim: Claim{Payload: PayloadUnsignedTrailer}}
	wantPayload(t, mustOpen(t, proof, u.request(), bytes.NewReader(u.encode().bytes())), u.payload)
}

func TestBodyOpenErrors(t *testing.T) {
	t.Parallel()
	payload := []byte("hello, world")
	unsigned := upload{form: PayloadUnsignedTrailer, payload: payload, trailer: "crc32"}
	signed := upload{form: PayloadSignedChunks, payload: payload}
	set := func(name, value string) func(*s3.Request, *Proof) {
		return func(r *s3.Request, _ *Proof) { setTestHeader(r, name, value) }
	}
	del := func(name string) func(*s3.Request, *Proof) {
		return func(r *s3.Request, _ *Proof) { r.Wire.Del(name); r.Header.Del(name) }
	}
	length := func(n int64) func(*s3.Request, *Proof) {
		return func(r *s3.Request, _ *Proof) { r.ContentLength = n }
	}
	for _, tc := range []struct {
		name   string
		form   Payload
		change func(*s3.Request, *Proof)
		code   string
	}{
		{"plain without length", PayloadUnsigned, length(-1), "MissingContentLength"},
		{"plain over 5 GiB", PayloadUnsigned, length(MaxPayload + 1), "EntityTooLarge"},
		{"hash without length", PayloadHash, length(-1), "MissingContentLength"},
		{"streaming without decoded length", PayloadUnsignedTrailer, del("X-Amz-Decoded-Content-Length"), "MissingContentLength"},
		{"decoded length negative", PayloadUnsignedTrailer, set("X-Amz-Decoded-Content-Length", "-1"), "InvalidArgument"},
		{"decoded length signed", PayloadUnsignedTrailer, set("X-Amz-Decoded-Content-Length", "+12"), "InvalidArgument"},
		{"decoded length empty", PayloadUnsignedTrailer, set("X-Amz-Decoded-Content-Length", ""), "InvalidArgument"},
		{"decoded length hex", PayloadUnsignedTrailer, set("X-Amz-Decoded-Content-Length", "0xc"), "InvalidArgument"},
		{"decoded length twice", PayloadUnsignedTrailer, func(r *s3.Request, _ *Proof) { r.Header.Add("X-Amz-Decoded-Content-Length", "13") }, "InvalidArgument"},
		{"decoded length over 5 GiB", PayloadUnsignedTrailer, set("X-Amz-Decoded-Content-Length", "5368709121"), "EntityTooLarge"},
		{"decoded length over 64 bits", PayloadSignedChunks, set("X-Amz-Decoded-Content-Length", "99999999999999999999"), "EntityTooLarge"},
		{"Content-Length shorter than payload", PayloadUnsignedTrailer, length(5), "IncompleteBody"},
		{"streaming on another operation", PayloadUnsignedTrailer, func(r *s3.Request, _ *Proof) { r.Op = &s3.Operation{Name: "DeleteObjects"} }, "InvalidRequest"},
		{"streaming on no operation", PayloadUnsignedTrailer, func(r *s3.Request, _ *Proof) { r.Op = nil }, "InvalidRequest"},
		{"signed chunks without identity", PayloadSignedChunks, func(_ *s3.Request, p *Proof) { *p = Proof{Claim: Claim{Payload: PayloadSignedChunks}} }, "InvalidRequest"},
		{"signed chunks without key", PayloadSignedChunks, func(_ *s3.Request, p *Proof) { p.key = nil }, "InvalidRequest"},
		{"signed chunks without seed", PayloadSignedChunks, func(_ *s3.Request, p *Proof) { p.seed = "" }, "InvalidRequest"},
		{"aws-chunked on an unsigned payload", PayloadUnsigned, set("Content-Encoding", "aws-chunked"), "InvalidArgument"},
		{"aws-chunked on a hashed payload", PayloadHash, set("Content-Encoding", "gzip, AWS-Chunked"), "InvalidArgument"},
		{"aws-chunked but the digest is wrong too", PayloadUnsigned, func(r *s3.Request, _ *Proof) {
			setTestHeader(r, "Content-Encoding", "aws-chunked")
			setTestHeader(r, "Content-Md5", "?")
		}, "InvalidDigest"},
		{"hash not hex", PayloadHash, func(_ *s3.Request, p *Proof) { p.PayloadHash = strings.Repeat("x", 64) }, "InvalidArgument"},
		{"hash short", PayloadHash, func(_ *s3.Request, p *Proof) { p.PayloadHash = "abcd" }, "InvalidArgument"},
		{"signed trailer not announced", PayloadSignedChunksTrailer, del("X-Amz-Trailer"), "InvalidRequest"},
		{"trailer unknown", PayloadUnsignedTrailer, set("X-Amz-Trailer", "x-amz-checksum-crc16"), "InvalidRequest"},
		{"trailer not a checksum", PayloadUnsignedTrailer, set("X-Amz-Trailer", "x-amz-meta-a"), "InvalidRequest"},
		{"trailer empty", PayloadUnsignedTrailer, set("X-Amz-Trailer", ""), "InvalidRequest"},
		{"two trailers in one line", PayloadUnsignedTrailer, set("X-Amz-Trailer", "x-amz-checksum-crc32,x-amz-checksum-sha1"), "InvalidRequest"},
		{"two trailer lines", PayloadUnsignedTrailer, func(r *s3.Request, _ *Proof) { r.Header.Add("X-Amz-Trailer", "x-amz-checksum-sha1") }, "InvalidRequest"},
		{"trailer on a plain payload", PayloadUnsigned, set("X-Amz-Trailer", "x-amz-checksum-crc32"), "InvalidRequest"},
		{"trailer on signed chunks without one", PayloadSignedChunks, set("X-Amz-Trailer", "x-amz-checksum-crc32"), "InvalidRequest"},
		{"trailer and header", PayloadUnsignedTrailer, set("X-Amz-Checksum-Crc32", testChecksums["crc32"](payload)), "InvalidRequest"},
		{"trailer that cannot be verified", PayloadUnsignedTrailer, set("X-Amz-Trailer", "x-amz-checksum-xxhash64"), "NotImplemented"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			req, proof := plain(tc.form, payload)
			switch {
			case tc.form.Trailer():
				req = unsigned.request()
			case tc.form.Chunked():
				req = signed.request()
			}
			tc.change(req, &proof)
			_, err := proof.Open(req, iotest.ErrReader(errors.New("Open read from the body")))
			wantCode(t, err, tc.code)
		})
	}
}

func TestBodyTooLargeNamesSizes(t *testing.T) {
	t.Parallel()
	req, proof := plain(PayloadUnsigned, nil)
	req.ContentLength = MaxPayload + 7
	_, err := proof.Open(req, nil)
	want := []s3.Detail{{Name: "ProposedSize", Value: "5368709127"}, {Name: "MaxSizeAllowed", Value: "5368709120"}}
	if got := s3.AsError(err).Details; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got details %v, want %v", got, want)
	}
}

func TestBodyWrongPlainPayload(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 100, blockSize, blockSize + 1, 300_000} {
		payload := randomBytes(size)
		flipped := bytes.Clone(payload)
		flipped[0] ^= 1
		for _, tc := range []struct {
			name string
			body []byte
			code string
		}{
			{"changed", flipped, "XAmzContentSHA256Mismatch"},
			{"short", payload[:size-1], "IncompleteBody"},
			{"empty", nil, "IncompleteBody"},
			{"long", append(bytes.Clone(payload), 0), "IncompleteBody"},
		} {
			t.Run(fmt.Sprintf("%s/%d", tc.name, size), func(t *testing.T) {
				t.Parallel()
				req, proof := plain(PayloadHash, payload)
				b := mustOpen(t, proof, req, bytes.NewReader(tc.body))
				sent := payload
				if tc.name == "changed" {
					sent = flipped
				}
				wantRejected(t, b, sent, tc.code)
			})
		}
	}
}

func TestBodyHashMismatchNamesBoth(t *testing.T) {
	t.Parallel()
	req, proof := plain(PayloadHash, []byte("a"))
	_, err := io.ReadAll(mustOpen(t, proof, req, strings.NewReader("b")))
	want := []s3.Detail{
		{Name: "ClientComputedContentSHA256", Value: hexSHA256([]byte("a"))},
		{Name: "S3ComputedContentSHA256", Value: hexSHA256([]byte("b"))},
	}
	if got := s3.AsError(err).Details; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got details %v, want %v", got, want)
	}
}

// Without anything to verify the last bytes are not held back, but length
// still counts.
func TestBodyPassThroughLength(t *testing.T) {
	t.Parallel()
	payload := randomBytes(200_000)
	for _, tc := range []struct {
		name string
		body []byte
		got  int
	}{
		{"short", payload[:199_999], 199_999},
		{"long", append(bytes.Clone(payload), 1), 200_000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			req, proof := plain(PayloadUnsigned, payload)
			got, err := io.ReadAll(mustOpen(t, proof, req, bytes.NewReader(tc.body)))
			wantCode(t, err, "IncompleteBody")
			if len(got) != tc.got {
				t.Fatalf("%d bytes came out, want %d", len(got), tc.got)
			}
		})
	}
}

// addressed remembers where it was asked to read to.
type addressed struct {
	io.Reader
	last *byte
}

func (a *addressed) Read(p []byte) (int, error) {
	if len(p) > 0 {
		a.last = &p[0]
	}
	return a.Reader.Read(p)
}

func TestBodyReadsIntoCaller(t *testing.T) {
	t.Parallel()
	payload := randomBytes(4 * blockSize)
	for _, form := range []Payload{PayloadUnsigned, PayloadHash} {
		req, proof := plain(form, payload)
		src := &addressed{Reader: bytes.NewReader(payload)}
		b := mustOpen(t, proof, req, src)
		buf := make([]byte, 32<<10)
		if n, err := b.Read(buf); n != len(buf) || err != nil {
			t.Fatalf("Read returned %d, %v", n, err)
		}
		if src.last != &buf[0] {
			t.Errorf("%v: payload was copied on its way", form)
		}
	}
}

func TestBodyReadDoesNotAllocate(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	streams := map[string]func() *Body{}
	for _, form := range []Payload{PayloadUnsigned, PayloadHash} {
		req, proof := plain(form, payload)
		setTestHeader(req, "Content-Md5", testChecksums["md5"](payload))
		streams[form.String()] = func() *Body { return mustOpen(t, proof, req, bytes.NewReader(payload)) }
	}
	u := upload{form: PayloadSignedChunksTrailer, payload: payload, trailer: "sha1"}
	for range 200 {
		u.sizes = append(u.sizes, 4096)
	}
	encoded := u.encode().bytes()
	streams["signed"] = func() *Body { return mustOpen(t, exampleProof(u.form), u.request(), bytes.NewReader(encoded)) }
	for name, open := range streams {
		t.Run(name, func(t *testing.T) {
			b := open()
			buf := make([]byte, 4096)
			if got := testing.AllocsPerRun(100, func() {
				if _, err := io.ReadFull(b, buf); err != nil {
					t.Fatal(err)
				}
			}); got != 0 {
				t.Fatalf("%v allocations per Read", got)
			}
		})
	}
}

func TestBodyReaderErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("wires crossed")
	for _, tc := range []struct {
		name string
		err  error
		code string
		is   error
	}{
		{"unexpected EOF", io.ErrUnexpectedEOF, "IncompleteBody", nil},
		{"deadline", fmt.Errorf("read: %w", os.ErrDeadlineExceeded), "RequestTimeout", os.ErrDeadlineExceeded},
		{"context deadline", context.DeadlineExceeded, "RequestTimeout", context.DeadlineExceeded},
		{"limit", &http.MaxBytesError{Limit: 42}, "EntityTooLarge", nil},
		{"of ours", fmt.Errorf("outer: %w", s3.ErrSlowDown), "SlowDown", nil},
		{"any other", broken, "InternalError", broken},
	} {
		for _, form := range []Payload{PayloadUnsigned, PayloadHash, PayloadUnsignedTrailer} {
			for _, before := range []int{0, 10, 100_000, 190_000} {
				t.Run(fmt.Sprintf("%s/%v/%d", tc.name, form, before), func(t *testing.T) {
					t.Parallel()
					payload := randomBytes(200_000)
					req, proof := plain(form, payload)
					sent := payload
					if form.Chunked() {
						u := upload{form: form, payload: payload, trailer: "crc32"}
						req, sent = u.request(), u.encode().bytes()
					}
					src := io.MultiReader(bytes.NewReader(sent[:before]), iotest.ErrReader(tc.err))
					b := mustOpen(t, proof, req, src)
					got, err := io.ReadAll(b)
					wantCode(t, err, tc.code)
					if tc.is != nil && !errors.Is(err, tc.is) {
						t.Fatalf("%v does not wrap %v", err, tc.is)
					}
					if form != PayloadUnsigned {
						wantWithheld(t, got, payload)
					}
					if _, again := b.Read(make([]byte, 1)); again != err {
						t.Fatalf("then got %v, want %v again", again, err)
					}
				})
			}
		}
	}
}

// A transport may still be reading when the request is over.
func TestBodyCloseDuringRead(t *testing.T) {
	t.Parallel()
	payload := randomBytes(1000)
	req, proof := plain(PayloadHash, payload)
	pr, pw := io.Pipe()
	b := mustOpen(t, proof, req, pr)
	var wg sync.WaitGroup
	wg.Go(func() {
		got, err := io.ReadAll(b)
		if !bytes.HasPrefix(payload, got) || !errors.Is(err, errClosed) {
			t.Errorf("got %d bytes and %v", len(got), err)
		}
	})
	if _, err := pw.Write(payload[:500]); err != nil { // returns once they were read
		t.Fatal(err)
	}
	b.Close() // must not wait for the rest
	if _, err := pw.Write(payload[500:]); err != nil {
		t.Fatal(err)
	}
	pw.Close()
	wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held != nil || b.src != nil {
		t.Fatal("buffers were not returned")
	}
}

func TestBodyNeverMutatesRequest(t *testing.T) {
	t.Parallel()
	u := upload{form: PayloadSignedChunksTrailer, payload: randomBytes(100), trailer: "crc32"}
	req := u.request()
	before := fmt.Sprintf("%+v", req)
	wantPayload(t, mustOpen(t, exampleProof(u.form), req, bytes.NewReader(u.encode().bytes())), u.payload)
	if after := fmt.Sprintf("%+v", req); after != before {
		t.Fatalf("request changed from %s to %s", before, after)
	}
}

func TestContentEncoding(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		values []string
		want   string
	}{
		{nil, ""},
		{[]string{"aws-chunked"}, ""},
		{[]string{"AWS-CHUNKED"}, ""},
		{[]string{"gzip,aws-chunked"}, "gzip"},
		{[]string{"gzip", "aws-chunked"}, "gzip"},
		{[]string{"aws-chunked, gzip"}, "gzip"},
		{[]string{"aws-chunked,aws-chunked"}, ""},
		{[]string{"gzip, br"}, "gzip, br"},
		{[]string{"gzip", "br"}, "gzip,br"},
		{[]string{"aws-chunked2"}, "aws-chunked2"},
		{[]string{"zstd , aws-chunked , br"}, "zstd , br"},
	} {
		if got := ContentEncoding(tc.values); got != tc.want {
			t.Errorf("ContentEncoding(%q) = %q, want %q", tc.values, got, tc.want)
		}
	}
}

// Whatever the payload, the chunks and the pieces in which they arrive and are
// asked for, the payload comes out as it went in.
func TestBodyProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		u := upload{
			form:    rapid.SampledFrom([]Payload{PayloadSignedChunks, PayloadSignedChunksTrailer, PayloadUnsignedTrailer}).Draw(t, "form"),
			payload: randomBytes(rapid.IntRange(0, 3*blockSize).Draw(t, "size")),
			sizes:   rapid.SliceOfN(rapid.IntRange(1, 2*blockSize), 0, 8).Draw(t, "chunks"),
			lineEnd: rapid.SampledFrom([]string{"\r\n", "\n", "\n\r\n"}).Draw(t, "line end"),
		}
		if u.form.Trailer() {
			u.trailer = rapid.SampledFrom([]string{"crc32", "crc32c", "crc64nvme", "md5", "sha1", "sha256", "sha512"}).Draw(t, "trailer")
		}
		req := u.request()
		if rapid.Bool().Draw(t, "md5") {
			setTestHeader(req, "Content-Md5", testChecksums["md5"](u.payload))
		}
		b, err := exampleProof(u.form).Open(req, &pieces{data: u.encode().bytes(), sizes: drawSizes(t, "arrive")})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		got, err := readInPieces(b, drawSizes(t, "ask"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, u.payload) {
			t.Fatalf("got %d bytes, want the payload of %d", len(got), len(u.payload))
		}
	})
}

// An empty payload has a Content-MD5 and checksums like any other.
func TestBodyEmptyIsVerified(t *testing.T) {
	t.Parallel()
	req, proof := plain(PayloadUnsigned, nil)
	setTestHeader(req, "Content-Md5", base64.StdEncoding.EncodeToString(make([]byte, 16)))
	wantRejected(t, mustOpen(t, proof, req, http.NoBody), nil, "BadDigest")
}
