package sigv4

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/sealgate/sealgate/module/s3"
)

func documentRequest(length int64) *s3.Request {
	req := newTestRequest(length)
	req.Op = &s3.Operation{Name: "DeleteObjects", Body: s3.BodyDocument}
	return req
}

func TestReadDocument(t *testing.T) {
	t.Parallel()
	document := []byte("<Delete><Object><Key>a</Key></Object></Delete>")
	size := int64(len(document))
	zero := Proof{}
	hashed := exampleProof(PayloadHash)
	hashed.PayloadHash = hexSHA256(document)
	wrong := hashed
	wrong.PayloadHash = hexSHA256(nil)
	for _, tc := range []struct {
		name   string
		proof  Proof
		length int64
		limit  int64
		header [2]string
		body   []byte
		code   string // "" for success
	}{
		{"anonymous", zero, size, 1 << 20, [2]string{}, document, ""},
		{"anonymous without length", zero, -1, 1 << 20, [2]string{}, document, ""},
		{"hash", hashed, size, 1 << 20, [2]string{}, document, ""},
		{"hash without length", hashed, -1, 1 << 20, [2]string{}, document, ""},
		{"at the limit", hashed, size, size, [2]string{}, document, ""},
		{"at the limit without length", hashed, -1, size, [2]string{}, document, ""},
		{"MD5", zero, size, 1 << 20, [2]string{"Content-Md5", testChecksums["md5"](document)}, document, ""},
		{"checksum", zero, -1, 1 << 20, [2]string{"X-Amz-Checksum-Crc32", testChecksums["crc32"](document)}, document, ""},
		{"empty", zero, 0, 1 << 20, [2]string{}, nil, ""},

		{"over the limit", hashed, size, size - 1, [2]string{}, document, "MaxMessageLengthExceeded"},
		{"over the limit without length", hashed, -1, size - 1, [2]string{}, document, "MaxMessageLengthExceeded"},
		{"wrong hash", wrong, size, 1 << 20, [2]string{}, document, "XAmzContentSHA256Mismatch"},
		{"wrong hash without length", wrong, -1, 1 << 20, [2]string{}, document, "XAmzContentSHA256Mismatch"},
		{"wrong MD5", hashed, size, 1 << 20, [2]string{"Content-Md5", base64.StdEncoding.EncodeToString(make([]byte, 16))}, document, "BadDigest"},
		{"malformed MD5", hashed, size, 1 << 20, [2]string{"Content-Md5", "x"}, document, "InvalidDigest"},
		{"wrong checksum", hashed, size, 1 << 20, [2]string{"X-Amz-Checksum-Crc32", "AAAAAA=="}, document, "BadDigest"},
		{"short", hashed, size, 1 << 20, [2]string{}, document[:size-1], "IncompleteBody"},
		{"short without length", hashed, -1, 1 << 20, [2]string{}, document[:size-1], "XAmzContentSHA256Mismatch"},
		{"long", hashed, size, 1 << 20, [2]string{}, append(bytes.Clone(document), ' '), "IncompleteBody"},
		{"chunked", exampleProof(PayloadUnsignedTrailer), size, 1 << 20, [2]string{"X-Amz-Decoded-Content-Length", "1"}, document, "InvalidRequest"},
		{"chunked without length", exampleProof(PayloadUnsignedTrailer), size, 1 << 20, [2]string{}, document, "MissingContentLength"},
		{"aws-chunked", hashed, size, 1 << 20, [2]string{"Content-Encoding", "aws-chunked"}, document, "InvalidArgument"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			req := documentRequest(tc.length)
			if tc.header[0] != "" {
				setTestHeader(req, tc.header[0], tc.header[1])
			}
			got, err := tc.proof.ReadDocument(req, iotest.HalfReader(bytes.NewReader(tc.body)), tc.limit)
			if tc.code != "" {
				wantCode(t, err, tc.code)
				if got != nil {
					t.Fatalf("got %q beside %v", got, err)
				}
				return
			}
			if err != nil || !bytes.Equal(got, tc.body) {
				t.Fatalf("got %q, %v", got, err)
			}
		})
	}
}

// The checksums of CompleteMultipartUpload are those of the object.
func TestReadDocumentCompleteMultipartUpload(t *testing.T) {
	t.Parallel()
	document := []byte("<CompleteMultipartUpload/>")
	req := documentRequest(int64(len(document)))
	req.Op = &s3.Operation{Name: "CompleteMultipartUpload", Body: s3.BodyDocument}
	setTestHeader(req, "X-Amz-Checksum-Crc32", "AAAAAA==-3")
	proof := exampleProof(PayloadHash)
	proof.PayloadHash = hexSHA256(document)
	if got, err := proof.ReadDocument(req, bytes.NewReader(document), 1<<20); err != nil || !bytes.Equal(got, document) {
		t.Fatalf("got %q, %v", got, err)
	}
	proof.PayloadHash = hexSHA256(nil)
	_, err := proof.ReadDocument(req, bytes.NewReader(document), 1<<20)
	wantCode(t, err, "XAmzContentSHA256Mismatch")
}

// An annotation is small object data, which SDKs send with a trailer.
func TestReadDocumentStreaming(t *testing.T) {
	t.Parallel()
	u := upload{form: PayloadUnsignedTrailer, payload: []byte("an annotation"), trailer: "crc32"}
	req := u.request()
	req.Op = &s3.Operation{Name: "PutObjectAnnotation", Body: s3.BodyObject}
	got, err := exampleProof(u.form).ReadDocument(req, bytes.NewReader(u.encode().bytes()), 1<<20)
	if err != nil || !bytes.Equal(got, u.payload) {
		t.Fatalf("got %q, %v", got, err)
	}
	w := u.encode()
	w.tail = "x-amz-checksum-crc32:AAAAAA==\r\n\r\n"
	_, err = exampleProof(u.form).ReadDocument(req, bytes.NewReader(w.bytes()), 1<<20)
	wantCode(t, err, "BadDigest")
	_, err = exampleProof(u.form).ReadDocument(req, bytes.NewReader(u.encode().bytes()), 5)
	wantCode(t, err, "MaxMessageLengthExceeded")
}

// A length that is a lie costs no more memory than the limit.
func TestReadDocumentRefusesBeforeReading(t *testing.T) {
	t.Parallel()
	_, err := Proof{}.ReadDocument(documentRequest(1<<40), iotest.ErrReader(errors.New("read")), 1<<20)
	wantCode(t, err, "MaxMessageLengthExceeded")
	if got := s3.AsError(err).Details; len(got) != 1 || got[0] != (s3.Detail{Name: "MaxMessageLengthBytes", Value: "1048576"}) {
		t.Fatalf("got details %v", got)
	}
}

func TestReadDocumentReaderError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, length := range []int64{-1, 100} {
		_, err := Proof{}.ReadDocument(documentRequest(length), iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 100)))), 1<<20)
		wantCode(t, err, "InternalError") // iotest.ErrTimeout is no net.Error
		_, err = Proof{}.ReadDocument(documentRequest(length), iotest.ErrReader(broken), 1<<20)
		if !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
	}
}
