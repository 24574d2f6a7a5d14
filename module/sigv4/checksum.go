package sigv4

import (
	"bytes"
	"crypto/fips140"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"net/http"
	"strings"

	"github.com/minio/crc64nvme"

	"github.com/sealgate/sealgate/module/s3"
)

const (
	checksumPrefix  = "x-amz-checksum-"
	headerTrailer   = "X-Amz-Trailer"
	headerAlgorithm = "X-Amz-Sdk-Checksum-Algorithm"
	headerMD5       = "Content-Md5"
)

// checksumAlgorithm is one of the checksums S3 knows. Source: "Checking object
// integrity", Amazon S3 User Guide.
type checksumAlgorithm struct {
	label string           // as in S3's messages
	size  int              // bytes of the value
	start func() hash.Hash // nil: known by name, but nothing here computes it
}

var checksumAlgorithms = map[string]checksumAlgorithm{
	"crc32":     {"CRC32", 4, func() hash.Hash { return crc32.NewIEEE() }},
	"crc32c":    {"CRC32C", 4, func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }},
	"crc64nvme": {"CRC64NVME", 8, func() hash.Hash { return crc64nvme.New() }},
	"md5":       {"MD5", md5.Size, func() hash.Hash { return unapproved{md5.New()} }},
	"sha1":      {"SHA1", sha1.Size, func() hash.Hash { return unapproved{sha1.New()} }},
	"sha256":    {"SHA256", sha256.Size, sha256.New},
	"sha512":    {"SHA512", sha512.Size, sha512.New},
	"xxhash3":   {"XXHASH3", 8, nil},
	"xxhash64":  {"XXHASH64", 8, nil},
	"xxhash128": {"XXHASH128", 16, nil},
}

// unapproved is a hash FIPS 140-3 does not approve. S3's protocol asks for MD5
// and SHA-1 as checksums against accidents, nothing rests on them as security,
// so they run outside enforcement and GODEBUG=fips140=only keeps working.
type unapproved struct{ hash.Hash }

func (u unapproved) Write(p []byte) (n int, err error) {
	fips140.WithoutEnforcement(func() { n, err = u.Hash.Write(p) })
	return n, err
}

func (u unapproved) Sum(b []byte) (sum []byte) {
	fips140.WithoutEnforcement(func() { sum = u.Hash.Sum(b) })
	return sum
}

// digests computes every hash a payload is checked by, each algorithm once,
// and compares them with what the client said.
type digests struct {
	sums     []digest
	expected []expectation
}

type digest struct {
	name string // key of checksumAlgorithms
	hash.Hash
}

type expectation struct {
	name     string // key of checksumAlgorithms
	want     []byte
	mismatch func(want, got []byte) *s3.Error
}

// compute adds a hash to what Write feeds.
func (d *digests) compute(name string) {
	for i := range d.sums {
		if d.sums[i].name == name {
			return
		}
	}
	d.sums = append(d.sums, digest{name, checksumAlgorithms[name].start()})
}

// expect adds a value the hash, which must have been computed from the start,
// has to come to.
func (d *digests) expect(e expectation) {
	d.compute(e.name)
	d.expected = append(d.expected, e)
}

func (d *digests) write(p []byte) {
	for i := range d.sums {
		d.sums[i].Write(p) // a hash.Hash never fails
	}
}

// verify compares, in the order the expectations were added.
func (d *digests) verify() error {
	for _, e := range d.expected {
		for i := range d.sums {
			if d.sums[i].name != e.name {
				continue
			}
			if got := d.sums[i].Sum(nil); !bytes.Equal(got, e.want) {
				return e.mismatch(e.want, got)
			}
		}
	}
	return nil
}

func hashMismatch(want, got []byte) *s3.Error {
	return s3.ErrXAmzContentSHA256Mismatch.
		With("ClientComputedContentSHA256", hex.EncodeToString(want)).
		With("S3ComputedContentSHA256", hex.EncodeToString(got))
}

func md5Mismatch(want, got []byte) *s3.Error {
	return s3.ErrBadDigest.
		WithMessage("The Content-MD5 you specified did not match what we received.").
		With("ExpectedDigest", base64.StdEncoding.EncodeToString(want)).
		With("CalculatedDigest", base64.StdEncoding.EncodeToString(got))
}

func checksumMismatch(label string) func(want, got []byte) *s3.Error {
	return func(_, _ []byte) *s3.Error {
		return s3.ErrBadDigest.WithMessage("The " + label + " you specified did not match the calculated checksum.")
	}
}

// decodeChecksum reads the base64 value of the named algorithm.
func decodeChecksum(name, value string) ([]byte, bool) {
	sum, err := base64.StdEncoding.Strict().DecodeString(value)
	return sum, err == nil && len(sum) == checksumAlgorithms[name].size && !strings.ContainsAny(value, "\r\n")
}

// integrity is what a request says its payload must come to.
type integrity struct {
	digests  digests
	checksum http.Header // the one x-amz-checksum-* header, to be forwarded once verified
	trailer  string      // algorithm announced in x-amz-trailer, key of checksumAlgorithms
}

