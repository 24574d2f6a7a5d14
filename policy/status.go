package policy

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/sealgate/sealgate/policy/posture"
)

// Status says what is in force and whether the last attempt to replace it failed.
type Status struct {
	Revision string    // of the policy in force, "" none
	LoadedAt time.Time // when it was loaded
	Files    int       // posture and site files it was loaded from, without tests
	Source   SourceStatus

	// Err says why the policy in force is not the newest: why the last attempt to
	// load failed, or why the source could not be asked; "" when it is. Step is the
	// Step constant at which it was, ErrAt when.
	Err   string
	Step  string
	ErrAt time.Time
	// Failures counts what failed since the engine was made, by step.
	Failures map[string]uint64

	// Previous is the revision that Rollback puts into force, "" none.
	Previous string
	// RolledBack says that what the source or the posture file holds is not put into
	// force because it was rolled back from, or because another policy was promoted.
	RolledBack bool
	// Waivers are the steps that the policy in force did not have to pass.
	Waivers []Waived

	// Notices is what is odd about the posture in force at this moment, such as an
	// exception that has expired. Nothing of it keeps a posture from being loaded.
	Notices []posture.Notice

	// Cached says that a request which differs from an earlier one only in what no
	// rule reads is answered without an evaluation. Uncached says why not, and names
	// the place in the policy where there is one; it is "" when Cached.
	Cached   bool
	Uncached string
}

// SourceStatus is where the site's Rego in force is from.
type SourceStatus struct {
	Origin   string // a path or a URL, "" for the library alone
	Revision string // what the source calls it
	// Confirmed is when the newest policy was last known to be in force, Age how long
	// ago that is.
	Confirmed time.Time
	Age       time.Duration
	// Limit is the longest age, 0 without one. Stale says that it is exceeded.
	Limit time.Duration
	Stale bool
}

// failure is what keeps the newest policy out of force.
type failure struct {
	err error
	at  time.Time
}

// step is the step a failure was at.
func (f failure) step() string {
	var at *StepError
	if errors.As(f.err, &at) {
		return at.Step
	}
	return StepRead
}

// Status returns the state of the engine. It does not wait for a policy that is being
// loaded.
func (e *Engine) Status() Status {
	if e == nil {
		return Status{Err: errNotLoaded.Error()}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Status{Failures: maps.Clone(e.failures), RolledBack: e.refused.any()}
	if g := e.current.Load(); g != nil {
		s.Revision, s.LoadedAt, s.Files = g.revision, g.loadedAt, g.sources.files()
		s.Waivers = slices.Clone(g.waived)
		s.Uncached = g.cache.stopped()
		s.Cached = s.Uncached == ""
		s.Notices = g.Notices(g.now())
		s.Source = SourceStatus{
			Origin: g.sources.from.Origin, Revision: g.sources.from.Revision,
			Confirmed: time.Unix(0, e.live.confirmed.Load()), Age: e.live.age(), Limit: e.live.limit, Stale: e.live.stale(),
		}
	}
	if e.previous != nil {
		s.Previous = e.previous.revision
	}
	if f := e.failing(); f.err != nil {
		s.Err, s.Step, s.ErrAt = f.err.Error(), f.step(), f.at
	}
	return s
}

// failing is what to show: what failed to load tells more than that nothing newer can
// be had.
func (e *Engine) failing() failure {
	if e.failed.err != nil {
		return e.failed
	}
	return e.unheard
}
