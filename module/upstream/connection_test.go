package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

// A body that fails, or whose client has gone, ends the connection with a
// reset: a plain end of the connection is taken for the end of the body by some
// stores.
func TestBrokenBodyResetsTheConnection(t *testing.T) {
	t.Parallel()
	failure := errors.New("the hash is wrong")
	some := func() io.Reader { return strings.NewReader(strings.Repeat("x", 300<<10)) }
	tests := []struct {
		name string
		call func(cancel context.CancelFunc, arrives <-chan struct{}) Call
	}{
		{"error", func(context.CancelFunc, <-chan struct{}) Call {
			return put(io.MultiReader(some(), iotest.ErrReader(failure)), 400<<10)
		}},
		{"too short", func(context.CancelFunc, <-chan struct{}) Call { return put(some(), 400<<10) }},
		{"caller gone, data", func(cancel context.CancelFunc, arrives <-chan struct{}) Call {
			go func() {
				<-arrives
				cancel()
			}()
			return Call{Method: http.MethodPut, Bucket: "bucket", Key: "key", Data: make([]byte, 400<<10), PayloadHash: "UNSIGNED-PAYLOAD"}
		}},
		{"caller gone", func(cancel context.CancelFunc, _ <-chan struct{}) Call {
			waiting := newBlocked()
			call := put(io.MultiReader(some(), waiting), 400<<10)
			call.Interrupt = func() { close(waiting.interrupted) }
			go func() {
				<-waiting.reading
				cancel()
			}()
			return call
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ended, arrives := make(chan error, 1), make(chan struct{})
			address := rawServer(t, func(_ int, _ *net.TCPConn, r *bufio.Reader) {
				_, _ = r.Peek(1)
				close(arrives)
				_, err := io.Copy(io.Discard, r)
				ended <- err
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			resp, err := newClient(t, address, nil).Do(ctx, tt.call(cancel, arrives))
			if err == nil {
				_ = resp.Body.Close()
				t.Fatal("the call succeeded")
			}
			if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the store saw the connection end with %v, want a reset", err)
			}
		})
	}
}

// oneConnection is a transport that says of every request that it goes out on
// conn, and keeps it until it is let go.
type oneConnection struct {
	conn    *net.TCPConn
	arrived chan string // the key of a request that is on the connection
	letGo   chan struct{}
}

func (o *oneConnection) RoundTrip(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{Conn: o.conn, Reused: true})
	o.arrived <- r.URL.Path
	<-o.letGo
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// A request comes onto a kept connection when the one before has its reply, not
// when the transport has it.
func TestConnectionTakesTurns(t *testing.T) {
	t.Parallel()
	transport := &oneConnection{conn: new(net.TCPConn), arrived: make(chan string), letGo: make(chan struct{})}
	client := newClient(t, "", func(c *Config) { c.Transport = transport })
	const calls = 3
	var running sync.WaitGroup
	for range calls {
		running.Go(func() {
			resp, err := client.Do(t.Context(), Call{Method: http.MethodGet, Bucket: "bucket", Key: "key", PayloadHash: "UNSIGNED-PAYLOAD"})
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
		})
	}
	for range calls {
		<-transport.arrived
		select {
		case <-transport.arrived:
			t.Error("two requests are on the connection")
		case <-time.After(20 * time.Millisecond):
		}
		transport.letGo <- struct{}{}
	}
	running.Wait()
	if n := len(client.turns.busy); n != 0 {
		t.Errorf("%d connections are still busy", n)
	}
}
