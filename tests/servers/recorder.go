package servers

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Exchange is one request as an upstream received it.
type Exchange struct {
	// Method, RequestURI and Host are as on the request line and Host header.
	Method, RequestURI, Host string
	// Header has canonical names; Wire shows the names as sent.
	Header http.Header
	// Body is the payload without HTTP's own framing; an aws-chunked body keeps
	// that framing. Complete is false if the sender broke off.
	Body     []byte
	Complete bool
	// Wire is everything read for this request, byte for byte.
	Wire []byte
}

// Recorder is an upstream in this process that keeps every request, and counts
// connections: proof that a store was, or was not, spoken to. Bodies are kept
// in memory. Its methods may be called from several goroutines.
type Recorder struct {
	// Endpoint is its base URL, without a path.
	Endpoint string

	server *http.Server
	served chan struct{}

	mu          sync.Mutex
	connections int
	exchanges   []Exchange
}

// StartRecorder runs a recorder whose replies come from handler, which finds
// the request's body still readable. A nil authority means plain HTTP.
func StartRecorder(authority *Authority, handler http.Handler) (*Recorder, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("recorder: %w", err)
	}
	r := &Recorder{Endpoint: "http://" + listener.Addr().String(), served: make(chan struct{})}
	if authority != nil {
		cert, err := authority.Issue("recorder")
		if err != nil {
			return nil, fmt.Errorf("recorder: %w", err)
		}
		pair, err := tls.LoadX509KeyPair(cert.CertFile, cert.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("recorder: %w", err)
		}
		r.Endpoint = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
	r.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, wireKey{}, c)
		},
		Handler: r.record(handler),
	}
	go func() {
		defer close(r.served)
		_ = r.server.Serve(&tappedListener{Listener: listener, accepted: r.connected})
	}()
	return r, nil
}

// Close ends the recorder and every connection to it.
func (r *Recorder) Close() {
	_ = r.server.Close()
	<-r.served
}

// Connections returns how many connections were opened so far.
func (r *Recorder) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connections
}

// Requests returns the requests so far, in the order in which they were
// answered. The caller must not change what the slices hold.
func (r *Recorder) Requests() []Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Exchange(nil), r.exchanges...)
}

func (r *Recorder) connected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connections++
}

func (r *Recorder) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		seen := Exchange{
			Method: req.Method, RequestURI: req.RequestURI, Host: req.Host,
			Header: req.Header.Clone(), Body: body, Complete: err == nil,
		}
		if conn, ok := req.Context().Value(wireKey{}).(*tappedConn); ok {
			seen.Wire = conn.take()
		}
		r.mu.Lock()
		r.exchanges = append(r.exchanges, seen)
		r.mu.Unlock()
		if !seen.Complete {
			return // there is nobody left to answer
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, req)
	})
}

type wireKey struct{}

type tappedListener struct {
	net.Listener
	accepted func()
}

func (l *tappedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.accepted()
	return &tappedConn{Conn: c}, nil
}

// tappedConn keeps what is read from it until it is taken.
type tappedConn struct {
	net.Conn
	mu   sync.Mutex
	read bytes.Buffer
}

func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read.Write(p[:n])
	return n, err
}

func (c *tappedConn) take() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := bytes.Clone(c.read.Bytes())
	c.read.Reset()
	return taken
}
