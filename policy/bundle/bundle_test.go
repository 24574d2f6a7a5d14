package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/bundle/bundletest"
)

// verificationBy accepts what a signer signs.
func verificationBy(s *bundletest.Signer) Verification {
	return Verification{Keys: []Key{{ID: s.ID, PEM: s.Public, Algorithm: bundletest.Algorithm}}, Scope: s.Scope}
}

func entry(name string, data []byte) bundletest.File {
	return bundletest.File{Name: name, Data: data}
}

// server serves what it is told to.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	body     []byte
	handler  http.HandlerFunc // in the place of body
	requests []*http.Request
	replies  []int
}

func newServer(t testing.TB) *server {
	s := new(server)
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	body, handler := s.body, s.handler
	s.mu.Unlock()
	status := http.StatusOK
	defer func() {
		s.mu.Lock()
		s.replies = append(s.replies, status)
		s.mu.Unlock()
	}()
	if handler != nil {
		handler(w, r)
		return
	}
	sum := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		status = http.StatusNotModified
		w.WriteHeader(status)
		return
	}
	w.Write(body)
}

func (s *server) set(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.handler = body, nil
}

func (s *server) does(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

func (s *server) replied() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]int(nil), s.replies...)
}

func (s *server) options(t testing.TB, v Verification) Options {
	t.Helper()
	u, err := url.Parse(s.URL + "/bundles/site.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	return Options{URL: u, Verification: v, Timeout: time.Minute}
}

func open(t testing.TB, o Options) *Source {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// step is the step of an error.
func step(err error) string {
	var at *policy.StepError
	if errors.As(err, &at) {
		return at.Step
	}
	return ""
}

func TestRead(t *testing.T) {
	t.Parallel()
	signer, server := bundletest.NewSigner(t), newServer(t)
	server.set(signer.Bundle(t, "r1", bundletest.Module))
	s := open(t, server.options(t, verificationBy(signer)))
	site, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if site.Revision != "r1" || len(site.Files) != 1 || site.Files[0].Name != "rules/freeze.rego" || string(site.Files[0].Data) != bundletest.Module ||
		site.Origin != server.URL+"/bundles/site.tar.gz" || site.Err != nil || site.Fetched.IsZero() || !bytes.Equal(site.Raw, server.body) {
		t.Errorf("got %+v", site)
	}
	// Nothing is asked for again before it is time, and what has not changed is not sent.
	if again, err := s.Read(t.Context()); err != nil || again.Fetched != site.Fetched {
		t.Errorf("got %v, %v", again.Fetched, err)
	}
	s.Refresh(t.Context())
	if again, err := s.Read(t.Context()); err != nil || !again.Fetched.After(site.Fetched) || again.Digest() != site.Digest() {
		t.Errorf("got %v, %v", again.Fetched, err)
	}
	if got := fmt.Sprint(server.replied()); got != "[200 304]" {
		t.Errorf("replies %s", got)
	}
	server.set(signer.Bundle(t, "r2", bundletest.Module+"\n"))
	s.Refresh(t.Context())
	if again, err := s.Read(t.Context()); err != nil || again.Revision != "r2" {
		t.Errorf("got %+v, %v", again, err)
	}
}

// TestRun: it polls until it is told to stop, and goes on after failures.
func TestRun(t *testing.T) {
	t.Parallel()
	signer, server := bundletest.NewSigner(t), newServer(t)
	server.set(signer.Bundle(t, "r1", bundletest.Module))
	asked := make(chan struct{})
	o := server.options(t, verificationBy(signer))
	o.Interval = time.Millisecond
	s := open(t, o)
	if _, err := s.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.does(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no", http.StatusServiceUnavailable)
		select {
		case asked <- struct{}{}:
		case <-r.Context().Done():
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	for range 5 {
		<-asked
	}
	if site, err := s.Read(ctx); err != nil || site.Revision != "r1" || step(site.Err) != policy.StepDownload {
		t.Errorf("got %+v, %v", site, err)
	}
	cancel()
	<-ended
}

// TestDelay: no two gateways in step, no haste, and no long wait after a failure.
func TestDelay(t *testing.T) {
	t.Parallel()
	s := &Source{options: Options{Interval: time.Minute}}
	for failures, want := range map[int]time.Duration{0: time.Minute, 1: time.Second, 3: 4 * time.Second, 7: time.Minute, 100: time.Minute} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := s.delay(failures)
			if d < want || d > want+want/5 {
				t.Errorf("after %d failures: %v, want %v and up to a fifth more", failures, d, want)
			}
			seen[d] = true
		}
		if len(seen) < 10 {
			t.Errorf("after %d failures: only %d different delays", failures, len(seen))
		}
	}
}

// TestRefused is what a server may have that is not taken. What was taken before stays.
func TestRefused(t *testing.T) {
	t.Parallel()
	mine, theirs := bundletest.NewSigner(t), bundletest.NewSigner(t)
	good := mine.Bundle(t, "r1", bundletest.Module)
	more := func(f ...bundletest.File) []byte {
		return bundletest.Pack(t, mine.Sign(t, append(bundletest.Files("r2", bundletest.Module), f...)))
	}
	with := func(name, data string) []byte {
		list := bundletest.Files("r2", bundletest.Module)
		for i := range list {
			if list[i].Name == name {
				list[i].Data = []byte(data)
			}
		}
		return bundletest.Pack(t, mine.Sign(t, list))
	}
	zeros := make([]byte, 100<<20)
	for name, test := range map[string]struct {
		body []byte
		step string
		text string
	}{
		"another's signature": {theirs.Bundle(t, "r2", bundletest.Module), policy.StepVerify, "verify JWT signature"},
		"no signature":        {bundletest.Pack(t, bundletest.Files("r2", bundletest.Module)), policy.StepVerify, "missing .signatures.json"},
		"a file more than signed": {
			bundletest.Pack(t, append(mine.Sign(t, bundletest.Files("r2", bundletest.Module)), entry("/rules/more.rego", []byte("package site.rules.more\n")))), policy.StepVerify, "not included in bundle signature",
		},
		"a file less than signed": {
			bundletest.Pack(t, append(mine.Sign(t, append(bundletest.Files("r2", bundletest.Module), entry("/rules/more.rego", []byte("package site.rules.more\n"))))[:3],
				mine.Sign(t, append(bundletest.Files("r2", bundletest.Module), entry("/rules/more.rego", []byte("package site.rules.more\n"))))[4])), policy.StepVerify, "not found in the target bundle",
		},
		"a file changed": {func() []byte {
			list := mine.Sign(t, bundletest.Files("r2", bundletest.Module))
			list[1].Data = []byte("package site.rules.freeze\n\ndeny contains {} if false\n")
			return bundletest.Pack(t, list)
		}(), policy.StepVerify, "digest mismatch"},
		"truncated":           {good[:len(good)-20], policy.StepDownload, "unexpected EOF"},
		"check sum cut":       {good[:len(good)-4], policy.StepDownload, "unexpected EOF"},
		"check sum wrong":     {append(bytes.Clone(good[:len(good)-8]), make([]byte, 8)...), policy.StepDownload, "checksum"},
		"cut in the middle":   {good[:len(good)/2], policy.StepDownload, "unexpected EOF"},
		"not gzip":            {[]byte("<html>sign in</html>"), policy.StepDownload, "gzip"},
		"empty":               {[]byte{}, policy.StepDownload, "EOF"},
		"wrong roots":         {with("/.manifest", `{"roots": ["site", "sealgate"]}`), policy.StepVerify, "roots"},
		"no roots":            {with("/.manifest", `{"revision": "x"}`), policy.StepVerify, "roots"},
		"a module elsewhere":  {with("/rules/freeze.rego", "package sealgate.main\n\nallow := true\n"), policy.StepVerify, "do not permit"},
		"not Rego":            {with("/rules/freeze.rego", "package site.rules.freeze\n\ndeny {"), policy.StepVerify, "rego_parse_error"},
		"data":                {with("/data.json", `{"site": {"open": true}}`), policy.StepVerify, "data is not allowed"},
		"data elsewhere":      {more(entry("/site/x/data.json", []byte(`{"open": true}`))), policy.StepVerify, "data is not allowed"},
		"data as YAML":        {more(entry("/site/data.yaml", []byte(`{"open": true}`))), policy.StepVerify, "data is not allowed"},
		"100 MB of data":      {bundletest.Pack(t, append(bundletest.Files("r2", bundletest.Module), entry("/site/data.json", zeros))), policy.StepVerify, "data is not allowed"},
		"100 MB of something": {bundletest.Pack(t, append(bundletest.Files("r2", bundletest.Module), entry("/README", zeros))), policy.StepDownload, "larger than"},
		"100 MB of Rego":      {bundletest.Pack(t, append(bundletest.Files("r2", bundletest.Module), entry("/x.rego", zeros))), policy.StepVerify, "larger than"},
		"a delta bundle":      {bundletest.Pack(t, []bundletest.File{entry("/.manifest", []byte(bundletest.Manifest)), entry("/patch.json", []byte(`{"data": []}`))}), policy.StepVerify, "delta bundle"},
		"WebAssembly":         {more(entry("/policy.wasm", []byte{0, 'a', 's', 'm'})), policy.StepVerify, "WebAssembly"},
		"a long revision":     {mine.Bundle(t, strings.Repeat("x", maxRevision+1), bundletest.Module), policy.StepVerify, "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			server.set(test.body)
			o := server.options(t, verificationBy(mine))
			s := open(t, o)
			if site, err := s.Read(t.Context()); err == nil || step(err) != test.step || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %+v, %v, want %s with %q", site.Files, err, test.step, test.text)
			}
			server.set(good)
			s.Refresh(t.Context())
			first, err := s.Read(t.Context())
			if err != nil || first.Revision != "r1" || first.Err != nil {
				t.Fatalf("got %+v, %v", first, err)
			}
			server.set(test.body)
			for range 2 { // no ETag makes it look as if it was taken
				s.Refresh(t.Context())
				site, err := s.Read(t.Context())
				if err != nil || site.Digest() != first.Digest() || site.Fetched != first.Fetched || step(site.Err) != test.step {
					t.Errorf("got %v, %v", site.Err, err)
				}
			}
			server.set(good)
			s.Refresh(t.Context())
			if site, err := s.Read(t.Context()); err != nil || site.Err != nil || !site.Fetched.After(first.Fetched) {
				t.Errorf("got %+v, %v", site, err)
			}
		})
	}
}

