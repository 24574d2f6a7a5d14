package sigv4

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// upstreamChunk is the chunk size used towards the store: large enough for
// framing to cost nothing, small enough for stores that read a chunk into
// memory or limit its size (16 MiB in MinIO). Payload bytes are not copied
// whatever the size.
const upstreamChunk = 1 << 20

// Trailer describes an aws-chunked body to be sent: Length payload bytes, then
// the header Name, an x-amz-checksum-* name in lower case. Value returns its
// base64 value; it is called once, after the whole payload has been read.
type Trailer struct {
	Length int64
	Name   string
	Value  func() (string, error)
}

// EncodeTrailer frames body for x-amz-content-sha256
// STREAMING-UNSIGNED-PAYLOAD-TRAILER and returns the framed body and its exact
// length, for Content-Length. The request must also carry
// x-amz-decoded-content-length (t.Length), x-amz-trailer (t.Name) and
// Content-Encoding aws-chunked.
//
// The framing is completed only after body returned io.EOF at exactly t.Length
// bytes and t.Value succeeded; otherwise the reader fails before the end with
// an error that wraps theirs. A name that is no checksum of S3 gives length -1
// and a reader that only fails.
func EncodeTrailer(body io.Reader, t Trailer) (io.Reader, int64) {
	e := &trailerEncoder{body: body, trailer: t, left: t.Length}
	name, ok := strings.CutPrefix(t.Name, checksumPrefix)
	a, known := checksumAlgorithms[name]
	if !ok || !known || t.Length < 0 {
		e.err = fmt.Errorf("encoding trailer: %q with %d payload bytes", t.Name, t.Length)
		return e, -1
	}
	e.valueSize = base64.StdEncoding.EncodedLen(a.size)
	end := int64(len("0\r\n") + len(t.Name) + len(":") + e.valueSize + len("\r\n\r\n"))
	full, rest := t.Length/upstreamChunk, t.Length%upstreamChunk
	return e, full*framedSize(upstreamChunk) + framedSize(rest) + end
}

// framedSize returns the encoded size of a data chunk; there is none of size 0.
func framedSize(size int64) int64 {
	if size == 0 {
		return 0
	}
	return int64(len(strconv.FormatInt(size, 16))) + int64(len("\r\n\r\n")) + size
}

type trailerEncoder struct {
	body      io.Reader
	trailer   Trailer
	valueSize int

	left   int64  // payload bytes not read yet
	chunk  int64  // those of the chunk being sent
	begun  bool   // a chunk has been sent whose closing CRLF has not
	ended  bool   // body returned io.EOF
	last   bool   // frame holds the end of the body
	frame  []byte // framing still to be sent
	buffer [128]byte
	err    error // what Read returns once frame is empty
}

// Read returns framing and payload, the latter read straight into p.
func (e *trailerEncoder) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(e.frame) > 0 {
			sent := copy(p[n:], e.frame)
			e.frame = e.frame[sent:]
			n += sent
			continue
		}
		if e.err != nil {
			return n, e.err
		}
		if e.chunk > 0 {
			got, err := e.body.Read(p[n:min(int64(len(p)), int64(n)+e.chunk)])
			e.chunk -= int64(got)
			e.left -= int64(got)
			e.fail(err)
			n += got
			if got > 0 || err == nil {
				return n, nil
			}
			continue
		}
		if e.left > 0 {
			e.header()
		} else {
			e.end()
		}
	}
	return n, nil
}

// fail takes note of what body returned beside its bytes.
func (e *trailerEncoder) fail(err error) {
	switch {
	case err == nil:
	case !errors.Is(err, io.EOF):
		e.err = err
	case e.left > 0:
		e.err = fmt.Errorf("encoding trailer: payload ends %d bytes early: %w", e.left, io.ErrUnexpectedEOF)
	default:
		e.ended = true
	}
}

// header begins the next data chunk.
func (e *trailerEncoder) header() {
	e.chunk = min(e.left, upstreamChunk)
	b := e.close()
	b = strconv.AppendInt(b, e.chunk, 16)
	e.frame = append(b, "\r\n"...)
	e.begun = true
}

// close ends the chunk that was sent, if there is one.
func (e *trailerEncoder) close() []byte {
	b := e.buffer[:0]
	if e.begun {
		b = append(b, "\r\n"...)
	}
	return b
}

// end sends the final chunk and the trailer, once the payload really is at its
// end.
func (e *trailerEncoder) end() {
	if e.last {
		e.err = io.EOF
		return
	}
	if !e.ended {
		n, err := io.ReadFull(e.body, e.buffer[:1])
		switch {
		case n > 0:
			e.err = fmt.Errorf("encoding trailer: payload longer than %d bytes", e.trailer.Length)
		case !errors.Is(err, io.EOF):
			e.err = err
		}
		if e.err != nil {
			return
		}
		e.ended = true
	}
	value, err := e.trailer.Value()
	if err == nil && len(value) != e.valueSize {
		err = fmt.Errorf("value of %d characters, want %d", len(value), e.valueSize)
	}
	if err != nil {
		e.err = fmt.Errorf("encoding trailer: %w", err)
		return
	}
	b := append(e.close(), "0\r\n"...)
	b = append(b, e.trailer.Name...)
	b = append(b, ':')
	b = append(b, value...)
	e.frame = append(b, "\r\n\r\n"...)
	e.last = true
}
