package upstream

import (
	"bufio"
	"encoding/base64"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
)

// capture returns a server that answers 200 and hands over what was sent.
func capture(t *testing.T) (address string, heads <-chan []string) {
	t.Helper()
	got := make(chan []string, 1)
	return rawServer(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		for {
			head, err := readHead(r)
			if err != nil {
				return
			}
			got <- head
			reply(t, c, okReply)
		}
	}), got
}

func TestRequestLine(t *testing.T) {
	t.Parallel()
	address, heads := capture(t)
	path := newClient(t, address, nil)
	virtual := newClient(t, address, func(c *Config) { c.Addressing = VirtualHost })
	for _, tc := range []struct {
		name        string
		bucket, key string
		query       s3.Query
		path        string // in path style; in virtual-host style without /bucket
		pathOnly    bool
	}{
		{name: "service", path: "/"},
		{name: "bucket", bucket: "bucket", path: "/bucket"},
		{name: "key", bucket: "bucket", key: "a/b.txt", path: "/bucket/a/b.txt"},
		{name: "leading slash", bucket: "bucket", key: "/lead", path: "/bucket//lead"},
		{name: "two leading slashes", bucket: "bucket", key: "//lead", path: "/bucket///lead"},
		{name: "double slash and trailing", bucket: "bucket", key: "a//b/", path: "/bucket/a//b/"},
		{name: "dot segments", bucket: "bucket", key: "../../c/./.", path: "/bucket/../../c/./."},
		{name: "a dot", bucket: "bucket", key: ".", path: "/bucket/."},
		{name: "what every client agrees on", bucket: "bucket", key: "a b/../c//d+~é=@:%2F./x", path: "/bucket/a%20b/../c//d%2B~%C3%A9%3D%40%3A%252F./x"},
		{name: "reserved", bucket: "bucket", key: "!*'();:@&=+$,?#[]", path: "/bucket/%21%2A%27%28%29%3B%3A%40%26%3D%2B%24%2C%3F%23%5B%5D"},
		{name: "escapes in the key itself", bucket: "bucket", key: "%2e%2E/%zz", path: "/bucket/%252e%252E/%25zz"},
		{name: "not text", bucket: "bucket", key: "\x00\xff\n\\\"<>^`{|}", path: "/bucket/%00%FF%0A%5C%22%3C%3E%5E%60%7B%7C%7D"},
		{name: "a scheme", bucket: "bucket", key: "http://x/", path: "/bucket/http%3A//x/"},
		{name: "query", bucket: "bucket", key: "k", path: "/bucket/k?versionId=a%2Fb%2Bc%20d&uploads=&a=1&a=0",
			query: s3.Query{{Name: "versionId", Value: "a/b+c d", HasValue: true}, {Name: "uploads"}, {Name: "a", Value: "1"}, {Name: "a", Value: "0"}}},
		{name: "bucket with query", bucket: "bucket", path: "/bucket?list-type=2&prefix=%C3%A9%26", query: s3.Query{{Name: "list-type", Value: "2"}, {Name: "prefix", Value: "é&"}}},
		{name: "bucket that is no host name", bucket: "My_Bucket", key: "k", path: "/My_Bucket/k", pathOnly: true},
		{name: "bucket with a dot", bucket: "a.b.c", key: "k", path: "/a.b.c/k", pathOnly: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, style := range []struct {
				name       string
				client     *Client
				path, host string
			}{
				{"path", path, tc.path, "store.test:9000"},
				{"virtual", virtual, strings.TrimPrefix(tc.path, "/bucket"), "bucket.store.test:9000"},
			} {
				if style.name == "virtual" && (tc.bucket == "" || tc.pathOnly) {
					style.path, style.host = tc.path, "store.test:9000"
				}
				if !strings.HasPrefix(style.path, "/") {
					style.path = "/" + style.path
				}
				resp, err := style.client.Do(t.Context(), Call{Method: http.MethodGet, Bucket: tc.bucket, Key: tc.key, Query: tc.query, PayloadHash: sigv4.EmptySHA256})
				if err != nil {
					t.Fatal(err)
				}
				finish(t, resp)
				head := <-heads
				if want := "GET " + style.path + " HTTP/1.1"; head[0] != want {
					t.Errorf("%s style: request line %q, want %q", style.name, head[0], want)
				}
				if want := "Host: " + style.host; !slices.Contains(head, want) {
					t.Errorf("%s style: no %q in %q", style.name, want, head)
				}
			}
		})
	}
}

func TestCallsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	client := newClient(t, "127.0.0.1:1", nil)
	for name, call := range map[string]Call{
		"key without bucket":  {Method: "GET", Key: "k"},
		"bucket with slash":   {Method: "GET", Bucket: "a/b"},
		"bucket is dots":      {Method: "GET", Bucket: ".."},
		"bucket with query":   {Method: "GET", Bucket: "a?b"},
		"bucket with escape":  {Method: "GET", Bucket: "a%2Fb"},
		"length unknown":      {Method: "PUT", Bucket: "b", Key: "k", Body: strings.NewReader("x"), Length: -1},
		"length without body": {Method: "PUT", Bucket: "b", Key: "k", Length: 1},
		"body and data":       {Method: "PUT", Bucket: "b", Key: "k", Body: strings.NewReader("x"), Length: 1, Data: []byte("x")},
		"body without length": {Method: "PUT", Bucket: "b", Key: "k", Body: strings.NewReader("x")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call.PayloadHash = sigv4.UnsignedPayload
			if resp, err := client.Do(t.Context(), call); err == nil {
				_ = resp.Body.Close()
				t.Error("no error")
			}
		})
	}
}

