package agreement

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
)

const (
	requests  = 10000
	explained = 300 // denied ones
	binaries  = 200 // also through the stock binary
)

// tally says what the set was made of, and where Go held a request to more than Rego.
type tally struct {
	outcomes map[engine.Outcome]int
	findings map[string]int
	floors   map[string]int // findings that Rego alone does not give, by kind
	// undecided never reached policy, aliases have a key with another name, done were
	// explained, partial of them not to the end.
	undecided, aliases, done, partial int
}

// The live gateway, the gateway for trials, OPA's library and the stock binary agree on
// every request; explanations of the denied ones name what decided.
//
// What the gateway adds in Go is no part of Rego and is stated: the floors of package
// policy (ENC-000 of keys with two names, ENC-001, GRT-000), what a key's other name
// gives, and the engine's own findings (ENF-…).
func TestAgreement(t *testing.T) {
	stock := &store{}
	upstream := httptest.NewServer(stock)
	t.Cleanup(upstream.Close)
	endpoint, _ := url.Parse(upstream.URL)
	count := tally{outcomes: map[engine.Outcome]int{}, findings: map[string]int{}, floors: map[string]int{}}
	byWorld := map[string][]asked{}
	for _, a := range draw(requests) {
		byWorld[a.world] = append(byWorld[a.world], a)
	}
	for _, name := range worlds() {
		w := newWorld(t, name, endpoint)
		stock.use(w.policy.Current())
		files := regoFiles(t, w.site)
		library := newOPA(t, files)
		judge := newJudge(t, w, files)
		var forBinary []*policy.Input
		var decided []opaDecision
		for i, a := range byWorld[name] {
			if t.Failed() && i > 200 {
				break // what is wrong has been shown
			}
			live := w.send(t, a)
			tried := w.try(t, a)
			count.add(live)
			compareRecords(t, a, live, tried)
			if live.Input == nil {
				count.undecided++
				continue
			}
			d := library.decide(t, live.Input)
			compareWithOPA(t, a, live, d, &count)
			if live.Outcome == engine.OutcomeDenied && judge.done < explained/len(worlds()) {
				judge.explain(t, a, live)
			}
			if len(forBinary) < binaries/len(worlds())+1 {
				forBinary, decided = append(forBinary, live.Input), append(decided, d)
			}
		}
		for i, d := range binary(t, files, forBinary) {
			if !reflect.DeepEqual(d, decided[i]) {
				t.Errorf("%s: the binary decides %+v, the library %+v", name, d, decided[i])
			}
		}
		t.Logf("%-16s %5d requests, %3d explained, %2d through the binary", name, len(byWorld[name]), judge.done, len(forBinary))
		count.explained(judge)
	}
	t.Logf("outcomes: %s", shown(count.outcomes))
	t.Logf("findings: %s", shown(count.findings))
	t.Logf("refused before policy was asked: %d; keys with another name: %d; Go beyond Rego: %s", count.undecided, count.aliases, shown(count.floors))
	t.Logf("explained: %d, cut short by time: %d", count.done, count.partial)
	if count.done < explained {
		t.Errorf("%d denied requests were explained, want %d", count.done, explained)
	}
	if count.undecided > requests/20 {
		t.Errorf("%d of %d requests never reached policy", count.undecided, requests)
	}
}

func (c *tally) add(r engine.Record) {
	c.outcomes[r.Outcome]++
	for _, f := range r.Findings {
		c.findings[f.ID]++
	}
}

func (c *tally) explained(j *judge) {
	c.done += j.done
	c.partial += j.partial
}

func shown[K ~string](m map[K]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		text, _ := json.Marshal(m[k])
		out = append(out, string(k)+" "+string(text))
	}
	return strings.Join(out, ", ")
}

// try sends the request through the gateway for trials.
func (w *world) try(t *testing.T, a asked) engine.Record {
	t.Helper()
	results, err := w.trial.Send(t.Context(), a.who, a.via, a.request)
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return results[0].Record
}

