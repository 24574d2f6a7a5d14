package explain

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sealgate/sealgate/policy"
)

// reader finds out what rules read: of the input, and of other rules.
type reader struct {
	ctx      context.Context
	compiler *ast.Compiler
	store    storage.Store
	titles   map[string]string // by rule id
}

func newReader(ctx context.Context, g *policy.Generation) *reader {
	r := &reader{ctx: ctx, compiler: g.Compiler(), store: inmem.New(), titles: map[string]string{}}
	for _, module := range r.compiler.Modules {
		for _, rule := range module.Rules {
			for _, a := range rule.Annotations {
				if id, ok := a.Custom["id"].(string); ok && a.Title != "" {
					r.titles[id] = a.Title
				}
			}
		}
	}
	return r
}

// Value is something a rule read.
type Value struct {
	// Path is that of a field below input, or of another rule: join.encryption.mode.
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"` // null where there is none
}

// maxValues bounds how many values are shown of one condition.
const maxValues = 12

// values are what some conditions of a rule read. Where that says nothing, because they
// only ask whether another rule holds, it is what that one reads.
func (r *reader) values(in ast.Value, rule *ast.Rule, conditions ...*ast.Expr) []Value {
	reads := r.readsOf(rule, conditions...)
	out := []Value{}
	for _, ref := range reads.inputs {
		out = append(out, Value{pathOf(ref), r.field(in, ref)})
	}
	telling := len(out) > 0
	for _, ref := range reads.rules {
		value := r.value(in, ref)
		if _, yes := value.(ast.Boolean); value == nil || yes {
			continue // that it holds or not is what the condition says already
		}
		if document, err := marshalTerm(value); err == nil {
			out, telling = append(out, Value{shortPath(ref), document}), true
		}
	}
	if !telling {
		for _, ref := range r.below(reads) {
			out = append(out, Value{pathOf(ref), r.field(in, ref)})
		}
	}
	return out[:min(len(out), maxValues)]
}

// reads are the references in some conditions, each once.
type reads struct {
	inputs []ast.Ref   // below input, up to their first variable
	rules  []ast.Ref   // rules whose value is asked for
	calls  []ast.Ref   // functions
	consts []ast.Value // texts and numbers written there
}

// readsOf follows the variables of conditions to what they were set to.
func (r *reader) readsOf(rule *ast.Rule, conditions ...*ast.Expr) reads {
	var out reads
	seenVar := map[ast.Var]bool{}
	seenExpr := map[*ast.Expr]bool{}
	var visit func(*ast.Expr)
	follow := func(name ast.Var) {
		if seenVar[name] {
			return
		}
		seenVar[name] = true
		for _, other := range rule.Body {
			if sets(other, name) {
				visit(other)
			}
		}
	}
	visit = func(expr *ast.Expr) {
		if seenExpr[expr] {
			return
		}
		seenExpr[expr] = true
		ast.WalkTerms(expr, func(term *ast.Term) bool {
			switch v := term.Value.(type) {
			case ast.Ref:
				out.add(r, v)
				for _, part := range v {
					if name, ok := part.Value.(ast.Var); ok {
						follow(name)
					}
				}
				return true // the names in a path are no values
			case ast.Var:
				follow(v)
			case ast.String, ast.Number:
				out.constant(v)
			}
			return false
		})
	}
	for _, condition := range conditions {
		visit(condition)
	}
	return out
}

func (s *reads) add(r *reader, ref ast.Ref) {
	head, ok := ref[0].Value.(ast.Var)
	if !ok {
		return
	}
	switch head {
	case ast.InputRootDocument.Value:
		s.inputs = addRef(s.inputs, groundPart(ref))
	case ast.DefaultRootDocument.Value:
		ground := groundPart(ref)
		if rules := r.compiler.GetRulesForVirtualDocument(ground); len(rules) > 0 && len(rules[0].Head.Args) > 0 {
			s.calls = addRef(s.calls, ground)
		} else {
			s.rules = addRef(s.rules, ground)
		}
	}
}

func (s *reads) constant(v ast.Value) {
	if !slices.ContainsFunc(s.consts, func(o ast.Value) bool { return o.Compare(v) == 0 }) {
		s.consts = append(s.consts, v)
	}
}

// sets reports whether an expression gives a variable its value.
func sets(expr *ast.Expr, name ast.Var) bool {
	if expr.IsEquality() || expr.IsAssignment() {
		for i := range 2 {
			if t := expr.Operand(i); t != nil && mentions(t, name) {
				return true
			}
		}
		return false
	}
	if !expr.IsCall() || expr.Negated {
		return expr.IsEvery() || isRefOver(expr, name)
	}
	operands := expr.Operands()
	if len(operands) == 0 {
		return false
	}
	last, ok := operands[len(operands)-1].Value.(ast.Var)
	return ok && last == name || isRefOver(expr, name)
}

// isRefOver reports whether name runs over a collection in the expression: xs[name].
func isRefOver(expr *ast.Expr, name ast.Var) bool {
	found := false
	ast.WalkRefs(expr, func(ref ast.Ref) bool {
		for _, t := range ref[1:] {
			if v, ok := t.Value.(ast.Var); ok && v == name {
				found = true
			}
		}
		return found
	})
	return found
}

