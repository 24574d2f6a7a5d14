package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// manyElements is how long a list of the policy may be that is gone through.
const manyElements = 16

// unboundedBuiltins do work that grows with a value, not with its size.
var unboundedBuiltins = []string{"numbers.range", "numbers.range_step", "net.cidr_expand", "walk", "graph.reachable", "graph.reachable_paths"}

// costs looks for what every request has to pay, below one rule that is asked.
type costs struct {
	*flow
	asked string // the document that is asked, data.site.rules.x.deny
	seen  map[*ast.Rule]bool
	found []Problem
}

// costly lists the site's expensive expressions that no index keeps requests from.
// Their Cost names the document to measure.
func (f *flow) costly() []Problem {
	var out []Problem
	for _, c := range slices.Concat(f.contributions("rules", "deny"), f.contributions("encryption", "require")) {
		if c.shipped {
			continue
		}
		asked := &costs{flow: f, asked: "data." + strings.Join(rulePath(c.rule), "."), seen: map[*ast.Rule]bool{}}
		asked.rule(c.rule, f.indexed(c.rule))
		out = append(out, asked.found...)
	}
	return out
}

// alien resolves every reference to a value that no rule mentions: what an index still
// returns for it is evaluated for every request.
type alien struct{}

func (alien) Resolve(ast.Ref) (ast.Value, error) { return ast.String("\x00alien"), nil }

// indexed reports whether OPA passes a rule over for requests that do not have the
// values it names.
func (f *flow) indexed(rule *ast.Rule) bool {
	ref := rule.Ref().GroundPrefix()
	name := ref.String()
	if f.evaluated[name] == nil {
		f.evaluated[name] = f.alwaysEvaluated(ref)
	}
	return !f.evaluated[name][rule]
}

// alwaysEvaluated are the rules of a document that its index returns for every request.
func (f *flow) alwaysEvaluated(ref ast.Ref) map[*ast.Rule]bool {
	out := map[*ast.Rule]bool{}
	index := f.compiler.RuleIndex(ref)
	if index == nil {
		for _, rule := range f.compiler.GetRulesExact(ref) {
			out[rule] = true
		}
		return out
	}
	result, err := index.Lookup(alien{})
	if err != nil {
		return out
	}
	defer ast.IndexResultPool.Put(result)
	for _, rule := range result.Rules {
		out[rule] = true
	}
	return out
}

// rule looks at a rule and what it refers to. Guarded says that an index is before it.
func (c *costs) rule(rule *ast.Rule, guarded bool) {
	if c.seen[rule] {
		return
	}
	c.seen[rule] = true
	for r := rule; r != nil; r = r.Else {
		c.body(r.Body, guarded, false)
	}
}

// body looks at the expressions in their order: a condition keeps requests from those
// behind it, if less surely than an index.
func (c *costs) body(body ast.Body, guarded, condition bool) {
	bound := map[ast.Var]bool{}
	origin := map[ast.Var]*ast.Term{}
	for _, e := range body {
		c.expression(e, bound, origin, guarded, condition)
		ast.WalkVars(e, func(v ast.Var) bool {
			bound[v] = true
			return false
		})
		condition = condition || isCondition(e)
	}
}

func (c *costs) expression(e *ast.Expr, bound map[ast.Var]bool, origin map[ast.Var]*ast.Term, guarded, condition bool) {
	if terms, ok := e.Terms.([]*ast.Term); ok {
		c.call(e, terms, origin, guarded)
		if v, ok := terms[min(1, len(terms)-1)].Value.(ast.Var); ok && len(terms) == 3 && terms[0].Value.String() == ast.Equality.Name {
			origin[v] = terms[2]
		}
	}
	if every, ok := e.Terms.(*ast.Every); ok {
		if !guarded && !condition {
			c.iteration(e, follow(every.Domain, origin))
		}
		c.body(every.Body, guarded, condition)
	}
	visitor := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension:
			c.body(x.Body, guarded, condition)
			return true
		case *ast.SetComprehension:
			c.body(x.Body, guarded, condition)
			return true
		case *ast.ObjectComprehension:
			c.body(x.Body, guarded, condition)
			return true
		case *ast.Every:
			return true
		case ast.Ref:
			c.reference(e, x, bound, origin, guarded || condition)
			for _, rule := range c.referred(x) {
				if isSite(rule) {
					c.rule(rule, guarded || c.indexed(rule))
				}
			}
		}
		return false
	})
	visitor.Walk(e)
}

