package sigv4

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/sealgate/sealgate/module/s3"
)

const (
	maxTrailer       = 4 << 10 // bytes after the final chunk header
	chunkSignature   = "chunk-signature="
	trailerSignature = "x-amz-trailer-signature"
	signatureSize    = 2 * sha256.Size // hex digits
)

// chunkReader decodes an aws-chunked body: hex size, an optional signature,
// CRLF, data, CRLF, until a chunk of size 0, then the trailer.
// Sources: "Signature calculations for the authorization header: transferring
// payload in multiple chunks" and "… Including trailing headers", Amazon S3
// API Reference. S3 also demands that only the last chunk be shorter than
// 8 KiB; clients that stream break that rule and nothing depends on it, so it
// is not enforced.
//
// A chunk may be of any size within the payload, so its bytes are handed on
// before its signature, which covers all of them, can be checked. Whoever
// reads must hold back enough to keep the payload from being complete until
// finish has succeeded; [Body] does.
type chunkReader struct {
	in        *bufio.Reader
	remaining int64 // payload bytes not read yet
	chunk     int64 // those of the chunk being read
	open      bool  // a chunk has begun whose closing CRLF has not been read
	count     int
	chain     *chunkChain // nil: chunks carry no signature
	trailer   string      // name of the announced trailer in lower case, "" if none
}

// Read returns payload bytes, never more than were declared.
func (c *chunkReader) Read(p []byte) (int, error) {
	if c.chunk == 0 {
		size, err := c.next()
		if err != nil {
			return 0, err
		}
		if size == 0 {
			return 0, incomplete("the final chunk came %d bytes before the end of the declared payload", c.remaining)
		}
		c.chunk = size
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.chunk)])
	if c.chain != nil {
		c.chain.write(p[:n])
	}
	c.chunk -= int64(n)
	c.remaining -= int64(n)
	return n, err
}

// finish reads what follows the payload up to the end of the body, and returns
// the value of the announced trailer. All signatures have been checked then.
func (c *chunkReader) finish() (trailer string, err error) {
	if _, err := c.next(); err != nil { // nothing remains, so it can only be the final one
		return "", err
	}
	if c.chain != nil {
		if err := c.chain.close(c.count); err != nil {
			return "", err
		}
	}
	section, err := c.in.Peek(maxTrailer + 1)
	if err == nil {
		return "", s3.ErrMalformedTrailerError.WithCause(fmt.Errorf("trailer longer than %d bytes", maxTrailer))
	}
	if !errors.Is(err, io.EOF) {
		return "", err
	}
	t, err := parseTrailer(section, c.trailer, c.chain != nil)
	if err != nil {
		return "", err
	}
	if c.chain != nil && c.trailer != "" {
		if err := c.chain.verifyTrailer(c.trailer, t); err != nil {
			return "", err
		}
	}
	return string(t.value), nil
}

// next closes the chunk that was read and returns the size of the one that
// begins.
func (c *chunkReader) next() (size int64, err error) {
	if c.open {
		end, err := c.in.Peek(2)
		if err != nil {
			return 0, err
		}
		if string(end) != "\r\n" {
			return 0, incomplete("chunk %d does not end in CRLF where its size says", c.count)
		}
		_, _ = c.in.Discard(2) // was peeked at
		c.open = false
		if c.chain != nil {
			if err := c.chain.close(c.count); err != nil {
				return 0, err
			}
		}
	}
	c.count++
	line, err := c.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return 0, incomplete("the header of chunk %d is too long", c.count)
	}
	if err != nil {
		return 0, err
	}
	h, ok := parseChunkHeader(line, c.chain != nil)
	if !ok {
		return 0, incomplete("the header of chunk %d is malformed", c.count)
	}
	if h.size > uint64(c.remaining) {
		return 0, incomplete("chunk %d is larger than the rest of the declared payload", c.count)
	}
	if c.chain != nil {
		copy(c.chain.claimed[:], h.signature)
	}
	c.open = h.size > 0
	return int64(h.size), nil
}

type chunkHeader struct {
	size      uint64
	signature []byte // 64 hex digits, valid as long as the line
}

// parseChunkHeader reads "hex-size[;chunk-signature=hex]CRLF". The signature
// must be there if the chunks are signed, and must not if they are not: nobody
// would check it.
func parseChunkHeader(line []byte, signed bool) (h chunkHeader, ok bool) {
	line, ok = bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return h, false
	}
	size, extension, extended := bytes.Cut(line, []byte(";"))
	if extended != signed || len(size) < 1 || len(size) > 16 {
		return h, false
	}
	for _, c := range size {
		d, ok := hexDigit(c)
		if !ok {
			return h, false
		}
		h.size = h.size<<4 | uint64(d)
	}
	if signed {
		h.signature, ok = bytes.CutPrefix(extension, []byte(chunkSignature))
		if !ok || !isSignature(h.signature) {
			return h, false
		}
	}
	return h, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func isSignature(s []byte) bool {
	if len(s) != signatureSize {
		return false
	}
	for _, c := range s {
		if _, ok := hexDigit(c); !ok {
			return false
		}
	}
	return true
}

