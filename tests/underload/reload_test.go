package underload

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/recent"
	"github.com/sealgate/sealgate/policy/replay"
	"github.com/sealgate/sealgate/policy/shadow"
)

const (
	rate    = 500 // requests a second
	lasts   = 20 * time.Second
	warmUp  = 5 * time.Second
	reloads = 100

	accessKey = "AKUNDERLOAD00000001"
	secretKey = "a-secret-of-forty-characters-for-clients"
	region    = "us-east-1"
)

const testPosture = `version: 1
buckets:
  data-*:
    "": {mode: sse-s3}
grants:
  - {id: app, principals: [app], actions: ["s3:*"], resources: ["data-*"]}
`

// TestReloads: at 500 requests a second, with another policy in the shadow, the policy is
// replaced a hundred times, each one through a replay. No request fails, and nothing
// that was taken for it is kept. How much longer decisions take is what the machine
// makes of it: -v shows it.
func TestReloads(t *testing.T) {
	g := newGateway(t)
	g.serve(warmUp / 5)
	g.took.reset()
	g.serve(warmUp)
	quiet := g.took.figures()

	candidate := g.build(site{"package site.rules.candidate\n\ndeny contains {\"id\": \"CND-001\", \"msg\": \"no\"} if \"no/\" in input.resource.prefixes\n"})
	if err := g.shadow.Start(t.Context(), shadow.Candidate{
		Load: func(context.Context) (*policy.Generation, error) { return candidate, nil },
		Live: func() string { return g.policy.Current().Revision() },
	}); err != nil {
		t.Fatal(err)
	}
	before := heap()
	g.took.reset()
	revisions := map[string]bool{}
	var changing sync.WaitGroup
	changing.Go(func() {
		tick := time.NewTicker(lasts / (reloads + 1))
		defer tick.Stop()
		for n := range reloads {
			<-tick.C
			g.site.set(n)
			if err := g.policy.Reload(t.Context()); err != nil {
				t.Errorf("reload %d: %v", n, err)
			}
			revisions[g.policy.Current().Revision()] = true
		}
	})
	g.serve(lasts)
	changing.Wait()
	busy := g.took.figures()
	status, err := g.shadow.Stop()
	if err != nil {
		t.Fatal(err)
	}
	after := heap()

	t.Logf("decisions, quiet: %s", quiet)
	t.Logf("decisions, %d policies later, shadow on: %s", len(revisions), busy)
	t.Logf("shadow: %d judged under the last policy, %d dropped, %d passed over; recent: %+v", status.Report.Requests, status.Dropped, status.Passed, g.recent.Counts())
	t.Logf("heap: %.1f MiB before, %.1f after", mib(before), mib(after))
	if n := g.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, the first with %v", n, g.served.Load(), g.first.Load())
	}
	if len(revisions) != reloads {
		t.Errorf("%d policies were in force, want %d", len(revisions), reloads)
	}
	if want := int64(rate) * int64((lasts+warmUp)/time.Second) / 2; g.served.Load() < want {
		t.Errorf("%d requests were served, want %d at least: the machine is too slow for the test", g.served.Load(), want)
	}
	// A policy takes a few MiB: had a tenth of them stayed, it would show.
	if after > before+24<<20 {
		t.Errorf("the heap grew from %.1f to %.1f MiB", mib(before), mib(after))
	}
	t.Logf("the 99th percentile is %.1f times the quiet one", float64(busy.p99)/float64(max(quiet.p99, time.Microsecond)))
}

