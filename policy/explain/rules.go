package explain

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy"
)

// Place is where something is written.
type Place struct {
	File string `json:"file"` // rego/<path> in the library, else below the site's directory
	Line int    `json:"line"`
}

func placeOf(l *ast.Location) *Place { return &Place{l.File, l.Row} }

// Rule is a rule that gave a finding.
type Rule struct {
	Finding policy.Finding `json:"finding"`
	Title   string         `json:"title"` // from its annotation, "" without one
	// Place is where the rule is; nil for what the gateway itself holds to.
	Place *Place `json:"place,omitempty"`
	// Conditions are the rule's own words, in its order, and what they read.
	Conditions []Condition `json:"conditions"`
	// Name is the name of the object the rule was asked about, where some stores take
	// the key for another one; "" otherwise.
	Name string `json:"name,omitempty"`

	rule *ast.Rule
	in   *policy.Input
}

// Condition is one line of a rule's body.
type Condition struct {
	Text   string  `json:"text"`
	Place  Place   `json:"place"`
	Values []Value `json:"values"`
}

// NearMiss is a rule that did not apply for want of one condition. Those that are about
// something that is there come before those that are not.
type NearMiss struct {
	ID         string    `json:"id"` // of its finding, "" where that is not written in it
	Title      string    `json:"title"`
	Place      Place     `json:"place"`
	Conditions int       `json:"conditions"` // how many the rule has; all but one hold
	Failed     Condition `json:"failed"`
	// Absent says that the failed condition is about something the request, or its
	// posture, does not have at all, such as a copy's source.
	Absent bool `json:"absent"`

	rule *ast.Rule
}

// Requirement is an encryption that a rule asked for.
type Requirement struct {
	Place Place           `json:"place"`
	Value json.RawMessage `json:"value"`
	Mode  policy.Mode     `json:"mode"`
	Won   bool            `json:"won"` // no other was stronger
}

// deciding gives the rules behind each finding.
func (x *explainer) deciding(watched []*watcher, findings []policy.Finding) []Rule {
	var out []Rule
	for _, finding := range findings {
		found := false
		for i, w := range watched {
			for _, v := range w.rules {
				if requires(v.rule) || !slices.ContainsFunc(v.answers, func(t *ast.Term) bool { return gives(t, finding) }) {
					continue
				}
				r := x.decided(w, v.rule, finding)
				if i > 0 {
					r.Name = w.in.Resource.Key
				}
				if !slices.ContainsFunc(out, func(o Rule) bool { return o.rule == v.rule && o.Finding == finding }) {
					out = append(out, r)
				}
				found = true
			}
		}
		if !found {
			out = append(out, x.enforced(finding))
		}
	}
	return out
}

func (x *explainer) decided(w *watcher, rule *ast.Rule, finding policy.Finding) Rule {
	r := Rule{Finding: finding, Title: x.reader.titles[finding.ID], Place: placeOf(rule.Location), rule: rule, in: w.in}
	value := w.in.Value()
	for _, expr := range conditions(rule) {
		r.Conditions = append(r.Conditions, x.condition(value, rule, expr))
	}
	return r
}

// enforced is a finding that no rule gave: the gateway's own floors.
func (x *explainer) enforced(finding policy.Finding) Rule {
	return Rule{Finding: finding, Title: x.reader.titles[finding.ID], Conditions: []Condition{}, in: x.q.Input}
}

// gives reports whether what a rule added is this finding.
func gives(answer *ast.Term, finding policy.Finding) bool {
	o, ok := answer.Value.(ast.Object)
	if !ok {
		return false
	}
	field := func(name string) string {
		s, _ := textOf(o.Get(ast.InternedTerm(name)))
		return s
	}
	return field("id") == finding.ID && field("msg") == finding.Message && field("path") == finding.Path
}

