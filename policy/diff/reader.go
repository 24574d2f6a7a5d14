package diff

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// reader follows the rules of one policy.
type reader struct {
	compiler *ast.Compiler
	memo     map[*ast.Rule]*summary
}

// summary is what a rule and all it asks have in them.
type summary struct {
	reads map[string]bool // paths below input
	texts []string
	ids   []string // of findings, as far as they are written
}

// touches reports whether a rule reads one of some fields.
func (s *summary) touches(paths map[string]bool) bool {
	for path := range paths {
		if s.reads[path] {
			return true
		}
		for read := range s.reads {
			if read == "posture" || strings.HasPrefix(read, path+".") {
				return true
			}
		}
	}
	return false
}

func (r *reader) summary(rule *ast.Rule) *summary {
	if s := r.memo[rule]; s != nil {
		return s
	}
	s := &summary{reads: map[string]bool{}}
	r.memo[rule] = s
	for one := range r.below(rule) {
		ast.WalkRefs(one, func(ref ast.Ref) bool {
			if path, ok := inputPath(ref); ok {
				s.reads[path] = true
			}
			return false
		})
		ast.WalkTerms(one, func(t *ast.Term) bool {
			text, ok := t.Value.(ast.String)
			switch {
			case !ok:
			case isRuleID(string(text)):
				if !slices.Contains(s.ids, string(text)) {
					s.ids = append(s.ids, string(text))
				}
			case !slices.Contains(s.texts, string(text)):
				s.texts = append(s.texts, string(text))
			}
			return false
		})
	}
	return s
}

// below gives a rule and those it asks, and so on.
func (r *reader) below(rule *ast.Rule) map[*ast.Rule]bool {
	seen := map[*ast.Rule]bool{}
	queue := []*ast.Rule{rule}
	for len(queue) > 0 {
		one := queue[0]
		queue = queue[1:]
		if seen[one] {
			continue
		}
		seen[one] = true
		ast.WalkRefs(one, func(ref ast.Ref) bool {
			if ref.HasPrefix(ast.DefaultRootRef) {
				queue = append(queue, r.compiler.GetRules(ref.GroundPrefix())...)
			}
			return false
		})
	}
	return seen
}

// line is one line of a rule: the fields it reads and what stands beside them.
type line struct {
	reads   map[string]bool
	texts   []string
	numbers []int64
}

func (l *line) add(other *line) {
	if other == nil || other == l {
		return
	}
	maps.Copy(l.reads, other.reads)
	for _, text := range other.texts {
		if !slices.Contains(l.texts, text) {
			l.texts = append(l.texts, text)
		}
	}
	for _, n := range other.numbers {
		if !slices.Contains(l.numbers, n) {
			l.numbers = append(l.numbers, n)
		}
	}
}

// lines takes a rule apart. What a rule or function has in it that is asked in a line
// belongs to that line, and so does what the line's variables were set from.
func (r *reader) lines(rule *ast.Rule) []line {
	byRow := map[int]*line{}
	var order []int
	given := map[ast.Var]*line{} // what a variable comes from
	for _, expr := range rule.Body {
		if ofHead(rule, expr) {
			continue
		}
		row := 0
		if expr.Location != nil {
			row = expr.Location.Row
		}
		l := byRow[row]
		if l == nil {
			l = &line{reads: map[string]bool{}}
			byRow[row], order = l, append(order, row)
		}
		r.read(expr, l)
		vars := expr.Vars(ast.VarVisitorParams{SkipRefCallHead: true})
		for v := range vars {
			l.add(given[v])
		}
		for v := range vars {
			if given[v] == nil {
				given[v] = &line{reads: map[string]bool{}}
			}
			given[v].add(l)
		}
	}
	out := make([]line, 0, len(order))
	for _, row := range order {
		if l := byRow[row]; len(l.reads) > 0 {
			out = append(out, *l)
		}
	}
	return out
}

// ofHead reports whether an expression stands for a part of the head, such as its
// message, which the compiler has moved into the body.
func ofHead(rule *ast.Rule, expr *ast.Expr) bool {
	if rule.Head.Key == nil || rule.Head.Key.Location == nil || expr.Location == nil {
		return false
	}
	head := rule.Head.Key.Location
	return expr.Location.Offset >= head.Offset && expr.Location.Offset < head.Offset+len(head.Text)
}

func (r *reader) read(expr *ast.Expr, l *line) {
	var visit func(x any, depth int)
	visit = func(x any, depth int) {
		ast.WalkTerms(x, func(t *ast.Term) bool {
			switch v := t.Value.(type) {
			case ast.Object: // of which the names are no values
				v.Foreach(func(_, value *ast.Term) { visit(value, depth) })
				return true
			case ast.Ref:
				if path, ok := inputPath(v); ok {
					l.reads[path] = true
				}
				if v.HasPrefix(ast.DefaultRootRef) && depth < maxDepth && !combines(v) {
					for _, asked := range r.compiler.GetRules(v.GroundPrefix()) {
						visitRule(asked, func(x any) { visit(x, depth+1) })
					}
				}
				return true // the names in a path are no values
			case ast.String:
				// What is asked for elsewhere can be a message.
				if s := string(v); !isRuleID(s) && (depth == 0 || !strings.Contains(s, " ")) && !slices.Contains(l.texts, s) {
					l.texts = append(l.texts, s)
				}
			case ast.Number:
				if n, ok := v.Int64(); ok && !slices.Contains(l.numbers, n) {
					l.numbers = append(l.numbers, n)
				}
			}
			return false
		})
	}
	visit(expr, 0)
}

// visitRule visits what a rule's value comes from.
func visitRule(rule *ast.Rule, visit func(any)) {
	for ; rule != nil; rule = rule.Else {
		visit(rule.Body)
		for _, t := range []*ast.Term{rule.Head.Value, rule.Head.Key} {
			if t != nil {
				visit(t)
			}
		}
	}
}

// combiners put the findings and requirements of all rules together. They read what
// decides about all of them, which says nothing about any.
var combiners = []ast.Ref{ast.MustParseRef("data.sealgate.main"), ast.MustParseRef("data.sealgate.join")}

func combines(ref ast.Ref) bool { return slices.ContainsFunc(combiners, ref.HasPrefix) }

// maxDepth is how far constants are looked for behind a name.
const maxDepth = 3

// inputPath is a reference below input, up to its first variable.
func inputPath(ref ast.Ref) (string, bool) {
	if len(ref) == 0 || !ref[0].Equal(ast.InputRootDocument) {
		return "", false
	}
	var names []string
	for _, t := range ref[1:] {
		name, ok := t.Value.(ast.String)
		if !ok {
			break
		}
		names = append(names, string(name))
	}
	return strings.Join(names, "."), true
}

// isRuleID reports the form AAA-000.
func isRuleID(s string) bool {
	if len(s) != 7 || s[3] != '-' {
		return false
	}
	for i := range 3 {
		if s[i] < 'A' || s[i] > 'Z' || s[i+4] < '0' || s[i+4] > '9' {
			return false
		}
	}
	return true
}
