package policy

import (
	"context"
	"errors"
	"hash/maphash"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// entries counts what a cache holds.
func entries(c *cache) int {
	n := 0
	for i := range c.slots {
		if c.slots[i].Load() != nil {
			n++
		}
	}
	return n
}

// held returns the entries of a key without asking for them.
func held(c *cache, k key) []*entry {
	var out []*entry
	set := c.set(maphash.Bytes(c.seed, k))
	for i := range set {
		if e := set[i].Load(); e != nil && e.key == string(k) {
			out = append(out, e)
		}
	}
	return out
}

// cached returns a copy of a generation with an empty cache that checks one in so many
// hits, and uncached one that evaluates every request.
func cached(g *Generation, every uint32) *Generation {
	out := *g
	out.cache = newCache(g.parts, g.uncached)
	out.cache.every = every
	return &out
}

func uncached(g *Generation) *Generation {
	out := *g
	out.cache = nil
	return &out
}

// decided asks about a copy of a request, which Decide fills in.
func decided(g *Generation, in *Input) (Decision, error) {
	request := *in
	return g.Decide(context.Background(), &request)
}

// TestCachedIsUncached asks two engines about the same requests, one with a cache whose
// answers nobody checks and one without. Each request differs from the one before in a
// few fields.
func TestCachedIsUncached(t *testing.T) {
	t.Parallel()
	sites := map[string]map[string]string{"the library": nil}
	for name := range readers {
		sites[name] = readingSite(name)
	}
	sites["requirement"] = map[string]string{"a.rego": "package site.encryption.raise\n\nrequire contains {\"mode\": \"dsse-kms\", \"on_read\": \"reject\"} if input.identity.attributes.tenant == \"a\"\n"}
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newEngine(t, site).Current()
			hits := 0
			rapid.Check(t, func(t *rapid.T) {
				with, without := cached(g, 0), uncached(g)
				in := drawInput(t)
				for range 6 {
					if remembered(with, in) {
						hits++
					}
					got, err := decided(with, in)
					want, wantErr := decided(without, in)
					if !reflect.DeepEqual(got, want) || faultOf(err) != faultOf(wantErr) {
						t.Fatalf("got  %+v, %v\nwant %+v, %v\nfor %+v", got, err, want, wantErr, in)
					}
					in = vary(t, in)
				}
			})
			if why := g.cache.stopped(); why != "" {
				t.Errorf("not cached: %s", why)
			} else if hits == 0 {
				t.Error("nothing was answered from memory")
			}
		})
	}
}

func faultOf(err error) string {
	var f *Fault
	if errors.As(err, &f) {
		return f.ID
	}
	return ""
}

// remembered reports whether a request would be answered from memory.
func remembered(g *Generation, in *Input) bool {
	request := *in
	g.fill(&request)
	k := g.cache.key(&request)
	return k != nil && g.cache.get(k) != nil
}

