package replay

import (
	"context"
	"fmt"
	"strings"

	"github.com/sealgate/sealgate/policy"
)

// Budget is how large a share of the requests, from 0 to 1, a new policy may decide
// otherwise. The zero value allows no change but those that Encryption and Findings
// name, which have no budget.
type Budget struct {
	DenyToAllow   float64
	Weaker        float64
	Faults        float64
	AllowToDeny   float64
	NotReplayable float64
}

// DefaultBudget lets nothing pass that did not, or less encrypted, one request in a
// hundred be refused that was not, and one in twenty remain unknown.
func DefaultBudget() Budget { return Budget{AllowToDeny: 0.01, NotReplayable: 0.05} }

// OverBudget is the error of a policy that changes more than its budget allows.
type OverBudget struct {
	Kind    Kind
	Count   int
	Of      int     // requests
	Allowed float64 // share of them
	Example Outcome // the first of the kind
}

// Error names the first request that shows it.
func (e *OverBudget) Error() string {
	budget := "none"
	if e.Allowed > 0 {
		budget = fmt.Sprintf("%.4g%%", 100*e.Allowed)
	}
	return fmt.Sprintf("%d of %d requests %s, the budget is %s: %s", e.Count, e.Of, e.Kind.words(), budget, e.Example)
}

func (k Kind) words() string {
	switch k {
	case DenyToAllow:
		return "that were denied would pass"
	case Weaker:
		return "would be encrypted less"
	case Fault:
		return "could not be decided"
	case AllowToDeny:
		return "that passed would be denied"
	case NotReplayable:
		return "cannot be replayed"
	}
	return "would change (" + string(k) + ")"
}

// Check gives an *OverBudget for the worst kind of change that is beyond the budget.
func (b Budget) Check(r *Report) error {
	for _, limit := range []struct {
		kind    Kind
		count   int
		allowed float64
	}{
		{DenyToAllow, r.Kinds[DenyToAllow], b.DenyToAllow},
		{Weaker, r.Kinds[Weaker], b.Weaker},
		{Fault, r.Kinds[Fault], b.Faults},
		{AllowToDeny, r.Kinds[AllowToDeny], b.AllowToDeny},
		{NotReplayable, r.NotReplayable, b.NotReplayable},
	} {
		if float64(limit.count) > limit.allowed*float64(r.Requests) {
			example, _ := r.Example(limit.kind)
			return &OverBudget{Kind: limit.kind, Count: limit.count, Of: r.Requests, Allowed: limit.allowed, Example: example}
		}
	}
	return nil
}

// Gate decides requests under the policy in force and under the candidate for its
// place, and holds what changes against the budget. That the policy may have been
// another one when the requests were made does not count. The error is an *OverBudget
// or that of ctx. Without a policy in force there is nothing to compare, and no error.
func Gate(ctx context.Context, current, candidate *policy.Generation, requests []Request, b Budget) (*Report, error) {
	if current == nil {
		return NewReport(0), nil
	}
	report, err := Run(ctx, Options{Candidate: candidate, Baseline: current}, Sequence(requests))
	if err != nil {
		return nil, err
	}
	return report, b.Check(report)
}

func list(names []string) string { return strings.Join(names, ", ") }
