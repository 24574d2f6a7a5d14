package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy"
)

// isSite reports whether a rule is the site's and takes part in decisions.
func isSite(rule *ast.Rule) bool {
	return rule.Location != nil && isSiteFile(rule.Location.File)
}

func isSiteFile(name string) bool {
	return !strings.HasPrefix(name, "rego/") && !strings.HasSuffix(name, "_test.rego")
}

// referred lists the rules that a reference can lead to.
func (f *flow) referred(ref ast.Ref) []*ast.Rule {
	if !ref.HasPrefix(ast.DefaultRootRef) {
		return nil
	}
	nodes := []*node{f.rules}
	for _, part := range ref[1:] {
		var next []*node
		for _, n := range nodes {
			if len(n.rules) > 0 {
				next = append(next, n) // the rest is in its value
				continue
			}
			if name, ok := part.Value.(ast.String); ok {
				if child := n.children[string(name)]; child != nil {
					next = append(next, child)
				}
				continue
			}
			next = slices.AppendSeq(next, maps.Values(n.children))
		}
		nodes = next
	}
	var out []*ast.Rule
	var below func(n *node)
	below = func(n *node) {
		out = append(out, n.rules...)
		for _, child := range n.children {
			below(child)
		}
	}
	for _, n := range nodes {
		below(n)
	}
	return out
}

// references lists the references in a rule, its head and its else branches included.
func references(x any) []ast.Ref {
	var out []ast.Ref
	ast.WalkRefs(x, func(r ast.Ref) bool {
		out = append(out, r)
		return false
	})
	return out
}

// unasked lists the site's rules that no decision comes to.
func (f *flow) unasked() []Problem {
	reached := map[*ast.Rule]bool{}
	var visit func(rule *ast.Rule)
	visit = func(rule *ast.Rule) {
		if reached[rule] {
			return
		}
		reached[rule] = true
		for _, ref := range references(rule) {
			for _, r := range f.referred(ref) {
				visit(r)
			}
		}
	}
	for _, c := range slices.Concat(f.contributions("rules", "deny"), f.contributions("encryption", "require")) {
		visit(c.rule)
	}
	var out []Problem
	said := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(f.compiler.Modules)) {
		for _, rule := range f.compiler.Modules[name].Rules {
			path := "data." + strings.Join(rulePath(rule), ".")
			if !isSite(rule) || reached[rule] || said[path] {
				continue
			}
			said[path] = true
			out = append(out, problem(NeverAsked, rule.Location, path+" is never asked: no deny or require refers to it", "refer to it or remove it"))
		}
	}
	return out
}

// unloaded lists rules of test files that decide in tests, and in no gateway: what is
// asked for findings and requirements, and what adds to a rule of a file that is loaded.
func (f *flow) unloaded() []Problem {
	loaded := map[string]bool{}
	for _, module := range f.compiler.Modules {
		for _, rule := range module.Rules {
			if isSite(rule) {
				loaded[strings.Join(rulePath(rule), ".")] = true
			}
		}
	}
	var out []Problem
	for name, module := range f.compiler.Modules {
		if strings.HasPrefix(name, "rego/") || isSiteFile(name) {
			continue
		}
		for _, rule := range module.Rules {
			path := rulePath(rule)
			if shown := strings.Join(path, "."); loaded[shown] || isAsked(path) {
				out = append(out, problem(NotLoaded, rule.Location, "data."+shown+" is in a test file, which gateways do not load: it decides in tests only", "move it to a file whose name does not end in _test.rego"))
			}
		}
	}
	return out
}

// isAsked reports whether the library looks at the rule of a site at path.
func isAsked(path []string) bool {
	if len(path) != 4 || path[0] != "site" {
		return false
	}
	return path[1] == "rules" && path[3] == "deny" || path[1] == "encryption" && path[3] == "require"
}