// call judges built-in functions.
func (c *costs) call(e *ast.Expr, terms []*ast.Term, origin map[ast.Var]*ast.Term, guarded bool) {
	name := terms[0].Value.String()
	switch {
	case slices.Contains(unboundedBuiltins, name):
		for _, operand := range terms[1:min(len(terms), 3)] {
			if !ast.IsScalar(follow(operand, origin).Value) {
				c.add(Unbounded, e, name+" does as much work as a value of the request asks for", "compare the value instead")
				return
			}
		}
	case guarded:
	case strings.HasPrefix(name, "regex."):
		c.add(Unindexed, e, name+" is evaluated for every request", "put a condition with == before it that few requests meet, or use startswith, endswith or input.resource.prefixes")
	case name == "glob.match" && !simpleGlob(terms[1]):
		c.add(Unindexed, e, "glob.match with ** is evaluated for every request", "put a condition with == before it that few requests meet, or use input.resource.prefixes")
	case strings.HasPrefix(name, "crypto.") || strings.HasPrefix(name, "io.jwt.") || strings.HasPrefix(name, "json.") || strings.HasPrefix(name, "yaml."):
		c.add(Unindexed, e, name+" is evaluated for every request", "put a condition with == before it that few requests meet")
	}
}

func simpleGlob(pattern *ast.Term) bool {
	text, ok := pattern.Value.(ast.String)
	return ok && !strings.Contains(string(text), "**")
}

// reference judges going through all elements of something.
func (c *costs) reference(e *ast.Expr, ref ast.Ref, bound map[ast.Var]bool, origin map[ast.Var]*ast.Term, guarded bool) {
	for i, part := range ref[1:] {
		v, ok := part.Value.(ast.Var)
		if !ok || bound[v] || guarded {
			continue
		}
		from := ast.NewTerm(ref[:i+1])
		if i == 0 {
			from = follow(ref[0], origin)
		}
		c.iteration(e, from)
		return
	}
}

// iteration reports going through a list of the request or a long one of the policy.
func (c *costs) iteration(e *ast.Expr, from *ast.Term) {
	ref, ok := from.Value.(ast.Ref)
	switch {
	case !ok:
	case ref.HasPrefix(ast.InputRootRef):
		c.add(Unindexed, e, fmt.Sprintf("all of %s are gone through for every request", ref), "put a condition before it, such as input.request.operation == …, or use \"in\"")
	case ref.HasPrefix(ast.DefaultRootRef):
		if n, known := c.size(ref); !known || n > manyElements {
			c.add(Unindexed, e, fmt.Sprintf("all of %s are gone through for every request", ref), "look the value up: make it a set or an object and write \"in\" or [ ]")
		}
	}
}

// size is how many elements a constant of the policy has.
func (c *costs) size(ref ast.Ref) (n int, known bool) {
	rules := c.referred(ref)
	if len(rules) != 1 || rules[0].Head.Value == nil || rules[0].Head.RuleKind() != ast.SingleValue {
		return 0, false
	}
	switch v := rules[0].Head.Value.Value.(type) {
	case *ast.Array:
		return v.Len(), true
	case ast.Set:
		return v.Len(), true
	case ast.Object:
		return v.Len(), true
	}
	return 0, false
}

// follow finds what a local stands for.
func follow(t *ast.Term, origin map[ast.Var]*ast.Term) *ast.Term {
	for range maxDepth {
		v, ok := t.Value.(ast.Var)
		if !ok || origin[v] == nil {
			break
		}
		t = origin[v]
	}
	return t
}

// isCondition reports whether an expression can keep a request from what follows it.
func isCondition(e *ast.Expr) bool {
	terms, ok := e.Terms.([]*ast.Term)
	if !ok || e.Negated {
		return true
	}
	switch terms[0].Value.String() {
	case ast.Equality.Name:
		_, a := terms[1].Value.(ast.Var)
		_, b := terms[2].Value.(ast.Var)
		return !a && !b
	case ast.Member.Name, ast.NotEqual.Name, ast.StartsWith.Name, ast.EndsWith.Name,
		ast.GreaterThan.Name, ast.GreaterThanEq.Name, ast.LessThan.Name, ast.LessThanEq.Name:
		return true
	}
	return false
}

func (c *costs) add(code Code, e *ast.Expr, message, fix string) {
	p := problem(code, e.Location, message, fix)
	p.Cost = &Cost{Asked: c.asked}
	c.found = append(c.found, p)
}
