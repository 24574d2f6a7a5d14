package s3

import (
	"net/http"
	"net/textproto"
	"strings"
)

const (
	amzPrefix  = "x-amz-"
	metaPrefix = "x-amz-meta-"

	headerCopySource = "X-Amz-Copy-Source"
	headerSSE        = "x-amz-server-side-encryption"
)

// exemption is a header that is accepted where the SDK model binds none.
type exemption struct {
	ops    string // operations it applies to, space separated; empty = all
	bodies bool   // only operations with a body
	drop   bool   // accepted but taken out of Request.Header, so never forwarded
	reason string
}

// exemptions is the whole list of x-amz-* headers that pass without a binding.
var exemptions = map[string]exemption{
	"x-amz-date":                   {reason: "SigV4 request time"},
	"x-amz-content-sha256":         {reason: "SigV4 payload hash or streaming mode"},
	"x-amz-security-token":         {reason: "SigV4 session token"},
	"x-amz-region-set":             {reason: "SigV4A scope; the signature check refuses SigV4A in words"},
	"x-amz-user-agent":             {reason: "browser SDKs cannot set User-Agent"},
	"x-amz-expected-bucket-owner":  {reason: "modelled for all but a handful of operations; SDK middleware adds it everywhere"},
	"x-amz-request-payer":          {reason: "clients add it to every request to a requester-pays bucket (s3cmd, rclone)"},
	"x-amz-checksum-mode":          {reason: "asks for checksums in the reply; default of current SDKs on reads"},
	"x-amz-sdk-checksum-algorithm": {reason: "names the algorithm of the checksum sent; Java and boto3 also send it without a body"},
	"x-amz-decoded-content-length": {bodies: true, reason: "aws-chunked payloads"},
	"x-amz-trailer":                {bodies: true, reason: "aws-chunked payloads with a trailer"},
	"x-amz-checksum-crc32":         {bodies: true, reason: checksumReason},
	"x-amz-checksum-crc32c":        {bodies: true, reason: checksumReason},
	"x-amz-checksum-crc64nvme":     {bodies: true, reason: checksumReason},
	"x-amz-checksum-md5":           {bodies: true, reason: checksumReason},
	"x-amz-checksum-sha1":          {bodies: true, reason: checksumReason},
	"x-amz-checksum-sha256":        {bodies: true, reason: checksumReason},
	"x-amz-checksum-sha512":        {bodies: true, reason: checksumReason},
	"x-amz-checksum-xxhash3":       {bodies: true, reason: checksumReason},
	"x-amz-checksum-xxhash64":      {bodies: true, reason: checksumReason},
	"x-amz-checksum-xxhash128":     {bodies: true, reason: checksumReason},
	"x-amz-te":                     {drop: true, reason: "Java SDK v1 and early v2 offer append-md5; a server may decline by not answering it"},
	headerSSE:                      {ops: "CompleteMultipartUpload", drop: true, reason: completeReason},
	headerSSE + "-aws-kms-key-id":  {ops: "CompleteMultipartUpload", drop: true, reason: completeReason},
	headerSSE + "-context":         {ops: "CompleteMultipartUpload", drop: true, reason: completeReason},
	"x-amz-expiration":             {ops: copyOps, drop: true, reason: echoReason},
	"x-amz-replication-status":     {ops: copyOps, drop: true, reason: echoReason},
	"x-amz-restore":                {ops: copyOps, drop: true, reason: echoReason},
	"x-amz-tagging-count":          {ops: copyOps, drop: true, reason: echoReason},
	"x-amz-version-id":             {ops: copyOps, drop: true, reason: echoReason},
}

const (
	copyOps        = "CopyObject CreateMultipartUpload"
	checksumReason = "SDK middleware sets the checksum of any body, modelled or not"
	completeReason = "minio-go repeats the upload's choice; it was fixed when the upload was created"
	echoReason     = "s3cmd modify sends a HEAD reply's headers back with the copy"
)

// covers reports whether the exemption applies to op.
func (e exemption) covers(op *Operation) bool {
	if e.bodies && op.Body == BodyNone {
		return false
	}
	if e.ops == "" {
		return true
	}
	for name := range strings.FieldsSeq(e.ops) {
		if name == op.Name {
			return true
		}
	}
	return false
}

// multiLine lists single-purpose headers that clients legitimately send as
// several lines: aws-sdk-go-v2 does so for lists and for aws-chunked.
func multiLine(lower string) bool {
	switch lower {
	case "content-encoding", "x-amz-object-attributes", "x-amz-optional-object-attributes":
		return true
	}
	return strings.HasPrefix(lower, metaPrefix)
}

// singleValued reports whether a second line of this header would let two
// readers choose different values.
func singleValued(lower string) bool {
	switch lower {
	case "range", "authorization", "date", "host":
		return true
	}
	return (strings.HasPrefix(lower, amzPrefix) || strings.HasPrefix(lower, "if-") || strings.HasPrefix(lower, "content-")) &&
		!multiLine(lower)
}

