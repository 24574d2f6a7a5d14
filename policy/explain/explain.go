package explain

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sealgate/sealgate/policy"
)

// Limit is how long an explanation may take.
const Limit = 2 * time.Second

// Question is a request to explain.
type Question struct {
	// Input is the request. It is not modified; what Decide fills in is filled in anew.
	Input *policy.Input
	// Enforce gives what denies a request that policy allowed, if anything does: the
	// gateway's own findings. Nil stands for nothing.
	Enforce func(*policy.Input, policy.Decision) *policy.Finding
}

// Explanation is why a request is decided as it is.
type Explanation struct {
	// Input is the request with everything filled in that policy saw.
	Input *policy.Input `json:"-"`
	// Decision is what the policy decides, with the gateway's own finding.
	Decision policy.Decision `json:"decision"`
	// Deciding are the rules that gave the findings, in the order of these.
	Deciding []Rule `json:"deciding"`
	// Near are rules that did not apply for want of a single condition, the closest
	// first: the more of its conditions hold, the closer a rule is.
	Near []NearMiss `json:"near"`
	// Changes flip the decision, each by itself, the easiest first: what a client can
	// change, before what its connection, an operator and the store can.
	Changes []Change `json:"changes"`
	// Together is set where no single change does: changes that flip it when all of
	// them are made.
	Together []Change `json:"together,omitempty"`
	// Grants are the ids of the grants that were used.
	Grants []string `json:"grants"`
	// Required are the encryptions rules asked for, the one that won first.
	Required []Requirement `json:"required"`
	// Partial says that time ran out: more may be near, or change the decision.
	Partial bool `json:"partial"`
}

// Explain explains a request under a policy. Its errors are those of an evaluation,
// *policy.Fault, and one for an evaluation that differs from the ordinary one.
func Explain(ctx context.Context, g *policy.Generation, q Question) (*Explanation, error) {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	usual, err := clone(q.Input)
	if err != nil {
		return nil, err
	}
	if q.Input, err = clone(q.Input); err != nil {
		return nil, err
	}
	decision, err := g.Replay(ctx, usual, policy.Trial{})
	if err != nil {
		return nil, err
	}
	var watched []*watcher
	traced, err := g.Replay(ctx, q.Input, policy.Trial{Trace: func(in *policy.Input) topdown.QueryTracer {
		w := newWatcher(in)
		watched = append(watched, w)
		return w
	}})
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(decision, traced) {
		return nil, errors.New("evaluating every rule gives another decision; the policy cannot be explained")
	}

	x := &explainer{ctx: ctx, g: g, q: q, reader: newReader(ctx, g), base: decision}
	e := &Explanation{
		Input:    q.Input,
		Decision: decision,
		Grants:   slices.Clone(q.Input.Grants.IDs),
		Required: x.requirements(watched),
	}
	e.Deciding = x.deciding(watched, decision.Findings)
	if no := x.enforce(q.Input, decision); no != nil {
		e.Decision.Allow = false
		e.Decision.Findings = append(e.Decision.Findings, *no)
		e.Deciding = append(e.Deciding, x.enforced(*no))
	}
	e.Near = x.near(watched)
	x.now = x.outcomeOf(q.Input, decision)
	e.Changes, e.Together = x.changes(e)
	e.Partial = ctx.Err() != nil || slices.ContainsFunc(watched, func(w *watcher) bool { return w.full })
	return e, nil
}

// explainer is one explanation in the making.
type explainer struct {
	ctx    context.Context
	g      *policy.Generation
	q      Question
	reader *reader
	base   policy.Decision
	now    outcome // of the request as it is
}

// enforce asks the gateway about an allowed request.
func (x *explainer) enforce(in *policy.Input, d policy.Decision) *policy.Finding {
	if !d.Allow {
		return nil
	}
	return x.foresee(in, d)
}

// foresee asks the gateway about a request as if it were allowed.
func (x *explainer) foresee(in *policy.Input, d policy.Decision) *policy.Finding {
	if x.q.Enforce == nil || in.Request.Class == policy.ClassWrite && d.Encryption.Mode == policy.Unchanged {
		return nil
	}
	d.Allow = true
	return x.q.Enforce(in, d)
}

// clone copies an input, so that it can be filled in and changed.
func clone(in *policy.Input) (*policy.Input, error) {
	out := *in
	out.Schema = policy.InputSchema
	document, err := marshal(&out)
	if err != nil {
		return nil, fmt.Errorf("copying the input: %w", err)
	}
	return policy.ReadInput(document)
}
