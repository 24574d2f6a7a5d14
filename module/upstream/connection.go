package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// connection is what is known of the connection that a request went out on.
// Its fields are set from the transport's goroutines, but for held.
type connection struct {
	reused  atomic.Bool
	replied atomic.Bool // a byte of a reply has come
	tcp     atomic.Pointer[net.TCPConn]

	turns *turns
	held  *net.TCPConn // whose turn this request has
}

// trace returns a context that makes the transport report on its connection.
func (c *connection) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			tcp := exclusive(i.Conn)
			c.leave()
			c.turns.take(tcp)
			c.held = tcp
			c.reused.Store(i.Reused)
			c.replied.Store(false)
			c.tcp.Store(tcp)
		},
		GotFirstResponseByte: func() { c.replied.Store(true) },
	})
}

// leave gives the turn back. It is called when RoundTrip has returned, and when
// the transport tries another connection.
func (c *connection) leave() {
	c.turns.done(c.held)
	c.held = nil
}

// exclusive is the TCP connection below conn, nil if it is not known or carries
// other requests as well.
func exclusive(conn net.Conn) *net.TCPConn {
	if t, ok := conn.(*tls.Conn); ok && t.ConnectionState().NegotiatedProtocol == "h2" {
		return nil
	}
	for conn != nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			return tcp
		}
		wrapper, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		conn = wrapper.NetConn()
	}
	return nil
}

// reset ends the connection in a way that no store can take for the end of a
// body: TCP's RST in place of FIN, and without a goodbye of TLS. A store should
// keep nothing of a body that is shorter than announced, but not all do
// (versitygw 1.8.0 keeps what came before a FIN).
func (c *connection) reset() {
	if tcp := c.tcp.Load(); tcp != nil {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
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
