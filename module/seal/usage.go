package seal

import (
	"sync"
	"sync/atomic"
)

// usage lets one goroutine close what another is reading: buffers are given
// back when neither uses them, and Close never waits for a source that hangs.
type usage struct {
	closed  atomic.Bool
	mu      sync.Mutex // held while reading
	release func()     // called with mu held, more than once
}

// begin reports whether reading is still allowed. If so, end must be called.
func (u *usage) begin() bool {
	u.mu.Lock()
	if u.closed.Load() {
		u.end()
		return false
	}
	return true
}

// end stops using, and releases if close came meanwhile. It looks again after
// unlocking because close may have found mu taken just before.
func (u *usage) end() {
	for {
		closed := u.closed.Load()
		if closed {
			u.release()
		}
		u.mu.Unlock()
		if closed || !u.closed.Load() || !u.mu.TryLock() {
			return
		}
	}
}

func (u *usage) close() {
	u.closed.Store(true)
	if u.mu.TryLock() {
		u.end()
	}
}
