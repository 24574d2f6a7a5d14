package agreement

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sealgate/sealgate/module/cli/trial"
	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/local"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

const (
	accessKey = "AKAGREEMENT00000001"
	secretKey = "a-secret-of-forty-characters-for-clients"
	region    = "eu-central-1"
)

// world is a posture with site rules, served by a live gateway and by one for trials.
type world struct {
	name    string
	posture string // file
	site    string // directory, "" none
	policy  *policy.Engine
	live    *httptest.Server
	trial   *trial.Gateway

	mu     sync.Mutex
	caller clients.Client
	last   *engine.Record
}

func newWorld(t *testing.T, name string, endpoint *url.URL) *world {
	t.Helper()
	posture, site, _ := strings.Cut(name, "+")
	w := &world{name: name, posture: filepath.Join("testdata", "postures", posture+".yaml")}
	if site != "" {
		w.site = filepath.Join("testdata", "sites", site)
	}
	now := func() time.Time { return at }
	var err error
	rings := map[string]bool{}
	w.policy, err = policy.New(policy.Options{
		PostureFile: w.posture, SiteDir: w.site, Timeout: 5 * time.Second, Now: now, CheckAction: s3.CheckAction,
		CheckKeyring: func(name string) error { rings[name] = true; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	up, err := upstream.New(upstream.Config{
		Endpoint: endpoint, Region: region, Now: now,
		Credentials: upstream.Static(upstream.Credentials{AccessKey: "AKGATEWAY", Secret: upstream.NewSecret("gateway-secret-gateway-secret")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	var set *keyring.Set
	for name := range rings {
		if set, err = keyring.NewSet([]keyring.Member{{Name: name, Keyring: newRing(t)}}); err != nil {
			t.Fatal(err)
		}
	}
	e, err := engine.New(engine.Config{
		Verifier: sigv4.NewVerifier(sigv4.VerifierConfig{Region: region, Now: now}), Clients: w, Policy: w.policy, Upstream: up, Keyrings: set,
		Region: region, Recorder: w, RecordInput: engine.RecordInputAll, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.live = httptest.NewServer(arriving{e})
	t.Cleanup(w.live.Close)
	if w.trial, err = trial.New(trial.Config{
		PostureFile: w.posture, SiteDir: w.site, Region: region, Endpoint: endpoint.String(), Timeout: 5 * time.Second, Time: at,
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// Lookup implements engine.ClientSource.
func (w *world) Lookup(key string, _ time.Time) (clients.Client, error) {
	if key != accessKey {
		return clients.Client{}, clients.ErrUnknown
	}
	return w.caller, nil
}

// Record implements engine.Recorder.
func (w *world) Record(_ context.Context, r *engine.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := *r
	w.last = &kept
}

// arriving lets a test say how a request reached a live gateway, in headers that it
// takes away.
type arriving struct{ next http.Handler }

const headerFrom, headerTLS = "Test-From", "Test-Tls"

func (a arriving) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.RemoteAddr = net.JoinHostPort(r.Header.Get(headerFrom), "49152")
	if v := r.Header.Get(headerTLS); v != "" {
		version := map[string]uint16{"1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[v]
		suite := tls.TLS_AES_128_GCM_SHA256
		if version < tls.VersionTLS13 {
			suite = tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
		}
		r.TLS = &tls.ConnectionState{Version: version, HandshakeComplete: true, ServerName: r.Host, CipherSuite: suite}
	}
	r.Header.Del(headerFrom)
	r.Header.Del(headerTLS)
	a.next.ServeHTTP(w, r)
}

// send sends a request to the live gateway, written and signed by the AWS SDK, and
// gives its decision record.
func (w *world) send(t *testing.T, a asked) engine.Record {
	t.Helper()
	w.caller = clients.Client{
		AccessKey: accessKey, Secret: clients.NewSecret(secretKey),
		Principal: a.who.Principal, Groups: a.who.Groups, Attributes: a.who.Attributes,
	}
	r, err := http.NewRequestWithContext(t.Context(), a.request.Method, w.live.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	path, _ := url.PathUnescape(a.request.Path)
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, a.request.Path, encoded(a.request.Query)
	r.Host = trial.Host
	r.Header = a.request.Header.Clone()
	r.Header.Set("User-Agent", "agreement")
	body, hash := bodyOf(a.request)
	unsigned := r.Header.Get("X-Amz-Content-Sha256") == sigv4.UnsignedPayload || a.request.Presigned > 0
	if unsigned && a.request.Object != nil {
		hash = sigv4.UnsignedPayload
	}
	r.Header.Del("X-Amz-Content-Sha256")
	if len(body) > 0 || a.request.Object != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	sign(t, r, a, hash)
	r.Header.Set(headerFrom, a.via.IP)
	if a.via.TLS != "" {
		r.Header.Set(headerTLS, a.via.TLS)
	}
	w.last = nil
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	// The record is written before the reply ends, but for a connection that is cut.
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		w.mu.Lock()
		last := w.last
		w.mu.Unlock()
		if last != nil {
			return *last
		}
		<-time.After(time.Millisecond)
	}
	t.Fatalf("%s %s left no record: %v", a.request.Method, a.request.Path, err)
	return engine.Record{}
}

func sign(t *testing.T, r *http.Request, a asked, hash string) {
	t.Helper()
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	switch {
	case a.who.Anonymous:
		if a.request.Object != nil || len(a.request.Document) > 0 {
			r.Header.Set("X-Amz-Content-Sha256", hash)
		}
	case a.request.Presigned > 0:
		q := r.URL.Query()
		q.Set("X-Amz-Expires", strconv.Itoa(int(a.request.Presigned/time.Second)))
		for name, v := range r.Header {
			if strings.HasPrefix(name, "X-Amz-") {
				q.Set(strings.ToLower(name), v[0])
				r.Header.Del(name)
			}
		}
		r.URL.RawQuery = q.Encode()
		length := r.ContentLength
		r.ContentLength = 0 // not signed
		signed, _, err := signer.PresignHTTP(t.Context(), credentials, r, sigv4.UnsignedPayload, "s3", region, at)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		u, err := url.Parse(signed)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = u.RawQuery
	default:
		r.Header.Set("X-Amz-Content-Sha256", hash)
		if err := signer.SignHTTP(t.Context(), credentials, r, hash, "s3", region, at); err != nil {
			t.Fatal(err)
		}
	}
}

func bodyOf(r trial.Request) (body []byte, hash string) {
	body = r.Document
	if r.Object != nil {
		body = make([]byte, *r.Object)
	}
	sum := sha256.Sum256(body)
	return body, hex.EncodeToString(sum[:])
}

func encoded(q s3.Query) string {
	var parts []string
	for _, p := range q {
		parts = append(parts, s3.EscapeQuery(p.Name)+"="+s3.EscapeQuery(p.Value))
	}
	return strings.Join(parts, "&")
}

// store answers the live gateway. What is there is encrypted as trials take it to be.
type store struct {
	mu     sync.Mutex
	policy *policy.Generation // of the world that is asked
}

func (s *store) use(g *policy.Generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy = g
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for name, v := range r.Header {
		if strings.HasPrefix(name, headerSSE) && name != headerCustomer+"Key" {
			w.Header()[name] = v
		}
	}
	w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e"`)
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodHead || r.Method == http.MethodGet && key != "":
		s.mu.Lock()
		rule := s.policy.Rule(bucket, key)
		s.mu.Unlock()
		if rule == nil {
			return
		}
		switch rule.Mode {
		case policy.SSES3:
			w.Header().Set(headerSSE, "AES256")
		case policy.KMS, policy.DSSE:
			w.Header().Set(headerSSE, map[policy.Mode]string{policy.KMS: "aws:kms", policy.DSSE: "aws:kms:dsse"}[rule.Mode])
			w.Header().Set(headerSSE+"-Aws-Kms-Key-Id", rule.KeyID)
		}
	case r.Method == http.MethodGet:
		_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
	case r.Method == http.MethodPost && r.URL.Query().Has("delete"):
		_, _ = io.WriteString(w, "<DeleteResult/>")
	case r.Method == http.MethodPost && r.URL.Query().Has("uploads"):
		_, _ = io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
	case r.Header.Get("X-Amz-Copy-Source") != "":
		_, _ = io.WriteString(w, `<CopyObjectResult><ETag>"copy"</ETag></CopyObjectResult>`)
	}
}

func newRing(t *testing.T) keyring.Keyring {
	t.Helper()
	path := filepath.Join(t.TempDir(), "main.keyring")
	if _, err := local.Init(path); err != nil {
		t.Fatal(err)
	}
	ring, err := local.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// document is a record's input as JSON, without what is another one in every request.
func document(t *testing.T, in *policy.Input) string {
	t.Helper()
	if in == nil {
		return "null"
	}
	copied := *in
	copied.Request.ID = ""
	copied.Identity.AccessKey = ""
	text, err := json.Marshal(&copied)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (a asked) String() string {
	return fmt.Sprintf("%s: %s %s %v by %q via %v", a.world, a.request.Method, a.request.Path, a.request.Header, a.who.Principal, a.via)
}
