package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
)

// collector is a store that counts the bodies it got whole.
type collector struct {
	mu    sync.Mutex
	whole []string
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.whole = append(c.whole, string(data))
	}
}

func TestBodyArrivesWhole(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 3<<16) // 3 MiB, with Expect: 100-continue
	for name, tc := range map[string]struct {
		content string
		wrap    func(io.Reader) io.Reader
	}{
		"small":                 {"x", nil},
		"empty":                 {"", nil},
		"big":                   {big, nil},
		"byte by byte":          {big[:100000], iotest.OneByteReader},
		"EOF with the last":     {big[:100000], iotest.DataErrReader},
		"empty reads, at times": {big[:100000], func(r io.Reader) io.Reader { return &hesitant{r: r} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var store collector
			server := httptest.NewServer(&store)
			defer server.Close()
			client := newClient(t, server.Listener.Addr().String(), nil)
			body := io.Reader(strings.NewReader(tc.content))
			if tc.wrap != nil {
				body = tc.wrap(body)
			}
			resp, err := client.Do(t.Context(), put(body, int64(len(tc.content))))
			if err != nil {
				t.Fatal(err)
			}
			finish(t, resp)
			server.Close()
			if len(store.whole) != 1 || store.whole[0] != tc.content {
				t.Errorf("the store got %d bodies", len(store.whole))
			}
		})
	}
}

// hesitant gives nothing in every other read.
type hesitant struct {
	r     io.Reader
	pause bool
}

func (h *hesitant) Read(p []byte) (int, error) {
	if h.pause = !h.pause; h.pause {
		return 0, nil
	}
	return h.r.Read(p)
}

// Whatever is wrong with a body, and wherever: no store ever has it whole.
func TestBadBodyNeverArrivesWhole(t *testing.T) {
	t.Parallel()
	bad := s3.ErrXAmzContentSHA256Mismatch
	failing := func(n int) io.Reader {
		return io.MultiReader(strings.NewReader(strings.Repeat("x", n)), iotest.ErrReader(bad))
	}
	for name, tc := range map[string]struct {
		body   io.Reader
		length int64
		want   error
	}{
		"error at once":                {failing(0), 10, bad},
		"error in the middle":          {failing(1 << 20), 1<<20 + 1, bad},
		"error in the middle, small":   {failing(5), 10, bad},
		"error in place of EOF":        {failing(1 << 20), 1 << 20, bad},
		"error in place of EOF, small": {failing(10), 10, bad},
		"error with the last bytes":    {iotest.DataErrReader(failing(1 << 20)), 1 << 20, bad},
		"error in an empty body":       {failing(0), 0, bad},
		"too short":                    {strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20 + 1, io.ErrUnexpectedEOF},
		"too short, small":             {strings.NewReader("x"), 2, io.ErrUnexpectedEOF},
		"too long":                     {strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20 - 1, errTooLong},
		"too long, small":              {strings.NewReader("xx"), 1, errTooLong},
		"big with consent":             {failing(4 << 20), 4 << 20, bad},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var store collector
			server := httptest.NewServer(&store)
			defer server.Close()
			client := newClient(t, server.Listener.Addr().String(), nil)
			resp, err := client.Do(t.Context(), put(tc.body, tc.length))
			if err == nil {
				_ = resp.Body.Close()
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("error = %v, want %v", err, tc.want)
			}
			var e *s3.Error
			if errors.As(tc.want, &e) && !errors.As(err, &e) {
				t.Errorf("no *s3.Error in %v", err)
			}
			server.Close() // waits for the handlers
			if len(store.whole) != 0 {
				t.Errorf("the store got a whole body of %d bytes", len(store.whole[0]))
			}
		})
	}
}

// staleServer answers the first request of its first connection, and drops that
// connection at the second. It hands over what arrives whole.
func staleServer(t *testing.T) (address string, bodies <-chan string, connections *atomic.Int32) {
	t.Helper()
	got := make(chan string, 4)
	connections = new(atomic.Int32)
	return rawServer(t, func(n int, c *net.TCPConn, r *bufio.Reader) {
		connections.Add(1)
		for i := 1; ; i++ {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if n == 1 && i == 2 {
				_ = c.SetLinger(0) // a reset, as of a store that had closed
				return
			}
			data, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			got <- string(data)
			reply(t, c, okReply)
		}
	}), got, connections
}

