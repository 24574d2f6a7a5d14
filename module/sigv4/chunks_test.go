package sigv4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sealgate/sealgate/module/s3"
)

// awsChunks is the body of the examples in AWS's documentation: 66560 times the
// letter a, in chunks of 65536, 1024 and 0.
func awsChunks(signatures [3]string, tail string) wire {
	a := bytes.Repeat([]byte("a"), 66560)
	return wire{
		frames: []frame{{"10000", signatures[0], a[:65536]}, {"400", signatures[1], a[65536:]}, {"0", signatures[2], nil}},
		tail:   tail,
	}
}

// The published vectors of "Transferring payload in multiple chunks" and
// "… Including trailing headers".
func TestChunksVectors(t *testing.T) {
	t.Parallel()
	trailers := [3]string{
		"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
		"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
		"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
	}
	const trailerSeed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
	const signature = "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
	for _, tc := range []struct {
		name    string
		form    Payload
		seed    string
		trailer string
		body    wire
	}{
		{"chunks", PayloadSignedChunks, exampleSeed, "", awsChunks([3]string{
			"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
			"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
			"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
		}, "\r\n")},
		{"trailer ended by CRLF", PayloadSignedChunksTrailer, trailerSeed, "crc32c", awsChunks(trailers, "x-amz-checksum-crc32c:sOO8/Q==\r\n"+signature)},
		{"trailer ended by LF", PayloadSignedChunksTrailer, trailerSeed, "crc32c", awsChunks(trailers, "x-amz-checksum-crc32c:sOO8/Q==\n"+signature)},
		{"trailer ended by LF CRLF", PayloadSignedChunksTrailer, trailerSeed, "crc32c", awsChunks(trailers, "x-amz-checksum-crc32c:sOO8/Q==\n\r\n"+signature)},
		{"trailer with spaces and capitals", PayloadSignedChunksTrailer, trailerSeed, "crc32c", awsChunks(trailers, "X-Amz-Checksum-Crc32c: \tsOO8/Q== \r\n"+signature)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := upload{form: tc.form, payload: bytes.Repeat([]byte("a"), 66560), trailer: tc.trailer}
			proof := exampleProof(tc.form)
			proof.seed = tc.seed
			encoded := tc.body.bytes()
			req := u.request()
			if tc.name == "chunks" {
				req.ContentLength = 66824 // as in the example
			}
			b := mustOpen(t, proof, req, bytes.NewReader(encoded))
			wantPayload(t, b, u.payload)
			if tc.trailer != "" && b.Checksums().Get("x-amz-checksum-crc32c") != "sOO8/Q==" {
				t.Fatalf("checksums %v", b.Checksums())
			}
		})
	}
}

