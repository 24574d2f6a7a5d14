package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// maxAttempts bounds how often a call is sent. Each attempt but the last met a
// kept connection that had died; there may be several of those.
const maxAttempts = 4

// mayRepeat reports whether a call may be sent again after a kept connection
// died before an answer came. Methods that are idempotent in HTTP may if there
// is no body; everything else only where the caller can replay it.
//
// net/http has a rule of its own for this, which is not enough: it gives up if
// the connection dies between two writes of one request.
func mayRepeat(call *Call) bool {
	if call.Replay != nil {
		return true
	}
	return call.Length == 0 && call.Method != http.MethodPost && call.Method != http.MethodPatch
}

// connection is what is known of the connection that a request went out on.
// Its fields are set from the transport's goroutines.
type connection struct {
	reused  atomic.Bool
	replied atomic.Bool // a byte of a reply has come
}

// trace returns a context that makes the transport report on its connection.
func (c *connection) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			c.reused.Store(i.Reused)
			c.replied.Store(false)
		},
		GotFirstResponseByte: func() { c.replied.Store(true) },
	})
}

// explain says what an error of the transport means.
func (c *connection) explain(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("calling the store: %w", context.Cause(ctx))
	case !c.reused.Load() || c.replied.Load():
	case errors.As(err, &timeout) && timeout.Timeout(): // slow, not stale
	default:
		return &staleError{err}
	}
	return &Unavailable{err}
}

// staleError: a kept connection turned out to be dead.
type staleError struct{ err error }

func (s *staleError) Error() string { return "kept connection is dead: " + s.err.Error() }

func (s *staleError) Unwrap() error { return s.err }