// TestRemembered says for single requests which others are answered with them.
func TestRemembered(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	for name, test := range map[string]struct {
		change func(*Input)
		want   bool
	}{
		"the same":          {func(*Input) {}, true},
		"another request":   {func(in *Input) { in.Request.ID, in.Time = "other", TimeAt(testTime.AddDate(1, 0, 0)) }, true},
		"another key":       {func(in *Input) { in.Resource.Key = "kms/b/c" }, true},
		"another header":    {func(in *Input) { in.Request.Headers = Map{"x-amz-date": "x"} }, true},
		"another length":    {func(in *Input) { in.Request.ContentLength = 12 }, true},
		"another address":   {func(in *Input) { in.Transport.SourceIP = "192.0.2.8" }, true},
		"another posture":   {func(in *Input) { in.Resource.Key = "dsse/b" }, false},
		"another operation": {func(in *Input) { in.Request.Operation = "CopyObject" }, false},
		"no grant":          {func(in *Input) { in.Identity.Principal = "stranger" }, false},
		"no tls":            {func(in *Input) { in.Transport.TLS = false }, false},
		"a key asked for":   {func(in *Input) { in.Encryption.Requested = Requested{Mode: KMS, KeyID: "x"} }, false},
		"made public":       {func(in *Input) { in.Request.ACL.Canned = "public-read" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := cached(g, 0)
			first := put("data", "kms/a")
			if remembered(g, first) {
				t.Error("remembered before it was asked")
			}
			if _, err := decided(g, first); err != nil || !remembered(g, first) {
				t.Errorf("not remembered, %v", err)
			}
			if got := remembered(g, change(put("data", "kms/a"), test.change)); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestMissedRead takes one part after the other out of what is read, as if it had been
// overlooked, and asks about requests that differ in nothing else.
func TestMissedRead(t *testing.T) {
	t.Parallel()
	g := newEngine(t, map[string]string{"a.rego": "package site.rules.vip\n\ndeny contains {\"id\": \"VIP-001\", \"msg\": input.request.storage_class} if input.request.storage_class != \"\"\n"}).Current()
	requests := map[string]*Input{}
	for _, class := range []string{"", "GLACIER"} {
		requests[class] = put("data", "kms/a")
		requests[class].Request.StorageClass = class
	}
	missed := 0
	for i := range g.parts {
		blind := *g
		blind.parts = slices.Delete(slices.Clone(g.parts), i, i+1)
		differ := func(g *Generation) (wrong bool) {
			for range 2 {
				for class, in := range requests {
					d, err := decided(g, in)
					if err != nil {
						t.Fatal(err)
					}
					wrong = wrong || d.Allow != (class == "")
				}
			}
			return wrong
		}
		if !differ(cached(&blind, 0)) {
			continue
		}
		missed++
		checked := cached(&blind, 1)
		if differ(checked) {
			t.Error("a checked answer was wrong")
		}
		if why := checked.cache.stopped(); !strings.Contains(why, "4e1f0c9a") {
			t.Errorf("the cache is still used: %q", why)
		}
		if k := checked.cache.key(put("data", "kms/a")); k != nil {
			t.Error("decisions are still remembered")
		}
		// By chance, sooner or later.
		sampled := cached(&blind, 8)
		for range 10000 {
			if differ(sampled); sampled.cache.stopped() != "" {
				break
			}
		}
		if sampled.cache.stopped() == "" || differ(sampled) {
			t.Error("the mistake was not found")
		}
		engine := &Engine{live: &live{now: sampled.now}}
		engine.current.Store(sampled)
		if status := engine.Status(); status.Cached || status.Uncached == "" {
			t.Errorf("got %+v", status)
		}
	}
	if missed != 1 {
		t.Errorf("%d parts are missed, want the storage class alone", missed)
	}
}

// TestFloorsHoldOnHits asks a cache that takes all requests for the same one.
func TestFloorsHoldOnHits(t *testing.T) {
	t.Parallel()
	blind := *newEngine(t, nil).Current()
	blind.parts = nil
	for name, test := range map[string]struct {
		first, then *Input
		want        string
	}{
		"grant":          {put("data", "a"), change(put("data", "a"), func(in *Input) { in.Identity.Principal = "stranger" }), FindingNoGrant},
		"grant to read":  {get("data", "a"), get("forbidden", "a"), FindingNoGrant},
		"weaker":         {put("data", "a"), put("data", "kms/a"), FindingFloor},
		"not covered":    {put("data", "open/a"), put("data", "a"), FindingFloor},
		"another class":  {put("data", "a"), get("data", "a"), FaultDecision},
		"nothing at all": {get("data", "a"), put("data", "a"), FaultDecision},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := cached(&blind, 0)
			if d, err := decided(g, test.first); err != nil || !d.Allow {
				t.Fatalf("got %+v, %v", d, err)
			}
			for range 2 {
				d, err := decided(g, test.then)
				if d.Allow || faultOf(err) != test.want && !slices.Contains(ids(d), test.want) {
					t.Errorf("got %+v, %v, want %s", d, err, test.want)
				}
			}
			if d, err := decided(g, test.first); err != nil || !d.Allow {
				t.Errorf("the remembered decision was changed: %+v, %v", d, err)
			}
		})
	}
}

// TestDecisionsBelongToTheCaller spoils every decision it is given.
func TestDecisionsBelongToTheCaller(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	denied := change(put("data", "kms/a"), func(in *Input) { in.Identity.Principal, in.Transport.TLS = "stranger", false })
	for name, in := range map[string]*Input{"allowed": put("data", "kms/a"), "denied": denied} {
		want, err := decided(uncached(g), in)
		if err != nil {
			t.Fatal(err)
		}
		g := cached(g, 0)
		for range 4 {
			d, err := decided(g, in)
			if err != nil || !reflect.DeepEqual(d, want) {
				t.Fatalf("%s: got %+v, %v, want %+v", name, d, err, want)
			}
			d.Encryption.Context["department"], d.Encryption.Context["more"] = "spoilt", "spoilt"
			*d.Encryption.BucketKey = !*d.Encryption.BucketKey
			d.Encryption.AllowedKeys[0] = "spoilt"
			for i := range d.Findings {
				d.Findings[i].ID = "spoilt"
			}
			_ = append(d.Findings[:0], Finding{ID: "spoilt"})
		}
	}
}

// TestBound fills a cache with more than it can hold.
func TestBound(t *testing.T) {
	t.Parallel()
	c := newCache(nil, nil)
	hot := key("hot")
	c.put(hot, Decision{Allow: true})
	for i := range 3 * cacheSets * cacheWays {
		if e := c.get(hot); e == nil || !e.decision.Allow {
			t.Fatalf("what is asked for all the time was lost after %d others", i)
		}
		k := key(strconv.Itoa(i))
		c.put(k, Decision{})
		c.put(k, Decision{Revision: string(k)}) // takes the place it has
		if found := held(c, k); len(found) != 1 || found[0].decision.Revision != string(k) {
			t.Fatalf("%s is held %d times", k, len(found))
		}
	}
	if n := entries(c); n > cacheSets*cacheWays || n < cacheSets*cacheWays*9/10 {
		t.Errorf("%d entries", n)
	}
}

func TestLargeDecisionIsNotKept(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", decisionLimit)
	for name, d := range map[string]Decision{
		"finding":  {Findings: []Finding{{ID: "TST-001", Message: large}}},
		"findings": {Findings: slices.Repeat([]Finding{{ID: "TST-001"}}, decisionLimit/7+1)},
		"keys":     {Encryption: Encryption{AllowedKeys: []string{large, "x"}}},
		"context":  {Encryption: Encryption{Context: map[string]string{"x": large}}},
	} {
		c := newCache(nil, nil)
		if c.put(key("k"), d); entries(c) != 0 {
			t.Errorf("%s: it was kept", name)
		}
	}
}

// TestFaultsAreNotRemembered asks twice what the policy has no answer to.
func TestFaultsAreNotRemembered(t *testing.T) {
	t.Parallel()
	site := readingSite("fault, some input")
	g := cached(newEngine(t, site).Current(), 0)
	in := put("data", "a")
	in.Request.Checksum = "b"
	for range 2 {
		if d, err := decided(g, in); faultID(t, err) != FaultBuiltin {
			t.Errorf("got %+v, %v", d, err)
		}
	}
	if n := entries(g.cache); n != 0 {
		t.Errorf("%d entries", n)
	}
}

// TestCompare: what a check of a remembered decision says about the cache.
func TestCompare(t *testing.T) {
	t.Parallel()
	d := Decision{Allow: true, Encryption: Encryption{Mode: KMS, Context: map[string]string{"a": "b"}}}
	other := d.clone()
	other.Encryption.Context["a"] = "c"
	for name, test := range map[string]struct {
		d    Decision
		err  error
		stop bool
	}{
		"the same":     {d.clone(), nil, false},
		"another":      {other, nil, true},
		"denied":       {Decision{}, nil, true},
		"out of time":  {Decision{}, faultf(FaultTimeout, "x"), false},
		"another sort": {Decision{}, faultf(FaultBuiltin, "x"), true},
	} {
		c := newCache(nil, nil)
		if c.compare(&Input{}, d, test.d, test.err); (c.stopped() != "") != test.stop {
			t.Errorf("%s: got %q", name, c.stopped())
		}
	}
}

func TestCancelledHit(t *testing.T) {
	t.Parallel()
	g := cached(newEngine(t, nil).Current(), 0)
	if _, err := decided(g, put("data", "a")); err != nil || !remembered(g, put("data", "a")) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := g.Decide(ctx, put("data", "a")); faultID(t, err) != FaultTimeout || !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v", d, err)
	}
}

// TestReloadForgets: nothing of one policy is answered under the next.
func TestReloadForgets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, step := range []struct {
		posture string
		want    Mode
	}{{onlyS3, SSES3}, {onlyKMS, KMS}, {onlyS3, SSES3}} {
		s.writePosture(step.posture)
		if err := s.engine.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := entries(s.engine.Current().cache); n != 0 {
			t.Errorf("%d entries after a reload", n)
		}
		for range 3 {
			if got := s.mode("a"); got != step.want {
				t.Errorf("got %s, want %s", got, step.want)
			}
		}
		if n := entries(s.engine.Current().cache); n != 1 {
			t.Errorf("%d entries after one request", n)
		}
	}
	other := *s.engine.Current()
	if other.setPosture(mustPosture(t, onlyKMS)); entries(other.cache) != 0 {
		t.Error("another posture has the decisions of the one before")
	}
	// Grants are in the file of the posture.
	s.writePosture(strings.Replace(onlyS3, "principals: [app]", "principals: [other]", 1))
	if err := s.engine.Reload(t.Context()); err != nil || s.mode("a") != "denied" {
		t.Errorf("a grant that was taken back is still remembered, %v", err)
	}
}