func mentions(t *ast.Term, name ast.Var) bool {
	switch v := t.Value.(type) {
	case ast.Var:
		return v == name
	case *ast.Array:
		found := false
		v.Foreach(func(e *ast.Term) { found = found || mentions(e, name) })
		return found
	}
	return false
}

// below lists the fields of the input that rules and functions read, and those they
// ask in turn.
func (r *reader) below(of reads) []ast.Ref {
	var out []ast.Ref
	seen := map[*ast.Rule]bool{}
	queue := slices.Concat(of.rules, of.calls)
	for len(queue) > 0 && len(out) < maxValues {
		ref := queue[0]
		queue = queue[1:]
		for _, rule := range r.rulesAt(ref) {
			if seen[rule] {
				continue
			}
			seen[rule] = true
			next := r.everything(rule)
			for _, in := range next.inputs {
				out = addRef(out, in)
			}
			queue = append(append(queue, next.rules...), next.calls...)
		}
	}
	return out
}

// everything is what a rule reads in its head and its body.
func (r *reader) everything(rule *ast.Rule) reads {
	out := r.readsOf(rule, rule.Body...)
	ast.WalkRefs(rule.Head, func(ref ast.Ref) bool {
		out.add(r, ref)
		return false
	})
	for other := rule.Else; other != nil; other = other.Else {
		more := r.everything(other)
		for _, ref := range more.inputs {
			out.inputs = addRef(out.inputs, ref)
		}
		out.rules, out.calls = append(out.rules, more.rules...), append(out.calls, more.calls...)
	}
	return out
}

// rulesAt are the rules a reference can mean, in the order they are written.
func (r *reader) rulesAt(ref ast.Ref) []*ast.Rule {
	rules := r.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{})
	slices.SortFunc(rules, func(a, b *ast.Rule) int { return compareLocations(a.Location, b.Location) })
	return rules
}

// field is the value at a path of the input.
func (r *reader) field(in ast.Value, ref ast.Ref) json.RawMessage {
	value, err := in.Find(ref[1:])
	if err != nil {
		return json.RawMessage("null")
	}
	document, err := marshalTerm(value)
	if err != nil {
		return json.RawMessage("null")
	}
	return document
}

const valueVar = ast.Var("__explained__")

// value asks for a rule's value; nil if it has none.
func (r *reader) value(in ast.Value, ref ast.Ref) ast.Value {
	body := ast.NewBody(ast.Equality.Expr(ast.NewTerm(ref), ast.NewTerm(valueVar)))
	var found ast.Value
	r.ask(in, body, func(q topdown.QueryResult) {
		if t := q[valueVar]; t != nil {
			found = t.Value
		}
	})
	return found
}

// holds reports whether conditions hold.
func (r *reader) holds(in ast.Value, body ast.Body) bool {
	found := false
	r.ask(in, body, func(topdown.QueryResult) { found = true })
	return found
}

// errEnough ends an evaluation at its first answer.
type errEnough struct{}

func (errEnough) Error() string { return "enough" }

// ask evaluates compiled conditions until their first answer. What fails has none.
func (r *reader) ask(in ast.Value, body ast.Body, first func(topdown.QueryResult)) {
	txn, err := r.store.NewTransaction(r.ctx)
	if err != nil {
		return
	}
	defer r.store.Abort(r.ctx, txn)
	defer func() { _ = recover() }() // conditions taken out of their rule may be more than the evaluator takes
	stop := topdown.NewCancel()
	defer context.AfterFunc(r.ctx, stop.Cancel)()
	query := topdown.NewQuery(body).WithCompiler(r.compiler).WithStore(r.store).WithTransaction(txn).
		WithInput(ast.NewTerm(in)).WithCancel(stop)
	_ = query.Iter(r.ctx, func(q topdown.QueryResult) error {
		first(q)
		return errEnough{}
	})
}

func groundPart(ref ast.Ref) ast.Ref {
	for i, t := range ref {
		if i > 0 && !isName(t) {
			return ref[:i]
		}
	}
	return ref
}

func isName(t *ast.Term) bool {
	_, ok := t.Value.(ast.String)
	return ok
}

// addRef adds a reference that is not there yet.
func addRef(list []ast.Ref, ref ast.Ref) []ast.Ref {
	if slices.ContainsFunc(list, func(o ast.Ref) bool { return o.Equal(ref) }) {
		return list
	}
	return append(list, ref)
}

// pathOf is a reference in dots, without its root.
func pathOf(ref ast.Ref) string {
	names := make([]string, 0, len(ref))
	for _, t := range ref[1:] {
		s, _ := textOf(t)
		names = append(names, s)
	}
	return strings.Join(names, ".")
}

// shortPath is a rule's path as its neighbours write it: package and name.
func shortPath(ref ast.Ref) string {
	path := pathOf(ref)
	for _, prefix := range []string{"sealgate.rules.", "sealgate.lib.", "sealgate."} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			return rest
		}
	}
	return path
}

func marshalTerm(v ast.Value) (json.RawMessage, error) {
	value, err := ast.JSON(v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

func compareLocations(a, b *ast.Location) int {
	return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col))
}
