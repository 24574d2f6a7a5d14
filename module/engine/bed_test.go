package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

const (
	testKey    = "AKTESTCLIENT00000001"
	testSecret = "test-secret-of-forty-characters-00000001"
	testRegion = "us-east-1"
)

const testClients = `version: 1
clients:
  - access_key: ` + testKey + `
    secret: ` + testSecret + `
    principal: app
    groups: [writers]
`

// openPosture lets the client do everything and demands what mode says.
func openPosture(lines ...string) string {
	return "version: 1\nbuckets:\n  \"*\":\n    \"\":\n      " + strings.Join(lines, "\n      ") +
		"\ngrants:\n  - {id: all, principals: [app], actions: [\"s3:*\"], resources: [\"*\"]}\n"
}

// bed is an engine between a client that signs and a store that records.
type bed struct {
	t       *testing.T
	store   *fakeStore
	gateway *httptest.Server
	client  http.RoundTripper
	engine  *Engine
	mu      sync.Mutex
	records []Record
}

type bedOption func(*Config, *policy.Options)

func newBed(t *testing.T, posture string, options ...bedOption) *bed {
	t.Helper()
	dir := t.TempDir()
	b := &bed{t: t, store: newFakeStore(t), client: http.DefaultTransport}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	known, err := clients.Open(write("clients.yaml", testClients))
	if err != nil {
		t.Fatal(err)
	}
	endpoint, _ := url.Parse(b.store.URL)
	up, err := upstream.New(upstream.Config{
		Endpoint: endpoint, Region: testRegion,
		Credentials: upstream.Static(upstream.Credentials{AccessKey: "AKGATEWAY", Secret: upstream.NewSecret("gateway-secret-gateway-secret")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Verifier: sigv4.NewVerifier(sigv4.VerifierConfig{Region: testRegion}),
		Clients:  known, Upstream: up, Region: testRegion, Recorder: b,
	}
	// Tests run beside each other on few cores: the time-out is not what they test.
	o := policy.Options{PostureFile: write("posture.yaml", posture), Timeout: 5 * time.Second}
	for _, option := range options {
		option(&c, &o)
	}
	if c.Policy, err = policy.New(o); err != nil {
		t.Fatal(err)
	}
	if b.engine, err = New(c); err != nil {
		t.Fatal(err)
	}
	b.gateway = httptest.NewServer(b.engine)
	t.Cleanup(b.gateway.Close)
	return b
}

// secure puts the engine behind TLS, which clients speak HTTP/2 over.
func (b *bed) secure() *bed {
	b.t.Helper()
	b.gateway = httptest.NewUnstartedServer(b.engine)
	b.gateway.EnableHTTP2 = true
	b.gateway.StartTLS()
	b.t.Cleanup(b.gateway.Close)
	b.client = b.gateway.Client().Transport
	return b
}

// Record keeps a copy of each decision record.
func (b *bed) Record(_ context.Context, r *Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.records = append(b.records, *r)
}

// lastRecord is the record of the only request made so far, or the latest.
func (b *bed) lastRecord() Record { return b.awaitRecord(func(Record) bool { return true }) }

// recordOf is the record of the request that got this reply.
func (b *bed) recordOf(a answer) Record {
	return b.awaitRecord(func(r Record) bool { return r.ID == a.Header.Get("X-Amz-Request-Id") })
}

// awaitRecord waits for a record, which is written after its reply.
func (b *bed) awaitRecord(want func(Record) bool) Record {
	b.t.Helper()
	deadline := time.After(10 * time.Second)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		b.mu.Lock()
		for _, r := range slices.Backward(b.records) {
			if want(r) {
				b.mu.Unlock()
				return r
			}
		}
		b.mu.Unlock()
		select {
		case <-deadline:
			b.t.Fatal("no such decision record was written")
		case <-poll.C:
		}
	}
}

// request builds a signed request. header lines are "Name: value".
func (b *bed) request(method, path, body string, header ...string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequest(method, b.gateway.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		sum := sha256.Sum256([]byte(body))
		hash = hex.EncodeToString(sum[:])
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	sign(b.t, r, hash)
	return r
}

func sign(t testing.TB, r *http.Request, hash string) {
	t.Helper()
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	if err := signer.SignHTTP(context.Background(), creds, r, hash, "s3", testRegion, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// answer is a reply with its body read.
type answer struct {
	*http.Response
	body string
}

func (b *bed) do(r *http.Request) answer {
	b.t.Helper()
	resp, err := b.client.RoundTrip(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatalf("reading the reply to %s %s: %v", r.Method, r.URL.Path, err)
	}
	return answer{resp, string(data)}
}

// s3Error is what a client makes of an error document.
type s3Error struct {
	Code, Message string
	RequestID     string   `xml:"RequestId"`
	RuleID        []string `xml:"RuleId"`
}

func (a answer) err(t *testing.T) s3Error {
	t.Helper()
	var e s3Error
	if err := xml.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("reply %d is no error document: %v\n%s", a.StatusCode, err, a.body)
	}
	return e
}

// fakeStore records what reaches it. It answers 200 with what reply sets.
type fakeStore struct {
	*httptest.Server
	mu       sync.Mutex
	requests []stored
	reply    func(w http.ResponseWriter, r *http.Request, body []byte)
}

// stored is one request as the store saw it. complete tells whether its body
// arrived whole: only then would a store keep it.
type stored struct {
	method, uri string
	header      http.Header
	body        []byte
	complete    bool
}

func newFakeStore(t *testing.T) *fakeStore {
	t.Helper()
	s := &fakeStore{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, stored{r.Method, r.RequestURI, r.Header.Clone(), body, err == nil})
		reply := s.reply
		s.mu.Unlock()
		if err != nil {
			return
		}
		if reply != nil {
			reply(w, r, body)
			return
		}
		echo(w.Header(), r.Header)
		w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
		_, _ = io.WriteString(w, result(r))
	}))
	t.Cleanup(s.Close)
	return s
}

// result is the document of operations whose reply must have one.
func result(r *http.Request) string {
	switch {
	case r.Method == http.MethodHead:
		return ""
	case r.URL.Query().Has("delete"):
		return `<DeleteResult/>`
	case r.Header.Get("X-Amz-Copy-Source") != "":
		return `<CopyObjectResult><ETag>"copy"</ETag></CopyObjectResult>`
	case r.Method == http.MethodPost && r.URL.Query().Has("uploadId"):
		return `<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>`
	}
	return ""
}

// echo answers an encryption choice as AWS does.
func echo(w, r http.Header) {
	for _, name := range []string{
		"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
		"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", "X-Amz-Server-Side-Encryption-Context",
	} {
		if v := r.Get(name); v != "" {
			w.Set(name, v)
		}
	}
}

func (s *fakeStore) setReply(f func(w http.ResponseWriter, r *http.Request, body []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = f
}

func (s *fakeStore) seen() []stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]stored(nil), s.requests...)
}

// only gives the one request the store got.
func (s *fakeStore) only(t *testing.T) stored {
	t.Helper()
	all := s.seen()
	if len(all) != 1 {
		t.Fatalf("the store got %d requests, want 1: %v", len(all), all)
	}
	return all[0]
}

// untouched fails if anything reached the store.
func (s *fakeStore) untouched(t *testing.T) {
	t.Helper()
	if all := s.seen(); len(all) != 0 {
		t.Fatalf("the store was touched: %s %s", all[0].method, all[0].uri)
	}
}
