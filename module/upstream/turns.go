package upstream

import (
	"net"
	"sync"
)

// turns let a request onto a kept connection only when RoundTrip has returned
// to the request before it. net/http keeps a connection before it hands over
// its last reply, and a request that waits for that reply also waits for the
// end of the connection, whoever ends it: a body that fails at once on the kept
// connection would take the reply from the one before.
//
// The wait is for another goroutine to be scheduled, not for the network. The
// zero turns is ready for use. Both methods ignore a nil connection: that is
// one of which nothing is known, or that carries several requests at a time.
type turns struct {
	mu sync.Mutex
	// busy holds the connections whose turn is taken, with what their
	// successor waits for, if there is one.
	busy map[*net.TCPConn]chan struct{}
}

// take waits for conn's turn.
func (t *turns) take(conn *net.TCPConn) {
	if conn == nil {
		return
	}
	for {
		t.mu.Lock()
		next, taken := t.busy[conn]
		switch {
		case !taken:
			if t.busy == nil {
				t.busy = make(map[*net.TCPConn]chan struct{})
			}
			t.busy[conn] = nil
		case next == nil:
			next = make(chan struct{})
			t.busy[conn] = next
		}
		t.mu.Unlock()
		if !taken {
			return
		}
		<-next
	}
}

// done ends conn's turn.
func (t *turns) done(conn *net.TCPConn) {
	if conn == nil {
		return
	}
	t.mu.Lock()
	next := t.busy[conn]
	delete(t.busy, conn)
	t.mu.Unlock()
	if next != nil {
		close(next)
	}
}
