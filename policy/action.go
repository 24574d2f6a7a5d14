package policy

import (
	"slices"
	"strings"

	"github.com/sealgate/sealgate/policy/posture"
)

// The findings a decision has about waivers themselves.
const (
	FindingBreakGlass     = "BRK-001" // a break-glass window lifted a finding
	FindingBreakGlassIdle = "BRK-002" // one matched and did not lift what denied
)

// judge says what comes of a finding of a rule, as rego/main does: the action, posture.ActionOff
// among them, and the id of the waiver that made it so.
func (p *Posture) judge(rule string) (action, waiver string) {
	switch {
	case posture.Locked(rule):
		return ActionDeny, ""
	case rule == FindingBreakGlass || rule == FindingBreakGlassIdle:
		return ActionAudit, ""
	case p.Actions[rule] != "":
		return p.Actions[rule], ""
	case p.Enforcement != posture.EnforcementEnforce:
		return p.Enforcement, ""
	}
	for i := range p.Waivers {
		if w := &p.Waivers[i]; w.Rule == rule && w.Kind != WaiverEnded {
			return ActionWarn, w.ID
		}
	}
	return ActionDeny, ""
}

// judged holds the actions of a decision against the posture. What Rego makes of a
// finding must be what the posture says; a difference is a fault, never an allow.
func (in *Input) judged(d *Decision) error {
	for _, f := range d.Findings {
		action, waiver := in.Posture.judge(f.ID)
		if f.Action != action || f.Waiver != waiver {
			return faultf(FaultDecision, "findings: %s has the action %q and the waiver %q, the posture gives it %q and %q",
				f.ID, f.Action, f.Waiver, action, waiver)
		}
	}
	denies := slices.ContainsFunc(d.Findings, Finding.Denies)
	if d.Allow && denies {
		return faultf(FaultDecision, "allowed with a finding that denies")
	}
	if !d.Allow && !denies {
		return faultf(FaultDecision, "denied without a finding that denies")
	}
	return nil
}

// Denies reports whether the finding refuses the request.
func (f Finding) Denies() bool { return f.Action == ActionDeny }

// reservedRule reports whether a rule id is of those whose findings never deny.
func reservedRule(id string) bool { return strings.HasPrefix(id, "BRK-") }
