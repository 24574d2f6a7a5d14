package explain

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sealgate/sealgate/policy"
)

// maxVisits bounds what is kept of one evaluation.
const maxVisits = 50000

// watcher follows one evaluation and keeps, of each rule that can give a finding or a
// requirement, what it answered and how far it came.
type watcher struct {
	in     *policy.Input
	open   map[uint64]*visit // by the query that evaluates the rule's body
	rules  []*visit          // one for each rule, in the order entered
	byRule map[*ast.Rule]*visit
	full   bool
}

// visit is what is kept of one rule.
type visit struct {
	rule    *ast.Rule
	answers []*ast.Term // elements it added
	failed  *ast.Expr   // the condition furthest down that did not hold
}

func newWatcher(in *policy.Input) *watcher {
	return &watcher{in: in, open: map[uint64]*visit{}, byRule: map[*ast.Rule]*visit{}}
}

// Enabled implements topdown.QueryTracer.
func (w *watcher) Enabled() bool { return true }

// Config implements topdown.QueryTracer.
func (w *watcher) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent implements topdown.QueryTracer.
func (w *watcher) TraceEvent(e topdown.Event) {
	switch e.Op {
	case topdown.EnterOp:
		rule, ok := e.Node.(*ast.Rule)
		if !ok || !answers(rule) {
			return
		}
		if len(w.open) >= maxVisits {
			w.full = true
			return
		}
		v := w.byRule[rule]
		if v == nil {
			v = &visit{rule: rule}
			w.byRule[rule] = v
			w.rules = append(w.rules, v)
		}
		w.open[e.QueryID] = v
	case topdown.ExitOp:
		rule, ok := e.Node.(*ast.Rule)
		if v := w.open[e.QueryID]; ok && v != nil && v.rule == rule && len(v.answers) < maxVisits {
			v.answers = append(v.answers, e.Plug(rule.Head.Key))
		}
	case topdown.FailOp:
		expr, ok := e.Node.(*ast.Expr)
		v := w.open[e.QueryID]
		if !ok || v == nil || expr.Index >= len(v.rule.Body) || v.rule.Body[expr.Index] != expr {
			return
		}
		if v.failed == nil || expr.Index > v.failed.Index {
			v.failed = expr
		}
	}
}

// answers reports whether a rule adds findings or requirements of its own.
func answers(rule *ast.Rule) bool {
	if rule.Head.Key == nil {
		return false
	}
	if requires(rule) {
		return true
	}
	_, ok := findingID(rule)
	return ok || lastName(rule) == "deny"
}

// requires reports whether a rule adds requirements.
func requires(rule *ast.Rule) bool {
	return rule.Head.Key != nil && lastName(rule) == "require"
}

// lastName is the name a rule has in its package.
func lastName(rule *ast.Rule) string {
	ref := rule.Ref().GroundPrefix()
	name, _ := textOf(ref[len(ref)-1])
	return name
}

// findingID is the id that a rule's findings have, as far as it is written there.
func findingID(rule *ast.Rule) (string, bool) {
	if rule.Head.Key == nil {
		return "", false
	}
	o, ok := headObject(rule)
	if !ok {
		return "", false
	}
	id, ok := textOf(o.Get(ast.InternedTerm("id")))
	return id, ok
}

// headObject is the object that a rule adds. The compiler moves one with variables in
// it out of the head, to the end of the body.
func headObject(rule *ast.Rule) (ast.Object, bool) {
	if o, ok := rule.Head.Key.Value.(ast.Object); ok {
		return o, true
	}
	name, ok := rule.Head.Key.Value.(ast.Var)
	if !ok {
		return nil, false
	}
	for _, expr := range rule.Body {
		if !expr.IsEquality() && !expr.IsAssignment() {
			continue
		}
		for i := range 2 {
			if v, ok := expr.Operand(i).Value.(ast.Var); ok && v == name {
				if o, ok := expr.Operand(1 - i).Value.(ast.Object); ok {
					return o, true
				}
			}
		}
	}
	return nil, false
}

func textOf(t *ast.Term) (string, bool) {
	if t == nil {
		return "", false
	}
	s, ok := t.Value.(ast.String)
	return string(s), ok
}
