package engine

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// stubStore answers at once, so that only the gateway's own work is measured.
type stubStore struct{ body []byte }

func (s stubStore) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	h := http.Header{"Etag": {`"e"`}, "X-Amz-Request-Id": {"u"}}
	echo(h, r.Header)
	resp := &http.Response{StatusCode: http.StatusOK, Header: h, Body: http.NoBody, Request: r}
	if r.Method == http.MethodGet {
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(s.body)), int64(len(s.body))
	}
	return resp, nil
}

func benchEngine(b *testing.B, body []byte) *Engine {
	b.Helper()
	dir := b.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		return path
	}
	known, err := clients.Open(write("clients.yaml", testClients))
	if err != nil {
		b.Fatal(err)
	}
	endpoint, _ := url.Parse("https://store.example.com")
	up, err := upstream.New(upstream.Config{
		Endpoint: endpoint, Region: testRegion, Transport: stubStore{body},
		Credentials: upstream.Static(upstream.Credentials{AccessKey: "AKGATEWAY", Secret: upstream.NewSecret("gateway-secret-gateway-secret")}),
	})
	if err != nil {
		b.Fatal(err)
	}
	rules, err := policy.New(policy.Options{PostureFile: write("posture.yaml", openPosture("mode: sse-s3"))})
	if err != nil {
		b.Fatal(err)
	}
	e, err := New(Config{
		Verifier: sigv4.NewVerifier(sigv4.VerifierConfig{Region: testRegion}), Clients: known,
		Upstream: up, Region: testRegion, Policy: rules,
	})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// discardWriter is a reply nobody reads.
type discardWriter struct {
	h      http.Header
	status int
	last   []byte
}

func (w *discardWriter) Header() http.Header         { return w.h }
func (w *discardWriter) Write(p []byte) (int, error) { w.last = p; return len(p), nil }
func (w *discardWriter) WriteHeader(s int)           { w.status = s }

// BenchmarkServe is one request through the whole pipeline, network left out.
func BenchmarkServe(b *testing.B) {
	data := bytes.Repeat([]byte("x"), 4<<10)
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		b.Run(method+" 4 KiB", func(b *testing.B) {
			e := benchEngine(b, data)
			r := httptest.NewRequest(method, "http://gateway.example.com/bucket/dir/key", nil)
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
			sign(b, r, "UNSIGNED-PAYLOAD")
			r.RequestURI = "/bucket/dir/key"
			b.ReportAllocs()
			for b.Loop() {
				if method == http.MethodPut {
					r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
				}
				w := &discardWriter{h: make(http.Header)}
				e.ServeHTTP(w, r)
				if w.status != http.StatusOK {
					b.Fatalf("status %d: %s", w.status, w.last)
				}
			}
		})
	}
}