// integrity reads Content-MD5, x-amz-checksum-*, x-amz-trailer and the hash in
// the claim, and refuses what is malformed, contradictory or cannot be checked.
//
// Only headers count. Presigned URLs of some SDKs carry the checksum of an
// empty body and x-amz-sdk-checksum-algorithm as query parameters; S3 ignores
// both there, and so must whoever forwards the request: what may be forwarded
// is what [Body.Checksums] returns.
func (p Proof) integrity(req *s3.Request) (integrity, error) {
	var in integrity
	if p.Payload == PayloadHash {
		want, err := hex.DecodeString(p.PayloadHash)
		if err != nil || len(want) != sha256.Size {
			return in, s3.ErrInvalidArgument.WithMessage("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
		}
		in.digests.expect(expectation{"sha256", want, hashMismatch})
	}
	if values := req.Wire.Values(headerMD5); len(values) > 0 {
		want, ok := decodeChecksum("md5", values[0])
		if !ok || len(values) > 1 {
			return in, s3.ErrInvalidDigest.With("Content-MD5", strings.Join(values, ","))
		}
		in.digests.expect(expectation{"md5", want, md5Mismatch})
	}
	// On CompleteMultipartUpload the x-amz-checksum-* headers describe the
	// finished object, not the document in the body.
	if req.Op != nil && req.Op.Name == "CompleteMultipartUpload" {
		return in, nil
	}
	name, err := in.header(req.Wire)
	if err != nil {
		return in, err
	}
	if err := in.announced(req, p.Payload); err != nil {
		return in, err
	}
	if name != "" && in.trailer != "" {
		return in, errSeveralChecksums()
	}
	return in, in.named(req.Wire, name+in.trailer)
}

func errSeveralChecksums() *s3.Error {
	return s3.ErrInvalidRequest.WithMessage("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
}

// header reads the one x-amz-checksum-* header that holds a value and returns
// its algorithm, "" if there is none.
func (in *integrity) header(h http.Header) (name string, err error) {
	for key, values := range h {
		if len(key) <= len(checksumPrefix) || !strings.EqualFold(key[:len(checksumPrefix)], checksumPrefix) {
			continue
		}
		suffix := strings.ToLower(key[len(checksumPrefix):])
		switch suffix {
		case "type", "algorithm", "mode": // say which, not what
			continue
		}
		if name != "" || len(values) != 1 {
			return "", errSeveralChecksums()
		}
		name = suffix
	}
	if name == "" {
		return "", nil
	}
	key := checksumPrefix + name
	a, ok := checksumAlgorithms[name]
	if !ok {
		return "", s3.ErrInvalidRequest.WithMessage("The algorithm type you specified in x-amz-checksum- header is invalid.")
	}
	value := h.Get(key)
	want, ok := decodeChecksum(name, value)
	if !ok {
		return "", s3.ErrInvalidRequest.WithMessage("Value for " + key + " header is invalid.")
	}
	if a.start == nil {
		return "", errUnverifiable(a)
	}
	in.digests.expect(expectation{name, want, checksumMismatch(a.label)})
	in.checksum = http.Header{http.CanonicalHeaderKey(key): {value}}
	return name, nil
}

// announced reads x-amz-trailer: exactly one checksum, only where a trailer
// can follow.
func (in *integrity) announced(req *s3.Request, form Payload) error {
	values := req.Header.Values(headerTrailer)
	if len(values) == 0 {
		if form == PayloadSignedChunksTrailer {
			return errTrailer()
		}
		return nil
	}
	name, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(values[0])), checksumPrefix)
	a, known := checksumAlgorithms[name]
	if len(values) > 1 || !ok || !known || !form.Trailer() {
		return errTrailer()
	}
	if a.start == nil {
		return errUnverifiable(a)
	}
	in.trailer = name
	in.digests.compute(name)
	return nil
}

func errTrailer() *s3.Error {
	return s3.ErrInvalidRequest.WithMessage("The value specified in the x-amz-trailer header is not supported")
}

func errUnverifiable(a checksumAlgorithm) *s3.Error {
	return s3.ErrNotImplemented.WithMessage("The checksum algorithm " + a.label + " cannot be verified by this gateway. Use CRC64NVME, CRC32, CRC32C, SHA1, SHA256, SHA512 or MD5.")
}

// named checks x-amz-sdk-checksum-algorithm against the algorithm that was
// really used, "" if none. The operations on which SDKs name an algorithm and
// send no checksum (CopyObject, CreateMultipartUpload) use another header and
// have no body, so there is no exception to make.
func (in *integrity) named(h http.Header, used string) error {
	values := h.Values(headerAlgorithm)
	if len(values) == 0 {
		return nil
	}
	name := strings.ToLower(values[0])
	_, known := checksumAlgorithms[name]
	switch {
	case !known:
		return s3.ErrInvalidRequest.WithMessage("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]")
	case used == "":
		return s3.ErrInvalidRequest.WithMessage("x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	case name != used || len(values) > 1:
		return s3.ErrInvalidRequest.WithMessage("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	return nil
}

// trailed takes the value of the announced trailer; the payload was hashed on
// the way.
func (in *integrity) trailed(value string) error {
	if in.trailer == "" {
		return nil
	}
	want, ok := decodeChecksum(in.trailer, value)
	if !ok {
		return s3.ErrInvalidRequest.WithMessage(fmt.Sprintf("Value for %s%s trailing header is invalid.", checksumPrefix, in.trailer))
	}
	in.digests.expect(expectation{in.trailer, want, checksumMismatch(checksumAlgorithms[in.trailer].label)})
	in.checksum = http.Header{http.CanonicalHeaderKey(checksumPrefix + in.trailer): {value}}
	return nil
}
