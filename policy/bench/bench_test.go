package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
)

const postureText = `version: 1
buckets:
  "data-*":
    "": {mode: sse-s3}
    "kms/": {mode: sse-kms, key_id: alias/a}
grants:
  - {id: all, principals: [app], actions: ["s3:*"], resources: ["*"]}
`

func options(t *testing.T, rule string) policy.Options {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"posture.yaml": postureText, "policy/x.rego": rule} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return policy.Options{PostureFile: filepath.Join(dir, "posture.yaml"), SiteDir: filepath.Join(dir, "policy"), Timeout: time.Minute}
}

// slow goes through many pairs for every request.
const slow = `package site.rules.slow

deny contains {"id": "SLW-001", "msg": "slow"} if {
	some i in numbers.range(1, 300)
	some j in numbers.range(1, 10)
	i * j == 7000
}
`

func TestRun(t *testing.T) {
	t.Parallel()
	said := int64(0)
	r, err := Run(t.Context(), Options{Policy: options(t, slow), Decisions: 40, Progress: func(n int64) { said += n }})
	if err != nil {
		t.Fatal(err)
	}
	if said != Total(40) || r.Decisions != 40 || r.Requests != 2*len(ordinary) || r.Revision == "" || r.Uncached != "" {
		t.Errorf("progress %d; %+v", said, r)
	}
	for name, l := range map[string]Latency{"policy": r.Policy, "library": r.Library, "empty": r.Empty, "remembered": r.Remembered} {
		if l.P50 <= 0 || l.P99 < l.P50 || l.P999 < l.P99 {
			t.Errorf("%s: %+v", name, l)
		}
	}
	// It takes thousands of steps, all others together some hundred.
	if len(r.Rules) == 0 || r.Rules[0].Rule != "data.site.rules.slow.deny" || r.Rules[0].Row != 3 {
		t.Errorf("the rule that costs most: %+v", r.Rules)
	}
}

func TestRunUncached(t *testing.T) {
	t.Parallel()
	r, err := Run(t.Context(), Options{Decisions: 1, Policy: options(t, "package site.rules.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"} if input.request.id == \"none\"\n")})
	if err != nil || !strings.Contains(r.Uncached, "request.id") {
		t.Errorf("got %q, %v", r.Uncached, err)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	o := options(t, "package site.rules.x\n\nnothing := 1\n")
	if _, err := Run(t.Context(), Options{Policy: o}); err == nil {
		t.Error("a policy that does not load was measured")
	}
	o.SiteDir, o.PostureFile = "", filepath.Join(t.TempDir(), "none.yaml")
	if _, err := Run(t.Context(), Options{Policy: o}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{Policy: options(t, slow)}); err == nil {
		t.Error("measured although it was given up")
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	took := make([]time.Duration, 1000)
	for i := range took {
		took[999-i] = time.Duration(i) * time.Microsecond
	}
	if got := latency(took); got != (Latency{500, 990, 999}) {
		t.Errorf("got %+v", got)
	}
	if got := latency([]time.Duration{time.Millisecond}); got != (Latency{1000, 1000, 1000}) {
		t.Errorf("got %+v", got)
	}
}

// TestRequests: requests are for every entry of the posture, and granted.
func TestRequests(t *testing.T) {
	t.Parallel()
	o := options(t, slow)
	list, err := requestsFor(o.PostureFile)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := policy.New(policy.Options{PostureFile: o.PostureFile, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, in := range list {
		d, err := engine.Current().Decide(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(d.Findings, func(f policy.Finding) bool { return f.ID == policy.FindingNoGrant }) {
			t.Errorf("%s of %s is not granted", in.Request.Operation, in.Resource.Key)
		}
		if !slices.Contains(seen, in.Posture.ID) {
			seen = append(seen, in.Posture.ID)
		}
	}
	if len(seen) != 2 {
		t.Errorf("entries %q", seen)
	}
}
