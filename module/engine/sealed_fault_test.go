package engine

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/local"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/policy"
)

// failing is a keyring behind which the key service may fail.
type failing struct {
	keyring.Keyring
	mu   sync.Mutex
	with func(ctx context.Context) error // nil: it works
}

func (f *failing) fail(with func(ctx context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.with = with
}

func (f *failing) fault(ctx context.Context) error {
	f.mu.Lock()
	with := f.with
	f.mu.Unlock()
	if with == nil {
		return nil
	}
	return with(ctx)
}

// Wrap implements [keyring.Keyring].
func (f *failing) Wrap(ctx context.Context, kek keyring.KEK, key keyring.DataKey, b keyring.Binding) ([]byte, error) {
	if err := f.fault(ctx); err != nil {
		return nil, err
	}
	return f.Keyring.Wrap(ctx, kek, key, b)
}

// Unwrap implements [keyring.Keyring].
func (f *failing) Unwrap(ctx context.Context, kek keyring.KEK, wrapped []byte, b keyring.Binding) (keyring.DataKey, error) {
	if err := f.fault(ctx); err != nil {
		return keyring.DataKey{}, err
	}
	return f.Keyring.Unwrap(ctx, kek, wrapped, b)
}

// failingBed is a sealedBed whose key service may fail; cached keys go on.
func failingBed(t *testing.T) (*bed, *objectStore, *failing) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "main")
	if _, err := local.Init(path); err != nil {
		t.Fatal(err)
	}
	file, err := local.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	service := &failing{Keyring: file}
	cache := keyring.NewCache(service, keyring.Limits{Timeout: 50 * time.Millisecond})
	t.Cleanup(cache.Close)
	rings, err := keyring.NewSet([]keyring.Member{{Name: "main", Keyring: cache}})
	if err != nil {
		t.Fatal(err)
	}
	b, store := sealedBed(t, func(c *Config, _ *policy.Options) { c.Keyrings = rings })
	return b, store, service
}

// A key service that is down, refuses or is slow: no write reaches the store, and
// reads of cached keys go on.
func TestSealedKeyringFaults(t *testing.T) {
	t.Parallel()
	constant := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
	for name, fault := range map[string]func(context.Context) error{
		"down":   constant(fmt.Errorf("dial tcp 10.1.2.3:8200: %w", keyring.ErrUnavailable)),
		"denied": constant(fmt.Errorf("arn:aws:iam::111122223333:role/secret: %w", keyring.ErrDenied)),
		"slow": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, store, service := failingBed(t)
			plain := pattern(100_000)
			b.put("/bucket/all/cached", plain)
			u := b.begin("/bucket/all/upload")
			service.fail(fault)

			refused := func(what string, a answer) {
				t.Helper()
				e := a.err(t)
				if a.StatusCode != http.StatusServiceUnavailable || strings.Contains(a.body, "10.1.2.3") || strings.Contains(a.body, "secret") {
					t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
				}
				if rec := b.recordOf(a); rec.Outcome != OutcomeFault || !strings.Contains(rec.Cause, "keyring") {
					t.Errorf("%s (%s): record %s %q", what, e.Code, rec.Outcome, rec.Cause)
				}
			}
			log := store.since(func() {
				for _, size := range []int{0, 10, 100_000} {
					refused("PUT", b.do(b.request(http.MethodPut, "/bucket/all/new", string(pattern(size)))))
				}
				refused("create", b.do(b.request(http.MethodPost, "/bucket/all/new?uploads", "")))
				refused("form", b.post(append(signedForm(), [2]string{"key", "up/a"}), "f", []byte("secret text")))
			})
			if len(log) > 0 {
				t.Errorf("the store was touched: %q", log)
			}
			if a := b.get("/bucket/all/cached"); a.body != string(plain) {
				t.Errorf("a cached key: %d %s", a.StatusCode, a.body)
			}
			u.part(1, plain)
			if a := u.complete(1); a.StatusCode != http.StatusOK {
				t.Errorf("complete: %d %s", a.StatusCode, a.body)
			}
			b.checkRange("/bucket/all/upload", plain, "bytes=100-200")
			service.fail(nil)
			b.put("/bucket/all/new", plain)
		})
	}
}

