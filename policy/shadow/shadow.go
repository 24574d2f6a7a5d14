package shadow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/replay"
)

// Options bound what a shadow costs.
type Options struct {
	Workers  int // 0 means 1
	Queue    int // requests that wait; 0 means 256
	Examples int // outcomes kept of each kind; 0 means 5
	// Count, if set, is told of every request that was judged, and Drop of every one
	// that was not for want of room. They must be safe for concurrent use.
	Count func(replay.Kind)
	Drop  func()
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

const (
	defaultWorkers = 1
	defaultQueue   = 256
	maxInput       = 64 << 10 // bytes of a request that is judged
)

// Candidate is a policy to try.
type Candidate struct {
	// Origin says where it comes from, in words of the operator's.
	Origin string
	// Load makes it. It is called once to start, and again, one call at a time, whenever
	// another policy has come into force: what they have in common, such as the posture,
	// may have changed.
	Load func(context.Context) (*policy.Generation, error)
	// Live is the revision in force.
	Live func() string
}

// Status says what a shadow has seen.
type Status struct {
	Running  bool      `json:"running"`
	Origin   string    `json:"origin,omitempty"`
	Revision string    `json:"revision,omitempty"` // of the candidate
	Live     string    `json:"live,omitempty"`     // revision it is compared with
	Since    time.Time `json:"since,omitzero"`     // when this comparison began
	Dropped  int64     `json:"dropped"`            // requests for which there was no room
	// Passed counts requests that say nothing about the two policies: those decided
	// under one no longer in force, or not at all for want of time.
	Passed int64 `json:"passed_over"`
	// Error says why the candidate cannot be loaded beside the policy now in force.
	Error string `json:"error,omitempty"`
	// Report is what would have been otherwise; nil if nothing is running.
	Report *replay.Report `json:"report,omitempty"`
}

// Shadow has at most one candidate at a time. It is safe for concurrent use.
type Shadow struct {
	options Options
	mu      sync.Mutex // serialises Start and Stop
	run     atomic.Pointer[run]
}

// New makes a shadow without a candidate.
func New(o Options) *Shadow {
	if o.Workers <= 0 {
		o.Workers = defaultWorkers
	}
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.Count == nil {
		o.Count = func(replay.Kind) {}
	}
	if o.Drop == nil {
		o.Drop = func() {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Shadow{options: o}
}

// ErrNotRunning is the error for what needs a candidate when there is none.
var ErrNotRunning = errors.New("no candidate is running in the shadow")

// Start loads a candidate and has it judge what comes from now on, in place of the one
// that did. On an error that one goes on.
func (s *Shadow) Start(ctx context.Context, c Candidate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := c.Live()
	g, err := c.Load(ctx)
	if err != nil {
		return fmt.Errorf("loading the candidate: %w", err)
	}
	s.run.Swap(newRun(s.options, c, pair{g, live})).end()
	return nil
}

// Stop ends the candidate and returns what it had seen; ErrNotRunning if there is none.
func (s *Shadow) Stop() (Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.run.Swap(nil)
	if r == nil {
		return Status{}, ErrNotRunning
	}
	r.end()
	status := r.status()
	status.Running = false
	return status, nil
}

// Status says what the candidate has seen so far.
func (s *Shadow) Status() Status {
	r := s.run.Load()
	if r == nil {
		return Status{}
	}
	return r.status()
}

// Observe has the candidate, if there is one, judge a request that was decided; err is
// the fault there was in place of the decision. It returns at once, keeps neither, and
// fits policy.Options.Observe.
func (s *Shadow) Observe(in *policy.Input, d policy.Decision, err error) {
	r := s.run.Load()
	if r == nil {
		return
	}
	if len(r.jobs) == cap(r.jobs) || in.Size() > maxInput { // spare the copy
		r.drop()
		return
	}
	// A fault has no revision. It belongs to the policy that is in force now: a request
	// that began under another one is rare and shows as a fault at worst.
	j := job{in: in.Clone(), before: replay.VerdictOf(d.Clone(), err), revision: d.Revision}
	select {
	case r.jobs <- j:
	default:
		r.drop()
	}
}
