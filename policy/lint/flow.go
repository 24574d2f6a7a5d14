package lint

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// flow follows values through a compiled policy. Compilation has given every local its
// own name in its module, resolved imports, and taken nested calls apart; positions are
// still those of the files. Rego has no recursion, so that a call can be followed with
// the shapes of its arguments, each on its own.
type flow struct {
	compiler *ast.Compiler
	options  Options
	claims   claims
	input    *shape
	rules    *node
	results  map[string]*shape // of calls

	evaluated map[string]map[*ast.Rule]bool // by document, what no index passes over
	depth     int
	steps     int
}

// Bounds: what lies beyond is not followed.
const (
	maxDepth = 32
	maxSteps = 2_000_000
)

// node is a name below data.
type node struct {
	children map[string]*node
	rules    []*ast.Rule
	value    *shape // nil until it is asked for
	busy     bool
}

// scope holds the locals of one rule, as far as they are bound.
type scope map[ast.Var]*shape

func newFlow(compiler *ast.Compiler, o Options) (*flow, error) {
	f := &flow{compiler: compiler, options: o, claims: claims{}, results: map[string]*shape{}, rules: &node{}, evaluated: map[string]map[*ast.Rule]bool{}}
	input, err := readSchema("input.json")
	if err != nil {
		return nil, err
	}
	known := map[string][]string{}
	for path, values := range o.Known {
		known["input."+path] = values
	}
	f.input = (&shapes{root: input, known: known}).shape(input, "input", true)
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		for _, rule := range compiler.Modules[name].Rules {
			n := f.rules
			for _, word := range rulePath(rule) {
				n = n.child(word)
			}
			n.rules = append(n.rules, rule)
		}
	}
	return f, f.contracts()
}

// contracts gives what rules of the library promise precedence over what they are made
// of, which partly comes from a site.
func (f *flow) contracts() error {
	decision, err := readSchema("decision.json")
	if err != nil {
		return err
	}
	builder := &shapes{root: decision}
	answer := decision
	if answer.Properties == nil {
		answer = decision.Definitions["decision"]
	}
	join := f.rules.child("sealgate").child("join")
	join.child("encryption").value = builder.shape(answer.Properties["encryption"], "join.encryption", true)
	join.child("on_read").value = builder.shape(answer.Properties["on_read"], "join.on_read", true)
	requirement := &shape{kinds: kindSet, elem: requirementShape(builder, answer)}
	join.child("requirements").value = requirement
	join.child("strongest").value = requirement
	// What is left out, "off", is no action of a decision.
	finding := builder.shape(answer.Properties["findings"], "main.findings", true)
	main := f.rules.child("sealgate").child("main")
	main.child("findings").value = &shape{kinds: kindSet, elem: finding.elem}
	main.child("judged").value = &shape{kinds: kindSet, elem: finding.elem}
	return nil
}

func (n *node) child(name string) *node {
	if n.children[name] == nil {
		if n.children == nil {
			n.children = map[string]*node{}
		}
		n.children[name] = &node{}
	}
	return n.children[name]
}

// rulePath is the path of a rule below data, up to its first variable.
func rulePath(rule *ast.Rule) []string {
	var path []string
	for i, term := range slices.Concat(rule.Module.Package.Path, rule.Head.Ref()) {
		switch v := term.Value.(type) {
		case ast.String:
			path = append(path, string(v))
		case ast.Var:
			switch {
			case i == 0:
			case i == len(rule.Module.Package.Path):
				path = append(path, string(v)) // the rule's own name
			default:
				return path
			}
		default:
			return path
		}
	}
	return path
}