const forged = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// What an attacker on the way, or a broken client, can do to a streaming body.
func TestChunksAttacks(t *testing.T) {
	t.Parallel()
	payload := randomBytes(300_000)
	sizes := []int{100_000, 100_000, 90_000} // and 10 000
	signed := upload{form: PayloadSignedChunks, payload: payload, sizes: sizes}
	trailed := upload{form: PayloadSignedChunksTrailer, payload: payload, sizes: sizes, trailer: "crc32"}
	unsigned := upload{form: PayloadUnsignedTrailer, payload: payload, sizes: sizes, trailer: "crc64nvme"}
	other := upload{form: PayloadSignedChunksTrailer, payload: payload[1:], sizes: sizes, trailer: "crc32"}.encode()
	forge := func(i int) func(*wire) { return func(w *wire) { w.frames[i].signature = forged } }
	flip := func(i int) func(*wire) { return func(w *wire) { w.frames[i].data[0] ^= 1 } }
	swap := func(i, j int) func(*wire) {
		return func(w *wire) { w.frames[i], w.frames[j] = w.frames[j], w.frames[i] }
	}
	drop := func(i int) func(*wire) {
		return func(w *wire) { w.frames = append(w.frames[:i:i], w.frames[i+1:]...) }
	}
	size := func(i int, s string) func(*wire) { return func(w *wire) { w.frames[i].size = s } }
	tail := func(s string) func(*wire) { return func(w *wire) { w.tail = s } }
	value := testChecksums["crc64nvme"](payload)
	announced := "x-amz-checksum-crc64nvme:" + value
	for _, tc := range []struct {
		name   string
		upload upload
		change func(*wire)
		code   string
	}{
		{"first signature forged", signed, forge(0), "SignatureDoesNotMatch"},
		{"middle signature forged", signed, forge(2), "SignatureDoesNotMatch"},
		{"last data signature forged", signed, forge(3), "SignatureDoesNotMatch"},
		{"final signature forged", signed, forge(4), "SignatureDoesNotMatch"},
		{"first chunk changed", signed, flip(0), "SignatureDoesNotMatch"},
		{"last chunk changed", signed, flip(3), "SignatureDoesNotMatch"},
		{"equal chunks swapped", signed, swap(0, 1), "SignatureDoesNotMatch"},
		{"chunks swapped", signed, swap(2, 3), "SignatureDoesNotMatch"},
		{"chunk data swapped", signed, func(w *wire) { w.frames[0].data, w.frames[1].data = w.frames[1].data, w.frames[0].data }, "SignatureDoesNotMatch"},
		{"chunk repeated", signed, func(w *wire) { w.frames[1] = w.frames[0] }, "SignatureDoesNotMatch"},
		{"first chunk dropped", signed, drop(0), "SignatureDoesNotMatch"},
		{"middle chunk dropped", signed, drop(1), "SignatureDoesNotMatch"},
		{"last data chunk dropped", signed, drop(3), "IncompleteBody"},
		{"final chunk dropped", signed, drop(4), "IncompleteBody"},
		{"signatures left out", signed, func(w *wire) {
			for i := range w.frames {
				w.frames[i].signature = ""
			}
		}, "IncompleteBody"},
		{"signature short", signed, func(w *wire) { w.frames[0].signature = forged[:63] }, "IncompleteBody"},
		{"signature long", signed, func(w *wire) { w.frames[0].signature += "0" }, "IncompleteBody"},
		{"signature not hex", signed, func(w *wire) { w.frames[0].signature = "g" + forged[1:] }, "IncompleteBody"},
		{"signature in capitals", signed, func(w *wire) { w.frames[0].signature = strings.ToUpper(w.frames[0].signature) }, "SignatureDoesNotMatch"},
		{"a second extension", signed, func(w *wire) { w.frames[0].signature += ";a=b" }, "IncompleteBody"},
		{"trailer where none was announced", signed, tail("x-amz-checksum-crc32:AAAAAA==\r\n\r\n"), "MalformedTrailerError"},
		{"size too small", signed, size(0, "1869f"), "IncompleteBody"},
		{"size too large", signed, size(0, "186a1"), "IncompleteBody"},
		{"size of the whole", signed, size(0, "493e0"), "IncompleteBody"},
		{"size beyond the whole", signed, size(0, "493e1"), "IncompleteBody"},
		{"size zero with data", signed, size(0, "0"), "IncompleteBody"},
		{"size empty", signed, size(0, ""), "IncompleteBody"},
		{"size negative", signed, size(0, "-1"), "IncompleteBody"},
		{"size with plus", signed, size(0, "+186a0"), "IncompleteBody"},
		{"size with prefix", signed, size(0, "0x186a0"), "IncompleteBody"},
		{"size with space", signed, size(0, "186a0 "), "IncompleteBody"},
		{"size over 63 bits", signed, size(0, "8000000000000000"), "IncompleteBody"},
		{"size all ones", signed, size(0, "ffffffffffffffff"), "IncompleteBody"},
		{"size that overflows to the right one", signed, size(0, "100000000000186a0"), "IncompleteBody"},
		{"size of 17 digits", signed, size(0, "000000000000186a0"), "IncompleteBody"},
		{"huge header", signed, size(0, strings.Repeat("0", 5<<10)), "IncompleteBody"},
		{"header larger than any buffer", signed, size(0, strings.Repeat("0", 5<<20)), "IncompleteBody"},
		{"final size over the payload", signed, size(4, "1"), "IncompleteBody"},

		{"trailer signature forged", trailed, tail("x-amz-checksum-crc32:" + testChecksums["crc32"](payload) + "\r\nx-amz-trailer-signature:" + forged + "\r\n\r\n"), "SignatureDoesNotMatch"},
		{"trailer of another body", trailed, tail(other.tail), "SignatureDoesNotMatch"},
		{"trailer signature missing", trailed, tail("x-amz-checksum-crc32:" + testChecksums["crc32"](payload) + "\r\n\r\n"), "MalformedTrailerError"},
		{"trailer signature short", trailed, tail("x-amz-checksum-crc32:" + testChecksums["crc32"](payload) + "\r\nx-amz-trailer-signature:" + forged[1:] + "\r\n\r\n"), "MalformedTrailerError"},
		{"signed trailer missing", trailed, tail("\r\n"), "MalformedTrailerError"},
		{"final signature forged before a trailer", trailed, forge(4), "SignatureDoesNotMatch"},

		{"unsigned chunk changed", unsigned, flip(0), "BadDigest"},
		{"unsigned last chunk changed", unsigned, flip(3), "BadDigest"},
		{"unsigned chunks swapped", unsigned, swap(0, 1), "BadDigest"},
		{"unsigned chunk dropped", unsigned, drop(1), "IncompleteBody"},
		{"unsigned final chunk dropped", unsigned, drop(4), "IncompleteBody"},
		{"signature nobody checks", unsigned, forge(1), "IncompleteBody"},
		{"trailer missing", unsigned, tail("\r\n"), "MalformedTrailerError"},
		{"another trailer", unsigned, tail("x-amz-checksum-crc32:" + testChecksums["crc32"](payload) + "\r\n\r\n"), "MalformedTrailerError"},
		{"trailer without colon", unsigned, tail("x-amz-checksum-crc64nvme\r\n\r\n"), "MalformedTrailerError"},
		{"trailer twice", unsigned, tail(announced + "\r\n" + announced + "\r\n\r\n"), "MalformedTrailerError"},
		{"one more trailer", unsigned, tail(announced + "\r\nx-amz-meta-a:b\r\n\r\n"), "MalformedTrailerError"},
		{"trailer after the empty line", unsigned, tail("\r\n" + announced + "\r\n\r\n"), "MalformedTrailerError"},
		{"no empty line", unsigned, tail(announced + "\r\n"), "IncompleteBody"},
		{"no line end", unsigned, tail(announced), "IncompleteBody"},
		{"nothing after the final chunk", unsigned, tail(""), "IncompleteBody"},
		{"bytes after the end", unsigned, tail(announced + "\r\n\r\nx"), "MalformedTrailerError"},
		{"another body after the end", unsigned, tail(announced + "\r\n\r\n5\r\nhello\r\n"), "MalformedTrailerError"},
		{"empty lines after the end", unsigned, tail(announced + "\r\n\r\n\r\n"), "MalformedTrailerError"},
		{"huge trailer", unsigned, tail(announced + strings.Repeat(" ", 5<<10) + "\r\n\r\n"), "MalformedTrailerError"},
		{"trailer larger than any buffer", unsigned, tail(announced + strings.Repeat(" ", 5<<20) + "\r\n\r\n"), "MalformedTrailerError"},
		{"trailer value wrong", unsigned, tail("x-amz-checksum-crc64nvme:AAAAAAAAAAA=\r\n\r\n"), "BadDigest"},
		{"trailer value empty", unsigned, tail("x-amz-checksum-crc64nvme:\r\n\r\n"), "InvalidRequest"},
		{"trailer value short", unsigned, tail("x-amz-checksum-crc64nvme:AAAAAA==\r\n\r\n"), "InvalidRequest"},
		{"trailer value not base64", unsigned, tail("x-amz-checksum-crc64nvme:AAAAAAAAAA*=\r\n\r\n"), "InvalidRequest"},
		{"trailer value in two", unsigned, tail("x-amz-checksum-crc64nvme:" + value[:4] + "\r" + value[4:] + "\r\n\r\n"), "InvalidRequest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := tc.upload.encode().clone()
			tc.change(&w)
			encoded := w.bytes()
			b, err := tc.upload.open(bytes.NewReader(encoded))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { b.Close() })
			got, err := io.ReadAll(b)
			wantCode(t, err, tc.code)
			if most := len(payload) - blockSize; len(got) > most {
				t.Fatalf("%d bytes came out, want at most %d", len(got), most)
			}
			// What came out is what the client sent as data, in order.
			var sent []byte
			for _, f := range w.frames {
				sent = append(sent, f.data...)
			}
			if tc.upload.form == PayloadUnsignedTrailer && !bytes.HasPrefix(sent, got) {
				t.Fatalf("%d bytes came out that were not sent", len(got))
			}
		})
	}
}

