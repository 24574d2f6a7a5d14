package sigv4

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/sealgate/sealgate/module/s3"
)

// MaxPayload is the most one PutObject or UploadPart may carry, in bytes.
const MaxPayload = 5 << 30

var errClosed = errors.New("sigv4: read of a closed body")

// payloadReader is a decoded request body. Read returns payload bytes only, finish
// checks that the body ends where it should and returns the value of the
// announced trailer.
type payloadReader interface {
	io.Reader
	finish() (trailer string, err error)
}

// Body is the decoded payload of one request, checked against everything the
// client said about it: payload hash, chunk and trailer signatures,
// Content-MD5, x-amz-checksum-* header or trailer, and length.
//
// The last block of the payload, up to 64 KiB, is read and held back until all
// of that has been found true; only then does it come out. When something is
// wrong those bytes never come, so a receiver that was promised
// [Body.Length] bytes never has a whole object: it must be made to abort.
// Bytes before the last block are handed on as they are read.
//
// All errors but io.EOF and a read after Close are [*s3.Error]; after one, Read
// keeps returning it. One goroutine reads; Close may be called from another.
type Body struct {
	length int64
	verify bool
	early  int64 // payload bytes that may come out before everything was verified

	closed atomic.Bool
	mu     sync.Mutex // guards what follows; held while reading
	src    payloadReader
	in     integrity
	pos    int64  // payload bytes read from src
	held   *block // from the pool, nil unless needed
	tail   []byte // the last block: part of held, or what ReadSmall returns
	out    int    // bytes of tail that came out
	done   bool   // everything verified
	err    error  // what Read returns from now on
}

// Length returns the number of bytes in the decoded payload.
func (b *Body) Length() int64 { return b.length }

// MustVerify reports whether something is checked when the payload ends beyond
// its length: a hash, chunk framing, a trailer, MD5 or a checksum.
func (b *Body) MustVerify() bool { return b.verify }

// TrailerName returns the name announced in x-amz-trailer in lower case,
// "x-amz-checksum-crc32", or "" if no trailer was announced.
func (b *Body) TrailerName() string {
	if b.in.trailer == "" {
		return ""
	}
	return checksumPrefix + b.in.trailer
}

// Checksums returns the x-amz-checksum-* value, from header or trailer, that
// the payload was verified against. It is empty before Read returned io.EOF or
// ReadSmall succeeded, and where the client sent none. The caller owns it.
func (b *Body) Checksums() http.Header {
	b.mu.Lock()
	defer b.unlock()
	if !b.done || b.in.checksum == nil {
		return http.Header{}
	}
	return b.in.checksum.Clone()
}

// Read returns the next bytes of the payload.
func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.unlock()
	switch {
	case b.closed.Load():
		return 0, errClosed
	case b.err != nil:
		return 0, b.err
	case b.pos < b.early:
		return b.pass(p)
	}
	if err := b.complete(); err != nil {
		return 0, err
	}
	n := copy(p, b.tail[b.out:])
	b.out += n
	if b.out == len(b.tail) {
		b.err = io.EOF
	}
	return n, b.err
}

// pass reads bytes that may come out at once, straight into p.
func (b *Body) pass(p []byte) (int, error) {
	n, err := b.src.Read(p[:min(int64(len(p)), b.early-b.pos)])
	b.in.digests.write(p[:n])
	b.pos += int64(n)
	if err != nil && (b.pos < b.length || !errors.Is(err, io.EOF)) {
		b.err = readError(err)
	}
	return n, b.err
}

// complete reads the last block and verifies everything.
func (b *Body) complete() error {
	if b.done || b.err != nil {
		return b.err
	}
	b.err = b.readTail()
	b.done = b.err == nil
	return b.err
}

func (b *Body) readTail() error {
	if left := b.length - b.pos; left > 0 {
		if b.tail == nil {
			b.held = blocks.Get().(*block)
			b.tail = b.held[:left]
		}
		n, err := io.ReadFull(b.src, b.tail)
		b.pos += int64(n)
		if err != nil {
			return readError(err)
		}
		b.in.digests.write(b.tail)
	}
	trailer, err := b.src.finish()
	if err != nil {
		return readError(err)
	}
	if err := b.in.trailed(trailer); err != nil {
		return err
	}
	return b.in.digests.verify()
}

// Small reports whether the payload fits one block, so that ReadSmall can
// return it.
func (b *Body) Small() bool { return b.length <= blockSize }

// ReadSmall returns the whole payload, verified, of a Body that is Small and
// has not been read from. It may be called again, and Read still returns the
// payload from its start. The slice must not be modified. It stays valid after
// Close: an upstream transport may go on sending it after the reply came, so
// its memory is left to the garbage collector and never serves another request.
func (b *Body) ReadSmall() ([]byte, error) {
	b.mu.Lock()
	defer b.unlock()
	switch {
	case b.closed.Load():
		return nil, errClosed
	case !b.Small():
		return nil, s3.ErrInternalError.WithCause(errors.New("sigv4: ReadSmall of a large body"))
	case b.done && b.held == nil && int64(len(b.tail)) == b.length:
		return b.tail, nil
	case b.err != nil && !b.done:
		return nil, b.err
	case b.pos > 0:
		return nil, s3.ErrInternalError.WithCause(errors.New("sigv4: ReadSmall after Read"))
	}
	b.tail = make([]byte, b.length)
	if err := b.complete(); err != nil {
		return nil, err
	}
	return b.tail, nil
}

// Close returns the buffers to their pools. It neither closes nor drains the
// request body, and does not wait for a Read in progress, which cleans up
// itself when it returns. It always returns nil and may be called again.
func (b *Body) Close() error {
	b.closed.Store(true)
	if b.mu.TryLock() {
		b.unlock()
	}
	return nil
}

// unlock releases mu, and the buffers if Close came meanwhile. It looks again
// after unlocking because Close may have found mu taken just before.
func (b *Body) unlock() {
	for {
		closed := b.closed.Load()
		if closed {
			b.release()
		}
		b.mu.Unlock()
		if closed || !b.closed.Load() || !b.mu.TryLock() {
			return
		}
	}
}

func (b *Body) release() {
	if c, ok := b.src.(*chunkReader); ok {
		releaseFrameReader(c.in)
	}
	b.src, b.tail = nil, nil
	if b.held != nil {
		blocks.Put(b.held)
		b.held = nil
	}
}
