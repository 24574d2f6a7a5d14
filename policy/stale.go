package policy

import (
	"fmt"
	"sync/atomic"
	"time"
)

// StaleAction says what becomes of requests when it is not known for too long whether
// the policy in force is still the newest.
type StaleAction string

// The values of StaleAction. A request that is not decided gets the fault EVL-008.
const (
	StaleDenyWrites StaleAction = "deny_writes" // what changes nothing at the store goes on; the default
	StaleDeny       StaleAction = "deny"        // nothing goes on
	StaleServe      StaleAction = "serve"       // everything goes on
)

// live is what a Generation that is in force has beside its content. The generations
// of an Engine share one. A nil live is that of a Generation nobody put into force.
type live struct {
	observe   func(*Input, Decision, error)
	limit     time.Duration // 0 = never stale
	action    StaleAction
	now       func() time.Time
	confirmed atomic.Int64 // when the newest policy was last known to be in force, in ns since the epoch
}

// confirm notes a moment at which the newest policy was in force.
func (l *live) confirm(at time.Time) {
	for {
		last := l.confirmed.Load()
		if at.UnixNano() <= last || l.confirmed.CompareAndSwap(last, at.UnixNano()) {
			return
		}
	}
}

// age is how long ago that was.
func (l *live) age() time.Duration { return l.now().Sub(time.Unix(0, l.confirmed.Load())) }

// stale reports whether that is too long.
func (l *live) stale() bool { return l != nil && l.limit > 0 && l.age() > l.limit }

// admit refuses requests that a stale policy does not decide.
func (l *live) admit(in *Input) error {
	if !l.stale() || l.action == StaleServe || l.action == StaleDenyWrites && in.Request.ReadOnly {
		return nil
	}
	return fault(FaultStale, fmt.Errorf("the policy source was last heard of %v ago, more than %v", l.age().Round(time.Second), l.limit))
}

// saw tells the observer of a decision.
func (l *live) saw(in *Input, d Decision, err error) {
	if l != nil && l.observe != nil {
		l.observe(in, d, err)
	}
}