// TestCacheDuringReload asks about many keys, more than once, from many sides while the
// policy changes and answers are checked.
func TestCacheDuringReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	revisions := map[string]Mode{s.engine.Current().Revision(): SSES3}
	s.writePosture(onlyKMS)
	if err := s.engine.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	revisions[s.engine.Current().Revision()] = KMS
	done := make(chan struct{})
	var deciders sync.WaitGroup
	var answers atomic.Int64
	for n := range 4 {
		deciders.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				key := []string{"a/", "frozen/"}[i%2] + strconv.Itoa(i/2%(8+n))
				d, err := s.engine.Current().Decide(context.Background(), put("data", key))
				if err != nil || d.Allow != (i%2 == 0) || revisions[d.Revision] != d.Encryption.Mode {
					t.Errorf("%s: got %+v, %v", key, d, err)
					return
				}
				if d.Encryption.Context["spoilt"] != "" {
					t.Error("a decision is shared")
				}
				d.Encryption.Context["spoilt"] = "x"
				answers.Add(1)
			}
		})
	}
	for i := range 6 {
		s.writePosture([]string{onlyS3, onlyKMS}[i%2])
		if err := s.engine.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		for before := answers.Load(); answers.Load() < before+100 && !t.Failed(); {
			s.engine.Status()
		}
	}
	close(done)
	deciders.Wait()
	if status := s.engine.Status(); !status.Cached {
		t.Errorf("got %+v", status)
	}
}