// Bounds of what is read of a request's header and query, apart from what the
// server lets in: their parts cost a multiple of their length. S3 takes 8 KiB of
// both together.
const (
	maxSection     = 64 << 10 // bytes, of each
	maxHeaderNames = 1000
)

// cloneHeader copies wire into a header of its own, with canonical names, and
// applies the rule on repeated lines. User metadata and the other multi-line
// headers are joined with "," in arrival order, as SigV4 does. White space around
// a value goes: HTTP/2 hands it over, and no store gets it.
func cloneHeader(wire http.Header) (http.Header, error) {
	if len(wire) > maxHeaderNames {
		return nil, ErrRequestHeaderSectionTooLarge
	}
	h := make(http.Header, len(wire)+2)
	values := make([]string, 0, len(wire)) // one backing array for the common case
	size := 0
	for name, lines := range wire {
		for _, line := range lines {
			size += len(name) + len(line)
		}
		if size > maxSection {
			return nil, ErrRequestHeaderSectionTooLarge
		}
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if len(lines) == 0 {
			continue
		}
		if !validHeader(name, "") { // net/http refuses such names; other servers may not
			return nil, ErrInvalidArgument.WithMessage("A header name is not valid.")
		}
		if _, twice := h[canonical]; twice {
			return nil, repeatedHeader(canonical)
		}
		if len(lines) == 1 {
			values = append(values, textproto.TrimString(lines[0]))
			h[canonical] = values[len(values)-1 : len(values) : len(values)]
			continue
		}
		lower := strings.ToLower(canonical)
		switch {
		case singleValued(lower):
			return nil, repeatedHeader(canonical)
		case multiLine(lower):
			h[canonical] = []string{strings.Join(trimmed(lines), ",")}
		default:
			h[canonical] = trimmed(lines)
		}
	}
	return h, nil
}

// trimmed is a copy of lines without the white space around each.
func trimmed(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = textproto.TrimString(line)
	}
	return out
}

func repeatedHeader(name string) *Error {
	return ErrInvalidArgument.Messagef("The header %s is present more than once.", strings.ToLower(name)).
		With("ArgumentName", strings.ToLower(name))
}

// checkHeaders refuses x-amz-* headers that op does not take, and removes from
// h those that are accepted but mean nothing.
func checkHeaders(op *Operation, h http.Header) error {
	for name := range h {
		if !strings.HasPrefix(name, "X-Amz-") {
			continue
		}
		switch op.accepts[name] {
		case accepted:
			continue
		case dropped:
			delete(h, name)
			continue
		}
		if strings.HasPrefix(name, "X-Amz-Meta-") && len(name) > len(metaPrefix) && op.Headers[metaPrefix] {
			if err := CheckMetadata(name); err != nil {
				return err
			}
			continue
		}
		return unsupportedHeader(strings.ToLower(name), h.Get(name))
	}
	return nil
}

// CheckMetadata refuses x-amz-meta-* headers, named in any case, that are commands:
// MinIO, like a Snowball device, unpacks an archive that comes with
// x-amz-meta-snowball-auto-extract into objects of any name (Snowball Edge
// Developer Guide, "Batching small files"). The error is an [ErrNotImplemented].
func CheckMetadata(name string) error {
	if name = strings.ToLower(name); !strings.Contains(name, "-snowball-") {
		return nil
	}
	return ErrNotImplemented.WithMessage("Uploads that the store unpacks are not supported: nothing is decided of what is in them.").
		With("ArgumentName", name)
}

// acceptance says what happens to a header of an operation.
type acceptance uint8

const (
	refused  acceptance = iota
	accepted            // bound by the model, or exempt
	dropped             // exempt, and taken out of Request.Header
)

// acceptedHeaders works out the x-amz-* headers of op once, by canonical name.
func acceptedHeaders(op *Operation) map[string]acceptance {
	m := make(map[string]acceptance)
	for name, e := range exemptions {
		switch {
		case !e.covers(op):
		case e.drop:
			m[http.CanonicalHeaderKey(name)] = dropped
		default:
			m[http.CanonicalHeaderKey(name)] = accepted
		}
	}
	for name := range op.Headers {
		if name != metaPrefix {
			m[http.CanonicalHeaderKey(name)] = accepted
		}
	}
	return m
}

// unsupportedHeader is S3's answer to an encryption header where none is
// allowed, used for every header. The value is shown only where it cannot be a
// secret.
func unsupportedHeader(lower, value string) *Error {
	e := ErrInvalidArgument.Messagef("%s header is not supported for this operation.", lower).With("ArgumentName", lower)
	if lower == headerSSE {
		e = e.With("ArgumentValue", value)
	}
	return e
}

// MetadataSize returns the size S3 limits to 2048 bytes: the names, without
// x-amz-meta-, and values of all user metadata of the request.
func (r *Request) MetadataSize() int {
	n := 0
	for name, values := range r.Header {
		if !strings.HasPrefix(name, "X-Amz-Meta-") {
			continue
		}
		n += len(name) - len(metaPrefix)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}
