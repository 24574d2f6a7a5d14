package mutation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// mutant is one small change to one module of the library.
type mutant struct {
	module string
	number int    // which of the module's changes it is
	place  string // file:line
	change string
}

// others says what a comparison is changed to: whether the boundary belongs to it
// is what tests forget first.
var others = map[string]ast.Ref{
	"lt":  ast.LessThanEq.Ref(),
	"lte": ast.LessThan.Ref(),
	"gt":  ast.GreaterThanEq.Ref(),
	"gte": ast.GreaterThan.Ref(),
}

// mutantsOf lists every change there is to a module.
func mutantsOf(name string, module *ast.Module) []mutant {
	var out []mutant
	for n := 0; ; n++ {
		m, ok := mutate(module.Copy(), n)
		if !ok {
			return out
		}
		m.module, m.number = name, n
		out = append(out, m)
	}
}

// mutate makes the change of that number to a module, which it modifies:
// every expression of every body taken out, also in comprehensions; every rule, and
// every else; every comparison moved by one; and every member of a constant set.
func mutate(module *ast.Module, number int) (mutant, bool) {
	c := changes{left: number}
	for i := range module.Rules {
		c.try(module.Rules[i].Location, "taken out: rule "+string(module.Rules[i].Head.Name), func() {
			module.Rules = slices.Delete(module.Rules, i, i+1)
		})
		if c.done {
			return c.made, true
		}
		c.rule(module.Rules[i])
	}
	return c.made, c.done
}

// changes counts changes down to the one that is made.
type changes struct {
	left int
	done bool
	made mutant
}

func (c *changes) try(at *ast.Location, change string, do func()) {
	if c.done {
		return
	}
	if c.left--; c.left >= 0 {
		return
	}
	do()
	c.done = true
	change, _, _ = strings.Cut(change, "\n")
	c.made = mutant{place: fmt.Sprintf("%s:%d", at.File, at.Row), change: change}
}

func (c *changes) rule(rule *ast.Rule) {
	if rule.Default {
		return
	}
	c.body(&rule.Body)
	c.nested(rule.Head)
	c.nested(rule.Body)
	if rule.Else != nil {
		c.try(rule.Else.Location, "taken out: "+string(rule.Else.Location.Text), func() { rule.Else = rule.Else.Else })
	}
	if rule.Else != nil {
		c.rule(rule.Else)
	}
}

// nested finds bodies, comparisons and constants inside terms.
func (c *changes) nested(x any) {
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Rule: // the visitor follows else by itself
			return true
		case *ast.SetComprehension:
			c.body(&x.Body)
		case *ast.ArrayComprehension:
			c.body(&x.Body)
		case *ast.ObjectComprehension:
			c.body(&x.Body)
		case *ast.Every:
			c.body(&x.Body)
		case *ast.Term:
			if set, ok := x.Value.(ast.Set); ok {
				c.set(x, set)
			}
		}
		return c.done
	}).Walk(x)
}

func (c *changes) body(body *ast.Body) {
	for i, expr := range *body {
		if isTrue(expr) || declares(expr) {
			continue
		}
		c.try(expr.Location, fmt.Sprintf("taken out: %s", expr.Location.Text), func() { without(body, i) })
		terms, ok := expr.Terms.([]*ast.Term)
		if !ok {
			continue
		}
		if to, ok := others[terms[0].Value.String()]; ok {
			c.try(expr.Location, fmt.Sprintf("%s instead: %s", to, expr.Location.Text), func() { terms[0] = ast.NewTerm(to) })
		}
	}
}

// isTrue finds the body of a rule that has none.
func isTrue(expr *ast.Expr) bool {
	term, ok := expr.Terms.(*ast.Term)
	return ok && !expr.Negated && term.Value.Compare(ast.Boolean(true)) == 0
}

// declares finds "some i, j", which only names variables.
func declares(expr *ast.Expr) bool {
	decl, ok := expr.Terms.(*ast.SomeDecl)
	if !ok {
		return false
	}
	_, in := decl.Symbols[0].Value.(ast.Call)
	return !in
}

func without(body *ast.Body, i int) {
	*body = slices.Delete(slices.Clone(*body), i, i+1)
	if len(*body) == 0 {
		*body = ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))
	}
	for i, expr := range *body {
		expr.Index = i
	}
}

// set takes members out of a set of texts.
func (c *changes) set(term *ast.Term, set ast.Set) {
	members := set.Slice()
	if len(members) < 2 {
		return
	}
	for i, m := range members {
		if _, ok := m.Value.(ast.String); !ok {
			return
		}
		c.try(term.Location, fmt.Sprintf("without %s: %s", m, term.Location.Text), func() {
			term.Value = ast.NewSet(slices.Delete(slices.Clone(members), i, i+1)...)
		})
	}
}