type parsedTrailer struct{ value, signature []byte }

// parseTrailer reads everything after the line of the final chunk: the one
// header that was announced, its signature if the chunks are signed, an empty
// line, and nothing more. SDKs end the header with CRLF, LF or, as in AWS's own
// description, LF CRLF.
func parseTrailer(section []byte, name string, signed bool) (t parsedTrailer, err error) {
	if name == "" {
		return t, ends(section, "\r\n")
	}
	line, rest, err := cutLine(section)
	if err != nil {
		return t, err
	}
	line, crlf := bytes.CutSuffix(line, []byte("\r"))
	key, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !bytes.EqualFold(key, []byte(name)) {
		return t, malformedTrailer("%s was announced and is not there", name)
	}
	t.value = bytes.Trim(value, " \t")
	if !crlf {
		if signed || len(rest) > 2 {
			rest = bytes.TrimPrefix(rest, []byte("\r\n"))
		}
	}
	if !signed {
		return t, ends(rest, "\r\n")
	}
	line, rest, err = cutLine(rest)
	if err != nil {
		return t, err
	}
	key, value, ok = bytes.Cut(bytes.TrimSuffix(line, []byte("\r")), []byte(":"))
	t.signature = bytes.Trim(value, " \t")
	if !ok || !bytes.EqualFold(key, []byte(trailerSignature)) || !isSignature(t.signature) {
		return t, malformedTrailer("no %s follows the trailer", trailerSignature)
	}
	return t, ends(rest, "\r\n")
}

// cutLine splits after the first LF, which it drops.
func cutLine(b []byte) (line, rest []byte, err error) {
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		return nil, nil, incomplete("the trailer is cut short")
	}
	return line, rest, nil
}

// ends checks that the body ends here, with end.
func ends(rest []byte, end string) error {
	switch {
	case string(rest) == end:
		return nil
	case len(rest) < len(end) && string(rest) == end[:len(rest)]:
		return incomplete("the empty line that ends the body is missing")
	}
	return malformedTrailer("unannounced data follows the final chunk")
}

func malformedTrailer(format string, a ...any) *s3.Error {
	return s3.ErrMalformedTrailerError.WithCause(fmt.Errorf(format, a...))
}

// chunkChain checks chunk signatures: each covers the hash of its chunk and the
// signature before it, the first one that of the request.
type chunkChain struct {
	mac      hash.Hash // HMAC-SHA-256 under the signing key
	sum      hash.Hash // SHA-256 of the chunk being read
	suffix   string    // date and scope lines of the string to sign
	previous [signatureSize]byte
	claimed  [signatureSize]byte
	digest   [sha256.Size]byte
	scratch  []byte
}

func newChunkChain(p Proof) *chunkChain {
	c := &chunkChain{
		mac:     hmac.New(sha256.New, p.key),
		sum:     sha256.New(),
		suffix:  "\n" + p.amzDate + "\n" + p.scope + "\n",
		scratch: make([]byte, 0, 512),
	}
	copy(c.previous[:], p.seed)
	return c
}

func (c *chunkChain) write(p []byte) { c.sum.Write(p) }

// close checks the signature of the chunk whose data was written.
func (c *chunkChain) close(number int) error {
	b := append(c.scratch[:0], "AWS4-HMAC-SHA256-PAYLOAD"...)
	b = append(b, c.suffix...)
	b = append(b, c.previous[:]...)
	b = append(b, '\n')
	b = append(b, EmptySHA256...)
	b = append(b, '\n')
	if err := c.link(b, c.claimed[:]); err != nil {
		return err.WithCause(fmt.Errorf("signature of chunk %d", number))
	}
	return nil
}

// verifyTrailer checks the signature over the trailer, the last of the chain.
func (c *chunkChain) verifyTrailer(name string, t parsedTrailer) error {
	c.sum.Write([]byte(name))
	c.sum.Write([]byte(":"))
	c.sum.Write(t.value)
	c.sum.Write([]byte("\n"))
	b := append(c.scratch[:0], "AWS4-HMAC-SHA256-TRAILER"...)
	b = append(b, c.suffix...)
	b = append(b, c.previous[:]...)
	b = append(b, '\n')
	if err := c.link(b, t.signature); err != nil {
		return err.WithCause(errors.New("signature of the trailer"))
	}
	return nil
}

// link completes the string to sign with the hash of what was written, compares
// its signature with the claimed one and makes it the previous one.
func (c *chunkChain) link(b, claimed []byte) *s3.Error {
	b = hex.AppendEncode(b, c.sum.Sum(c.digest[:0]))
	c.sum.Reset()
	c.mac.Reset()
	c.mac.Write(b)
	c.scratch = b
	hex.Encode(c.previous[:], c.mac.Sum(c.digest[:0]))
	if subtle.ConstantTimeCompare(c.previous[:], claimed) != 1 {
		return s3.ErrSignatureDoesNotMatch
	}
	return nil
}
