package keyring

import (
	"bytes"
	"context"
	"errors"
)

// flight is one call to the keyring behind a [Cache] and those who wait for it.
type flight struct {
	at     address
	cancel context.CancelFunc
	done   chan struct{} // closed once key and err are set

	// Under the cache's lock:
	waiting int
	outcome outcome
}

// outcome is what came of a call.
type outcome struct {
	key      *DataKey // nil on error
	err      error
	panicked any // not nil if the call did
}

// request is what an Unwrap is asked.
type request struct {
	kek     KEK
	wrapped []byte
	binding Binding
}

// join makes the caller one of those who wait for the key at an address,
// starting the call if there is none. The caller holds the lock and must leave
// the flight afterwards.
func (c *Cache) join(at address, r request) *flight {
	if f, ok := c.flights[at]; ok {
		f.waiting++
		return f
	}
	// The call may outlive the caller who began it, whose slices are lent, and
	// must not end with that caller's context.
	r.wrapped, r.binding.AAD, r.binding.Context = bytes.Clone(r.wrapped), bytes.Clone(r.binding.AAD), nil
	call, cancel := context.WithTimeoutCause(c.running, c.limits.Timeout, errSlow)
	f := &flight{at: at, cancel: cancel, done: make(chan struct{}), waiting: 1}
	c.flights[at] = f
	c.calls.Go(func() {
		defer cancel()
		// Deferred, so that those who wait hear of a call that did not return.
		o := outcome{err: errNoAnswer}
		defer func() {
			o.panicked = recover()
			c.land(f, o)
		}()
		o = c.ask(call, r)
	})
	return f
}

var errNoAnswer = errors.New("the keyring gave no answer")

// ask makes the call.
func (c *Cache) ask(call context.Context, r request) outcome {
	key, err := c.behind.Unwrap(call, r.kek, r.wrapped, r.binding)
	if err != nil {
		return outcome{err: c.explain(call, err)}
	}
	return outcome{key: &key}
}

// land gives the result of a call to those who wait for it.
func (c *Cache) land(f *flight, o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(f)
	if o.key != nil {
		c.remember(f.at, *o.key)
		if f.waiting == 0 {
			o.key.Wipe()
		}
	}
	f.outcome = o
	close(f.done)
}

// leave takes a caller out of a flight, with its result if there is one by
// now. With the last one out, a call still under way is ended: nobody wants its
// result, and calls must not outnumber callers. A panic of the call is one of
// its callers', as if each had made the call.
func (c *Cache) leave(ctx context.Context, f *flight) (DataKey, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.waiting--
	last := f.waiting == 0
	select {
	case <-f.done:
	default:
		if last {
			c.forget(f)
			f.cancel()
		}
		return DataKey{}, ctx.Err()
	}
	if f.outcome.panicked != nil {
		panic(f.outcome.panicked)
	}
	if f.outcome.key == nil {
		return DataKey{}, f.outcome.err
	}
	key := *f.outcome.key
	if last {
		f.outcome.key.Wipe()
	}
	return key, nil
}

// forget lets the next caller begin another call; the caller holds the lock.
func (c *Cache) forget(f *flight) {
	if c.flights[f.at] == f {
		delete(c.flights, f.at)
	}
}
