package records

import (
	"bytes"
	"io"
	"sync"
)

// body is the body of a request over bytes that are used again once the request has
// ended, although its transport may not have let go of the body by then.
type body struct {
	mu   *sync.Mutex
	data []byte
	over *bool
	r    *bytes.Reader
}

func newBody(data []byte) *body {
	return &body{mu: new(sync.Mutex), data: data, over: new(bool), r: bytes.NewReader(data)}
}

// again is for http.Request.GetBody.
func (b *body) again() (io.ReadCloser, error) {
	return &body{mu: b.mu, data: b.data, over: b.over, r: bytes.NewReader(b.data)}, nil
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if *b.over {
		return 0, io.ErrUnexpectedEOF
	}
	return b.r.Read(p)
}

// Close implements io.Closer.
func (b *body) Close() error { return nil }

// end makes every later read fail.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	*b.over = true
}
