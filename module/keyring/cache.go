package keyring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Defaults of [Limits].
const (
	DefaultMaxAge  = 5 * time.Minute
	DefaultMaxUses = 10_000
	DefaultMaxKeys = 1_000
	DefaultTimeout = 5 * time.Second
)

// Limits bound what a [Cache] remembers and for how long it waits. A zero
// field means its default.
type Limits struct {
	// MaxAge is how long a data key is remembered after it was wrapped or
	// unwrapped: also how long a KEK that was disabled at its service can
	// still open what was opened before. 5 minutes.
	MaxAge time.Duration
	// MaxUses is how often one remembered data key is given out, so that the
	// key service sees that a busy object is read. 10,000.
	MaxUses int
	// MaxKeys is how many data keys are remembered; each takes about 200
	// bytes. One more takes the place of the oldest. 1,000.
	MaxKeys int
	// Timeout ends a call to the keyring behind, as an [ErrUnavailable].
	// 5 seconds.
	Timeout time.Duration
}

func (l *Limits) complete() {
	for _, d := range []struct {
		of       *time.Duration
		standard time.Duration
	}{{&l.MaxAge, DefaultMaxAge}, {&l.Timeout, DefaultTimeout}} {
		if *d.of <= 0 {
			*d.of = d.standard
		}
	}
	for _, n := range []struct {
		of       *int
		standard int
	}{{&l.MaxUses, DefaultMaxUses}, {&l.MaxKeys, DefaultMaxKeys}} {
		if *n.of <= 0 {
			*n.of = n.standard
		}
	}
}

// errClosed: a Cache was used after Close. Trying again helps after a reload:
// another configuration is in force by then.
var errClosed = fmt.Errorf("%w: the configuration it belongs to has ended", ErrUnavailable)

// Cache is a [Keyring] that remembers the data keys which another one wrapped
// or unwrapped, so that reading an object again, or right after it was written,
// costs no call, and works while the key service is down.
//
// A key is found only by everything Unwrap checks: KEK, wrapped bytes and the
// whole Binding but its Context. The wrapped bytes alone would find it for
// another name too and undo the binding. Only keys are remembered, no errors: a
// service that is back, or that was wrong once, is believed at once, and
// requests for one key that come together share one call anyway.
//
// A Cache is safe for concurrent use. Close it when it is no longer needed.
type Cache struct {
	behind Keyring
	limits Limits
	// running ends with Close, and with it every call to the keyring behind.
	running context.Context
	end     context.CancelFunc
	calls   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	memory  memory
	expiry  *time.Timer // goes off when the oldest key is too old
	flights map[address]*flight
}

// NewCache makes a cache in front of k, which it does not own.
func NewCache(k Keyring, limits Limits) *Cache {
	limits.complete()
	c := &Cache{behind: k, limits: limits, memory: newMemory(limits), flights: make(map[address]*flight)}
	c.running, c.end = context.WithCancel(context.Background())
	c.expiry = time.AfterFunc(limits.MaxAge, c.expire)
	return c
}

// KEKs implements [Keyring].
func (c *Cache) KEKs() []KEK { return c.behind.KEKs() }

// Wrap implements [Keyring]. It always asks the keyring behind, and remembers
// key under what that answers.
func (c *Cache) Wrap(ctx context.Context, kek KEK, key DataKey, b Binding) ([]byte, error) {
	defer key.Wipe()
	if !c.enter() {
		return nil, errClosed
	}
	defer c.calls.Done()
	call, done := context.WithTimeoutCause(ctx, c.limits.Timeout, errSlow)
	defer done()
	defer context.AfterFunc(c.running, done)()
	wrapped, err := c.behind.Wrap(call, kek, key, b)
	if err != nil {
		return nil, c.explain(call, err)
	}
	at := addressOf(kek, wrapped, b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remember(at, key)
	return wrapped, nil
}

// Unwrap implements [Keyring]. Callers that want the same key at the same time
// share one call, which goes on for as long as one of them waits.
func (c *Cache) Unwrap(ctx context.Context, kek KEK, wrapped []byte, b Binding) (DataKey, error) {
	if err := ctx.Err(); err != nil {
		return DataKey{}, err
	}
	at := addressOf(kek, wrapped, b)
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return DataKey{}, errClosed
	}
	if key, ok := c.memory.find(at); ok {
		c.mu.Unlock()
		return key, nil
	}
	f := c.join(at, request{kek, wrapped, b})
	c.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	return c.leave(ctx, f)
}

// Close ends the calls that are under way, waits for them, and wipes every key.
// The cache answers [ErrUnavailable] from then on.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.memory.wipe()
	c.expiry.Stop()
	c.mu.Unlock()
	c.end()
	c.calls.Wait()
}

// remember puts a key into memory; the caller holds the lock.
func (c *Cache) remember(at address, key DataKey) {
	if c.closed {
		return
	}
	if c.memory.byAge.Len() == 0 {
		c.expiry.Reset(c.limits.MaxAge)
	}
	c.memory.add(at, key)
}

// expire wipes keys when they are too old, also those nobody asks for again.
func (c *Cache) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if next := c.memory.expire(); next > 0 {
		c.expiry.Reset(next)
	}
}

// enter counts a call that Close waits for; false if it is too late for one.
func (c *Cache) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.calls.Add(1)
	return true
}

var errSlow = errors.New("no answer in time")

// explain names the cache's own reason where a call ended because of it.
func (c *Cache) explain(call context.Context, err error) error {
	switch {
	case c.running.Err() != nil:
		return errClosed
	case errors.Is(context.Cause(call), errSlow) && !errors.Is(err, ErrUnavailable):
		return fmt.Errorf("%w: no answer within %s", ErrUnavailable, c.limits.Timeout)
	default:
		return err
	}
}

// Interface guards
var _ Keyring = (*Cache)(nil)
