package replay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/replay"
)

const basePosture = `version: 1
buckets:
  data:
    "": {mode: sse-kms, key_id: alias/main, on_conflict: reject}
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

func put(principal, key string) *policy.Input {
	return &policy.Input{
		Identity:  policy.Identity{AuthMethod: policy.AuthHeader, Verified: true, AccessKey: "AK", Principal: principal},
		Request:   policy.Request{ID: key, Operation: "PutObject", Action: "s3:PutObject", Class: policy.ClassWrite, Method: "PUT", Payload: policy.PayloadHash},
		Resource:  policy.Resource{Bucket: "data", Key: key},
		Transport: policy.Transport{TLS: true, TLSVersion: "1.3", SourceIP: "192.0.2.7"},
		Time:      policy.TimeAt(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)),
	}
}

// decided are requests as g decided them.
func decided(t testing.TB, g *policy.Generation, inputs ...*policy.Input) []replay.Request {
	t.Helper()
	var out []replay.Request
	for _, in := range inputs {
		before := replay.VerdictOf(g.Decide(t.Context(), in))
		out = append(out, replay.Request{ID: in.Request.ID, Input: in, Before: before})
	}
	return out
}

// TestGateStopsHoles: each way of letting more pass is stopped, with the request that
// shows it.
func TestGateStopsHoles(t *testing.T) {
	t.Parallel()
	traffic := func() []*policy.Input {
		var list []*policy.Input
		for i := range 50 {
			list = append(list, put("app", fmt.Sprintf("in/%d", i)))
		}
		return append(list, put("app", "reports/q3"), put("stranger", "theirs"))
	}
	for name, c := range map[string]struct {
		posture string
		rules   []string
		kind    replay.Kind
		shown   string // key of the request
	}{
		"deleted deny":        {basePosture, nil, replay.DenyToAllow, "reports/q3"},
		"widened grant":       {strings.Replace(basePosture, "principals: [app]", "principals: [app, stranger]", 1), []string{freeze}, replay.DenyToAllow, "theirs"},
		"grant for all":       {strings.Replace(basePosture, "principals: [app]", `principals: ["*"]`, 1), []string{freeze}, replay.DenyToAllow, "theirs"},
		"lowered mode":        {strings.Replace(basePosture, "mode: sse-kms, key_id: alias/main", "mode: sse-s3", 1), []string{freeze}, replay.Weaker, "in/0"},
		"encryption given up": {strings.Replace(basePosture, "mode: sse-kms, key_id: alias/main, on_conflict: reject", "mode: none, on_conflict: reject", 1), []string{freeze}, replay.Weaker, "in/0"},
		"new exception": {basePosture + `exceptions:
  - {id: legacy, rules: [FRZ-001], resources: ["data/reports/*"], until: 2027-01-31, owner: team, ticket: SEC-1}
`, []string{freeze}, replay.DenyToAllow, "reports/q3"},
		"rule turned off": {basePosture + "rules:\n  FRZ-001: {action: \"off\"}\n", []string{freeze}, replay.DenyToAllow, "reports/q3"},
		"only warns":      {basePosture + "enforcement: warn\n", []string{freeze}, replay.DenyToAllow, "reports/q3"},
		"refuses all":     {basePosture, []string{freeze, strings.ReplaceAll(strings.Replace(freeze, `"reports/" in input.resource.prefixes`, "", 1), "freeze", "all")}, replay.AllowToDeny, "in/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			current := load(t, basePosture, freeze)
			requests := decided(t, current, traffic()...)
			report, err := replay.Gate(t.Context(), current, load(t, c.posture, c.rules...), requests, replay.DefaultBudget())
			var over *replay.OverBudget
			if !errors.As(err, &over) {
				t.Fatalf("the gate let it pass: %v, %+v", err, report)
			}
			if over.Kind != c.kind || over.Example.Input.Resource.Key != c.shown {
				t.Errorf("stopped for %s by %q", over.Kind, over.Example.Input.Resource.Key)
			}
			if !strings.Contains(err.Error(), "data/"+c.shown) || !strings.Contains(err.Error(), c.shown+"]") {
				t.Errorf("the error does not name the request: %v", err)
			}
		})
	}
}

// TestGatePasses: what is within the budget passes, and what was decided then under
// another policy does not count.
func TestGatePasses(t *testing.T) {
	t.Parallel()
	current := load(t, basePosture, freeze)
	var traffic []*policy.Input
	for i := range 200 {
		traffic = append(traffic, put("app", fmt.Sprintf("in/%d", i)))
	}
	traffic = append(traffic, put("app", "old/q3"), put("app", "reports/q3"))
	requests := decided(t, load(t, basePosture), traffic...) // all were allowed
	budget := replay.DefaultBudget()
	same, err := replay.Gate(t.Context(), current, current, requests, budget)
	if err != nil || same.Same != len(requests) || same.Changed != 0 {
		t.Errorf("against itself: %v, %+v", err, same)
	}
	other := strings.ReplaceAll(strings.Replace(freeze, "FRZ-001", "FRZ-002", 1), "freeze", "old")
	candidate := load(t, basePosture, freeze, strings.Replace(other, `"reports/"`, `"old/"`, 1))
	report, err := replay.Gate(t.Context(), current, candidate, requests, budget)
	if err != nil || report.Kinds[replay.AllowToDeny] != 1 || report.Changed != 1 {
		t.Errorf("one in %d is refused: %v, %+v", len(requests), err, report)
	}
	budget.AllowToDeny = 0
	if _, err := replay.Gate(t.Context(), current, candidate, requests, budget); err == nil {
		t.Error("a budget of none lets one pass")
	}
	if report, err := replay.Gate(t.Context(), nil, candidate, requests, replay.Budget{}); err != nil || report.Requests != 0 {
		t.Errorf("with nothing in force: %v", err)
	}
}

// TestNotReplayable: what a record lacks counts where the candidate reads it, and only
// there.
func TestNotReplayable(t *testing.T) {
	t.Parallel()
	plain := load(t, basePosture)
	byTag := load(t, basePosture, `package site.rules.tags

