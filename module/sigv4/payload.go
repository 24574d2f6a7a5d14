package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

// The values of x-amz-content-sha256 that are not a hash.
const (
	// UnsignedPayload leaves the body out of the signature.
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	// StreamingSigned announces aws-chunked framing, each chunk signed.
	StreamingSigned = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	// StreamingSignedTrailer is StreamingSigned with a signed trailer.
	StreamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	// StreamingUnsignedTrailer announces aws-chunked framing without chunk
	// signatures, followed by an unsigned checksum trailer.
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	// EmptySHA256 is the SHA-256 of no bytes, in hex.
	EmptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// Payload is the form in which a request carries its body: how the body is
// framed and what the signature says about it.
type Payload uint8

// The payload forms.
const (
	// PayloadNone is the form of a request that says nothing about its body:
	// an anonymous request without x-amz-content-sha256, or a POST form.
	PayloadNone Payload = iota
	// PayloadHash is a plain body whose SHA-256 is signed; [Claim].PayloadHash
	// holds its 64 lower-case hex digits.
	PayloadHash
	// PayloadUnsigned is a plain body the signature does not cover.
	PayloadUnsigned
	// PayloadSignedChunks is an aws-chunked body, every chunk signed.
	PayloadSignedChunks
	// PayloadSignedChunksTrailer is PayloadSignedChunks with a signed trailer.
	PayloadSignedChunksTrailer
	// PayloadUnsignedTrailer is an aws-chunked body without signatures,
	// followed by a checksum trailer.
	PayloadUnsignedTrailer
)

// String returns the name of the form for messages.
func (p Payload) String() string {
	switch p {
	case PayloadNone:
		return "none"
	case PayloadHash:
		return "hash"
	case PayloadUnsigned:
		return "unsigned"
	case PayloadSignedChunks:
		return "signed-chunks"
	case PayloadSignedChunksTrailer:
		return "signed-chunks-trailer"
	case PayloadUnsignedTrailer:
		return "unsigned-trailer"
	}
	return "unknown"
}

// Chunked reports whether the body is framed as aws-chunked.
func (p Payload) Chunked() bool { return p >= PayloadSignedChunks && p <= PayloadUnsignedTrailer }

// Trailer reports whether trailing headers follow the body.
func (p Payload) Trailer() bool {
	return p == PayloadSignedChunksTrailer || p == PayloadUnsignedTrailer
}

// SignedChunks reports whether each chunk carries a signature that continues
// the one of the request.
func (p Payload) SignedChunks() bool {
	return p == PayloadSignedChunks || p == PayloadSignedChunksTrailer
}

const headerContentSHA256 = "X-Amz-Content-Sha256"

// parsePayload reads a value of x-amz-content-sha256. Hex digits of a hash may
// be of either case; hash is lower-case.
func parsePayload(value string) (form Payload, hash string, err error) {
	switch value {
	case UnsignedPayload:
		return PayloadUnsigned, "", nil
	case StreamingSigned:
		return PayloadSignedChunks, "", nil
	case StreamingSignedTrailer:
		return PayloadSignedChunksTrailer, "", nil
	case StreamingUnsignedTrailer:
		return PayloadUnsignedTrailer, "", nil
	case "STREAMING-" + algorithmV4A + "-PAYLOAD", "STREAMING-" + algorithmV4A + "-PAYLOAD-TRAILER":
		return 0, "", s3.ErrNotImplemented.WithMessage("Chunks signed with SigV4A are not supported; use " + StreamingSigned + " or " + StreamingUnsignedTrailer + ".")
	}
	if sum, err := hex.DecodeString(value); err == nil && len(sum) == sha256.Size {
		return PayloadHash, strings.ToLower(value), nil
	}
	return 0, "", s3.ErrInvalidArgument.
		WithMessage("x-amz-content-sha256 must be "+UnsignedPayload+", "+StreamingUnsignedTrailer+", "+StreamingSigned+", "+StreamingSignedTrailer+" or a valid sha256 value.").
		With("ArgumentName", strings.ToLower(headerContentSHA256)).
		With("ArgumentValue", value)
}

// readPayload finds the payload form of req and makes sure that it fits the
// mechanism and the operation.
func (c *Claim) readPayload(req *s3.Request) error {
	value, ok, err := payloadValue(req, c.Kind)
	if err != nil {
		return err
	}
	switch {
	case ok:
		if c.Payload, c.PayloadHash, err = parsePayload(value); err != nil {
			return err
		}
	case c.Kind == Header:
		return s3.ErrInvalidRequest.WithMessage("Missing required header for this request: x-amz-content-sha256")
	case c.Kind == Presigned:
		c.Payload = PayloadUnsigned
	}
	if !c.Payload.Chunked() {
		return checkPlainLength(req)
	}
	switch {
	case req.Op.Body != s3.BodyObject:
		return s3.ErrInvalidRequest.WithMessage("x-amz-content-sha256 " + value + " is not supported for this operation; it stores no object data.")
	case c.Kind == Presigned:
		// A URL is signed before its body exists; a chunk chain, or a trailer
		// that whoever holds the URL makes up, adds nothing to it.
		return s3.ErrInvalidRequest.WithMessage("x-amz-content-sha256 " + value + " is not supported with a presigned URL; send the body plainly.")
	case c.Kind == Anonymous && c.Payload.SignedChunks():
		return s3.ErrInvalidRequest.WithMessage("x-amz-content-sha256 " + value + " requires a signed request.")
	}
	return nil
}

// checkPlainLength refuses another decoded length than that of the body where
// nothing is to be decoded: who asks for the length would find a false one.
func checkPlainLength(req *s3.Request) error {
	values := req.Header.Values(headerDecodedLength)
	if len(values) == 0 || len(values) == 1 && values[0] == strconv.FormatInt(req.ContentLength, 10) {
		return nil
	}
	return s3.ErrInvalidArgument.
		WithMessage("x-amz-decoded-content-length needs a streaming value of x-amz-content-sha256.").
		With("ArgumentName", strings.ToLower(headerDecodedLength)).
		With("ArgumentValue", strings.Join(values, ","))
}

// payloadValue is the one value of x-amz-content-sha256: the header, or for a
// presigned URL also the query parameter. Two values must agree.
func payloadValue(req *s3.Request, k Kind) (value string, ok bool, err error) {
	values := slices.Clone(req.Wire.Values(headerContentSHA256))
	if k == Presigned {
		for _, p := range req.Query {
			if strings.EqualFold(p.Name, headerContentSHA256) {
				values = append(values, p.Value)
			}
		}
	}
	if len(values) == 0 {
		return "", false, nil
	}
	for _, other := range values[1:] {
		if other != values[0] {
			return "", false, s3.ErrInvalidArgument.
				WithMessage("x-amz-content-sha256 was given more than once with different values.").
				With("ArgumentName", strings.ToLower(headerContentSHA256))
		}
	}
	return values[0], true, nil
}

// signedPayload is the last line of the canonical request of req: the value of
// x-amz-content-sha256 where the signer must have known it. A header that was
// added to a presigned URL later is still checked against the body, but the
// URL was signed for any body.
func signedPayload(req *s3.Request, c Claim) string {
	value, ok, _ := payloadValue(req, c.Kind) // conflicts were refused by ParseClaim
	if !ok {
		return UnsignedPayload
	}
	if c.Kind == Presigned {
		_, inQuery := queryFold(req.Query, headerContentSHA256)
		if !inQuery && !slices.Contains(c.SignedHeaders, strings.ToLower(headerContentSHA256)) {
			return UnsignedPayload
		}
	}
	return value
}

func queryFold(q s3.Query, name string) (string, bool) {
	for _, p := range q {
		if strings.EqualFold(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}
