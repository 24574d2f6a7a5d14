package sigv4

import (
	"bytes"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/minio/crc64nvme"
	"pgregory.net/rapid"

	"github.com/sealgate/sealgate/module/s3"
)

// The credentials, time and scope of the examples in AWS's documentation.
const (
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	exampleDate   = "20130524T000000Z"
	exampleScope  = "20130524/us-east-1/s3/aws4_request"
	exampleSeed   = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
)

func hmacSum(key []byte, message string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}

func signingKeyFor(secret, scope string) []byte {
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSum(key, part)
	}
	return key
}

// exampleProof is what verifying AWS's example request leaves behind.
func exampleProof(form Payload) Proof {
	return Proof{
		Claim:   Claim{Kind: Header, Payload: form},
		key:     signingKeyFor(exampleSecret, exampleScope),
		scope:   exampleScope,
		amzDate: exampleDate,
		seed:    exampleSeed,
	}
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func base64Sum(h hash.Hash, payload []byte) (sum string) {
	fips140.WithoutEnforcement(func() {
		h.Write(payload)
		sum = base64.StdEncoding.EncodeToString(h.Sum(nil))
	})
	return sum
}

// testChecksums computes the checksums independently of the table under test.
var testChecksums = map[string]func([]byte) string{
	"crc32":     func(b []byte) string { return base64Sum(crc32.NewIEEE(), b) },
	"crc32c":    func(b []byte) string { return base64Sum(crc32.New(crc32.MakeTable(crc32.Castagnoli)), b) },
	"crc64nvme": func(b []byte) string { return base64Sum(crc64nvme.New(), b) },
	"md5":       func(b []byte) string { return base64Sum(md5.New(), b) },
	"sha1":      func(b []byte) string { return base64Sum(sha1.New(), b) },
	"sha256":    func(b []byte) string { return base64Sum(sha256.New(), b) },
	"sha512":    func(b []byte) string { return base64Sum(sha512.New(), b) },
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), 7})
	r.Read(b)
	return b
}

// frame is one chunk on the wire.
type frame struct {
	size      string
	signature string // "" for unsigned
	data      []byte
}

func (f frame) bytes() []byte {
	b := []byte(f.size)
	if f.signature != "" {
		b = append(b, ";chunk-signature="+f.signature...)
	}
	b = append(b, "\r\n"...)
	b = append(b, f.data...)
	if len(f.data) > 0 {
		b = append(b, "\r\n"...)
	}
	return b
}

// wire is an aws-chunked body in pieces, so that tests can damage it.
type wire struct {
	frames []frame
	tail   string // everything after the line of the final chunk
}

func (w wire) bytes() []byte {
	var b []byte
	for _, f := range w.frames {
		b = append(b, f.bytes()...)
	}
	return append(b, w.tail...)
}

// clone lets a test change frames without touching the original.
func (w wire) clone() wire {
	c := wire{tail: w.tail}
	for _, f := range w.frames {
		f.data = bytes.Clone(f.data)
		c.frames = append(c.frames, f)
	}
	return c
}

// upload is a well-formed streaming upload.
type upload struct {
	form    Payload
	payload []byte
	sizes   []int  // of the chunks; the rest goes into one more
	trailer string // algorithm, "" for none
	lineEnd string // of the trailer header, CRLF if empty
}

func (u upload) chunks() [][]byte {
	rest := u.payload
	var chunks [][]byte
	for _, n := range u.sizes {
		if n = min(n, len(rest)); n > 0 {
			chunks = append(chunks, rest[:n])
			rest = rest[n:]
		}
	}
	if len(rest) > 0 {
		chunks = append(chunks, rest)
	}
	return append(chunks, nil)
}

// encode writes the framing as AWS describes it, with signatures of its own.
func (u upload) encode() wire {
	p := exampleProof(u.form)
	previous := p.seed
	sign := func(kind string, hashes ...string) string {
		message := strings.Join(append([]string{kind, p.amzDate, p.scope, previous}, hashes...), "\n")
		previous = hex.EncodeToString(hmacSum(p.key, message))
		return previous
	}
	var w wire
	for _, data := range u.chunks() {
		f := frame{size: strconv.FormatInt(int64(len(data)), 16), data: data}
		if u.form.SignedChunks() {
			f.signature = sign("AWS4-HMAC-SHA256-PAYLOAD", EmptySHA256, hexSHA256(data))
		}
		w.frames = append(w.frames, f)
	}
	if u.trailer == "" {
		w.tail = "\r\n"
		return w
	}
	lineEnd := u.lineEnd
	if lineEnd == "" {
		lineEnd = "\r\n"
	}
	line := "x-amz-checksum-" + u.trailer + ":" + testChecksums[u.trailer](u.payload)
	w.tail = line + lineEnd
	if u.form.SignedChunks() {
		w.tail += "x-amz-trailer-signature:" + sign("AWS4-HMAC-SHA256-TRAILER", hexSHA256([]byte(line+"\n"))) + "\r\n"
	}
	w.tail += "\r\n"
	return w
}