// program follows every rule once for itself; calls are followed where they are made.
func (f *flow) program() {
	var walk func(n *node)
	walk = func(n *node) {
		if len(n.rules) > 0 {
			f.nodeValue(n)
			for _, rule := range n.rules {
				f.ruleValue(rule, f.arguments(rule, nil))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(n.children)) {
			walk(n.children[name])
		}
	}
	walk(f.rules)
}

// nodeValue is the shape of what a rule, of whatever kind, is.
func (f *flow) nodeValue(n *node) *shape {
	switch {
	case n.value != nil:
		return n.value
	case n.busy || len(n.rules) == 0:
		return unknown
	}
	n.busy = true
	defer func() { n.busy = false }()
	values := make([]*shape, len(n.rules))
	for i, rule := range n.rules {
		if len(rule.Head.Args) > 0 {
			return unknown
		}
		values[i] = f.ruleValue(rule, scope{})
	}
	n.value = joinAll(values...)
	return n.value
}

// ruleValue is the shape of what one rule adds to the document it belongs to.
func (f *flow) ruleValue(rule *ast.Rule, s scope) *shape {
	out := &shape{}
	for r := rule; r != nil; r = r.Else {
		if r != rule {
			s = maps.Clone(s)
		}
		f.body(s, r.Body)
		out = join(out, f.head(s, r))
	}
	return out
}

func (f *flow) head(s scope, rule *ast.Rule) *shape {
	h := rule.Head
	ref := h.Ref()
	ground := ref.GroundPrefix()
	switch {
	case h.RuleKind() == ast.MultiValue && len(ground) == len(ref):
		return &shape{kinds: kindSet, elem: f.term(s, h.Key).sometimes()}
	case len(ground) == len(ref) && h.Value != nil:
		return f.term(s, h.Value).sometimes()
	case len(ground) == len(ref)-1 && h.Value != nil && h.RuleKind() == ast.SingleValue:
		f.term(s, ref[len(ref)-1])
		return &shape{kinds: kindObject, rest: f.term(s, h.Value).sometimes()}
	}
	return unknown
}

// arguments binds what a function is called with. Nil stands for arguments nothing is
// known of.
func (f *flow) arguments(rule *ast.Rule, given []*shape) scope {
	s := scope{}
	for i, arg := range rule.Head.Args {
		value := unknown
		if i < len(given) {
			value = given[i]
		}
		f.match(s, arg.Location, arg, value)
	}
	return s
}

// call follows a call of one of the policy's functions.
func (f *flow) call(n *node, name string, given []*shape) *shape {
	if f.depth >= maxDepth || f.steps >= maxSteps {
		return unknown
	}
	var b strings.Builder
	b.WriteString(name)
	for _, g := range given {
		b.WriteByte('(')
		g.key(&b)
	}
	if known := f.results[b.String()]; known != nil {
		return known
	}
	f.depth++
	defer func() { f.depth-- }()
	out := &shape{}
	for _, rule := range n.rules {
		out = join(out, f.ruleValue(rule, f.arguments(rule, given)))
	}
	f.results[b.String()] = out
	return out
}

// body follows the expressions of a body twice, because the compiler may have put the
// one that binds a variable behind one that uses it.
func (f *flow) body(s scope, body ast.Body) {
	for range 2 {
		for _, e := range body {
			f.expression(s, e)
		}
	}
}

func (f *flow) expression(s scope, e *ast.Expr) {
	f.steps++
	if f.steps > maxSteps {
		return
	}
	for _, w := range e.With {
		f.with(s, w)
	}
	switch terms := e.Terms.(type) {
	case *ast.Term:
		f.presence(e, f.term(s, terms))
	case []*ast.Term:
		f.operation(s, e, terms)
	case *ast.Every:
		domain := f.term(s, terms.Domain)
		if terms.Key != nil {
			f.match(s, e.Location, terms.Key, f.position(domain))
		}
		f.match(s, e.Location, terms.Value, domain.member())
		f.body(s, terms.Body)
	case *ast.Not:
		f.body(s, terms.Body)
	}
}

// presence judges an expression that is nothing but a value: it holds unless the value
// is false or not there.
func (f *flow) presence(e *ast.Expr, value *shape) {
	if value.any || value.path == "" || len(e.With) > 0 {
		return
	}
	always := value.always && value.kinds&kindBoolean == 0
	says := "holds for every request"
	if e.Negated {
		says = "never holds"
	}
	f.claims.add(claim{
		code: AlwaysPresent, at: e.Location, subject: value.path, possible: !always,
		message: value.path + " is always there, so this " + says,
		fix:     "compare it with " + value.neutral(),
	})
}

// neutral is what a field has when there is nothing to say.
func (s *shape) neutral() string {
	switch s.kinds {
	case kindString:
		if values, ok := s.words.all(); ok && !slices.Contains(values, "") {
			return "a value, such as \"" + values[0] + "\""
		}
		return `""`
	case kindNumber:
		return "a number"
	case kindArray:
		return "[]"
	case kindObject:
		if s.closed() {
			return "nothing, and test one of its fields"
		}
		return "{}"
	}
	return "a value"
}

// with judges what a part of the input is replaced by.
func (f *flow) with(s scope, w *ast.With) {
	value := f.term(s, w.Value)
	ref, ok := w.Target.Value.(ast.Ref)
	if !ok || !ref.HasPrefix(ast.InputRootRef) {
		return
	}
	at := w.Location
	if at == nil {
		at = w.Target.Location
	}
	f.fits(at, value, f.selectAll(scope{}, f.input, ref[1:]))
}

// fits judges whether a value can stand for a part of the input.
func (f *flow) fits(at *ast.Location, value, want *shape) {
	if !f.claims.compareOwn(at, value, want) {
		return
	}
	if value.kinds&kindObject != 0 && want.kinds&kindObject != 0 {
		for name, fl := range value.fields {
			switch known := want.fields[name]; {
			case known != nil:
				f.fits(at, fl.shape, known.shape)
			case want.rest != nil:
				f.fits(at, fl.shape, want.rest)
			default:
				for _, place := range fl.at {
					f.unknownField(place, want, name)
				}
			}
		}
	}
	if value.kinds&kindArray != 0 && want.kinds&kindArray != 0 {
		f.fits(at, value.element(), want.element())
	}
}

// unknownField notes a field that a part of the input does not have.
func (f *flow) unknownField(at *ast.Location, in *shape, name string) {
	f.claims.add(claim{
		code: UnknownField, at: at, subject: name,
		message: in.path + " has no field " + quote(name),
		fix:     suggest(name, slices.Sorted(maps.Keys(in.fields))),
	})
}

// knownField notes that a field is there, at least for one of those that are looked at.
func (f *flow) knownField(at *ast.Location, name string) {
	f.claims.add(claim{code: UnknownField, at: at, subject: name, possible: true})
}
