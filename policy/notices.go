package policy

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy/posture"
)

// Notices says what is odd about the posture at a moment: what posture.Lint finds, and
// rule ids in it that no rule of the library or the site has. nil when there is nothing.
func (g *Generation) Notices(now time.Time) []posture.Notice {
	if g == nil {
		return nil
	}
	epoch := g.posture.Epoch(now)
	last := g.notices.last.Load()
	if last == nil || last.epoch != epoch {
		known := func(rule string) bool { return g.ruleIDs[rule] }
		last = &epochNotices{epoch, append(posture.Lint(g.posture, now), posture.LintRules(g.posture, known)...)}
		g.notices.last.Store(last)
	}
	return slices.Clone(last.list)
}

// notices keeps the notices of the epoch last asked for: they change with it only, and
// a status is asked for often.
type notices struct{ last atomic.Pointer[epochNotices] }

type epochNotices struct {
	epoch int
	list  []posture.Notice
}

// ruleIDs collects every text of the form AAA-000 in a policy. An id that a rule puts
// together from parts is not found.
func ruleIDs(modules map[string]*ast.Module) map[string]bool {
	found := map[string]bool{}
	for _, module := range modules {
		ast.WalkTerms(module, func(t *ast.Term) bool {
			if s, ok := t.Value.(ast.String); ok && ruleID(string(s)) {
				found[string(s)] = true
			}
			return false
		})
	}
	return found
}
