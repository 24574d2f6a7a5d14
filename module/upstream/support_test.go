package upstream

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testCredentials = Credentials{AccessKey: "GATEWAY", Secret: NewSecret("gateway-secret-0123456789")}

// newClient returns a client of the store at address, with a transport of its
// own that dials there whatever the host is called.
func newClient(t *testing.T, address string, change func(*Config)) *Client {
	t.Helper()
	transport := NewTransport()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	t.Cleanup(transport.CloseIdleConnections)
	c := Config{
		Endpoint: &url.URL{Scheme: "http", Host: "store.test:9000"}, Insecure: true,
		Region: "eu-central-1", Credentials: Static(testCredentials), Transport: transport,
	}
	if change != nil {
		change(&c)
	}
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// rawServer runs serve for every connection, numbered from 1, and returns its
// address. The test ends when all have returned.
func rawServer(t *testing.T, serve func(n int, c *net.TCPConn, r *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		open    []net.Conn
	)
	running.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			running.Go(func() {
				defer func() { _ = c.Close() }()
				serve(n, c.(*net.TCPConn), bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

// readHead reads a request up to its empty line.
func readHead(r *bufio.Reader) (lines []string, err error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return lines, err
		}
		line = strings.TrimSuffix(line, "\r\n")
		if line == "" {
			return lines, nil
		}
		lines = append(lines, line)
	}
}

const okReply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

func reply(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Error(err)
	}
}

// put is a call that writes an object.
func put(body io.Reader, length int64) Call {
	return Call{Method: http.MethodPut, Bucket: "bucket", Key: "key", Body: body, Length: length, PayloadHash: "UNSIGNED-PAYLOAD"}
}

// finish closes the body of a reply and returns its content.
func finish(t *testing.T, resp *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	return string(data)
}
