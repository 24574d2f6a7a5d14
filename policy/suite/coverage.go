package suite

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
)

// Coverage is which of the site's lines with rules and conditions tests come to.
type Coverage struct {
	Percent float64        `json:"percent"` // 100 if there is nothing to cover
	Covered int            `json:"covered_lines"`
	Lines   int            `json:"lines"`
	Files   []FileCoverage `json:"files"`
}

// FileCoverage is the coverage of one file.
type FileCoverage struct {
	File    string  `json:"file"`
	Percent float64 `json:"percent"`
	Gaps    []Gap   `json:"gaps"`
}

// Gap is a rule that no test has in full.
type Gap struct {
	Rule string `json:"rule"` // data.site.rules.x.deny
	Rows []int  `json:"rows"` // that no test comes to
	Row  int    `json:"row"`  // of what stopped every test, 0 if there is no such condition
	Why  string `json:"why"`
}

func measure(c *cover.Cover, modules map[string]*ast.Module) Coverage {
	site := maps.Clone(modules)
	maps.DeleteFunc(site, func(name string, _ *ast.Module) bool {
		return strings.HasPrefix(name, "rego/") || strings.HasSuffix(name, "_test.rego")
	})
	report := c.Report(site)
	out := Coverage{Percent: 100, Files: []FileCoverage{}}
	for _, name := range slices.Sorted(maps.Keys(site)) {
		file := report.Files[name]
		if file == nil {
			continue
		}
		out.Covered += file.CoveredLines
		out.Lines += file.CoveredLines + file.NotCoveredLines
		f := FileCoverage{File: name, Percent: 100, Gaps: []Gap{}}
		if file.CoveredLines+file.NotCoveredLines > 0 {
			f.Percent = file.Coverage
		}
		for _, rule := range site[name].Rules {
			for r := rule; r != nil; r = r.Else {
				if gap, ok := gapOf(r, file); ok {
					gap.Rule = rule.Ref().String()
					f.Gaps = append(f.Gaps, gap)
				}
			}
		}
		out.Files = append(out.Files, f)
	}
	if out.Lines > 0 {
		out.Percent = 100 * float64(out.Covered) / float64(out.Lines)
	}
	return out
}

// state is what tests had of one place.
type state struct {
	row     int
	text    string
	covered bool
	kinds   []cover.Kind
}

// gapOf says what of a rule is not covered: its conditions in their order, then itself.
func gapOf(rule *ast.Rule, file *cover.FileReport) (Gap, bool) {
	var conditions []state
	for _, e := range rule.Body {
		if e.Location != nil && e.Location.HasFile() {
			conditions = append(conditions, stateOf(e.Location, file))
		}
	}
	head := stateOf(rule.Head.Location, file)
	var g Gap
	for _, s := range append([]state{head}, conditions...) {
		if !s.covered && !slices.Contains(g.Rows, s.row) {
			g.Rows = append(g.Rows, s.row)
		}
	}
	if len(g.Rows) == 0 {
		return Gap{}, false
	}
	slices.Sort(g.Rows)
	g.Row, g.Why = why(head, conditions)
	return g, true
}

// why finds the condition that kept every test from going on: the last that any came to,
// be it in the run without OPA's index.
func why(head state, conditions []state) (row int, reason string) {
	last, excluded := -1, false
	for i, s := range conditions {
		byIndex := slices.Contains(s.kinds, cover.KindIndexExcluded)
		if s.covered || byIndex {
			last = i
		}
		excluded = excluded || byIndex
	}
	early := slices.ContainsFunc(append([]state{head}, conditions...), func(s state) bool {
		return !s.covered && slices.Contains(s.kinds, cover.KindEarlyExit)
	})
	switch {
	case head.covered:
		return head.row, "some of it is passed over where the rule holds"
	case early:
		return head.row, "an earlier rule had given the answer in every test (early_exit)"
	case last < 0:
		return head.row, "no test asks for it"
	case excluded:
		return conditions[last].row, fmt.Sprintf("no test meets the condition %s; OPA passes the rule over by its index (index_excluded)", conditions[last].text)
	}
	return conditions[last].row, "no test meets the condition " + conditions[last].text
}

func stateOf(at *ast.Location, file *cover.FileReport) state {
	s := state{row: at.Row, text: oneLine(string(at.Text)), covered: true}
	for _, r := range file.NotCovered {
		if r.Start.Row == at.Row && (r.Start.Col == 0 || r.Start.Col == at.Col) {
			s.covered, s.kinds = false, r.Kinds
			return s
		}
	}
	return s
}

// oneLine shortens a condition to show it in a sentence.
func oneLine(text string) string {
	first, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	const most = 80
	if cut := first[:min(len(first), most)]; len(first) > most || more {
		first = cut + " …"
	}
	return cmp.Or(first, "there")
}