func TestStaleConnection(t *testing.T) {
	t.Parallel()
	const content = "the body"
	data := []byte(content)
	for name, tc := range map[string]struct {
		call  Call
		retry bool
	}{
		"write, data":         {Call{Method: http.MethodPut, Data: data}, true},
		"post, data":          {Call{Method: http.MethodPost, Data: data}, true},
		"post, data, once":    {Call{Method: http.MethodPost, Data: data, Once: true}, false},
		"write, streamed":     {Call{Method: http.MethodPut, Body: strings.NewReader(content), Length: 8}, false},
		"read":                {Call{Method: http.MethodGet}, true},
		"write without body":  {Call{Method: http.MethodPut}, true},
		"delete":              {Call{Method: http.MethodDelete}, true},
		"post without body":   {Call{Method: http.MethodPost}, false},
		"post without bytes":  {Call{Method: http.MethodPost, Data: []byte{}}, true},
		"a client's own word": {Call{Method: http.MethodPost, Header: http.Header{"Idempotency-Key": {"x"}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, bodies, connections := staleServer(t)
			client := newClient(t, address, nil)
			resp, err := client.Do(t.Context(), Call{Method: http.MethodGet, PayloadHash: sigv4.EmptySHA256})
			if err != nil {
				t.Fatal(err)
			}
			finish(t, resp)
			<-bodies
			tc.call.Bucket, tc.call.Key, tc.call.PayloadHash = "bucket", "key", sigv4.UnsignedPayload
			resp, err = client.Do(t.Context(), tc.call)
			if !tc.retry {
				var gone *Unavailable
				if !errors.As(err, &gone) || connections.Load() != 1 {
					t.Errorf("error = %v after %d connections", err, connections.Load())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			finish(t, resp)
			want := ""
			if len(tc.call.Data) > 0 {
				want = content
			}
			if got := <-bodies; got != want || connections.Load() != 2 {
				t.Errorf("the store got %q on connection %d", got, connections.Load())
			}
		})
	}
}

// blocked is a body that waits until it is interrupted.
type blocked struct {
	reading     chan struct{} // closed by the first Read
	interrupted chan struct{}
	once        sync.Once
	readers     atomic.Int32
}

func newBlocked() *blocked {
	return &blocked{reading: make(chan struct{}), interrupted: make(chan struct{})}
}

func (b *blocked) Read([]byte) (int, error) {
	b.readers.Add(1)
	defer b.readers.Add(-1)
	b.once.Do(func() { close(b.reading) })
	<-b.interrupted
	return 0, errors.New("interrupted")
}

// A store may answer before it has the body; the answer must survive the end of
// the connection, and the body must be left alone afterwards.
func TestEarlyReply(t *testing.T) {
	t.Parallel()
	const refusal = "<Error><Code>AccessDenied</Code></Error>"
	for name, tc := range map[string]struct {
		status string
		want   error // nil: the reply is given
	}{
		"refusal": {"403 Forbidden", nil},
		"success": {"200 OK", errPremature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := newBlocked()
			address := rawServer(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
				<-body.reading
				reply(t, c, "HTTP/1.1 "+tc.status+"\r\nContent-Length: 40\r\n\r\n"+refusal)
				_, _ = io.Copy(io.Discard, r)
			})
			client := newClient(t, address, nil)
			call := put(body, 100)
			call.Interrupt = func() { close(body.interrupted) }
			resp, err := client.Do(t.Context(), call)
			if n := body.readers.Load(); n != 0 {
				t.Errorf("%d reads of the body are under way", n)
			}
			if tc.want != nil {
				var gone *Unavailable
				if !errors.Is(err, tc.want) || !errors.As(err, &gone) {
					t.Errorf("error = %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := finish(t, resp); resp.StatusCode != http.StatusForbidden || got != refusal {
				t.Errorf("%d %q", resp.StatusCode, got)
			}
		})
	}
}

// A store that refuses a large body costs nothing of it.
func TestRefusalBeforeTheBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusPreconditionFailed)
	}))
	t.Cleanup(server.Close)
	client := newClient(t, server.Listener.Addr().String(), nil)
	body := &counter{r: bytes.NewReader(make([]byte, expectFrom))}
	resp, err := client.Do(t.Context(), put(body, expectFrom))
	if err != nil {
		t.Fatal(err)
	}
	finish(t, resp)
	if resp.StatusCode != http.StatusPreconditionFailed || body.n.Load() != 0 {
		t.Errorf("status %d after %d bytes of the body", resp.StatusCode, body.n.Load())
	}
}

type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func TestCancel(t *testing.T) {
	t.Parallel()
	body := newBlocked()
	address := rawServer(t, func(_ int, _ *net.TCPConn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	client := newClient(t, address, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the client went away")
	call := put(body, 100)
	call.Interrupt = func() { close(body.interrupted) }
	go func() {
		<-body.reading
		cancel(reason)
	}()
	resp, err := client.Do(ctx, call)
	if err == nil {
		_ = resp.Body.Close()
	}
	var gone *Unavailable
	if !errors.Is(err, reason) || errors.As(err, &gone) {
		t.Errorf("error = %v", err)
	}
	if n := body.readers.Load(); n != 0 {
		t.Errorf("%d reads of the body are under way", n)
	}
}

// senderOf is a transport that only reads the body of what it is to send.
type senderOf struct{ err error }

func (s *senderOf) RoundTrip(r *http.Request) (*http.Response, error) {
	_, s.err = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return nil, s.err
}

// net/http may hand the error of a body to the request that used the connection
// before. What a client is told of its body is told to nobody else.
func TestBodyErrorStaysOutOfTheTransport(t *testing.T) {
	t.Parallel()
	bad := s3.ErrXAmzContentSHA256Mismatch
	transport := new(senderOf)
	client := newClient(t, "", func(c *Config) { c.Transport = transport })
	_, err := client.Do(t.Context(), put(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(bad)), 10))
	if !errors.Is(err, bad) {
		t.Errorf("the caller got %v", err)
	}
	var shown *s3.Error
	if transport.err == nil || errors.As(transport.err, &shown) {
		t.Errorf("the transport got %v", transport.err)
	}
}