// near lists the rules that all but applied.
func (x *explainer) near(watched []*watcher) []NearMiss {
	out := []NearMiss{}
	for _, w := range watched {
		value := w.in.Value()
		for _, v := range w.rules {
			if requires(v.rule) || len(v.answers) > 0 || v.failed == nil {
				continue
			}
			if slices.ContainsFunc(out, func(n NearMiss) bool { return n.rule == v.rule }) {
				continue
			}
			if n, ok := x.nearMiss(value, v); ok {
				out = append(out, n)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b NearMiss) int {
		return cmp.Or(compareBools(a.Absent, b.Absent), -cmp.Compare(a.Conditions, b.Conditions), compareLocations(a.rule.Location, b.rule.Location))
	})
	return out
}

// nearMiss asks whether the conditions of a rule hold when the failed one is left out.
func (x *explainer) nearMiss(in ast.Value, v *visit) (NearMiss, bool) {
	written := conditions(v.rule)
	failed := v.failed
	if failed.Generated {
		failed = writtenOf(v.rule, failed)
	}
	if failed == nil || len(written) < 2 {
		return NearMiss{}, false
	}
	rest := ast.NewBody()
	for _, expr := range v.rule.Body {
		if expr == v.failed || expr.Location.Row == failed.Location.Row && expr.Generated {
			continue
		}
		rest.Append(expr.Copy())
	}
	if !bound(rest, v.failed) || !x.reader.holds(in, rest) {
		return NearMiss{}, false
	}
	id, _ := findingID(v.rule)
	n := NearMiss{
		ID: id, Title: x.reader.titles[id], Place: *placeOf(v.rule.Location),
		Conditions: len(written), Failed: x.condition(in, v.rule, failed), Absent: true, rule: v.rule,
	}
	for _, value := range n.Failed.Values {
		n.Absent = n.Absent && isNeutral(value)
	}
	return n, true
}

// isNeutral reports a value of a field that says that there is nothing, or what kind
// of request it is: no other value of that would be of the same request.
func isNeutral(v Value) bool {
	if strings.HasPrefix(v.Path, "request.") && isFixed(v.Path) {
		return true
	}
	switch string(v.Value) {
	case "null", "false", `""`, "0", "-1", "[]", "{}", `"unset"`, `"unknown"`:
		return true
	}
	return v.Path == "encryption.requested.mode" && string(v.Value) == `"none"`
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// bound reports whether conditions can do without the one left out: it gives no
// variable its value that they need.
func bound(rest ast.Body, left *ast.Expr) bool {
	needed := ast.NewVarSet()
	for _, expr := range rest {
		needed.Update(expr.Vars(ast.VarVisitorParams{SkipClosures: true, SkipRefHead: true}))
	}
	for name := range left.Vars(ast.VarVisitorParams{SkipClosures: true, SkipRefHead: true}) {
		if !needed.Contains(name) || !sets(left, name) {
			continue
		}
		if !slices.ContainsFunc(rest, func(e *ast.Expr) bool { return sets(e, name) }) {
			return false
		}
	}
	return true
}

// conditions are the lines of a rule's body as its author wrote them.
func conditions(rule *ast.Rule) []*ast.Expr {
	var out []*ast.Expr
	for _, expr := range rule.Body {
		if expr.Generated || expr.Location == nil || strings.TrimSpace(string(expr.Location.Text)) == "" || isTrue(expr) || ofHead(rule, expr) {
			continue
		}
		out = append(out, expr)
	}
	return out
}

// ofHead reports whether an expression stands for a part of the head, which the
// compiler has moved into the body.
func ofHead(rule *ast.Rule, expr *ast.Expr) bool {
	if len(rule.Body) == 0 || rule.Head.Key == nil {
		return false
	}
	key := rule.Head.Key.Location
	if key == nil || expr.Location == nil {
		return false
	}
	return expr.Location.Offset >= key.Offset && expr.Location.Offset < key.Offset+len(key.Text)
}

// isTrue reports the condition of a rule that has none.
func isTrue(expr *ast.Expr) bool {
	t, ok := expr.Terms.(*ast.Term)
	return ok && t.Value.Compare(ast.Boolean(true)) == 0
}

// writtenOf is the condition that a compiled part of it comes from.
func writtenOf(rule *ast.Rule, part *ast.Expr) *ast.Expr {
	for _, expr := range conditions(rule) {
		if l := expr.Location; part.Location != nil && part.Location.Offset >= l.Offset && part.Location.Offset <= l.Offset+len(l.Text) {
			return expr
		}
	}
	return nil
}

func (x *explainer) condition(in ast.Value, rule *ast.Rule, expr *ast.Expr) Condition {
	text := strings.Join(strings.Fields(string(expr.Location.Text)), " ")
	return Condition{Text: text, Place: *placeOf(expr.Location), Values: x.reader.values(in, rule, expr)}
}

// requirements lists what encryption was asked for, the strongest first.
func (x *explainer) requirements(watched []*watcher) []Requirement {
	out := []Requirement{}
	if len(watched) == 0 || x.base.Encryption.Mode == policy.Unchanged {
		return out
	}
	for _, v := range watched[0].rules {
		if !requires(v.rule) {
			continue
		}
		for _, answer := range v.answers {
			document, err := marshalTerm(answer.Value)
			o, ok := answer.Value.(ast.Object)
			if err != nil || !ok {
				continue
			}
			mode, _ := textOf(o.Get(ast.InternedTerm("mode")))
			out = append(out, Requirement{Place: *placeOf(v.rule.Location), Value: document, Mode: policy.Mode(mode)})
		}
	}
	slices.SortStableFunc(out, func(a, b Requirement) int { return cmp.Compare(b.Mode.Rank(), a.Mode.Rank()) })
	for i := range out {
		out[i].Won = out[i].Mode.Rank() == out[0].Mode.Rank()
	}
	return out
}