// verifier is a store that checks signatures as strictly as the gateway does.
func verifier(t *testing.T, secrets map[string]string) http.Handler {
	check := sigv4.NewVerifier(sigv4.VerifierConfig{Region: "eu-central-1"})
	parser := &s3.Parser{Domains: []string{"store.test"}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := parser.Parse(r)
		if err == nil {
			var claim sigv4.Claim
			if claim, err = sigv4.ParseClaim(req); err == nil {
				_, err = check.Verify(req, claim, secrets[claim.Credential.AccessKey])
				w.Header().Set("X-Signed-By", claim.Credential.AccessKey)
			}
		}
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
			s3.WriteError(w, s3.AsError(err), s3.Reply{Method: r.Method})
		}
	})
}

func TestSignatureIsAccepted(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(verifier(t, map[string]string{"GATEWAY": testCredentials.Secret.Reveal(), "CALLER": "callers-own-secret"}))
	t.Cleanup(server.Close)
	caller := Credentials{AccessKey: "CALLER", Secret: NewSecret("callers-own-secret")}
	hash := sigv4.EmptySHA256
	for _, addressing := range []Addressing{PathStyle, VirtualHost} {
		client := newClient(t, server.Listener.Addr().String(), func(c *Config) { c.Addressing = addressing })
		for name, tc := range map[string]struct {
			call Call
			by   string
		}{
			"hard key":    {Call{Method: "GET", Key: "/a b/../c//d+~é=@:%2F./x", PayloadHash: hash}, "GATEWAY"},
			"query":       {Call{Method: "GET", Query: s3.Query{{Name: "prefix", Value: "a/b+c d&é="}, {Name: "list-type", Value: "2"}}, PayloadHash: hash}, "GATEWAY"},
			"valueless":   {Call{Method: "GET", Query: s3.Query{{Name: "uploads"}}, PayloadHash: hash}, "GATEWAY"},
			"unsigned":    {Call{Method: "PUT", Key: "k", Body: strings.NewReader("body"), Length: 4, PayloadHash: sigv4.UnsignedPayload}, "GATEWAY"},
			"empty write": {Call{Method: "PUT", Key: "k", PayloadHash: hash}, "GATEWAY"},
			"headers":     {Call{Method: "PUT", Key: "k", PayloadHash: hash, Header: http.Header{"X-Amz-Meta-A_b": {" x  y "}, "X-Amz-Server-Side-Encryption": {"aws:kms"}, "Content-Type": {"text/plain"}, "Cache-Control": {"no-store"}}}, "GATEWAY"},
			"as caller":   {Call{Method: "GET", Key: "k", PayloadHash: hash, As: &caller}, "CALLER"},
		} {
			t.Run(name, func(t *testing.T) {
				tc.call.Bucket = "bucket"
				resp, err := client.Do(t.Context(), tc.call)
				if err != nil {
					t.Fatal(err)
				}
				if body := finish(t, resp); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Signed-By") != tc.by {
					t.Errorf("%d by %q: %s", resp.StatusCode, resp.Header.Get("X-Signed-By"), body)
				}
			})
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	address, heads := capture(t)
	client := newClient(t, address, func(c *Config) {
		c.Now = func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }
		c.Credentials = Static(Credentials{AccessKey: "A", Secret: NewSecret("0123456789abcdef"), SessionToken: NewSecret("token")})
	})
	in := http.Header{
		"Content-Type": {"text/plain"}, "X-Amz-Meta-A": {"1", "2"}, "X-Amz-Meta-": nil,
		"Connection": {"close, X-Hop"}, "X-Hop": {"h"}, "Keep-Alive": {"h"}, "Te": {"h"}, "Trailer": {"h"}, "Upgrade": {"h"},
		"Transfer-Encoding": {"chunked"}, "Proxy-Authorization": {"h"}, "Proxy-Connection": {"h"}, "Expect": {"h"},
		"Host": {"other.test"}, "Content-Length": {"99"}, "Accept-Encoding": {"gzip"}, "User-Agent": {"client"},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=client"}, "X-Amz-Date": {"h"}, "X-Amz-Content-Sha256": {"h"}, "X-Amz-Security-Token": {"h"}, "Date": {"h"},
		"Idempotency-Key": {"h"}, "X-Idempotency-Key": {"h"},
	}
	before := in.Clone()
	resp, err := client.Do(t.Context(), Call{Method: http.MethodPut, Bucket: "bucket", Key: "key", Header: in, PayloadHash: sigv4.EmptySHA256})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, resp)
	if !maps.EqualFunc(in, before, slices.Equal[[]string]) {
		t.Errorf("the caller's header changed to %v", in)
	}
	if resp.Request != nil {
		t.Error("the response shows the request, with its credentials")
	}
	head := <-heads
	authorization := ""
	head = slices.DeleteFunc(head[1:], func(l string) bool {
		if strings.HasPrefix(l, "Authorization: ") {
			authorization = l
			return true
		}
		return false
	})
	slices.Sort(head)
	want := []string{
		"Accept-Encoding: identity", "Content-Length: 0", "Content-Type: text/plain", "Host: store.test:9000", "User-Agent: sealgate",
		"X-Amz-Content-Sha256: " + sigv4.EmptySHA256, "X-Amz-Date: 20261123T090000Z", "X-Amz-Meta-A: 1", "X-Amz-Meta-A: 2", "X-Amz-Security-Token: token",
	}
	if !slices.Equal(head, want) {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(head, "\n"), strings.Join(want, "\n"))
	}
	if !strings.HasPrefix(authorization, "Authorization: AWS4-HMAC-SHA256 Credential=A/20261123/eu-central-1/s3/aws4_request, SignedHeaders=") {
		t.Errorf("authorization = %q", authorization)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	hits := make(chan string, 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits <- r.RequestURI
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	client := newClient(t, server.Listener.Addr().String(), nil)
	resp, err := client.Do(t.Context(), Call{Method: http.MethodGet, Bucket: "bucket", Key: "key", PayloadHash: sigv4.EmptySHA256})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, resp)
	if resp.StatusCode != http.StatusTemporaryRedirect || resp.Header.Get("Location") != "/elsewhere" || len(hits) != 1 {
		t.Errorf("status %d, location %q, %d requests", resp.StatusCode, resp.Header.Get("Location"), len(hits))
	}
}

