package sigv4

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/s3"
)

func TestChecksums(t *testing.T) {
	t.Parallel()
	for name, sum := range testChecksums {
		for _, size := range []int{0, 1, 1000, 200_000} {
			t.Run(fmt.Sprintf("%s/%d", name, size), func(t *testing.T) {
				t.Parallel()
				payload := randomBytes(size)
				key := http.CanonicalHeaderKey("x-amz-checksum-" + name)
				for _, form := range []Payload{PayloadUnsigned, PayloadHash} {
					req, proof := plain(form, payload)
					setTestHeader(req, key, sum(payload))
					setTestHeader(req, "X-Amz-Sdk-Checksum-Algorithm", strings.ToUpper(name))
					b := mustOpen(t, proof, req, bytes.NewReader(payload))
					if !b.MustVerify() || b.TrailerName() != "" {
						t.Fatalf("MustVerify %v, TrailerName %q", b.MustVerify(), b.TrailerName())
					}
					wantPayload(t, b, payload)
					if got := b.Checksums(); len(got) != 1 || got.Get(key) != sum(payload) {
						t.Fatalf("got checksums %v", got)
					}
				}

				req, proof := plain(PayloadUnsigned, payload)
				setTestHeader(req, key, sum(append([]byte("x"), payload...)))
				b := mustOpen(t, proof, req, bytes.NewReader(payload))
				_, err := readAll(b)
				if want := "The " + strings.ToUpper(name) + " you specified did not match the calculated checksum."; s3.AsError(err).Message != want {
					t.Fatalf("got %v, want %q", err, want)
				}
				wantRejected(t, mustOpen(t, proof, req, bytes.NewReader(payload)), payload, "BadDigest")

				u := upload{form: PayloadUnsignedTrailer, payload: payload, trailer: name}
				wantPayload(t, mustOpen(t, exampleProof(u.form), u.request(), bytes.NewReader(u.encode().bytes())), payload)
				w := u.encode()
				w.tail = "x-amz-checksum-" + name + ":" + sum([]byte("other")) + "\r\n\r\n"
				wantRejected(t, mustOpen(t, exampleProof(u.form), u.request(), bytes.NewReader(w.bytes())), payload, "BadDigest")
			})
		}
	}
}

func readAll(b *Body) ([]byte, error) {
	var buf bytes.Buffer
	_, err := buf.ReadFrom(b)
	return buf.Bytes(), err
}

// Every published algorithm is computed, or refused; none is let through.
func TestChecksumsKnown(t *testing.T) {
	t.Parallel()
	for name, a := range checksumAlgorithms {
		if a.label != strings.ToUpper(name) {
			t.Errorf("%s is called %s", name, a.label)
		}
		if a.start == nil {
			continue
		}
		if got := a.start().Size(); got != a.size {
			t.Errorf("%s has %d bytes, the table says %d", name, got, a.size)
		}
		if testChecksums[name] == nil {
			t.Errorf("%s is not tested", name)
		}
	}
}

