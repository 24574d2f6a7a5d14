package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/policy/bundle/bundletest"
)

// bundles is a server of bundles that does what a test tells it to.
type bundles struct {
	*httptest.Server
	signer *bundletest.Signer
	mu     sync.Mutex
	does   http.HandlerFunc
}

func newBundles(t *testing.T) *bundles {
	t.Helper()
	s := &bundles{signer: bundletest.NewSigner(t)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		does := s.does
		s.mu.Unlock()
		does(w, r)
	}))
	t.Cleanup(s.Close)
	s.serve(s.signer.Bundle(t, "r1", bundletest.Module))
	return s
}

func (s *bundles) act(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.does = h
}

func (s *bundles) serve(body []byte) {
	s.act(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

// publish serves a site's Rego, signed.
func (s *bundles) publish(t *testing.T, revision, text string) {
	t.Helper()
	s.serve(s.signer.Bundle(t, revision, text))
}

// bundleBed is a gateway with a policy from a server.
type bundleBed struct {
	*bed
	bundles *bundles
	socket  string
}

func newBundleBed(t *testing.T, options object) *bundleBed {
	t.Helper()
	b := &bundleBed{bed: newBed(t), bundles: newBundles(t)}
	settings := object{
		"url":               b.bundles.URL + "/site.tar.gz",
		"verification_keys": []object{{"file": b.file("key.pem", b.bundles.signer.Public), "algorithm": bundletest.Algorithm}},
		"persist":           filepath.Join(b.dir, "kept"),
		"timeout":           int64(300 * time.Millisecond),
		"interval":          int64(time.Hour), // tests ask when they want to
	}
	for name, value := range options {
		settings[name] = value
	}
	b.handler["policy_bundle"] = settings
	b.socket = filepath.Join(b.dir, "admin.sock")
	b.config["admin"] = object{"listen": "unix/" + b.socket, "config": object{"persist": false}}
	return b
}

// ask calls the admin API.
func (b *bundleBed) ask(method, path string) (int, object) {
	b.t.Helper()
	res := askAdmin(b.t, b.socket, method, path)
	defer res.Body.Close()
	var answer object
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, answer
}

// policy is its status.
func (b *bundleBed) policy() object {
	b.t.Helper()
	_, answer := b.ask(http.MethodGet, "/s3_encryption/status")
	return answer["gateways"].([]any)[0].(object)["policy"].(object)
}

// put writes an object and gives the code of the error, "" when it was stored.
func (b *bundleBed) put(key string) string {
	b.t.Helper()
	client := s3.New(b.client().Options(), func(o *s3.Options) { o.RetryMaxAttempts = 1 })
	_, err := client.PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String(key), Body: strings.NewReader("x")})
	var coded smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &coded):
		return coded.ErrorCode()
	}
	b.t.Fatal(err)
	return ""
}

const frozenModule = "package site.rules.freeze\n\ndeny contains {\"id\": \"FRZ-001\", \"msg\": \"frozen\"} if \"%s\" in input.resource.prefixes\n"

