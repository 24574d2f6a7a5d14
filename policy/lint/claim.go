package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// claim is one place of which something could be wrong. A rule or a constant can be
// used in several ways; only what is wrong in all of them is a problem.
type claim struct {
	code     Code
	at       *ast.Location
	subject  string // what is looked at there
	possible bool
	message  string
	fix      string
	lists    []*list
}

type claimID struct {
	code     Code
	file     string
	row, col int
	subject  string
}

// claims collects them. What is possible once stays so.
type claims map[claimID]*claim

// add notes one use of what stands at a place.
func (c claims) add(n claim) *claim {
	if n.at == nil || n.at.File == "" {
		return &claim{}
	}
	id := claimID{n.code, n.at.File, n.at.Row, n.at.Col, n.subject}
	known := c[id]
	if known == nil {
		c[id] = &n
		return &n
	}
	known.possible = known.possible || n.possible
	if known.message == "" {
		known.message, known.fix = n.message, n.fix
	}
	return known
}

// value notes that a string of the policy is held against values that are all known.
func (c claims) value(said string, at []*ast.Location, against *words) {
	for _, place := range at {
		n := c.add(claim{code: ImpossibleValue, at: place, subject: said, possible: against.has(said)})
		for _, l := range against.lists {
			if !slices.Contains(n.lists, l) {
				n.lists = append(n.lists, l)
			}
		}
	}
}

// problems are what was never possible.
func (c claims) problems() []Problem {
	var out []Problem
	for _, n := range c {
		if n.possible {
			continue
		}
		if n.code == ImpossibleValue && n.message == "" {
			n.explainValue()
		}
		out = append(out, problem(n.code, n.at, n.message, n.fix))
	}
	return out
}

// explainValue says which values there are and which one was probably meant.
func (n *claim) explainValue() {
	var fields []string
	values := map[string]bool{}
	for _, l := range n.lists {
		if !slices.Contains(fields, l.of) {
			fields = append(fields, l.of)
		}
		for _, v := range l.values {
			values[v] = true
		}
	}
	slices.Sort(fields)
	all := slices.Sorted(maps.Keys(values))
	n.message = fmt.Sprintf("%q is never a value of %s", n.subject, strings.Join(fields, " or "))
	n.fix = suggest(n.subject, all)
}

// manyValues is how many are still worth listing.
const manyValues = 12

// suggest says what to write in place of a word.
func suggest(wrong string, right []string) string {
	nearest, distance := "", len(wrong)/2+1
	for _, r := range right {
		if d := edits(wrong, r); d < distance {
			nearest, distance = r, d
		}
	}
	switch {
	case nearest != "":
		return fmt.Sprintf("write %q", nearest)
	case len(right) == 0:
		return "remove it"
	case len(right) > manyValues:
		return fmt.Sprintf("write one of the %d values there are, such as %q", len(right), right[0])
	}
	quoted := make([]string, len(right))
	for i, r := range right {
		quoted[i] = fmt.Sprintf("%q", r)
	}
	return "write one of " + strings.Join(quoted, ", ")
}

// edits is the number of letters to insert, delete, replace or swap with a neighbour
// to make one word the other.
func edits(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}

// compare notes that two values are held against each other. It is symmetric.
func (c claims) compare(at *ast.Location, a, b *shape) {
	if !c.compareOwn(at, a, b) {
		return
	}
	common := a.kinds & b.kinds
	if common&(kindArray|kindSet) != 0 {
		switch {
		case len(a.items) > 0 && len(a.items) == len(b.items):
			for i := range a.items {
				c.compare(at, a.items[i], b.items[i])
			}
		case a.holds() && b.holds():
			c.compareWords(a.element().words, b.element().words)
			c.compareWords(b.element().words, a.element().words)
		}
	}
	if common&kindObject != 0 {
		for name, f := range a.fields {
			if other := b.fields[name]; other != nil {
				c.compare(at, f.shape, other.shape)
			}
		}
	}
}

// compareOwn compares the values without what is in them, and reports whether they can
// be equal as far as that goes.
func (c claims) compareOwn(at *ast.Location, a, b *shape) bool {
	if a.any || b.any || a.empty() || b.empty() {
		return false
	}
	common := a.kinds & b.kinds
	n := claim{code: ImpossibleType, at: at, possible: common != 0}
	if common == 0 {
		if a.path == "" {
			a, b = b, a
		}
		n.message, n.fix = fmt.Sprintf("%s is never %s", a.describe(), b.kinds), "compare values of the same type"
	}
	c.add(n)
	if common&kindString != 0 {
		c.compareWords(a.words, b.words)
		c.compareWords(b.words, a.words)
	}
	return common != 0
}

// holds reports whether strings are known to be in a list.
func (s *shape) holds() bool {
	e := s.element()
	return !e.any && e.kinds&kindString != 0
}

// compareWords judges the words a policy says against enumerations.
func (c claims) compareWords(said, against *words) {
	if said == nil || against == nil || len(against.lists) == 0 {
		return
	}
	for value, at := range said.said {
		c.value(value, at, against)
	}
}

// describe names a value for a message.
func (s *shape) describe() string {
	if s.path != "" {
		return s.path + ", " + s.kinds.String() + ","
	}
	return s.kinds.String()
}