deny contains {"id": "TAG-001", "msg": "no project", "path": "request.tags"} if {
	input.request.class == "write"
	not input.request.tags.project
}
`)
	byNetwork := load(t, strings.Replace(basePosture, "buckets:", "networks:\n  office: [\"192.0.2.0/24\"]\nbuckets:", 1))
	whole := put("app", "a")
	if _, err := plain.Decide(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	without := func(path ...string) []byte {
		var v map[string]any
		if err := json.Unmarshal(document, &v); err != nil {
			t.Fatal(err)
		}
		at := v
		for _, name := range path[:len(path)-1] {
			at = at[name].(map[string]any)
		}
		if _, there := at[path[len(path)-1]]; !there {
			t.Fatalf("no %v", path)
		}
		delete(at, path[len(path)-1])
		out, _ := json.Marshal(v)
		return out
	}
	for name, c := range map[string]struct {
		g        *policy.Generation
		document []byte
		hashed   []string
		lacks    []string
	}{
		"all there":                      {byTag, document, nil, nil},
		"a field nobody reads":           {plain, document, []string{"input.request.tags"}, nil},
		"a field of a rule":              {byTag, document, []string{"input.request.tags"}, []string{"request.tags"}},
		"an entry of it":                 {byTag, document, []string{"request.tags.project"}, []string{"request.tags.project"}},
		"another entry":                  {byTag, document, []string{"request.tags.owner"}, nil},
		"what grants go by":              {plain, document, []string{"identity.principal"}, []string{"identity.principal"}},
		"what the posture goes by":       {plain, document, []string{"resource.key"}, []string{"resource.key"}},
		"an address without networks":    {plain, document, []string{"transport.source_ip"}, nil},
		"an address with networks":       {byNetwork, document, []string{"transport.source_ip"}, []string{"transport.source_ip"}},
		"an older record":                {byTag, without("request", "tags"), nil, []string{"request.tags"}},
		"an older record, not read":      {plain, without("request", "tags"), nil, nil},
		"a part that is not there":       {plain, without("identity"), nil, []string{"identity"}},
		"what is filled in":              {plain, without("posture"), nil, nil},
		"what is derived":                {plain, without("transport", "networks"), nil, nil},
		"when it was":                    {plain, without("time", "ns"), nil, []string{"time.ns"}},
		"the request's own id":           {plain, without("request", "id"), nil, nil},
		"what derived fields are from":   {plain, without("transport", "tls_version"), nil, []string{"transport.tls_version"}},
		"a certificate's subject":        {plain, document, []string{"transport.client_cert.subject"}, nil},
		"whether there is a certificate": {plain, document, []string{"transport.client_cert.present"}, []string{"transport.client_cert.present"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorded, err := policy.ReadRecorded(c.document, c.hashed)
			if err != nil {
				t.Fatal(err)
			}
			r := replay.Request{Input: recorded.Input, Lacks: recorded.Lacks, Before: replay.VerdictOf(c.g.Replay(t.Context(), whole.Clone(), policy.Trial{}))}
			report, err := replay.Run(t.Context(), replay.Options{Candidate: c.g}, replay.Sequence([]replay.Request{r}))
			if err != nil {
				t.Fatal(err)
			}
			if len(c.lacks) == 0 {
				if report.Same != 1 {
					t.Errorf("not the same: %v %v", report.Lacking, report.Examples())
				}
				return
			}
			for _, path := range c.lacks {
				if report.Lacking[path] != 1 {
					t.Errorf("lacking %v, want %v", report.Lacking, c.lacks)
				}
			}
			if report.NotReplayable != 1 || len(report.Lacking) != len(c.lacks) {
				t.Errorf("%+v", report)
			}
		})
	}
}

// TestRunBounded: any number of requests takes the same room, and examples and counts
// come in the order of the requests.
func TestRunBounded(t *testing.T) {
	t.Parallel()
	g := load(t, basePosture)
	before := replay.Verdict{Fault: policy.FaultConflict}
	const n = 3000
	count := 0
	report, err := replay.Run(t.Context(), replay.Options{Candidate: g, Examples: 3, Each: func(k int) { count += k }},
		func(yield func(replay.Request, error) bool) {
			for i := range n {
				r := replay.Request{ID: fmt.Sprint(i), Before: before}
				if i%1000 == 5 {
					r.Input = put("app", "k")
				}
				if !yield(r, nil) {
					return
				}
			}
		})
	if err != nil || report.Requests != n || count != n || report.NotReplayable != n-3 || report.Kinds[replay.DenyToAllow] != 3 {
		t.Fatalf("%v %+v, %d said", err, report, count)
	}
	var ids []string
	for _, o := range report.Examples() {
		ids = append(ids, o.ID)
	}
	if want := []string{"5", "1005", "2005", "0", "1", "2"}; !slices.Equal(ids, want) {
		t.Errorf("examples %v, want %v", ids, want)
	}
	broken := errors.New("broken")
	_, err = replay.Run(t.Context(), replay.Options{Candidate: g}, func(yield func(replay.Request, error) bool) { yield(replay.Request{}, broken) })
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