// Bytes of a chunk may come out before its signature, at its end, is checked;
// those of later chunks must not.
func TestChunksStopAtForgedSignature(t *testing.T) {
	t.Parallel()
	u := upload{form: PayloadSignedChunks, payload: randomBytes(5 * blockSize), sizes: []int{blockSize, blockSize, blockSize, blockSize}}
	w := u.encode()
	w.frames[1].signature = forged
	b, err := u.open(bytes.NewReader(w.bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got, err := io.ReadAll(b)
	wantCode(t, err, "SignatureDoesNotMatch")
	if !strings.Contains(err.Error(), "signature of chunk 2") {
		t.Fatalf("got %v, which does not say where", err)
	}
	if !bytes.HasPrefix(u.payload, got) || len(got) > 2*blockSize {
		t.Fatalf("%d bytes came out, want at most those of two chunks", len(got))
	}
}

// Cut anywhere, a body never comes out whole, and never passes for whole.
func TestChunksTruncated(t *testing.T) {
	t.Parallel()
	for _, u := range []upload{
		{form: PayloadSignedChunks, payload: randomBytes(500), sizes: []int{100, 1, 250}},
		{form: PayloadSignedChunks},
		{form: PayloadSignedChunksTrailer, payload: randomBytes(500), sizes: []int{100, 1, 250}, trailer: "sha256"},
		{form: PayloadSignedChunksTrailer, payload: randomBytes(500), trailer: "crc32", lineEnd: "\n\r\n"},
		{form: PayloadUnsignedTrailer, payload: randomBytes(500), sizes: []int{100, 1, 250}, trailer: "crc32"},
		{form: PayloadUnsignedTrailer, payload: randomBytes(500), sizes: []int{100}},
		{form: PayloadUnsignedTrailer, payload: randomBytes(500), sizes: []int{100}, trailer: "crc32", lineEnd: "\n"},
	} {
		t.Run(fmt.Sprintf("%v/%d/%s/%q", u.form, len(u.payload), u.trailer, u.lineEnd), func(t *testing.T) {
			t.Parallel()
			encoded := u.encode().bytes()
			for cut := range encoded {
				for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
					b, err := u.open(io.MultiReader(bytes.NewReader(encoded[:cut]), iotest.ErrReader(end)))
					if err != nil {
						t.Fatal(err)
					}
					wantRejected(t, b, u.payload, "IncompleteBody")
				}
			}
		})
	}
}

// Large enough that bytes come out before the end, and cut at every border.
func TestChunksTruncatedLarge(t *testing.T) {
	t.Parallel()
	u := upload{form: PayloadSignedChunksTrailer, payload: randomBytes(250_000), sizes: []int{60_000, 60_000, 60_000, 60_000}, trailer: "crc32"}
	w := u.encode()
	var borders []int
	at := 0
	for _, f := range w.frames {
		header := len(f.bytes()) - len(f.data)
		for _, d := range []int{0, 1, header - 2, header - 1, header, header + 1, len(f.bytes()) - 2, len(f.bytes()) - 1} {
			borders = append(borders, at+max(0, min(d, len(f.bytes()))))
		}
		at += len(f.bytes())
	}
	encoded := w.bytes()
	for cut := at; cut < len(encoded); cut++ {
		borders = append(borders, cut)
	}
	for _, cut := range borders {
		b, err := u.open(bytes.NewReader(encoded[:cut]))
		if err != nil {
			t.Fatal(err)
		}
		wantRejected(t, b, u.payload, "IncompleteBody")
	}
}

func TestChunksExtended(t *testing.T) {
	t.Parallel()
	for _, form := range []Payload{PayloadSignedChunks, PayloadSignedChunksTrailer, PayloadUnsignedTrailer} {
		u := upload{form: form, payload: randomBytes(70_000)}
		if form.Trailer() {
			u.trailer = "crc32"
		}
		for _, extra := range []string{"\n", "\r\n", "\x00", "0\r\n\r\n", strings.Repeat("x", 1<<16)} {
			b, err := u.open(strings.NewReader(string(u.encode().bytes()) + extra))
			if err != nil {
				t.Fatal(err)
			}
			wantRejected(t, b, u.payload, "MalformedTrailerError")
		}
	}
}

// The declared length decides how much comes out, not the framing.
func TestChunksDeclaredLength(t *testing.T) {
	t.Parallel()
	u := upload{form: PayloadUnsignedTrailer, payload: randomBytes(1000), sizes: []int{500}, trailer: "crc32"}
	encoded := u.encode().bytes()
	for _, declared := range []int{0, 1, 499, 500, 501, 999, 1001, 1 << 20} {
		t.Run(strconv.Itoa(declared), func(t *testing.T) {
			t.Parallel()
			req := u.request()
			setTestHeader(req, "X-Amz-Decoded-Content-Length", strconv.Itoa(declared))
			promised := append(bytes.Clone(u.payload), make([]byte, max(0, declared-1000))...)[:declared]
			wantRejected(t, mustOpen(t, exampleProof(u.form), req, bytes.NewReader(encoded)), promised, "IncompleteBody")
		})
	}
}

// S3 wants chunks of 8 KiB and more; streaming clients send what they have.
func TestChunksMayBeSmall(t *testing.T) {
	t.Parallel()
	for _, form := range []Payload{PayloadSignedChunks, PayloadUnsignedTrailer} {
		u := upload{form: form, payload: randomBytes(100_000)}
		for i := range 2000 {
			u.sizes = append(u.sizes, 1+i%90)
		}
		b, err := u.open(iotest.HalfReader(bytes.NewReader(u.encode().bytes())))
		if err != nil {
			t.Fatal(err)
		}
		wantPayload(t, b, u.payload)
		b.Close()
	}
}

// STREAMING-UNSIGNED-PAYLOAD-TRAILER without x-amz-trailer: framing only.
func TestChunksWithoutTrailer(t *testing.T) {
	t.Parallel()
	u := upload{form: PayloadUnsignedTrailer, payload: randomBytes(70_000)}
	b, err := u.open(bytes.NewReader(u.encode().bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	wantPayload(t, b, u.payload)
	if len(b.Checksums()) != 0 || b.TrailerName() != "" {
		t.Fatalf("checksums %v, trailer %q", b.Checksums(), b.TrailerName())
	}
}

func FuzzChunks(f *testing.F) {
	forms := []Payload{PayloadSignedChunks, PayloadSignedChunksTrailer, PayloadUnsignedTrailer}
	for i, form := range forms {
		for _, size := range []int{0, 1, 1000, blockSize + 1000} {
			u := upload{form: form, payload: randomBytes(size), sizes: []int{10, 500}}
			if form.Trailer() {
				u.trailer = "crc32"
			}
			f.Add(u.encode().bytes(), uint8(i), uint32(size), u.trailer != "")
		}
	}
	f.Add([]byte("ffffffffffffffff\r\n"), uint8(2), uint32(1), true)
	f.Add([]byte("0\r\nx-amz-checksum-crc32:AAAAAA==\n\r\n\r\n"), uint8(2), uint32(0), true)
	f.Add([]byte("0\r\nx-amz-checksum-crc32:AAAAAA==\n\r\n"), uint8(2), uint32(0), true)
	f.Fuzz(func(t *testing.T, body []byte, which uint8, length uint32, trailer bool) {
		form := forms[int(which)%len(forms)]
		u := upload{form: form}
		if trailer {
			u.trailer = "crc32"
		}
		req := u.request()
		setTestHeader(req, "X-Amz-Decoded-Content-Length", strconv.FormatUint(uint64(length), 10))
		read := func(r io.Reader) ([]byte, error) {
			b, err := exampleProof(form).Open(req, r)
			if err != nil {
				return nil, err
			}
			defer b.Close()
			got, err := io.ReadAll(b)
			if int64(len(got)) > b.Length() {
				t.Fatalf("%d bytes came out of %d", len(got), b.Length())
			}
			if err != nil && int64(len(got)) > max(0, b.Length()-blockSize) {
				t.Fatalf("%d bytes of %d came out beside %v", len(got), b.Length(), err)
			}
			if err == nil && int64(len(got)) != b.Length() {
				t.Fatalf("%d bytes came out of %d and no error", len(got), b.Length())
			}
			return got, err
		}
		got, err := read(bytes.NewReader(body))
		var known *s3.Error
		if err != nil && !errors.As(err, &known) {
			t.Fatalf("%v is no S3 error", err)
		}
		if err == nil && form.SignedChunks() && len(got) > 0 {
			// Only the holder of the key can make one, so it is a seed's payload.
			if !bytes.Equal(got, randomBytes(len(got))) {
				t.Fatalf("a forged body of %d bytes passed", len(got))
			}
		}
		// The pieces it arrives in make no difference.
		split, splitErr := read(iotest.HalfReader(bytes.NewReader(body)))
		if (err == nil) != (splitErr == nil) || (err == nil && !bytes.Equal(got, split)) {
			t.Fatalf("got %d bytes and %v at once, %d bytes and %v in pieces", len(got), err, len(split), splitErr)
		}
	})
}