// TestBundleFailsClosed: whatever a server of bundles does, and whatever is signed by
// the right key, requests are decided by the last good policy, or not at all.
func TestBundleFailsClosed(t *testing.T) {
	b := newBundleBed(t, nil)
	b.start()
	if got := b.policy(); at(got, "source", "revision") != "r1" || at(got, "source", "kind") != "bundle" || got["error"] != nil {
		t.Fatalf("got %v", got)
	}
	good := b.bundles.signer.Bundle(t, "r2", bundletest.Module)
	site := func(module string) []byte { return b.bundles.signer.Bundle(t, "r2", module) }
	serves := func(body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
	}
	signed := func(f ...bundletest.File) []byte {
		return bundletest.Pack(t, b.bundles.signer.Sign(t, append(bundletest.Files("r2", bundletest.Module), f...)))
	}
	roots := bundletest.Files("r2", bundletest.Module)
	roots[2].Data = []byte(`{"revision": "r2", "roots": [""]}`)
	for name, test := range map[string]struct {
		does http.HandlerFunc
		step string // that keeps it out; "" if it comes in, and then decides nothing
	}{
		"bad signature":  {serves(bundletest.NewSigner(t).Bundle(t, "r2", "package site.open\n")), "verify"},
		"unsigned":       {serves(bundletest.Pack(t, bundletest.Files("r2", "package site.open\n"))), "verify"},
		"wrong roots":    {serves(bundletest.Pack(t, b.bundles.signer.Sign(t, roots))), "verify"},
		"100 MB of data": {serves(signed(bundletest.File{Name: "/site/data.json", Data: []byte(`"` + strings.Repeat("x", 100<<20) + `"`)})), "verify"},
		"truncated":      {serves(good[:len(good)/2]), "download"},
		"server gone":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "download"},
		"server down":    {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) }, "download"},
		"server slow":    {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "download"},
		"server dripping": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(good[:len(good)-1])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "download"},
		"another package": {serves(site("package site\n\ndeny contains {\"id\": \"FRZ-001\", \"msg\": \"\"} if true\n")), "compile"},
		"misspelt field":  {serves(site(strings.Replace(bundletest.Module, "resource", "resuorce", 1))), "compile"},
		"conflicting rules": {serves(site("package site.rules.freeze\n\nx := 1 if input.request.class\n\nx := 2 if input.request.class\n\n" +
			"deny contains {\"id\": \"FRZ-001\", \"msg\": \"\"} if x == 3\n")), "probe"},
		"endless evaluation": {serves(site("package site.rules.freeze\n\ndeny contains {\"id\": \"FRZ-001\", \"msg\": \"\"} if {\n" +
			"\tsome a in numbers.range(1, 3000)\n\tsome b in numbers.range(1, 3000)\n\ta * b == input.request.content_length - 1000000007\n}\n")), "probe"},
		"failing test": {serves(signed(bundletest.File{Name: "/rules/freeze_test.rego", Data: []byte("package site.rules.freeze_test\n\ntest_x if false\n")})), "tests"},
		"mistake": {serves(site(strings.Replace(bundletest.Module, `"frozen/" in input.resource.prefixes`,
			"{\n\tinput.request.class == \"wirte\"\n\t\"frozen/\" in input.resource.prefixes\n}", 1))), "lint"},
		"conflict for some requests": {serves(site("package site.rules.freeze\n\nx := 1 if input.resource.bucket == \"photos\"\n\nx := 2 if input.resource.bucket == \"photos\"\n\n" +
			"deny contains {\"id\": \"FRZ-001\", \"msg\": \"\"} if x == 3\n")), ""},
		"endless for some requests": {serves(site("package site.rules.freeze\n\ndeny contains {\"id\": \"FRZ-001\", \"msg\": \"\"} if {\n" +
			"\tinput.resource.bucket == \"photos\"\n\tsome a in numbers.range(1, 3000)\n\tsome b in numbers.range(1, 3000)\n\ta * b == input.request.content_length - 1000000007\n}\n")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.bundles.publish(t, "r1", bundletest.Module)
			if code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/reload"); code != http.StatusOK {
				t.Fatalf("%d %v", code, answer)
			}
			before := b.policy()
			b.bundles.act(test.does)
			code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/reload")
			after := b.policy()
			if test.step == "" {
				if code != http.StatusOK {
					t.Fatalf("%d %v", code, answer)
				}
				for _, key := range []string{"frozen/a", "a"} {
					if got := b.put(key); got != "ServiceUnavailable" {
						t.Errorf("%s: got %q", key, got)
					}
				}
				return
			}
			if code != http.StatusUnprocessableEntity || after["failed_step"] != test.step || after["revision"] != before["revision"] || at(after, "source", "revision") != "r1" {
				t.Errorf("want step %s, got %d %v\n%v", test.step, code, answer, after)
			}
			if got := b.put("frozen/a"); got != "AccessDenied" {
				t.Errorf("frozen: got %q", got)
			}
			if got := b.put("a"); got != "" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestBundleStart: which policy a gateway begins with.
func TestBundleStart(t *testing.T) {
	b := newBundleBed(t, object{"max_staleness": int64(time.Hour)})
	b.bundles.act(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) })
	data, err := json.Marshal(b.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(data, true); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("without a policy: %v", err)
	}
	b.bundles.publish(t, "r1", bundletest.Module)
	b.start()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	b.bundles.act(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) })
	b.start()
	got := b.policy()
	if at(got, "source", "revision") != "r1" || got["failed_step"] != "download" || at(got, "source", "stale") != false {
		t.Errorf("without the server: %v", got)
	}
	if b.put("frozen/a") != "AccessDenied" || b.put("a") != "" {
		t.Error("what was kept is not in force")
	}
	b.bundles.publish(t, "r2", fmt.Sprintf(frozenModule, "held/"))
	if code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/reload"); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	if b.put("frozen/a") != "" || b.put("held/a") != "AccessDenied" {
		t.Error("the newer one is not in force")
	}
	// Back, over a start.
	if code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/rollback"); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	b.start()
	if got := b.policy(); at(got, "source", "revision") != "r1" || got["rolled_back"] != true || b.put("frozen/a") != "AccessDenied" {
		t.Errorf("a start undid the roll-back: %v", got)
	}
	if code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/rollback"); code != http.StatusConflict || !strings.Contains(fmt.Sprint(answer), "no previous") {
		t.Errorf("%d %v", code, answer)
	}
}

