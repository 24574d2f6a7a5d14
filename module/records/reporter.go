package records

import (
	"sync"
	"time"
)

// reporter tells how many records were dropped: soon after the first one, then at
// most once every so often. Telling is not left to those who drop, because a log that
// blocks may well be why they do.
type reporter struct {
	tell  func(dropped uint64, reason string)
	every time.Duration

	mu      sync.Mutex
	pending uint64
	reason  string
	timer   *time.Timer // runs while something was told less than `every` ago
	ended   bool

	err   string
	errAt time.Time
}

// add notes records that were dropped.
func (r *reporter) add(n uint64, reason string) {
	if r.tell == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending, r.reason = r.pending+n, reason
	if r.timer == nil && !r.ended {
		r.timer = time.AfterFunc(0, r.due)
	}
}

// due tells what is pending and comes back later; it rests when there was nothing.
func (r *reporter) due() {
	n, reason := r.take()
	if n > 0 {
		r.tell(n, reason)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ended:
	case n == 0 && r.pending == 0:
		r.timer = nil
	default:
		r.timer = time.AfterFunc(r.every, r.due)
	}
}

func (r *reporter) take() (uint64, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.pending
	r.pending = 0
	return n, r.reason
}

// end tells what is left.
func (r *reporter) end() {
	r.mu.Lock()
	r.ended = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	if n, reason := r.take(); n > 0 && r.tell != nil {
		r.tell(n, reason)
	}
}

// failed keeps how a write failed.
func (r *reporter) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, r.errAt = err.Error(), time.Now().UTC()
}

func (r *reporter) lastError() (string, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err, r.errAt
}