// An object stored compressed comes back as it is, whatever transport is used.
func TestReplyIsNotDecompressed(t *testing.T) {
	t.Parallel()
	packed, err := base64.StdEncoding.DecodeString("H4sIAAAAAAAA/8pIzcnJBwQAAP//hqYQNgUAAAA=") // "hello"
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed)
	}))
	t.Cleanup(server.Close)
	client := newClient(t, server.Listener.Addr().String(), func(c *Config) { c.Transport.(*http.Transport).DisableCompression = false })
	resp, err := client.Do(t.Context(), Call{Method: http.MethodGet, Bucket: "bucket", Key: "key", PayloadHash: sigv4.EmptySHA256})
	if err != nil {
		t.Fatal(err)
	}
	if body := finish(t, resp); body != string(packed) || resp.Header.Get("Content-Encoding") != "gzip" || resp.ContentLength != int64(len(packed)) {
		t.Errorf("got %d bytes, %v", len(body), resp.Header)
	}
}

func TestTransportSpeaksHTTP1(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Proto", r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client := newClient(t, server.Listener.Addr().String(), func(c *Config) {
		c.Endpoint, c.Insecure = &url.URL{Scheme: "https", Host: "example.com"}, false
		c.Transport.(*http.Transport).TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	})
	resp, err := client.Do(t.Context(), Call{Method: http.MethodGet, PayloadHash: sigv4.EmptySHA256})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, resp)
	if got := resp.Header.Get("X-Proto"); got != "HTTP/1.1" {
		t.Errorf("protocol %s", got)
	}
}

// Whatever the key: what goes out is ASCII without controls, decodes to the key
// and nothing else, and stays below its bucket.
func FuzzLocate(f *testing.F) {
	for _, key := range []string{"a", "/lead", "//", "..", "a b+c%2F", "é\x00\xff", "?#", "http://x"} {
		f.Add(key)
	}
	endpoint := &url.URL{Scheme: "http", Host: "localhost:1"}
	path, err := New(Config{Endpoint: endpoint, Region: "r", Transport: http.DefaultTransport})
	if err != nil {
		f.Fatal(err)
	}
	virtual, err := New(Config{Endpoint: endpoint, Region: "r", Transport: http.DefaultTransport, Addressing: VirtualHost})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" {
			return
		}
		for prefix, c := range map[string]*Client{"/bucket/": path, "/": virtual} {
			u, err := c.locate(&Call{Bucket: "bucket", Key: key, Query: s3.Query{{Name: key, Value: key}}})
			if err != nil {
				t.Fatal(err)
			}
			target, query, _ := strings.Cut(u.RequestURI(), "?")
			escaped, ok := strings.CutPrefix(target, prefix)
			if !ok || strings.ContainsFunc(u.RequestURI(), func(r rune) bool { return r <= ' ' || r > '~' || r == '#' || r == '\\' }) {
				t.Fatalf("target %q", u.RequestURI())
			}
			if got, err := url.PathUnescape(escaped); err != nil || got != key {
				t.Errorf("%q decodes to %q, %v", escaped, got, err)
			}
			name, value, _ := strings.Cut(query, "=")
			for _, s := range []string{name, value} {
				if got, err := url.PathUnescape(s); err != nil || got != key {
					t.Errorf("%q decodes to %q, %v", s, got, err)
				}
			}
		}
	})
}