// uncached lists what makes the decision cache of no use.
func (f *flow) uncached() []Problem {
	var out []Problem
	for _, ref := range policy.InputReads(f.compiler.Modules) {
		at := ref[0].Location
		if at == nil || !isSiteFile(at.File) {
			continue
		}
		path := constantPath(ref)
		for _, unique := range policy.UniqueFields() {
			if !overlaps(path, strings.Split(unique, ".")) {
				continue
			}
			p := problem(Uncached, at, fmt.Sprintf("%s is read, and input.%s differs in every request: no decision is remembered", shown(path), unique), "")
			p.Fix = "name the fields that are needed, input.request.class"
			if strings.HasPrefix(unique, "time.") && len(path) > 1 {
				p.Fix = "read input.time.date, input.time.hour or input.time.weekday"
			}
			out = append(out, p)
			break
		}
	}
	return out
}

func constantPath(ref ast.Ref) []string {
	var path []string
	for _, term := range ref[1:] {
		name, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		path = append(path, string(name))
	}
	return path
}

func shown(path []string) string {
	if len(path) == 0 {
		return "input as a whole"
	}
	return "input." + strings.Join(path, ".")
}

func overlaps(a, b []string) bool {
	n := min(len(a), len(b))
	return slices.Equal(a[:n], b[:n])
}

// contradictions lists conditions of one body that no request meets together.
func (f *flow) contradictions() []Problem {
	var out []Problem
	for _, name := range slices.Sorted(maps.Keys(f.compiler.Modules)) {
		for _, rule := range f.compiler.Modules[name].Rules {
			for r := rule; r != nil; r = r.Else {
				out = append(out, contradiction(r.Body)...)
			}
		}
	}
	return out
}

// contradiction intersects the constants that each field of the input is equal to.
func contradiction(body ast.Body) []Problem {
	fields := map[ast.Var]string{} // locals that are a field of the input
	allowed := map[string][]string{}
	var out []Problem
	require := func(e *ast.Expr, field string, values []string) {
		known, ok := allowed[field]
		if !ok {
			allowed[field] = values
			return
		}
		allowed[field] = slices.DeleteFunc(slices.Clone(known), func(v string) bool { return !slices.Contains(values, v) })
		if len(known) > 0 && len(allowed[field]) == 0 {
			out = append(out, problem(Contradiction, e.Location,
				fmt.Sprintf("%s is %s here and %s in a condition before: the rule never holds", field, strings.Join(values, " or "), strings.Join(known, " or ")),
				"write two rules, or \"in\" with a set"))
		}
	}
	for _, e := range body {
		if len(e.With) > 0 {
			continue
		}
		switch terms := e.Terms.(type) {
		case *ast.Term:
			if field := groundField(terms, fields); field != "" && e.Negated {
				require(e, field, []string{"false"})
			}
		case []*ast.Term:
			if e.Negated || len(terms) != 3 {
				continue
			}
			a, b := terms[1], terms[2]
			switch terms[0].Value.String() {
			case ast.Equality.Name:
				if v, ok := a.Value.(ast.Var); ok && groundField(b, nil) != "" {
					fields[v] = groundField(b, nil)
				}
				for _, pair := range [][2]*ast.Term{{a, b}, {b, a}} {
					if field := groundField(pair[0], fields); field != "" && ast.IsScalar(pair[1].Value) {
						require(e, field, []string{pair[1].String()})
					}
				}
			case ast.Member.Name:
				if values := scalars(b); groundField(a, fields) != "" && values != nil {
					require(e, groundField(a, fields), values)
				}
			}
		}
	}
	return out
}

// groundField is the path of a term that is a field of the input, "" for others.
func groundField(t *ast.Term, locals map[ast.Var]string) string {
	switch v := t.Value.(type) {
	case ast.Var:
		return locals[v]
	case ast.Ref:
		if v.HasPrefix(ast.InputRootRef) && v.IsGround() && len(v) > 1 {
			return v.String()
		}
	}
	return ""
}

// scalars are the elements of a collection that is written out.
func scalars(t *ast.Term) []string {
	var out []string
	add := func(e *ast.Term) bool {
		out = append(out, e.String())
		return !ast.IsScalar(e.Value)
	}
	switch v := t.Value.(type) {
	case *ast.Array:
		if v.Until(add) {
			return nil
		}
	case ast.Set:
		if v.Until(add) {
			return nil
		}
	}
	return out
}