// Check values of the catalogue of parametrised CRCs and of FIPS 180-4, RFC 1321.
func TestChecksumVectors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"crc32":     "cbf43926",
		"crc32c":    "e3069283",
		"crc64nvme": "ae8b14860a799888",
		"md5":       "25f9e794323b453885f5181f1b624d0b",
		"sha1":      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
	} {
		h := checksumAlgorithms[name].start()
		h.Write([]byte("123456789"))
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestChecksumHeaderErrors(t *testing.T) {
	t.Parallel()
	payload := []byte("hello, world")
	right := testChecksums["crc32"](payload)
	for _, tc := range []struct {
		name    string
		headers [][2]string
		code    string
		message string // part of it
	}{
		{"two checksums", [][2]string{{"X-Amz-Checksum-Crc32", right}, {"X-Amz-Checksum-Sha1", testChecksums["sha1"](payload)}}, "InvalidRequest", "Expecting a single x-amz-checksum- header."},
		{"one checksum twice", [][2]string{{"X-Amz-Checksum-Crc32", right}, {"X-Amz-Checksum-Crc32", right}}, "InvalidRequest", "Expecting a single x-amz-checksum- header."},
		{"checksum unknown", [][2]string{{"X-Amz-Checksum-Crc16", "AAA="}}, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid."},
		{"checksum empty", [][2]string{{"X-Amz-Checksum-Crc32", ""}}, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."},
		{"checksum not base64", [][2]string{{"X-Amz-Checksum-Crc32", "zzzz"}}, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."},
		{"checksum of a part count", [][2]string{{"X-Amz-Checksum-Crc32", right + "-2"}}, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."},
		{"checksum of wrong length", [][2]string{{"X-Amz-Checksum-Sha256", right}}, "InvalidRequest", "Value for x-amz-checksum-sha256 header is invalid."},
		{"checksum with loose bits", [][2]string{{"X-Amz-Checksum-Crc32", "AAAAAB=="}}, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."},
		{"xxhash3", [][2]string{{"X-Amz-Checksum-Xxhash3", "AAAAAAAAAAA="}}, "NotImplemented", "XXHASH3"},
		{"xxhash64", [][2]string{{"X-Amz-Checksum-Xxhash64", "AAAAAAAAAAA="}}, "NotImplemented", "XXHASH64"},
		{"xxhash128", [][2]string{{"X-Amz-Checksum-Xxhash128", "AAAAAAAAAAAAAAAAAAAAAA=="}}, "NotImplemented", "XXHASH128"},
		{"algorithm without checksum", [][2]string{{"X-Amz-Sdk-Checksum-Algorithm", "CRC32"}}, "InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found."},
		{"algorithm with MD5 only", [][2]string{{"X-Amz-Sdk-Checksum-Algorithm", "CRC32"}, {"Content-Md5", testChecksums["md5"](payload)}}, "InvalidRequest", "no corresponding"},
		{"algorithm unknown", [][2]string{{"X-Amz-Sdk-Checksum-Algorithm", "ADLER"}}, "InvalidRequest", "Checksum algorithm provided is unsupported."},
		{"algorithm of another checksum", [][2]string{{"X-Amz-Sdk-Checksum-Algorithm", "SHA1"}, {"X-Amz-Checksum-Crc32", right}}, "InvalidRequest", "Value for x-amz-sdk-checksum-algorithm header is invalid."},
		{"MD5 not base64", [][2]string{{"Content-Md5", "?"}}, "InvalidDigest", ""},
		{"MD5 empty", [][2]string{{"Content-Md5", ""}}, "InvalidDigest", ""},
		{"MD5 in hex", [][2]string{{"Content-Md5", "25f9e794323b453885f5181f1b624d0b"}}, "InvalidDigest", ""},
		{"MD5 of wrong length", [][2]string{{"Content-Md5", base64.StdEncoding.EncodeToString(make([]byte, 15))}}, "InvalidDigest", ""},
		{"MD5 twice", [][2]string{{"Content-Md5", testChecksums["md5"](payload)}, {"Content-Md5", testChecksums["md5"](payload)}}, "InvalidDigest", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			req, proof := plain(PayloadUnsigned, payload)
			for _, h := range tc.headers {
				req.Wire.Add(h[0], h[1])
				req.Header.Add(h[0], h[1])
			}
			_, err := proof.Open(req, bytes.NewReader(payload))
			wantCode(t, err, tc.code)
			if got := s3.AsError(err).Message; !strings.Contains(got, tc.message) {
				t.Fatalf("got message %q, want %q in it", got, tc.message)
			}
		})
	}
}

func TestChecksumContentMD5(t *testing.T) {
	t.Parallel()
	payload := randomBytes(150_000)
	for _, form := range []Payload{PayloadUnsigned, PayloadHash, PayloadSignedChunks} {
		open := func(md5 string) *Body {
			req, proof := plain(form, payload)
			sent := payload
			if form.Chunked() {
				u := upload{form: form, payload: payload}
				req, sent = u.request(), u.encode().bytes()
			}
			setTestHeader(req, "Content-Md5", md5)
			return mustOpen(t, proof, req, bytes.NewReader(sent))
		}
		b := open(testChecksums["md5"](payload))
		if !b.MustVerify() {
			t.Fatal("Content-MD5 is not verified")
		}
		wantPayload(t, b, payload)
		if got := b.Checksums(); len(got) != 0 {
			t.Fatalf("got checksums %v", got)
		}
		wantRejected(t, open(testChecksums["md5"](nil)), payload, "BadDigest")
	}
}

// Headers that name a checksum, but hold none.
func TestChecksumTypeAndAlgorithmAreNoValues(t *testing.T) {
	t.Parallel()
	req, proof := plain(PayloadUnsigned, []byte("x"))
	setTestHeader(req, "X-Amz-Checksum-Type", "FULL_OBJECT")
	setTestHeader(req, "X-Amz-Checksum-Algorithm", "CRC32")
	setTestHeader(req, "X-Amz-Checksum-Mode", "ENABLED")
	b := mustOpen(t, proof, req, strings.NewReader("x"))
	if b.MustVerify() {
		t.Fatal("there is nothing to verify")
	}
	wantPayload(t, b, []byte("x"))
}

// Presigned URLs carry the checksum of an empty body in the query.
func TestChecksumInQueryIsIgnored(t *testing.T) {
	t.Parallel()
	payload := []byte("hello")
	req, proof := plain(PayloadUnsigned, payload)
	req.Header.Set("X-Amz-Checksum-Crc32", "AAAAAA==")
	req.Header.Set("X-Amz-Sdk-Checksum-Algorithm", "CRC32")
	b := mustOpen(t, proof, req, bytes.NewReader(payload))
	wantPayload(t, b, payload)
	if got := b.Checksums(); len(got) != 0 {
		t.Fatalf("got checksums %v", got)
	}
}

// The tests of the codec must pass where only FIPS 140-3 approved algorithms may run.
func TestChecksumsUnderFIPS(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "-test.run=^(TestChecksum|TestChunks|TestReadDocument|TestEncodeTrailer|TestBodyPlain|TestBodyStreaming)", "-test.skip=^TestChecksumsUnderFIPS$", "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("under GODEBUG=fips140=only: %v\n%s", err, out)
	}
	for _, name := range []string{"TestChecksums/md5/1000", "TestChecksums/sha1/1000", "TestChunksVectors/chunks"} {
		if !bytes.Contains(out, []byte("--- PASS: "+name)) {
			t.Errorf("%s did not run", name)
		}
	}
}
