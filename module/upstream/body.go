package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// Errors of bodies that are not what the call says.
var (
	errTwoBodies = errors.New("the call has both a body and data")
	errNoBody    = errors.New("the call has a length and no body")
	errLength    = errors.New("the length of the body is unknown")
	errTooLong   = errors.New("the body is longer than announced")
	errStopped   = errors.New("the body is no longer needed")
	// errBroken is all the transport learns of a body that failed. It may hand
	// its error to another request: the one that used the connection before, if
	// that has been answered and has not yet taken the answer.
	errBroken = errors.New("the body of a request broke off")
)

// Errors of replies that came before the body was sent.
var (
	errPremature = errors.New("the store reported success before it had the whole body")
	errLongReply = fmt.Errorf("the store refused the body with more than %d bytes", maxEarlyReply)
)

// maxEarlyReply bounds a reply that came before the body was sent, in bytes: it
// is an error document.
const maxEarlyReply = 64 << 10

// newGuard checks the body of a call and returns its guard, nil for a request
// without a body. A body of length 0 is read to its end here: net/http would
// send one of unknown length otherwise, and an error at its end must keep the
// request from going out.
func newGuard(call *Call, used *connection) (*guard, error) {
	switch {
	case call.Data != nil && (call.Body != nil || call.Length != 0):
		return nil, errTwoBodies
	case len(call.Data) > 0:
		return &guard{data: call.Data, used: used}, nil
	case call.Length < 0:
		return nil, errLength
	case call.Length == 0 && call.Body == nil:
		return nil, nil
	case call.Body == nil:
		return nil, errNoBody
	}
	g := &guard{body: call.Body, left: call.Length, interrupt: call.Interrupt, used: used}
	if call.Length > 0 {
		return g, nil
	}
	if _, err := g.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return nil, wrapBody(g.stop())
	}
	return nil, nil
}

// settle deals with a reply that came before the body was sent. Stopping the
// body ends the connection, so the reply is taken off it first. A success is
// an error: it cannot be about an object that has not arrived.
func (g *guard) settle(resp *http.Response) error {
	if g == nil || g.data != nil || g.complete.Load() {
		return nil
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		g.used.reset()
		return errPremature
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxEarlyReply+1))
	_ = resp.Body.Close()
	switch {
	case err != nil:
		return err
	case len(data) > maxEarlyReply:
		return errLongReply
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return nil
}

// watch ends the attempt with ctx: the connection first, if the body is not
// sent, so that nothing can pass for its end; then the request, by end; then the
// body, because net/http waits for a Read that is under way. release must be
// called; nothing happens after it.
func (g *guard) watch(ctx context.Context, end context.CancelFunc) (release func()) {
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		if !g.complete.Load() {
			g.used.reset()
		}
		end()
		_ = g.stop()
	})
	return func() {
		if !cancel() {
			<-done
		}
	}
}

func wrapBody(err error) error { return fmt.Errorf("reading the body to send: %w", err) }

// guard is the body of one attempt. It gives exactly the announced length, and
// the last block only once the body has ended without an error: what the store
// gets is the whole of a good body, or less than it was promised. Whatever is
// wrong with the body is for stop to tell, not for the transport.
//
// Data has no such end and needs no guarding, but for a caller that goes away.
type guard struct {
	data        []byte
	body        io.Reader
	used        *connection // what the attempt goes out on
	interrupt   func()      // Call.Interrupt
	interrupted sync.Once
	stopped     atomic.Bool
	complete    atomic.Bool // the last block was given to the transport

	mu   sync.Mutex // held while body is read
	left int64
	err  error // of body; errors of our own making for its length included
}

// reader is what the transport sends. It writes headers and data at once if it
// knows that the data is there; for that it has to see a bytes.Reader.
func (g *guard) reader() io.ReadCloser {
	if g.data != nil {
		return io.NopCloser(bytes.NewReader(g.data))
	}
	return g
}

// Read implements io.Reader.
func (g *guard) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if g.complete.Load() {
		return 0, io.EOF
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.err != nil:
		return 0, errBroken
	case g.stopped.Load():
		return 0, errStopped
	}
	n, err := g.read(p)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case g.stopped.Load():
		return 0, errStopped // an error of being interrupted, or of no interest
	}
	g.err = err
	g.used.reset()
	return 0, errBroken
}

// read gives the next bytes of body; at its end it looks for io.EOF before it
// lets go of them. Every error but io.EOF is final, and bytes that come with it
// are not given.
func (g *guard) read(p []byte) (int, error) {
	n, err := 0, error(nil)
	if g.left > 0 {
		n, err = g.body.Read(p[:min(int64(len(p)), g.left)])
		g.left -= int64(n)
	}
	if err == nil && g.left > 0 {
		return n, nil
	}
	if err == nil {
		var extra [1]byte
		var m int
		for m == 0 && err == nil { // a Reader may give nothing at first
			m, err = g.body.Read(extra[:])
		}
		if m > 0 {
			return 0, errTooLong
		}
	}
	switch {
	case !errors.Is(err, io.EOF):
		return 0, err
	case g.left > 0:
		return 0, io.ErrUnexpectedEOF
	}
	g.complete.Store(true)
	return n, io.EOF
}

// Close implements io.Closer for the transport, which may call it at any time
// and while Read waits.
func (g *guard) Close() error {
	g.stopped.Store(true)
	return nil
}

// stop keeps further reads from body, waits for one that is under way, and
// returns the body's error. A nil guard has none.
func (g *guard) stop() error {
	if g == nil {
		return nil
	}
	g.stopped.Store(true)
	if g.data != nil || g.complete.Load() {
		return nil // body is not read after that
	}
	if !g.mu.TryLock() {
		if g.interrupt != nil {
			g.interrupted.Do(g.interrupt)
		}
		g.mu.Lock()
	}
	defer g.mu.Unlock()
	return g.err
}
