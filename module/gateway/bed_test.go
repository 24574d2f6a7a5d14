package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/caddyserver/caddy/v2"
)

const (
	clientKey    = "SGTESTCLIENT00000001"
	clientSecret = "test-secret-of-forty-characters-00000001"
	storeKey     = "AKGATEWAY"
)

const testClients = `version: 1
clients:
  - access_key: ` + clientKey + `
    secret: ` + clientSecret + `
    principal: app
`

const testPosture = `version: 1
buckets:
  "*":
    "": {mode: sse-s3}
grants:
  - {id: all, principals: [app], actions: ["s3:*"], resources: ["*"]}
`

// store is an S3 endpoint that keeps the requests it gets and what was put.
type store struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request // bodies read
	objects  map[string][]byte
	metadata map[string]http.Header // x-amz-meta-* of the objects
	reply    http.Header            // added to every reply
}

func newStore(t *testing.T, start func(http.Handler) *httptest.Server) *store {
	t.Helper()
	s := &store{objects: make(map[string][]byte), metadata: make(map[string]http.Header), reply: make(http.Header)}
	s.Server = start(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *store) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	maps.Copy(w.Header(), s.reply)
	w.Header().Set("X-Amz-Server-Side-Encryption", "AES256")
	w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
	switch r.Method {
	case http.MethodPut:
		s.objects[r.URL.Path], s.metadata[r.URL.Path] = body, make(http.Header)
		for name, values := range r.Header {
			if strings.HasPrefix(name, "X-Amz-Meta-") {
				s.metadata[r.URL.Path][name] = values
			}
		}
	case http.MethodGet, http.MethodHead:
		maps.Copy(w.Header(), s.metadata[r.URL.Path])
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(s.objects[r.URL.Path]))
	}
}

// got is what the store has been asked so far.
func (s *store) got() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.requests...)
}

// bed is a running Caddy with one s3_encryption handler in front of a store.
type bed struct {
	t       *testing.T
	dir     string
	store   *store
	handler object // the handler's configuration
	config  object // the whole configuration
	url     string // of the gateway, once started
}

// newBed prepares a configuration; start runs it.
func newBed(t *testing.T) *bed {
	t.Helper()
	t.Setenv("GATEWAY_TEST_STORE_SECRET", "the-gateways-own-secret-at-the-store")
	b := &bed{t: t, dir: t.TempDir(), store: newStore(t, httptest.NewServer)}
	b.handler = object{
		"handler":  "s3_encryption",
		"upstream": b.store.URL,
		"credentials": object{
			"source": "static", "access_key": storeKey, "secret": "{env.GATEWAY_TEST_STORE_SECRET}",
		},
		"clients": b.file("clients.yaml", testClients),
		"posture": b.file("posture.yaml", testPosture),
	}
	b.config = object{
		"apps": object{"http": httpApp(object{"routes": route(b.handler), "logs": object{}})},
		"logging": object{"logs": object{"default": object{
			"writer": object{"output": "file", "filename": filepath.Join(b.dir, "caddy.log")}, "encoder": object{"format": "json"},
		}}},
	}
	return b
}

// file writes a file of the bed and gives its path.
func (b *bed) file(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func (b *bed) start() *bed {
	b.t.Helper()
	load(b.t, b.config)
	b.url = "http://" + address(b.t, "main")
	return b
}

// client is an SDK client of the gateway. It retries, because an evaluation may
// run out of time on a machine that is busy with other tests.
func (b *bed) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(b.url), Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 20,
		Credentials: credentials.NewStaticCredentialsProvider(clientKey, clientSecret, ""),
	})
}

// send makes a request of its own, without a signature.
func (b *bed) send(method, path string, header http.Header) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, string(body)
}

// logs stops the gateway, which waits for requests to end, and gives the lines
// of Caddy's log by logger, and the whole text.
func (b *bed) logs() (map[string][]object, string) {
	b.t.Helper()
	if err := caddy.Stop(); err != nil {
		b.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(b.dir, "caddy.log"))
	if err != nil {
		b.t.Fatal(err)
	}
	byLogger := make(map[string][]object)
	for _, line := range jsonLines(b.t, text) {
		name := fmt.Sprint(line["logger"])
		byLogger[name] = append(byLogger[name], line)
	}
	return byLogger, string(text)
}

func jsonLines(t *testing.T, text []byte) []object {
	t.Helper()
	var lines []object
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line object
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, scanner.Text())
		}
		lines = append(lines, line)
	}
	return lines
}

// at walks an object's members: at(o, "request", "headers").
func at(v any, path ...string) any {
	for _, name := range path {
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[name]
	}
	return v
}

// contains fails the test unless text holds every part.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}