// request is the request that carries u, with no Content-Length: tests that
// want one set it.
func (u upload) request() *s3.Request {
	req := newTestRequest(-1)
	setTestHeader(req, "X-Amz-Decoded-Content-Length", strconv.Itoa(len(u.payload)))
	setTestHeader(req, "Content-Encoding", "aws-chunked")
	if u.trailer != "" {
		setTestHeader(req, "X-Amz-Trailer", "x-amz-checksum-"+u.trailer)
	}
	return req
}

func (u upload) open(body io.Reader) (*Body, error) {
	return exampleProof(u.form).Open(u.request(), body)
}

func newTestRequest(length int64) *s3.Request {
	return &s3.Request{
		Op:            &s3.Operation{Name: "PutObject", Body: s3.BodyObject},
		Method:        http.MethodPut,
		Wire:          http.Header{},
		Header:        http.Header{},
		ContentLength: length,
	}
}

func setTestHeader(req *s3.Request, name, value string) {
	req.Wire.Set(name, value)
	req.Header.Set(name, value)
}

// plain returns a request and a proof for an unframed payload.
func plain(form Payload, payload []byte) (*s3.Request, Proof) {
	p := exampleProof(form)
	if form == PayloadHash {
		p.PayloadHash = hexSHA256(payload)
	}
	return newTestRequest(int64(len(payload))), p
}

// wantCode checks that err is an S3 error with the given code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *s3.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an S3 error %s", err, code)
	}
	if e.Code != code {
		t.Fatalf("got error %v, want code %s", e, code)
	}
}

// wantWithheld checks the promise of a Body whose payload was not verified:
// what came out is the start of payload and lacks at least its last block.
func wantWithheld(t *testing.T, got, payload []byte) {
	t.Helper()
	if !bytes.HasPrefix(payload, got) {
		t.Fatalf("%d bytes came out that are not the start of the payload", len(got))
	}
	if most := max(0, len(payload)-blockSize); len(got) > most {
		t.Fatalf("%d of %d bytes came out, want at most %d", len(got), len(payload), most)
	}
}

// wantRejected reads body to its error and checks code and withholding.
func wantRejected(t *testing.T, b *Body, payload []byte, code string) {
	t.Helper()
	defer b.Close()
	got, err := io.ReadAll(b)
	wantCode(t, err, code)
	wantWithheld(t, got, payload)
	if n, again := b.Read(make([]byte, 10)); n != 0 || again != err {
		t.Fatalf("Read after the error returned %d, %v, want 0, %v", n, again, err)
	}
	if sums := b.Checksums(); len(sums) != 0 {
		t.Fatalf("got checksums %v of a payload that failed", sums)
	}
}

// wantPayload reads body to its end.
func wantPayload(t *testing.T, b *Body, payload []byte) {
	t.Helper()
	got, err := io.ReadAll(b)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	if !bytes.Equal(got, payload) {
		t.Fatalf("got %d bytes, want the payload of %d", len(got), len(payload))
	}
	if n, err := b.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("Read after the end returned %d, %v", n, err)
	}
}

func mustOpen(t testing.TB, p Proof, req *s3.Request, body io.Reader) *Body {
	t.Helper()
	b, err := p.Open(req, body)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// pieces returns data in the given sizes, over and over.
type pieces struct {
	data  []byte
	sizes []int
	turn  int
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data[:min(r.sizes[r.turn%len(r.sizes)], len(r.data))])
	r.turn++
	r.data = r.data[n:]
	return n, nil
}

// drawSizes draws sizes of reads, among them one that keeps large payloads from
// taking for ever.
func drawSizes(t *rapid.T, label string) []int {
	return append(rapid.SliceOfN(rapid.IntRange(1, blockSize), 0, 20).Draw(t, label), blockSize)
}

// readInPieces reads r to its end, asking for the given sizes over and over.
func readInPieces(r io.Reader, sizes []int) ([]byte, error) {
	var got []byte
	buf := make([]byte, blockSize)
	for i := 0; ; i++ {
		n, err := r.Read(buf[:sizes[i%len(sizes)]])
		got = append(got, buf[:n]...)
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}

func sizeName(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%dMiB", n>>20)
	}
	return fmt.Sprintf("%dB", n)
}
