package agreement

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/explain"
)

// judge holds explanations against the policy. A rule that is said to have given a
// finding must name its id, and without the rules named the finding must be gone.
type judge struct {
	w       *world
	files   map[string]string
	without map[string]*opa // by the rules left out
	done    int
	partial int // that ran out of time
}

func newJudge(t *testing.T, w *world, files map[string]string) *judge {
	t.Helper()
	return &judge{w: w, files: files, without: map[string]*opa{}}
}

func (j *judge) explain(t *testing.T, a asked, live engine.Record) {
	t.Helper()
	if live.Operation == "DeleteObjects" {
		return // its record is of many decisions
	}
	j.done++
	e, err := explain.Explain(t.Context(), j.w.policy.Current(), explain.Question{Input: live.Input, Enforce: engine.Enforced})
	if err != nil {
		t.Errorf("%s: %v", a, err)
		return
	}
	if e.Decision.Allow {
		t.Errorf("%s: explained as allowed", a)
	}
	if e.Partial { // a busy machine; what decided is told in any case
		j.partial++
	}
	for _, f := range live.Findings {
		var places []explain.Place
		named := false
		for _, r := range e.Deciding {
			if r.Finding.ID == f.ID && r.Finding.Message == f.Message {
				named = true
				if r.Place != nil {
					places = append(places, *r.Place)
				}
			}
		}
		switch {
		case !named:
			t.Errorf("%s: nothing is said to have given %s", a, f.ID)
		case len(places) > 0:
			j.check(t, a, live.Input, f, places)
		case !ownFinding(f.ID):
			t.Errorf("%s: %s is said to be the gateway's own", a, f.ID)
		}
	}
	// The source of a copy that was denied beforehand has not been looked at.
	unseen := live.Input.CopySource.Present && !live.Input.CopySource.Encryption.Known
	if len(e.Changes) == 0 && len(e.Together) == 0 && !unseen && !e.Partial {
		t.Errorf("%s: nothing is found that would change it: %+v", a, live.Findings)
	}
}

// ownFinding reports findings that the gateway makes itself.
func ownFinding(id string) bool {
	return strings.HasPrefix(id, "ENF-") || slices.Contains([]string{"ENC-000", "ENC-001", "GRT-000"}, id)
}

// check leaves out the rules named and looks whether the finding is gone.
func (j *judge) check(t *testing.T, a asked, in *policy.Input, f policy.Finding, places []explain.Place) {
	t.Helper()
	for _, p := range places {
		rule := j.ruleAt(t, p)
		if rule == nil {
			t.Errorf("%s: there is no rule at %s:%d", a, p.File, p.Line)
			return
		}
		if !strings.Contains(rule.Head.String(), f.ID) {
			t.Errorf("%s: the rule at %s:%d does not give %s", a, p.File, p.Line, f.ID)
		}
	}
	d := j.leaveOut(t, places).decide(t, in)
	for _, left := range d.Findings {
		if left.ID == f.ID && left.Message == f.Message {
			t.Errorf("%s: without %v OPA still finds %+v", a, places, left)
		}
	}
}

func (j *judge) ruleAt(t *testing.T, p explain.Place) *ast.Rule {
	t.Helper()
	module, err := ast.ParseModule(p.File, j.files[p.File])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range module.Rules {
		if r.Location.Row == p.Line {
			return r
		}
	}
	return nil
}

// leaveOut is the policy without some rules.
func (j *judge) leaveOut(t *testing.T, places []explain.Place) *opa {
	t.Helper()
	name := fmt.Sprint(places)
	if o, ok := j.without[name]; ok {
		return o
	}
	options := []func(*oparego.Rego){oparego.Query(entrypoint)}
	for file, text := range j.files {
		module, err := ast.ParseModule(file, text)
		if err != nil {
			t.Fatal(err)
		}
		module.Rules = slices.DeleteFunc(module.Rules, func(r *ast.Rule) bool {
			return slices.Contains(places, explain.Place{File: file, Line: r.Location.Row})
		})
		options = append(options, oparego.ParsedModule(module))
	}
	query, err := oparego.New(options...).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j.without[name] = &opa{query}
	return j.without[name]
}
