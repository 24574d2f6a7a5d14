package shadow_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/replay"
	"github.com/sealgate/sealgate/policy/shadow"
)

const testPosture = `version: 1
buckets:
  data:
    "": {mode: sse-s3, on_conflict: reject}
grants:
  - {id: app, principals: [app], actions: ["s3:*"], resources: [data, data/*]}
`

const freeze = `package site.rules.freeze

deny contains {"id": "FRZ-001", "msg": "frozen", "path": "resource.key"} if {
	input.request.class == "write"
	"reports/" in input.resource.prefixes
}
`

func load(t testing.TB, posture string, rules ...string) *policy.Generation {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "posture.yaml")
	if err := os.WriteFile(path, []byte(posture), 0o600); err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(dir, "policy")
	if err := os.Mkdir(site, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, text := range rules {
		if err := os.WriteFile(filepath.Join(site, fmt.Sprintf("r%d.rego", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := policy.New(policy.Options{PostureFile: path, SiteDir: site, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return e.Current()
}

func put(key string) *policy.Input {
	return &policy.Input{
		Identity:  policy.Identity{AuthMethod: policy.AuthHeader, Verified: true, AccessKey: "AK", Principal: "app"},
		Request:   policy.Request{ID: key, Operation: "PutObject", Action: "s3:PutObject", Class: policy.ClassWrite, Method: "PUT", Payload: policy.PayloadHash},
		Resource:  policy.Resource{Bucket: "data", Key: key},
		Transport: policy.Transport{TLS: true, TLSVersion: "1.3", SourceIP: "192.0.2.7"},
	}
}

// site is a policy in force, a shadow beside it, and what was counted.
type site struct {
	t      *testing.T
	live   atomic.Pointer[policy.Generation]
	shadow *shadow.Shadow
	mu     sync.Mutex
	counts map[replay.Kind]int
	drops  int
	judged chan struct{} // gets one for each request that was judged
}

func newSite(t *testing.T, live *policy.Generation, o shadow.Options) *site {
	t.Helper()
	s := &site{t: t, counts: map[replay.Kind]int{}, judged: make(chan struct{}, 10000)}
	s.live.Store(live)
	o.Count = func(k replay.Kind) {
		s.mu.Lock()
		s.counts[k]++
		s.mu.Unlock()
		s.judged <- struct{}{}
	}
	o.Drop = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drops++
	}
	s.shadow = shadow.New(o)
	t.Cleanup(func() { _, _ = s.shadow.Stop() })
	return s
}

func (s *site) revision() string { return s.live.Load().Revision() }

func (s *site) start(candidate func(context.Context) (*policy.Generation, error)) error {
	return s.shadow.Start(s.t.Context(), shadow.Candidate{Origin: "candidate", Load: candidate, Live: s.revision})
}

func always(g *policy.Generation) func(context.Context) (*policy.Generation, error) {
	return func(context.Context) (*policy.Generation, error) { return g, nil }
}

// serve decides a request and shows it to the shadow.
func (s *site) serve(in *policy.Input) policy.Decision {
	d, err := s.live.Load().Decide(s.t.Context(), in)
	s.shadow.Observe(in, d, err)
	return d
}

// TestJudges: differences are counted by kind and rule, with samples, and nothing of an
// answer changes.
func TestJudges(t *testing.T) {
	t.Parallel()
	s := newSite(t, load(t, testPosture, freeze), shadow.Options{Queue: 1000})
	if _, err := s.shadow.Stop(); !errors.Is(err, shadow.ErrNotRunning) {
		t.Errorf("stopping nothing: %v", err)
	}
	s.serve(put("reports/unseen")) // before it begins
	candidate := load(t, strings.Replace(testPosture, "sse-s3", "sse-kms, key_id: alias/main", 1))
	if err := s.start(always(candidate)); err != nil {
		t.Fatal(err)
	}
	const n = 40
	for i := range n {
		key := fmt.Sprint("in/", i)
		if i%4 == 0 {
			key = fmt.Sprint("reports/", i)
		}
		in := put(key)
		d := s.serve(in)
		if d.Allow == (i%4 == 0) {
			t.Fatalf("%s: allow %t", key, d.Allow)
		}
		in.Resource.Key = "changed after the answer"
	}
	for range n {
		<-s.judged
	}
	status := s.shadow.Status()
	if !status.Running || status.Origin != "candidate" || status.Revision != candidate.Revision() || status.Live != s.revision() {
		t.Errorf("status %+v", status)
	}
	if k := status.Report.Kinds; k[replay.DenyToAllow] != n/4 || k[replay.Encryption] != n*3/4 || len(k) != 2 {
		t.Errorf("kinds %v", k)
	}
	if rules := status.Report.Rules(); len(rules) != 1 || rules[0].Rule != "FRZ-001" || rules[0].Lost != n/4 || rules[0].DenyToAllow != n/4 {
		t.Errorf("rules %+v", rules)
	}
	examples := status.Report.Examples()
	if len(examples) != 10 || examples[0].Kind != replay.DenyToAllow || examples[0].Input.Resource.Key != "reports/0" || examples[0].ID != "reports/0" {
		t.Errorf("%d examples, the first %v", len(examples), examples[0])
	}
	if s.counts[replay.DenyToAllow] != n/4 || s.drops != 0 {
		t.Errorf("counted %v, %d dropped", s.counts, s.drops)
	}
	last, err := s.shadow.Stop()
	if err != nil || last.Running || last.Report.Requests != n {
		t.Errorf("stopped with %+v, %v", last, err)
	}
	s.serve(put("reports/late"))
	if status := s.shadow.Status(); status.Running || status.Report != nil {
		t.Errorf("after the stop: %+v", status)
	}
}

// TestBusy: a shadow that does not keep up makes nobody wait; what it has no room for
// is dropped and counted.
func TestBusy(t *testing.T) {
	t.Parallel()
	live := load(t, testPosture)
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, live, shadow.Options{Queue: 4})
		loads, release := 0, make(chan struct{})
		err := s.start(func(ctx context.Context) (*policy.Generation, error) {
			if loads++; loads > 1 { // in the worker: it is held here
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			return live, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		next := load(t, testPosture+"# another\n")
		s.live.Store(next)
		began := time.Now() // of a clock that goes on only while all wait
		for i := range 100 {
			s.shadow.Observe(put(fmt.Sprint(i)), policy.Decision{Allow: true, Revision: next.Revision()}, nil)
			if i == 0 {
				synctest.Wait() // the worker has taken it
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("observing waited for %v", waited)
		}
		if s.drops != 95 {
			t.Errorf("%d dropped, want all but one at work and four that wait", s.drops)
		}
		close(release)
		synctest.Wait()
		if status := s.shadow.Status(); status.Dropped != 95 || status.Report.Requests != 5 {
			t.Errorf("dropped %d, judged %d", status.Dropped, status.Report.Requests)
		}
		big := put("big")
		big.Request.Headers = policy.Map{"x-amz-meta-a": strings.Repeat("x", 100_000)}
		s.shadow.Observe(big, policy.Decision{Allow: true, Revision: next.Revision()}, nil)
		if status := s.shadow.Status(); status.Dropped != 96 {
			t.Errorf("a request of 100 kB was taken")
		}
		if _, err := s.shadow.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestOtherPolicyInForce: when another policy comes into force, the candidate is made
// anew and compared with that one alone; where it cannot be, that is said.
func TestOtherPolicyInForce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, otherPolicyInForce)
}

func otherPolicyInForce(t *testing.T) {
	s := newSite(t, load(t, testPosture, freeze), shadow.Options{Queue: 100})
	candidate := load(t, testPosture)
	var broken error
	loads := 0
	if err := s.start(func(context.Context) (*policy.Generation, error) { loads++; return candidate, broken }); err != nil {
		t.Fatal(err)
	}
	s.serve(put("reports/a"))
	<-s.judged
	old := s.live.Load()
	s.live.Store(load(t, testPosture+"# changed\n"))
	in := put("reports/b")
	d, err := old.Decide(t.Context(), in) // one that began before
	s.shadow.Observe(in, d, err)
	s.serve(put("reports/c"))
	<-s.judged
	status := s.shadow.Status()
	if loads != 2 || status.Live != s.revision() || status.Report.Requests != 1 || status.Report.Same != 1 || status.Passed != 1 {
		t.Errorf("%d loads, %+v, %+v", loads, status, status.Report)
	}
	broken = errors.New("the candidate names a profile that is gone")
	s.live.Store(load(t, testPosture+"# again\n"))
	s.serve(put("reports/d"))
	s.serve(put("reports/e"))
	synctest.Wait()
	if status := s.shadow.Status(); !strings.Contains(status.Error, "gone") || status.Passed != 3 || status.Report.Requests != 1 {
		t.Errorf("%+v", status)
	}
	if loads != 3 {
		t.Errorf("%d loads: one that fails is not tried for every request", loads)
	}
}

// TestStartKeeps: a candidate that does not load leaves the one that runs.
func TestStartKeeps(t *testing.T) {
	t.Parallel()
	s := newSite(t, load(t, testPosture), shadow.Options{})
	first := load(t, testPosture, freeze)
	if err := s.start(always(first)); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("it does not compile")
	if err := s.start(func(context.Context) (*policy.Generation, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if status := s.shadow.Status(); status.Revision != first.Revision() {
		t.Errorf("status %+v", status)
	}
	s.shadow.Observe(put("a"), policy.Decision{}, timeout(t))
	s.serve(put("reports/a"))
	<-s.judged
	if status := s.shadow.Status(); status.Report.Kinds[replay.AllowToDeny] != 1 || status.Passed != 1 {
		t.Errorf("%+v %+v", status, status.Report)
	}
}

// timeout is a fault that says nothing about the policy.
func timeout(t *testing.T) error {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := load(t, testPosture).Decide(ctx, put("a"))
	if err == nil {
		t.Fatal("decided without time")
	}
	return err
}