// TestServer is what a server may do instead of serving.
func TestServer(t *testing.T) {
	t.Parallel()
	signer := bundletest.NewSigner(t)
	for name, test := range map[string]struct {
		does http.HandlerFunc
		text string
	}{
		"500":          {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "x", http.StatusInternalServerError) }, "500"},
		"404":          {http.NotFound, "404"},
		"not modified": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "sent nothing"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusFound)
		}, "302"},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"never answers": {func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, "deadline exceeded"},
		"never ends": {func(w http.ResponseWriter, r *http.Request) {
			w.Write(signer.Bundle(t, "r1", bundletest.Module)[:100])
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "deadline exceeded"},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			zipped := gzip.NewWriter(w)
			archive := tar.NewWriter(zipped)
			archive.WriteHeader(&tar.Header{Name: "x", Size: 1 << 40, Typeflag: tar.TypeReg})
			for zeros := make([]byte, 1<<16); r.Context().Err() == nil; {
				if _, err := archive.Write(zeros); err != nil {
					return
				}
			}
		}, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			server.does(test.does)
			o := server.options(t, verificationBy(signer))
			o.URL.RawQuery = "X-Amz-Signature=secret"
			if strings.HasPrefix(name, "never") {
				o.Timeout = 50 * time.Millisecond
			}
			s := open(t, o)
			_, err := s.Read(t.Context())
			if step(err) != policy.StepDownload || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		server := newServer(t)
		server.Close()
		s := open(t, server.options(t, verificationBy(signer)))
		if _, err := s.Read(t.Context()); step(err) != policy.StepDownload || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v", err)
		}
	})
}