// TestBundleStale: without its source for too long a gateway denies writes.
func TestBundleStale(t *testing.T) {
	b := newBundleBed(t, object{"max_staleness": int64(time.Nanosecond)}) // at once
	b.start()
	b.bundles.act(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) })
	if got := b.put("a"); got != "ServiceUnavailable" {
		t.Errorf("a write: got %q", got)
	}
	if _, err := b.client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("photos")}); err != nil {
		t.Errorf("a read: %v", err)
	}
	if got := b.policy(); at(got, "source", "stale") != true || at(got, "source", "kind") != "bundle" {
		t.Errorf("got %v", got)
	}
	_, text := b.logs()
	contains(t, text, "EVL-008")
}

// TestBundlePolled: a newer bundle comes into force by itself.
func TestBundlePolled(t *testing.T) {
	b := newBundleBed(t, object{"interval": int64(10 * time.Millisecond)})
	b.start()
	b.bundles.publish(t, "r2", fmt.Sprintf(frozenModule, "held/"))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); at(b.policy(), "source", "revision") != "r2"; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("got %v", b.policy())
		}
	}
	if b.put("frozen/a") != "" || b.put("held/a") != "AccessDenied" {
		t.Error("it is not in force")
	}
}

// TestBundleSettings are refused when the configuration is loaded.
func TestBundleSettings(t *testing.T) {
	t.Setenv("GATEWAY_TEST_SECRET", "the-secret")
	dir := t.TempDir()
	b := &bed{t: t, dir: dir}
	key, empty := b.file("key.pem", bundletest.NewSigner(t).Public), b.file("empty.pem", "")
	for name, test := range map[string]struct {
		change func(*Handler)
		want   string
	}{
		"directory and bundle": {func(h *Handler) { h.Policy = "dir" }, "there can be one of them"},
		"no URL":               {func(h *Handler) { h.PolicyBundle.URL = "" }, "no URL set"},
		"plaintext":            {func(h *Handler) { h.PolicyBundle.URL = "http://bundles.example.org/x" }, "use https://"},
		"a user":               {func(h *Handler) { h.PolicyBundle.URL = "https://u:p@bundles.example.org/x" }, "use token"},
		"not a URL":            {func(h *Handler) { h.PolicyBundle.URL = "bundles" }, "not an http:// or https:// URL"},
		"no key file":          {func(h *Handler) { h.PolicyBundle.VerificationKeys[0].File = key + "x" }, "no such file"},
		"two keys, no id": {func(h *Handler) {
			h.PolicyBundle.VerificationKeys = append(h.PolicyBundle.VerificationKeys, VerificationKey{File: empty, ID: "x"})
		}, "each needs an id"},
		"literal token": {func(h *Handler) { h.PolicyBundle.Token = "the-secret" }, "must be a placeholder"},
		"when stale":    {func(h *Handler) { h.PolicyBundle.WhenStale = "open" }, "is none of"},
		"negative":      {func(h *Handler) { h.PolicyBundle.Interval = -1 }, "negative"},
		"size":          {func(h *Handler) { h.PolicyBundle.SizeLimit = -1 }, "negative"},
		"replay":        {func(h *Handler) { n := -1; h.Gate = &Gate{Replay: &n} }, "negative"},
		"budget":        {func(h *Handler) { s := 1.5; h.Gate = &Gate{Budget: &GateBudget{Weaker: &s}} }, "not a share"},
		"gate word":     {func(h *Handler) { h.Gate = &Gate{Tests: "maybe"} }, "is none of"},
	} {
		t.Run(name, func(t *testing.T) {
			h := complete()
			h.PolicyBundle = &PolicyBundle{URL: "https://bundles.example.org/x", VerificationKeys: []VerificationKey{{File: key}}}
			if _, err := h.resolve(caddy.NewReplacer()); err != nil {
				t.Fatalf("before: %v", err)
			}
			test.change(h)
			_, err := h.resolve(caddy.NewReplacer())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "the-secret") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