// decisionOf is what a record says was decided.
func decisionOf(r engine.Record) (findings []policy.Finding, decided engine.RecordEncryption) {
	findings = slices.Clone(r.Findings)
	slices.SortFunc(findings, compareFindings)
	return findings, r.Decided
}

// compareRecords holds the live gateway against the one for trials.
func compareRecords(t *testing.T, a asked, live, tried engine.Record) {
	t.Helper()
	if got, want := document(t, tried.Input), document(t, live.Input); got != want {
		t.Errorf("%s\nthe trial asks about\n%s\nthe live gateway about\n%s", a, got, want)
	}
	liveFindings, liveDecided := decisionOf(live)
	triedFindings, triedDecided := decisionOf(tried)
	same := slices.EqualFunc(liveFindings, triedFindings, func(a, b policy.Finding) bool { return key(a) == key(b) })
	if !same || !reflect.DeepEqual(liveDecided, triedDecided) || (live.Outcome == engine.OutcomeDenied) != (tried.Outcome == engine.OutcomeDenied) {
		t.Errorf("%s\ntrial: %s %+v %+v\nlive: %s %+v %+v", a, tried.Outcome, triedFindings, triedDecided, live.Outcome, liveFindings, liveDecided)
	}
}

// compareWithOPA holds the live gateway against Rego alone.
func compareWithOPA(t *testing.T, a asked, live engine.Record, d opaDecision, count *tally) {
	t.Helper()
	in := live.Input
	if live.Operation == "DeleteObjects" {
		// The record is of all keys, the input of the first that was denied.
		for _, f := range d.Findings {
			if !slices.ContainsFunc(live.Findings, func(g policy.Finding) bool { return g.ID == f.ID && g.Action == f.Action }) {
				t.Errorf("%s\nOPA finds %+v, the gateway %+v", a, f, live.Findings)
			}
		}
		return
	}
	findings, decided := decisionOf(live)
	for _, f := range d.Findings {
		if !slices.ContainsFunc(findings, func(g policy.Finding) bool { return key(f) == key(g) }) {
			t.Errorf("%s\nOPA finds %+v, the gateway does not: %+v", a, f, findings)
		}
	}
	alias := hasOtherName(in)
	if alias {
		count.aliases++
	}
	more := false // the gateway denies for what is not in Rego's answer
	for _, f := range findings {
		if slices.ContainsFunc(d.Findings, func(g policy.Finding) bool { return key(f) == key(g) }) {
			continue
		}
		switch {
		case strings.HasPrefix(f.ID, "ENF-"):
			count.floors[f.ID]++
		case alias:
			count.floors["other name: "+f.ID]++
		case f.ID == policy.FindingFloor || f.ID == policy.FindingNoGrant:
			count.floors["floor: "+f.ID]++
		default:
			t.Errorf("%s\nthe gateway finds %+v, OPA %+v", a, f, d.Findings)
		}
		more = more || f.Denies() || f.Action == ""
	}
	denied := slices.ContainsFunc(findings, policy.Finding.Denies) || more
	if d.Allow == denied && !more {
		t.Errorf("%s\nOPA allows: %v, the gateway denies: %v %+v", a, d.Allow, denied, findings)
	}
	e := d.Encryption
	want := engine.RecordEncryption{
		Mode: e.Mode, KeyID: e.KeyID, Keyring: e.Keyring, OnConflict: e.OnConflict,
		BucketKey: policy.BucketKey(e.BucketKey).Pointer(),
	}
	if len(e.Context) > 0 {
		want.Context = slices.Sorted(maps.Keys(e.Context))
	}
	if !reflect.DeepEqual(decided, want) {
		t.Errorf("%s\nOPA requires %+v, the gateway %+v", a, want, decided)
	}
}

// hasOtherName reports keys that some stores take for others.
func hasOtherName(in *policy.Input) bool {
	odd := func(key string) bool {
		return strings.Contains("/"+key, "//") || strings.Contains("/"+key+"/", "/../") || strings.Contains("/"+key+"/", "/./")
	}
	return odd(in.Resource.Key) || odd(in.CopySource.Resource.Key)
}