// Objects whose keys have to be asked for while the key service fails.
func TestSealedReadsWhileKeyringFails(t *testing.T) {
	t.Parallel()
	b, store, service := failingBed(t)
	plain := pattern(100_000)
	b.put("/bucket/all/key", plain)
	u := b.begin("/bucket/all/upload")
	file := service.Keyring
	// A gateway that has just started.
	fresh := &failing{Keyring: file}
	cache := keyring.NewCache(fresh, keyring.Limits{Timeout: 50 * time.Millisecond})
	t.Cleanup(cache.Close)
	rings, err := keyring.NewSet([]keyring.Member{{Name: "main", Keyring: cache}})
	if err != nil {
		t.Fatal(err)
	}
	b.engine.cfg.Keyrings = rings
	fresh.fail(func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	})
	for _, way := range []reading{{}, {header: "bytes=1-2"}} {
		a, cut := b.read("/bucket/all/key", way)
		if cut != nil || a.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("read %s: %d %s, %v", way, a.StatusCode, a.body, cut)
		}
	}
	log := store.since(func() {
		for what, r := range map[string]*http.Request{
			"part":     b.request(http.MethodPut, u.path+"?partNumber=1&"+u.query(), "secret"),
			"list":     b.request(http.MethodGet, u.path+"?"+u.query(), ""),
			"abort":    b.request(http.MethodDelete, u.path+"?"+u.query(), ""),
			"complete": b.request(http.MethodPost, u.path+"?"+u.query(), "<CompleteMultipartUpload><Part><ETag>e</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"),
		} {
			if a := b.do(r); a.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
			}
		}
	})
	if len(log) > 0 {
		t.Errorf("the store was touched: %q", log)
	}
	fresh.fail(nil)
	if a := b.get("/bucket/all/key"); a.body != string(plain) {
		t.Errorf("afterwards: %d %s", a.StatusCode, a.body)
	}
}

// A configuration that has lost its keyrings, or the one that was decided.
func TestSealedWithoutKeyring(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	b.put("/bucket/all/key", []byte("secret"))
	u := b.begin("/bucket/all/upload")
	for name, rings := range map[string]*keyring.Set{"none": nil, "others": localKeyrings(t, "elsewhere")} {
		b.engine.cfg.Keyrings = rings
		log := store.since(func() {
			for what, r := range map[string]*http.Request{
				"PUT":    b.request(http.MethodPut, "/bucket/all/new", "secret"),
				"create": b.request(http.MethodPost, "/bucket/all/new?uploads", ""),
				"part":   b.request(http.MethodPut, u.path+"?partNumber=1&"+u.query(), "secret"),
			} {
				a := b.do(r)
				if a.StatusCode < 400 || strings.Contains(a.body, "elsewhere") {
					t.Errorf("%s, %s: %d %s", name, what, a.StatusCode, a.body)
				}
			}
		})
		if len(log) > 0 {
			t.Errorf("%s: the store was touched: %q", name, log)
		}
		if a := b.get("/bucket/all/key"); a.StatusCode < 400 {
			t.Errorf("%s: GET %d", name, a.StatusCode)
		}
	}
}

// alarms counts what an operator is woken for.
type alarms struct {
	discard
	count atomic.Int64
}

// OpenFailure implements [Observer].
func (a *alarms) OpenFailure() { a.count.Add(1) }

// Upload ids come from clients: one that does not open is no damage at the store.
func TestSealedUploadIDRaisesNoAlarm(t *testing.T) {
	t.Parallel()
	var bell alarms
	b, _ := sealedBed(t, func(c *Config, _ *policy.Options) { c.Observer = &bell })
	u := b.begin("/bucket/all/key")
	for _, path := range []string{"/bucket/all/another", "/bucket2/all/key", "/bucket/other/key"} {
		for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPut} {
			query := "?" + u.query()
			if method == http.MethodPut {
				query += "&partNumber=1"
			}
			a := b.do(b.request(method, path+query, ""))
			if a.err(t).Code != "NoSuchUpload" || b.recordOf(a).Outcome == OutcomeDamaged {
				t.Errorf("%s %s: %d %s, outcome %s", method, path, a.StatusCode, a.body, b.recordOf(a).Outcome)
			}
		}
	}
	if n := bell.count.Load(); n != 0 {
		t.Errorf("%d alarms", n)
	}
}

// Policy that names another keyring while an upload is open.
func TestSealedUploadAcrossPostures(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	rings := b.engine.cfg.Keyrings
	reconfigured := func(rule string) *bed {
		return newBed(t, strings.Replace(sealedPosture, "all/: {mode: cse, sealed: all}", "all/: "+rule, 1),
			func(c *Config, _ *policy.Options) { c.Upstream, c.Keyrings = upstreamOf(t, store.URL), rings })
	}
	send := func(b *bed, u *uploading) answer {
		return b.do(b.request(http.MethodPut, u.path+"?partNumber=1&"+u.query(), "secret text"))
	}
	u := b.begin("/bucket/all/key")
	for name, tt := range map[string]struct{ rule, code string }{
		"another keyring":            {"{mode: cse, keyring: other}", "NoSuchUpload"},
		"another, this one readable": {"{mode: cse, keyring: other, keyrings: [main]}", "AccessDenied"},
		"none":                       {"{mode: none}", "NoSuchUpload"}, // the store's answer to the gateway's id
	} {
		t.Run(name, func(t *testing.T) {
			other := reconfigured(tt.rule)
			if a := send(other, u); a.err(t).Code != tt.code {
				t.Errorf("part: %d %s", a.StatusCode, a.body)
			}
			also := &uploading{b: other, path: u.path, id: u.id, etags: map[int]string{1: `"e-0"`}}
			if a := also.complete(1); a.err(t).Code != tt.code {
				t.Errorf("complete: %d %s", a.StatusCode, a.body)
			}
		})
	}
	// An upload of plaintext must not go on where sealing has begun.
	plain := reconfigured("{mode: none}").begin("/bucket/all/plain")
	log := store.since(func() {
		if a := send(b, plain); a.err(t).Code != "NoSuchUpload" {
			t.Errorf("a part of plaintext: %d %s", a.StatusCode, a.body)
		}
	})
	if len(log) > 0 {
		t.Errorf("the store was touched: %q", log)
	}
}

