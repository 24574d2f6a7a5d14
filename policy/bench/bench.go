// Package bench measures what decisions cost under a site's policy and posture, against
// the library alone and against no policy at all.
package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sealgate/sealgate/policy"
)

// Options say what to measure.
type Options struct {
	Policy policy.Options // PostureFile is required
	// Decisions is how many are measured of each kind; 0 means 5000.
	Decisions int
	// Progress, if set, is told how many more decisions are done, of Total(Decisions).
	Progress func(n int64)
}

// Latency is how long decisions took, in microseconds.
type Latency struct {
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
	P999 float64 `json:"p999_us"`
}

// Report is what was measured. A decision is the whole of it: building the input,
// evaluating, reading and checking the answer.
type Report struct {
	Revision   string     `json:"revision"`
	Requests   int        `json:"requests"`  // different ones, made from the posture
	Decisions  int        `json:"decisions"` // of each kind
	Policy     Latency    `json:"policy"`    // site, library and posture, nothing remembered
	Library    Latency    `json:"library"`   // without the site
	Empty      Latency    `json:"empty"`     // one rule that denies everything
	Remembered Latency    `json:"remembered"`
	Uncached   string     `json:"uncached,omitempty"` // why nothing is remembered
	Rules      []RuleCost `json:"rules"`              // those that cost most, first
}

const (
	defaultDecisions = 5000
	kinds            = 4 // of decisions
)

// Total is how many decisions a run measures in all.
func Total(decisions int) int64 { return kinds * int64(count(decisions)) }

func count(decisions int) int {
	if decisions <= 0 {
		return defaultDecisions
	}
	return decisions
}

// Run loads the policy and measures. The kinds take turns, so that what else the
// machine does meets all of them.
func Run(ctx context.Context, o Options) (Report, error) {
	engine, err := policy.New(o.Policy)
	if err != nil {
		return Report{}, err
	}
	alone := o.Policy
	alone.SiteDir = ""
	library, err := policy.New(alone)
	if err != nil {
		return Report{}, fmt.Errorf("the library alone: %w", err)
	}
	bare, err := policy.Bare(ctx, o.Policy.PostureFile)
	if err != nil {
		return Report{}, fmt.Errorf("an empty policy: %w", err)
	}
	requests, err := requestsFor(o.Policy.PostureFile)
	if err != nil {
		return Report{}, err
	}
	g := engine.Current()
	r := Report{Revision: g.Revision(), Requests: len(requests), Decisions: count(o.Decisions), Uncached: engine.Status().Uncached}
	measured := []struct {
		by  *policy.Generation
		out *Latency
	}{{g.Anew(), &r.Policy}, {library.Current().Anew(), &r.Library}, {bare.Anew(), &r.Empty}, {g, &r.Remembered}}
	took := make([][]time.Duration, len(measured))
	for i := range measured {
		took[i] = make([]time.Duration, 0, r.Decisions)
		for _, in := range requests { // the first time of each is not measured
			if err := decide(ctx, measured[i].by, in); err != nil {
				return Report{}, err
			}
		}
	}
	for n := range r.Decisions {
		if ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		for i, m := range measured {
			in := requests[n%len(requests)]
			begin := time.Now()
			if err := decide(ctx, m.by, in); err != nil {
				return Report{}, err
			}
			took[i] = append(took[i], time.Since(begin))
		}
		if o.Progress != nil {
			o.Progress(kinds)
		}
	}
	for i, m := range measured {
		*m.out = latency(took[i])
	}
	r.Rules, err = ruleCosts(ctx, g, requests, r.Policy.P50)
	return r, err
}

func decide(ctx context.Context, g *policy.Generation, in policy.Input) error {
	if _, err := g.Decide(ctx, &in); err != nil {
		return fmt.Errorf("%s of %s/%s: %w", in.Request.Operation, in.Resource.Bucket, in.Resource.Key, err)
	}
	return nil
}

// latency sorts what it is given.
func latency(took []time.Duration) Latency {
	slices.Sort(took)
	at := func(permille int) float64 {
		return float64(took[min(len(took)-1, len(took)*permille/1000)].Nanoseconds()) / 1000
	}
	return Latency{P50: at(500), P99: at(990), P999: at(999)}
}
