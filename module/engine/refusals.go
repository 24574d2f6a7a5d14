package engine

import (
	"sync"
	"time"

	"github.com/sealgate/sealgate/policy"
)

// refusalTime is how long a mode the store failed to apply is refused up front.
const refusalTime = 5 * time.Minute

// refusals remembers which modes the store has answered with weaker encryption
// than decided. It lives as long as its Engine: a reload forgets. At most one
// entry per mode exists.
type refusals struct {
	now   func() time.Time
	mu    sync.Mutex
	until map[policy.Mode]time.Time
}

func (r *refusals) add(m policy.Mode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = make(map[policy.Mode]time.Time)
	}
	r.until[m] = r.now().Add(refusalTime)
}

func (r *refusals) has(m policy.Mode) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.until[m]
	if ok && r.now().After(t) {
		delete(r.until, m)
		ok = false
	}
	return ok
}
