package s3

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestOnTheWire sends raw request lines to a real server, because the parser
// relies on net/http keeping the request target and the header names.
func TestOnTheWire(t *testing.T) {
	t.Parallel()
	p := &Parser{Domains: []string{"s3.example.com"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := p.Parse(r)
		if err != nil {
			WriteError(w, AsError(err), Reply{Method: r.Method, RequestID: "ID"})
			return
		}
		_, _ = fmt.Fprintf(w, "%s %s %q %s", req.Op.Name, req.Bucket, req.Key, req.Header.Get("X-Amz-Meta-A_b.c"))
	}))
	t.Cleanup(server.Close)
	for _, c := range []struct{ name, request, want string }{
		{"raw key", "GET /bucket/a%20b/../c//d%2B~%C3%A9%3D%40%3A%252F./x HTTP/1.1\r\nHost: s3.example.com\r\n", `200 GetObject bucket "a b/../c//d+~é=@:%2F./x" `},
		{"leading slash", "GET /bucket//lead HTTP/1.1\r\nHost: s3.example.com\r\n", `200 GetObject bucket "/lead" `},
		{"virtual host, dot key", "GET /. HTTP/1.1\r\nHost: bucket.s3.example.com:80\r\n", `200 GetObject bucket "." `},
		{"raw bytes", "GET /bucket/é|{} HTTP/1.1\r\nHost: s3.example.com\r\n", `200 GetObject bucket "é|{}" `},
		{"metadata name", "PUT /bucket/k HTTP/1.1\r\nHost: s3.example.com\r\nx-amz-meta-a_b.c: v\r\nContent-Length: 0\r\n", `200 PutObject bucket "k" v`},
		{"absolute form", "GET http://bucket.s3.example.com/k HTTP/1.1\r\nHost: other.example\r\n", `200 GetObject bucket "k" `},
		{"semicolon is not lost", "GET /bucket?prefix=a;acl HTTP/1.1\r\nHost: s3.example.com\r\n", "400 "},
		{"HEAD has no body", "HEAD / HTTP/1.1\r\nHost: s3.example.com\r\n", "405 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, c.request+"Connection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: c.request[:4]})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%d %s", resp.StatusCode, body)
			if resp.StatusCode != http.StatusOK {
				got = fmt.Sprintf("%d ", resp.StatusCode)
			}
			if got != c.want {
				t.Errorf("got %s, want %s (%s)", got, c.want, body)
			}
		})
	}
}
