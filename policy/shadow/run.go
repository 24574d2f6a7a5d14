package shadow

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/replay"
)

// job is a request to judge.
type job struct {
	in       *policy.Input
	before   replay.Verdict
	revision string // that decided it, "" for a fault
}

// pair is a candidate and the policy in force it is compared with.
type pair struct {
	candidate *policy.Generation
	live      string
}

// run is one candidate at work.
type run struct {
	candidate Candidate
	options   Options
	ctx       context.Context
	cancel    context.CancelFunc
	workers   sync.WaitGroup
	jobs      chan job // never closed: who observes does not know when it ends
	dropped   atomic.Int64
	passed    atomic.Int64

	mu     sync.Mutex // guards what follows
	pair   pair
	since  time.Time
	failed error
	report *replay.Report
}

func newRun(o Options, c Candidate, p pair) *run {
	r := &run{candidate: c, options: o, jobs: make(chan job, o.Queue)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.compare(p)
	for range o.Workers {
		r.workers.Go(r.work)
	}
	return r
}

// compare begins a comparison. It is called before the workers begin, or with mu held.
func (r *run) compare(p pair) {
	r.pair, r.since, r.failed = p, r.options.Now(), nil
	r.report = replay.NewReport(r.options.Examples)
	r.report.Revision, r.report.Baseline = p.candidate.Revision(), p.live
}

// end stops the workers and waits for them. What still waits in the queue is left.
func (r *run) end() {
	if r == nil {
		return
	}
	r.cancel()
	r.workers.Wait()
}

func (r *run) work() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case j := <-r.jobs:
			r.judge(j)
		}
	}
}

// judge decides a request under the candidate. Evaluations have a time-out, and what is
// wrong with one is an outcome.
func (r *run) judge(j job) {
	p, ok := r.current()
	if !ok || j.revision != "" && j.revision != p.live || j.before.Unjudged() {
		r.passed.Add(1)
		return
	}
	o := replay.Outcome{ID: j.in.Request.ID, Input: j.in, Before: j.before}
	o.After = replay.VerdictOf(p.candidate.Decide(r.ctx, j.in))
	if o.After.Fault == policy.FaultTimeout { // of a machine that is busy with requests
		o.After = replay.VerdictOf(p.candidate.Replay(r.ctx, j.in, policy.Trial{}))
	}
	if r.ctx.Err() != nil {
		return
	}
	o.Kind = replay.Compare(o.Before, o.After)
	if r.count(p, o) {
		r.options.Count(o.Kind)
	}
}

// count adds an outcome, unless it belongs to a comparison that is over.
func (r *run) count(p pair, o replay.Outcome) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p != r.pair {
		r.passed.Add(1)
		return false
	}
	r.report.Add(o)
	return true
}

// current gives what to compare. When another policy has come into force the candidate
// is loaded anew and the comparison begins from nothing; requests wait meanwhile, or are
// dropped.
func (r *run) current() (pair, bool) {
	live := r.candidate.Live()
	r.mu.Lock()
	defer r.mu.Unlock()
	if live == r.pair.live {
		return r.pair, r.failed == nil
	}
	g, err := r.candidate.Load(r.ctx)
	if err != nil {
		r.pair.live, r.failed = live, err
		return pair{}, false
	}
	r.compare(pair{g, live})
	return r.pair, true
}

func (r *run) drop() {
	r.dropped.Add(1)
	r.options.Drop()
}

func (r *run) status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{
		Running: true, Origin: r.candidate.Origin, Revision: r.pair.candidate.Revision(), Live: r.pair.live, Since: r.since,
		Dropped: r.dropped.Load(), Passed: r.passed.Load(), Report: r.report.Snapshot(),
	}
	if r.failed != nil {
		s.Error = r.failed.Error()
	}
	return s
}
