package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
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
		call func(cancel context.CancelFunc) Call
	}{
		{"error", func(context.CancelFunc) Call {
			return put(io.MultiReader(some(), iotest.ErrReader(failure)), 400<<10)
		}},
		{"too short", func(context.CancelFunc) Call { return put(some(), 400<<10) }},
		{"caller gone", func(cancel context.CancelFunc) Call {
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
			ended := make(chan error, 1)
			address := rawServer(t, func(_ int, _ *net.TCPConn, r *bufio.Reader) {
				_, err := io.Copy(io.Discard, r)
				ended <- err
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			resp, err := newClient(t, address, nil).Do(ctx, tt.call(cancel))
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
