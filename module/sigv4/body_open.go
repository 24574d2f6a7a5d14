package sigv4

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

const (
	headerDecodedLength   = "X-Amz-Decoded-Content-Length"
	headerContentEncoding = "Content-Encoding"
	tokenChunked          = "aws-chunked"
)

// Open prepares the object data in body for reading: it decodes the framing the
// claim names and checks everything the request says about the payload. It
// reads nothing yet; what is wrong with the headers is refused here. Errors are
// [*s3.Error].
//
// The zero Proof is that of an anonymous request, whose body is taken as it is.
// body stays the caller's, who must Close the Body when done.
func (p Proof) Open(req *s3.Request, body io.Reader) (*Body, error) {
	b, err := p.open(req, body)
	switch {
	case err != nil:
		return nil, err
	case b.length < 0:
		b.Close()
		return nil, s3.ErrMissingContentLength
	case b.length > MaxPayload:
		b.Close()
		return nil, errTooLarge(strconv.FormatInt(b.length, 10))
	}
	if b.verify {
		b.early = max(0, b.length-blockSize)
	}
	return b, nil
}

// open is Open without limits on the length, which is -1 where a plain body
// does not name it.
func (p Proof) open(req *s3.Request, body io.Reader) (*Body, error) {
	if body == nil {
		body = http.NoBody
	}
	length, err := p.payloadLength(req)
	if err != nil {
		return nil, err
	}
	in, err := p.integrity(req)
	if err != nil {
		return nil, err
	}
	b := &Body{length: length, early: length, in: in}
	b.verify = p.Payload.Chunked() || len(in.digests.sums) > 0
	if !p.Payload.Chunked() {
		if hasChunkedToken(req.Wire.Values(headerContentEncoding)) {
			return nil, s3.ErrInvalidArgument.
				WithMessage("Content-Encoding aws-chunked needs a streaming value of x-amz-content-sha256.").
				With("ArgumentName", headerContentEncoding).
				With("ArgumentValue", strings.Join(req.Wire.Values(headerContentEncoding), ","))
		}
		b.src = &plainReader{r: body}
		return b, nil
	}
	if err := p.mayStream(req); err != nil {
		return nil, err
	}
	c := &chunkReader{in: newFrameReader(body), remaining: length, trailer: b.TrailerName()}
	if p.Payload.SignedChunks() {
		c.chain = newChunkChain(p)
	}
	b.src = c
	return b, nil
}

// mayStream refuses aws-chunked framing where S3 does not define it, and signed
// chunks of somebody who has no key to sign with.
func (p Proof) mayStream(req *s3.Request) error {
	if req.Op == nil || req.Op.Body != s3.BodyObject {
		return s3.ErrInvalidRequest.WithMessage("This operation does not take a streaming value of x-amz-content-sha256; it stores no object data.")
	}
	if p.Payload.SignedChunks() && (p.Kind == Anonymous || len(p.key) == 0 || len(p.seed) != signatureSize) {
		return s3.ErrInvalidRequest.WithMessage("Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.")
	}
	return nil
}

// payloadLength returns the number of payload bytes the request declares: its
// Content-Length, or x-amz-decoded-content-length where that covers framing.
func (p Proof) payloadLength(req *s3.Request) (int64, error) {
	if !p.Payload.Chunked() {
		return max(req.ContentLength, -1), nil
	}
	values := req.Header.Values(headerDecodedLength)
	if len(values) == 0 {
		return 0, s3.ErrMissingContentLength
	}
	v := values[0]
	n, err := strconv.ParseUint(v, 10, 63)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errTooLarge(v)
	case err != nil || slices.ContainsFunc(values, func(other string) bool { return other != v }):
		return 0, s3.ErrInvalidArgument.
			WithMessage("x-amz-decoded-content-length must be one number of bytes.").
			With("ArgumentName", "x-amz-decoded-content-length").
			With("ArgumentValue", strings.Join(values, ","))
	}
	length := int64(n)
	if length <= MaxPayload && req.ContentLength >= 0 && req.ContentLength < length {
		return 0, incomplete("Content-Length is shorter than x-amz-decoded-content-length")
	}
	return length, nil
}

func errTooLarge(proposed string) *s3.Error {
	return s3.ErrEntityTooLarge.
		With("ProposedSize", proposed).
		With("MaxSizeAllowed", strconv.FormatInt(MaxPayload, 10))
}

// plainReader is a body without framing.
type plainReader struct {
	r     io.Reader
	probe [1]byte
}

func (p *plainReader) Read(b []byte) (int, error) { return p.r.Read(b) }

// finish checks that nothing follows.
func (p *plainReader) finish() (string, error) {
	switch _, err := io.ReadFull(p.r, p.probe[:]); err {
	case nil:
		return "", s3.ErrIncompleteBody.WithCause(errors.New("more bytes than declared"))
	case io.EOF:
		return "", nil
	default:
		return "", err
	}
}

// readError says to the client what an error of its own connection means.
// A short body is the client's fault; so is a body that does not come in time.
func readError(err error) error {
	var (
		known   *s3.Error
		timeout net.Error
		limit   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return s3.ErrIncompleteBody
	case errors.As(err, &limit):
		return s3.ErrEntityTooLarge.With("MaxSizeAllowed", strconv.FormatInt(limit.Limit, 10)).WithCause(err)
	case errors.As(err, &timeout) && timeout.Timeout(): // os.ErrDeadlineExceeded is one
		return s3.ErrRequestTimeout.WithCause(err)
	}
	return s3.AsError(fmt.Errorf("reading the request body: %w", err))
}

// incomplete is the error for framing that is cut short or malformed, which S3
// does not tell apart.
func incomplete(format string, a ...any) *s3.Error {
	return s3.ErrIncompleteBody.WithMessage("The request body is cut short or malformed: " + fmt.Sprintf(format, a...))
}

// ContentEncoding returns what is left of the Content-Encoding header lines
// once aws-chunked, which describes the framing and not the object, is taken
// out: one header value, "" if nothing is left. It is meant for streaming
// payloads only; on others aws-chunked is refused by [Proof.Open].
func ContentEncoding(values []string) (rest string) {
	tokens := strings.Split(strings.Join(values, ","), ",")
	return strings.TrimSpace(strings.Join(slices.DeleteFunc(tokens, isChunkedToken), ","))
}

func hasChunkedToken(values []string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		return slices.ContainsFunc(strings.Split(v, ","), isChunkedToken)
	})
}

func isChunkedToken(token string) bool {
	return strings.EqualFold(strings.TrimSpace(token), tokenChunked)
}