// gateway is an engine in front of a store that answers at once.
type gateway struct {
	t      *testing.T
	engine *engine.Engine
	policy *policy.Engine
	site   *changing
	recent *recent.Ring
	shadow *shadow.Shadow
	took   durations
	signer sigv4.Signer
	sent   int
	served atomic.Int64
	failed atomic.Int64
	first  atomic.Value // status and body of the first failure
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, site: new(changing), recent: recent.New(recent.Options{Entries: 50}), shadow: shadow.New(shadow.Options{}),
		signer: sigv4.Signer{AccessKey: accessKey, Secret: secretKey, Region: region, Keys: new(sigv4.KeyCache)}}
	t.Cleanup(func() { _, _ = g.shadow.Stop() })
	posture := filepath.Join(t.TempDir(), "posture.yaml")
	if err := os.WriteFile(posture, []byte(testPosture), 0o600); err != nil {
		t.Fatal(err)
	}
	g.site.set(-1)
	var err error
	g.policy, err = policy.New(policy.Options{
		PostureFile: posture, Site: g.site,
		Timeout: 2 * time.Second, // a busy machine is not what is looked for
		Observe: func(in *policy.Input, d policy.Decision, err error) {
			g.recent.Observe(in, d, err)
			g.shadow.Observe(in, d, err)
		},
		Gate: []policy.Step{{Name: policy.StepReplay, Check: func(ctx context.Context, c *policy.Candidate) error {
			_, err := replay.Gate(ctx, c.Current, c.Generation, g.recent.Requests(), replay.Budget{})
			return err
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	endpoint, _ := url.Parse("https://store.example.com")
	up, err := upstream.New(upstream.Config{
		Endpoint: endpoint, Region: region, Transport: stub{},
		Credentials: upstream.Static(upstream.Credentials{AccessKey: "AKGATEWAY", Secret: upstream.NewSecret("gateway-secret-gateway-secret")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.engine, err = engine.New(engine.Config{
		Verifier: sigv4.NewVerifier(sigv4.VerifierConfig{Region: region}), Clients: caller{}, Policy: g.policy,
		Upstream: up, Region: region, Observer: &g.took,
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// request is one of its own: the rules look at keys, so that no decision is remembered.
// What remembering spares would otherwise hide what a decision takes.
func (g *gateway) request(n int) *http.Request {
	method := []string{http.MethodPut, http.MethodGet, http.MethodHead, http.MethodDelete}[n%4]
	r := httptest.NewRequest(method, fmt.Sprintf("http://s3.example.com/data-%d/folder-%d/key-%d", n%7, n%11, n), nil)
	r.RemoteAddr, r.RequestURI = "127.0.0.1:49152", r.URL.Path // no TLS is asked of this machine
	g.signer.Sign(r, sigv4.UnsignedPayload, time.Now())
	return r
}

func (g *gateway) build(s site) *policy.Generation {
	g.t.Helper()
	files, err := s.Read(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	p, err := g.policy.Build(g.t.Context(), files)
	if err != nil {
		g.t.Fatal(err)
	}
	return p
}

// serve sends requests at the rate, whether the last ones are answered or not.
func (g *gateway) serve(d time.Duration) {
	const every = 10 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	var all sync.WaitGroup
	began, sent := time.Now(), 0
	for now := range tick.C {
		due := int(min(now.Sub(began), d) * rate / time.Second)
		for ; sent < due; sent++ {
			r := g.request(g.sent)
			g.sent++
			all.Go(func() { g.one(r) })
		}
		if now.Sub(began) >= d {
			break
		}
	}
	all.Wait()
}

func (g *gateway) one(r *http.Request) {
	r.Body = http.NoBody
	w := httptest.NewRecorder()
	g.engine.ServeHTTP(w, r)
	g.served.Add(1)
	if w.Code/100 != 2 {
		g.failed.Add(1)
		g.first.CompareAndSwap(nil, fmt.Sprint(r.Method, " ", r.URL.Path, ": ", w.Code, " ", w.Body))
	}
}

// site is a policy of one file.
type site struct{ text string }

// Read implements policy.SiteSource.
func (s site) Read(context.Context) (policy.Site, error) {
	return policy.Site{Origin: "memory", Fetched: time.Now(), Files: []policy.File{{Name: "rules.rego", Data: []byte(s.text)}}}, nil
}

// changing is a policy that is another one after each set.
type changing struct{ now atomic.Pointer[site] }

func (c *changing) set(n int) {
	c.now.Store(&site{fmt.Sprintf("package site.rules.numbered\n\ndeny contains {\"id\": \"NUM-001\", \"msg\": \"no\"} if endswith(input.resource.key, \".numbered%d\")\n", n)})
}

// Read implements policy.SiteSource.
func (c *changing) Read(ctx context.Context) (policy.Site, error) { return c.now.Load().Read(ctx) }

// caller is the one client.
type caller struct{}

// Lookup implements engine.ClientSource.
func (caller) Lookup(key string, _ time.Time) (clients.Client, error) {
	if key != accessKey {
		return clients.Client{}, clients.ErrUnknown
	}
	return clients.Client{AccessKey: accessKey, Secret: clients.NewSecret(secretKey), Principal: "app"}, nil
}

// stub is a store that says yes.
type stub struct{}

// RoundTrip implements http.RoundTripper.
func (stub) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	h := http.Header{"Etag": {`"e"`}, "X-Amz-Request-Id": {"u"}, "X-Amz-Server-Side-Encryption": {"AES256"}}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: http.NoBody, Request: r}, nil
}

// durations keeps how long decisions took.
type durations struct {
	mu   sync.Mutex
	list []time.Duration
}

func (d *durations) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = d.list[:0]
}

// Decision implements engine.Observer.
func (d *durations) Decision(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, took)
}

func (*durations) Request(_, _, _ string) {}
func (*durations) Upstream(time.Duration) {}
func (*durations) WeakReply()             {}
func (*durations) OpenFailure()           {}

type figures struct {
	n        int
	p50, p99 time.Duration
	longest  time.Duration
}

func (f figures) String() string {
	return fmt.Sprintf("%d, p50 %v, p99 %v, longest %v", f.n, f.p50, f.p99, f.longest)
}

func (d *durations) figures() figures {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := slices.Sorted(slices.Values(d.list))
	if len(list) == 0 {
		return figures{}
	}
	return figures{len(list), list[len(list)/2], list[len(list)*99/100], list[len(list)-1]}
}

func heap() uint64 {
	for range 3 { // what finalizers and pools let go, too
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }
