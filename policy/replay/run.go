package replay

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/sealgate/sealgate/policy"
)

// Request is a request to decide again.
type Request struct {
	ID string // of its decision record
	// Input is the request as it was decided. It is not modified; nil when there is no
	// record of it.
	Input *policy.Input
	// Lacks are fields that Input does not tell, as in policy.Recorded.
	Lacks []string
	// Before is what was decided then.
	Before Verdict
}

// Options say what to compare.
type Options struct {
	// Candidate is the policy to try. Required.
	Candidate *policy.Generation
	// Baseline decides the requests as well, and its verdicts are what the candidate's
	// are compared with. Nil compares with what was decided then.
	Baseline *policy.Generation
	// Examples is how many outcomes of each kind are kept; 0 means 5, less than 0 none.
	Examples int
	// Each, if set, is told how many more requests are done.
	Each func(n int)
}

// missing is what a record lacks that has no input at all, or no decision of a policy.
var missing = struct{ input, decision []string }{[]string{"input"}, []string{"decision"}}

// Run decides requests under the candidate. It takes them one batch after the other, so
// that any number of them can be given, and uses every processor. Its error is that of
// the sequence, or of ctx; a fault of the candidate is an outcome.
func Run(ctx context.Context, o Options, requests iter.Seq2[Request, error]) (*Report, error) {
	report := NewReport(o.Examples)
	report.Revision, report.Baseline = o.Candidate.Revision(), o.Baseline.Revision()
	t := trial{candidate: o.Candidate, baseline: o.Baseline, reads: o.Candidate.Reads()}
	if o.Baseline != nil {
		t.before = o.Baseline.Reads()
	}
	batch := make([]Request, 0, 64*runtime.GOMAXPROCS(0))
	flush := func() error {
		for _, outcome := range t.all(ctx, batch) {
			report.Add(outcome)
		}
		if o.Each != nil {
			o.Each(len(batch))
		}
		batch = batch[:0]
		return ctx.Err()
	}
	for r, err := range requests {
		if err != nil {
			return nil, err
		}
		if batch = append(batch, r); len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return report, nil
}

// Sequence gives requests one after the other.
func Sequence(requests []Request) iter.Seq2[Request, error] {
	return func(yield func(Request, error) bool) {
		for _, r := range requests {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// trial is one use of a candidate.
type trial struct {
	candidate, baseline *policy.Generation
	reads, before       policy.Reads
}

// all decides a batch, in its order.
func (t *trial) all(ctx context.Context, batch []Request) []Outcome {
	out := make([]Outcome, len(batch))
	var workers sync.WaitGroup
	n := min(runtime.GOMAXPROCS(0), len(batch))
	for w := range n {
		workers.Go(func() {
			for i := w; i < len(batch) && ctx.Err() == nil; i += n {
				out[i] = t.one(ctx, batch[i])
			}
		})
	}
	workers.Wait()
	return out
}

func (t *trial) one(ctx context.Context, r Request) Outcome {
	o := Outcome{ID: r.ID, Input: r.Input, Before: r.Before}
	if o.Lacks = t.lacking(r); len(o.Lacks) > 0 {
		o.Kind = NotReplayable
		return o
	}
	if t.baseline != nil {
		o.Before = VerdictOf(t.baseline.Replay(ctx, r.Input.Clone(), policy.Trial{}))
	}
	o.After = VerdictOf(t.candidate.Replay(ctx, r.Input.Clone(), policy.Trial{}))
	o.Kind = Compare(o.Before, o.After)
	return o
}

func (t *trial) lacking(r Request) []string {
	if r.Input == nil {
		return missing.input
	}
	lacks := t.reads.Of(r.Lacks)
	if t.baseline != nil {
		lacks = append(lacks, t.before.Of(r.Lacks)...)
		slices.Sort(lacks)
		return slices.Compact(lacks)
	}
	if r.Before.Unjudged() {
		return missing.decision
	}
	return lacks
}
