package bench

import (
	"cmp"
	"context"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/profiler"

	"github.com/sealgate/sealgate/policy"
)

// RuleCost is the part of a rule in a decision: the time in its own expressions,
// without those of rules it refers to. All rules of one name in one file are together.
type RuleCost struct {
	Rule   string  `json:"rule"` // data.site.rules.x.deny
	File   string  `json:"file"`
	Row    int     `json:"row"` // of the first
	Micros float64 `json:"us"`  // of the median decision
	Share  float64 `json:"share"`
}

const (
	shownRules = 10 // that are reported
	profiled   = 20 // times every request is evaluated under the profiler
)

// ruleCosts divides the time of a decision among rules. The profiler slows an evaluation
// down, evenly as far as that goes, so that it gives shares and not times.
func ruleCosts(ctx context.Context, g *policy.Generation, requests []policy.Input, decision float64) ([]RuleCost, error) {
	p := profiler.New()
	for range max(1, profiled*len(ordinary)/len(requests)) {
		for _, in := range requests {
			if err := g.Trace(ctx, &in, p); err != nil {
				return nil, err
			}
		}
	}
	type place struct{ rule, file string }
	costs := map[place]*RuleCost{}
	total := 0.0
	for file, report := range p.ReportByFile().Files {
		for _, stat := range report.Result {
			total += float64(stat.ExprTimeNs)
			rule := ruleAt(g.Compiler().Modules[file], stat.Location.Row)
			if rule == nil {
				continue
			}
			at := place{rule.Ref().String(), file}
			if costs[at] == nil {
				costs[at] = &RuleCost{Rule: at.rule, File: file, Row: rule.Location.Row}
			}
			costs[at].Row = min(costs[at].Row, rule.Location.Row)
			costs[at].Micros += float64(stat.ExprTimeNs)
		}
	}
	out := make([]RuleCost, 0, len(costs))
	for _, c := range costs {
		c.Share = c.Micros / total
		c.Micros = c.Share * decision
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b RuleCost) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Rule, b.Rule))
	})
	return out[:min(len(out), shownRules)], nil
}

// ruleAt is the rule of a file that a row belongs to.
func ruleAt(module *ast.Module, row int) *ast.Rule {
	if module == nil {
		return nil
	}
	var found *ast.Rule
	for _, rule := range module.Rules {
		if rule.Location != nil && rule.Location.Row <= row && (found == nil || rule.Location.Row >= found.Location.Row) {
			found = rule
		}
	}
	return found
}
