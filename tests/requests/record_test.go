// Package requests records, as policy's input documents, one request of each kind
// that common clients send, and pins which rules of the library find something in
// them.
package requests

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

var update = flag.Bool("update", false, "record the requests anew")

// folder is where requests are recorded.
var folder = filepath.Join("..", "..", "policy", "testdata", "requests")

const (
	accessKey = "AKTESTCLIENT00000001"
	secret    = "test-secret-of-forty-characters-00000001"
	region    = "eu-central-1"
)

// moment is when everything was recorded.
var moment = time.Date(2026, 11, 23, 8, 9, 10, 0, time.UTC)

func clock() time.Time { return moment }

// TestRecorded sends every shape through an engine, signed, over TLS, and compares
// what policy was asked with what is recorded. What is not the client's doing is set:
// the id, the connection's address, and the revision of the policy.
//
// It is done before other tests read what it may write.
func TestRecorded(t *testing.T) {
	g := newGateway(t)
	for _, s := range shapes {
		in := g.inputOf(t, s)
		in.Request.ID = "4e1f0c9a"
		in.Transport.SourceIP = "192.0.2.7"
		in.Transport.Loopback = false
		in.Transport.Cipher = "TLS_AES_128_GCM_SHA256"
		in.Gateway.Revision = "000000000000"
		got, err := json.MarshalIndent(in, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		path := filepath.Join(folder, s.name+".json")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil { //nolint:gosec // a fixture of the tree
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the request is described as\n%s\nrecorded is\n%s", s.name, got, want)
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) != len(shapes) {
		t.Errorf("%d files for %d requests, %v", len(files), len(shapes), err)
	}
}

// gateway is an engine before a store that agrees to everything.
type gateway struct {
	url    string
	client *http.Client

	mu   sync.Mutex
	last *engine.Record
	told chan struct{}
}

// Record keeps the record of the last request.
func (g *gateway) Record(_ context.Context, r *engine.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = r
	g.told <- struct{}{}
}

const posture = `version: 1
buckets: {"*": {"": {mode: sse-s3, on_conflict: keep-if-stronger, allowed_keys: ["` + kmsKey + `"]}}}
grants:
  - {id: app, principals: [app], actions: ["s3:*"], resources: ["*"]}
  - {id: public, principals: [anonymous], actions: ["s3:GetObject"], resources: ["*"]}
`

func newGateway(t *testing.T) *gateway {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	known, err := clients.Open(write("clients.yaml", "version: 1\nclients:\n  - {access_key: "+accessKey+", secret: "+secret+", principal: app, groups: [applications]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := policy.New(policy.Options{PostureFile: write("posture.yaml", posture), Timeout: time.Minute, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	store := httptest.NewServer(http.HandlerFunc(agree))
	t.Cleanup(store.Close)
	// Some operations only go to AWS, so the store has a name of AWS's.
	transport := upstream.NewTransport()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, store.Listener.Addr().String())
	}
	t.Cleanup(transport.CloseIdleConnections)
	up, err := upstream.New(upstream.Config{
		Endpoint: &url.URL{Scheme: "http", Host: "s3." + region + ".amazonaws.com"}, Insecure: true, Region: region, Transport: transport,
		Credentials: upstream.Static(upstream.Credentials{AccessKey: "AKGATEWAY", Secret: upstream.NewSecret("gateway-secret-gateway-secret")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{told: make(chan struct{}, 1)}
	e, err := engine.New(engine.Config{
		Verifier: sigv4.NewVerifier(sigv4.VerifierConfig{Region: region, Now: clock}),
		Clients:  known, Upstream: up, Region: region, Recorder: g, Policy: rules, Now: clock,
		RecordInput: engine.RecordInputAll,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(e)
	t.Cleanup(server.Close)
	g.url = server.URL
	g.client = server.Client()
	own, ok := g.client.Transport.(*http.Transport)
	if !ok {
		t.Fatalf("the client's transport is a %T", g.client.Transport)
	}
	own.TLSClientConfig.ServerName = "example.com" // whom the certificate is for
	return g
}

// agree answers a write with the encryption it asked for.
func agree(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for name, values := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Server-Side-Encryption") {
			w.Header()[name] = values
		}
	}
	w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
	document := ""
	switch query := r.URL.Query(); {
	case r.Method == http.MethodHead:
		w.Header().Set("X-Amz-Server-Side-Encryption", "AES256")
	case query.Has("uploads"):
		document = "<InitiateMultipartUploadResult><UploadId>uid</UploadId></InitiateMultipartUploadResult>"
	case query.Has("delete"):
		document = "<DeleteResult/>"
	case query.Has("list-type"):
		document = "<ListBucketResult><Name>data</Name></ListBucketResult>"
	case r.Header.Get("X-Amz-Copy-Source") != "":
		document = `<CopyObjectResult><ETag>"copy"</ETag></CopyObjectResult>`
	case r.Method == http.MethodPost && query.Has("uploadId"):
		document = `<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>`
	}
	_, _ = io.WriteString(w, document)
}

// inputOf is what policy was asked when a shape was sent.
func (g *gateway) inputOf(t *testing.T, s shape) policy.Input {
	t.Helper()
	resp, err := g.client.Do(s.request(t, g.url))
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	reply, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	<-g.told
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last.Input == nil { // it was refused before policy was asked
		t.Fatalf("%s: status %d, input %v: %s", s.name, resp.StatusCode, g.last.Input, reply)
	}
	return *g.last.Input
}

// request signs a shape.
func (s shape) request(t *testing.T, base string) *http.Request {
	t.Helper()
	if s.signing == inForm {
		return s.form(t, base)
	}
	r, err := http.NewRequestWithContext(t.Context(), s.method, base+s.target, strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range s.header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	hash := s.payload
	if hash == "" {
		sum := sha256.Sum256([]byte(s.body))
		hash = hex.EncodeToString(sum[:])
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secret}
	switch s.signing {
	case inHeader:
		r.Header.Set("X-Amz-Content-Sha256", hash)
		err = signer.SignHTTP(t.Context(), credentials, r, hash, "s3", region, moment)
	case inQuery:
		query := r.URL.Query()
		query.Set("X-Amz-Expires", "3600")
		r.URL.RawQuery = query.Encode()
		r.ContentLength = 0 // botocore signs the host alone
		var signed string
		signed, _, err = signer.PresignHTTP(t.Context(), credentials, r, unsigned, "s3", region, moment)
		if err == nil {
			r.URL, err = url.Parse(signed)
		}
		r.ContentLength = int64(len(s.body))
	case anonymous:
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// form is a POST form as boto3 has it made.
func (s shape) form(t *testing.T, base string) *http.Request {
	t.Helper()
	day, stamp := moment.Format("20060102"), moment.Format("20060102T150405Z")
	credential := accessKey + "/" + day + "/" + region + "/s3/aws4_request"
	document, err := json.Marshal(map[string]any{
		"expiration": moment.Add(time.Hour).Format(time.RFC3339),
		"conditions": []map[string]string{
			{"bucket": "data"}, {"key": "dir/f"}, {"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": credential}, {"x-amz-date": stamp},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString(document)
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, region, "s3", "aws4_request", encoded} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, field := range [][2]string{
		{"key", "dir/f"}, {"x-amz-algorithm", "AWS4-HMAC-SHA256"}, {"x-amz-credential", credential}, {"x-amz-date", stamp},
		{"policy", encoded}, {"x-amz-signature", hex.EncodeToString(key)},
	} {
		if err := w.WriteField(field[0], field[1]); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", "f")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(file, s.body)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), s.method, base+s.target, &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}