// A client that goes away, or sends something else than it signed, leaves no
// object, and nobody waits for it.
func TestSealedUploadThatBreaksOff(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	plain := string(pattern(200_000))
	for name, header := range map[string]string{
		"MD5":      "Content-Md5: 1B2M2Y8AsgTpgAmY7PhCfg==",
		"checksum": "X-Amz-Checksum-Crc32: AAAAAA==",
	} {
		for _, body := range []string{"short", plain} {
			a := b.do(b.request(http.MethodPut, "/bucket/all/"+name, body, header))
			if a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
			}
		}
	}
	r := b.request(http.MethodPut, "/bucket/all/gone", plain)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(plain[:150_000]), brokenBody{}))
	if resp, err := b.client.RoundTrip(r); err == nil {
		t.Errorf("an upload that broke off: %d", resp.StatusCode)
		_ = resp.Body.Close()
	}
	rec := b.awaitRecord(func(r Record) bool { return r.Resource.Key == "all/gone" })
	if rec.Outcome == OutcomeOK {
		t.Errorf("outcome %s", rec.Outcome)
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	if len(store.objects) > 0 {
		t.Errorf("%d objects", len(store.objects))
	}
}

// brokenBody is the end of a client.
type brokenBody struct{}

// Read implements io.Reader.
func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A client that goes away while the store hangs: the request ends with it.
func TestSealedReadOfAHangingStore(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	const path = "/bucket/all/key"
	b.put(path, pattern(300_000))
	var hangs atomic.Bool
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hangs.Load() {
			store.ServeHTTP(w, r)
			return
		}
		o := store.at(path)
		for name, v := range o.header {
			w.Header()[name] = v
		}
		w.Header().Set("ETag", o.etag)
		w.Header().Set("Content-Length", fmt.Sprint(len(o.body)))
		_, _ = w.Write(o.body[:100_000])
		_ = http.NewResponseController(w).Flush()
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	b.engine.cfg.Upstream = upstreamOf(t, server.URL)
	hangs.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := b.client.RoundTrip(b.request(http.MethodGet, path, "").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	cancel()
	_ = resp.Body.Close()
	rec := b.awaitRecord(func(r Record) bool { return r.Operation == "GetObject" })
	if rec.Outcome != OutcomeAborted {
		t.Errorf("outcome %s", rec.Outcome)
	}
}

// What the gateway cannot seal is refused before the store hears of it.
func TestSealedUnsealable(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	log := store.since(func() {
		for name, r := range map[string]*http.Request{
			"append":   b.request(http.MethodPut, "/bucket/all/key", "secret", "X-Amz-Write-Offset-Bytes: 5"),
			"envelope": b.request(http.MethodPut, "/bucket/all/key", "secret", "X-Amz-Meta-Sealgate: AQEA"),
			"reserved": b.request(http.MethodPut, "/bucket/key", "text", "x-amz-meta-sealgate-size: 5"),
			"metadata": b.request(http.MethodPut, "/bucket/all/key", "secret", "X-Amz-Meta-M: "+strings.Repeat("m", 2000)),
			"plain id": b.request(http.MethodPut, "/bucket/all/key?partNumber=1&uploadId=upload-1", "secret"),
			"torrent":  b.request(http.MethodGet, "/bucket/all/key?torrent", ""),
		} {
			if a := b.do(r); a.StatusCode < 400 {
				t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
			}
		}
	})
	if len(log) > 0 {
		t.Errorf("the store was touched: %q", log)
	}
}

// A failure of the pieces of one object is told once, and in the words of S3.
func TestSealedErrorsShowNoInternals(t *testing.T) {
	t.Parallel()
	b, store := sealedBed(t)
	b.put("/bucket/all/key", []byte("secret"))
	store.setHeader("/bucket/all/key", func(o *object) { o.header.Set(envelopeHeader, flip(o.header.Get(envelopeHeader), 30)) })
	a := b.get("/bucket/all/key")
	for _, word := range []string{"envelope", "keyring", "main", "unwrap", "wrapped", "authenticate", "127.0.0.1"} {
		if strings.Contains(strings.ToLower(a.body), word) {
			t.Errorf("the client is told of %q: %s", word, a.body)
		}
	}
	if e := a.err(t); e.Code != s3.ErrBadGateway.Code || len(e.RuleID) != 1 || e.RuleID[0] != "ENF-006" {
		t.Errorf("%+v", e)
	}
}