// TestVerification: which keys a signature may be of.
func TestVerification(t *testing.T) {
	t.Parallel()
	one, two := bundletest.NewSigner(t), bundletest.NewSigner(t)
	two.ID = "k2"
	scoped := *one
	scoped.Scope = "production"
	both := Verification{Keys: append(verificationBy(one).Keys, verificationBy(two).Keys...)}
	pinned := both
	pinned.KeyID = "k1"
	unsigned := Verification{Unsigned: true}
	for name, test := range map[string]struct {
		v    Verification
		by   *bundletest.Signer
		good bool
	}{
		"its key":                           {verificationBy(one), one, true},
		"either":                            {both, two, true},
		"pinned":                            {pinned, one, true},
		"pinned, other":                     {pinned, two, false},
		"not known":                         {verificationBy(one), two, false},
		"scope":                             {verificationBy(&scoped), &scoped, true},
		"other scope":                       {verificationBy(&scoped), one, false},
		"scope unwanted":                    {verificationBy(one), &scoped, false},
		"unsigned":                          {unsigned, nil, true},
		"signed without a key to verify it": {unsigned, one, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t)
			server.set(bundletest.Pack(t, bundletest.Files("r1", bundletest.Module)))
			if test.by != nil {
				server.set(test.by.Bundle(t, "r1", bundletest.Module))
			}
			_, err := open(t, server.options(t, test.v)).Read(t.Context())
			if (err == nil) != test.good {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	signer := bundletest.NewSigner(t)
	good := Options{URL: &url.URL{Scheme: "https", Host: "x"}, Verification: verificationBy(signer)}
	for name, change := range map[string]func(*Options){
		"no URL":       func(o *Options) { o.URL = nil },
		"a user":       func(o *Options) { o.URL = &url.URL{Scheme: "https", Host: "x", User: url.User("u")} },
		"a file":       func(o *Options) { o.URL = &url.URL{Scheme: "file", Path: "/x"} },
		"no key":       func(o *Options) { o.Verification = Verification{} },
		"key and none": func(o *Options) { o.Verification.Unsigned = true },
		"unknown key":  func(o *Options) { o.Verification.KeyID = "other" },
		"algorithm":    func(o *Options) { o.Verification.Keys = []Key{{ID: "k", PEM: "x", Algorithm: "none"}} },
		"empty key":    func(o *Options) { o.Verification.Keys = []Key{{ID: "k", Algorithm: "RS256"}} },
		"no id":        func(o *Options) { o.Verification.Keys = []Key{{PEM: "k", Algorithm: "RS256"}} },
		"two of an id": func(o *Options) { o.Verification.Keys = append(o.Verification.Keys, o.Verification.Keys...) },
		"directory":    func(o *Options) { o.Directory = "/dev/null/x" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := good
			change(&o)
			if _, err := Open(o); err == nil {
				t.Error("it was opened")
			}
		})
	}
	if _, err := Open(good); err != nil {
		t.Error(err)
	}
}

// TestToken is sent with every request, as it is then, and shown nowhere.
func TestToken(t *testing.T) {
	t.Parallel()
	signer, server := bundletest.NewSigner(t), newServer(t)
	server.set(signer.Bundle(t, "r1", bundletest.Module))
	token := "first-secret"
	o := server.options(t, verificationBy(signer))
	o.Token = func() (Token, error) { return NewToken(token), nil }
	s := open(t, o)
	s.Refresh(t.Context())
	token = "second-secret"
	s.Refresh(t.Context())
	if a, b := server.requests[0].Header.Get("Authorization"), server.requests[1].Header.Get("Authorization"); a != "Bearer first-secret" || b != "Bearer second-secret" {
		t.Errorf("sent %q, %q", a, b)
	}
	k := Key{ID: "k1", PEM: "first-secret"}
	shown, err := json.Marshal(NewToken(token))
	if text := fmt.Sprintf("%v %+v %#v %s %q %s %v %+v %#v", NewToken(token), NewToken(token), NewToken(token), NewToken(token), NewToken(token), shown, k, k, k); strings.Contains(text, "secret") || err != nil {
		t.Errorf("shown: %s", text)
	}
}

// TestScreenMemory: what is refused was never in memory.
func TestScreenMemory(t *testing.T) {
	large := make([]byte, 100<<20)
	for name, f := range map[string]bundletest.File{"data": entry("/site/data.json", large), "something": entry("/README", large)} {
		body := bundletest.Pack(t, append(bundletest.Files("r2", bundletest.Module), f))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := screen(bytes.NewReader(body), DefaultSizeLimit)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > 4<<20 {
			t.Errorf("%s: %d bytes were allocated, %v", name, took, err)
		}
	}
}

// FuzzScreen: whatever comes, it is refused, or comes out as it went in and is read by
// OPA without a panic.
func FuzzScreen(f *testing.F) {
	signer := bundletest.NewSigner(f)
	good := signer.Bundle(f, "r1", bundletest.Module)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Add(bundletest.Pack(f, []bundletest.File{entry("/patch.json", []byte("{}"))}))
	f.Add(bundletest.Pack(f, []bundletest.File{entry("../../x.rego", []byte("package site")), entry("/.manifest", []byte(bundletest.Manifest))}))
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := screen(bytes.NewReader(data), 1<<20)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(data, raw) {
			t.Error("it was changed")
		}
		site, err := read(raw, nil)
		for _, file := range site.Files {
			if err == nil && (strings.HasPrefix(file.Name, "/") || strings.Contains("/"+file.Name+"/", "/../")) {
				t.Errorf("a file named %q", file.Name)
			}
		}
	})
}
