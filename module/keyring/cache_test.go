package keyring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a keyring that counts its calls and does with them what a test says.
type fake struct {
	kek    KEK
	calls  atomic.Int64
	wrap   func(ctx context.Context, key DataKey, b Binding) ([]byte, error)
	unwrap func(ctx context.Context, wrapped []byte, b Binding) (DataKey, error)
}

func newFake() *fake {
	return &fake{
		kek:    KEK{Local, [8]byte{1}},
		wrap:   func(context.Context, DataKey, Binding) ([]byte, error) { return []byte("wrapped"), nil },
		unwrap: func(context.Context, []byte, Binding) (DataKey, error) { return dataKey, nil },
	}
}

var dataKey = DataKey{1, 2, 3}

func (f *fake) KEKs() []KEK { return []KEK{f.kek} }

func (f *fake) Wrap(ctx context.Context, _ KEK, key DataKey, b Binding) ([]byte, error) {
	f.calls.Add(1)
	return f.wrap(ctx, key, b)
}

func (f *fake) Unwrap(ctx context.Context, _ KEK, wrapped []byte, b Binding) (DataKey, error) {
	f.calls.Add(1)
	return f.unwrap(ctx, wrapped, b)
}

// made checks how many calls there were since the last time it was asked.
func (f *fake) made(t *testing.T, want int64) {
	t.Helper()
	if got := f.calls.Swap(0); got != want {
		t.Errorf("%d calls to the keyring, want %d", got, want)
	}
}

func newCache(t *testing.T, f *fake, l Limits) *Cache {
	t.Helper()
	c := NewCache(f, l)
	t.Cleanup(c.Close)
	return c
}

// numbered is the binding of the i-th object.
func numbered(i int) Binding { return Binding{Namespace: "b", AAD: fmt.Append(nil, i)} }

// pass advances the clock of the bubble that a test runs in.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // nothing sleeps in a bubble
	synctest.Wait()
}

// held is how many keys a cache remembers.
func held(c *Cache) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memory.byAge.Len()
}

// ask unwraps and checks the key.
func ask(t *testing.T, c *Cache, b Binding) {
	t.Helper()
	if got, err := c.Unwrap(t.Context(), c.KEKs()[0], []byte("wrapped"), b); err != nil || got != dataKey {
		t.Errorf("Unwrap: %v, right key: %t", err, got == dataKey)
	}
}

func TestCacheRemembers(t *testing.T) {
	t.Parallel()
	f := newFake()
	c := newCache(t, f, Limits{})
	ask(t, c, numbered(0))
	ask(t, c, numbered(0))
	f.made(t, 1)
	if _, err := c.Wrap(t.Context(), f.kek, dataKey, numbered(1)); err != nil {
		t.Fatal(err)
	}
	f.made(t, 1)
	ask(t, c, numbered(1))
	f.made(t, 0)
}

// TestCacheAddress: whatever Unwrap is asked differently is asked anew.
func TestCacheAddress(t *testing.T) {
	t.Parallel()
	base := request{KEK{Local, [8]byte{1}}, []byte("wrapped"), Binding{Namespace: "b", AAD: []byte("aad")}}
	for name, change := range map[string]func(*request){
		"KEK id":    func(r *request) { r.kek.ID[7] ^= 1 },
		"KEK kind":  func(r *request) { r.kek.Kind = Transit },
		"wrapped":   func(r *request) { r.wrapped = []byte("wrappee") },
		"AAD":       func(r *request) { r.binding.AAD = []byte("abd") },
		"OID":       func(r *request) { r.binding.OID[31] ^= 1 },
		"namespace": func(r *request) { r.binding.Namespace = "c" },
		"AAD moved to wrapped": func(r *request) {
			r.binding.AAD, r.wrapped = []byte("aa"), []byte("dwrapped")
		},
		"AAD moved to namespace": func(r *request) {
			r.binding.AAD, r.binding.Namespace = []byte("ad"), "ba"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			c := newCache(t, f, Limits{})
			other := base
			change(&other)
			for _, r := range []request{base, other, base, other} {
				if _, err := c.Unwrap(t.Context(), r.kek, r.wrapped, r.binding); err != nil {
					t.Fatal(err)
				}
			}
			f.made(t, 2)
		})
	}
	t.Run("context is not asked", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		c := newCache(t, f, Limits{})
		ask(t, c, numbered(0))
		b := numbered(0)
		b.Context = map[string]string{"a": "b"}
		ask(t, c, b)
		f.made(t, 1)
	})
}

func TestCacheBounds(t *testing.T) {
	t.Parallel()
	t.Run("age", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			c := newCache(t, f, Limits{})
			ask(t, c, numbered(0))
			pass(DefaultMaxAge - time.Nanosecond)
			ask(t, c, numbered(0))
			f.made(t, 1)
			pass(time.Nanosecond)
			ask(t, c, numbered(0))
			f.made(t, 1)
		})
	})
	t.Run("uses", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		c := newCache(t, f, Limits{MaxUses: 3})
		for range 8 {
			ask(t, c, numbered(0))
		}
		f.made(t, 2) // one call and three uses, twice
	})
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		c := newCache(t, f, Limits{MaxKeys: 2})
		ask(t, c, numbered(0))
		ask(t, c, numbered(1))
		ask(t, c, numbered(2)) // in the place of 0
		f.made(t, 3)
		ask(t, c, numbered(1))
		ask(t, c, numbered(2))
		f.made(t, 0)
		ask(t, c, numbered(0))
		f.made(t, 1)
		if n := held(c); n != 2 {
			t.Errorf("%d keys remembered, want 2", n)
		}
	})
	t.Run("wrapped again", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		c := newCache(t, f, Limits{})
		for range 3 {
			if _, err := c.Wrap(t.Context(), f.kek, dataKey, numbered(0)); err != nil {
				t.Fatal(err)
			}
		}
		if n := held(c); n != 1 {
			t.Errorf("%d keys remembered, want 1", n)
		}
	})
}

// TestCacheWipes looks at the memory of keys that are no longer remembered.
func TestCacheWipes(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*testing.T, *Cache){
		"too old, nobody asks": func(*testing.T, *Cache) { pass(DefaultMaxAge) },
		"used up":              func(t *testing.T, c *Cache) { ask(t, c, numbered(0)); ask(t, c, numbered(0)) },
		"too many":             func(t *testing.T, c *Cache) { ask(t, c, numbered(1)); ask(t, c, numbered(2)) },
		"close":                func(_ *testing.T, c *Cache) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCache(t, newFake(), Limits{MaxKeys: 2, MaxUses: 2})
				ask(t, c, numbered(0))
				c.mu.Lock()
				key := c.memory.byAge.Front().Value.(*remembered).key
				c.mu.Unlock()
				if *key != dataKey {
					t.Fatal("not remembered")
				}
				forget(t, c)
				c.mu.Lock()
				defer c.mu.Unlock()
				if *key != (DataKey{}) {
					t.Error("the key is still in memory")
				}
			})
		})
	}
}

// TestCacheExpiresEachInTime: the second key goes at its own time.
func TestCacheExpiresEachInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, newFake(), Limits{})
		left := func(want int) {
			t.Helper()
			if n := held(c); n != want {
				t.Errorf("%d keys remembered, want %d", n, want)
			}
		}
		ask(t, c, numbered(0))
		pass(time.Minute)
		ask(t, c, numbered(1))
		left(2)
		pass(DefaultMaxAge - time.Minute)
		left(1)
		pass(time.Minute)
		left(0)
		ask(t, c, numbered(2))
		pass(DefaultMaxAge)
		left(0)
	})
}

// TestMemoryDoesNotTrustTheTimer: on a busy machine it may come late.
func TestMemoryDoesNotTrustTheTimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(Limits{MaxAge: time.Minute, MaxUses: 2, MaxKeys: 2})
		m.add(address{1}, dataKey)
		pass(time.Minute)
		if _, ok := m.find(address{1}); ok {
			t.Error("a key is found that is too old")
		}
		if n := m.byAge.Len(); n != 0 {
			t.Errorf("%d keys are left", n)
		}
	})
}

// TestCacheWhileDown: what was read goes on being read.
func TestCacheWhileDown(t *testing.T) {
	t.Parallel()
	f := newFake()
	c := newCache(t, f, Limits{})
	ask(t, c, numbered(0))
	f.unwrap = func(context.Context, []byte, Binding) (DataKey, error) { return DataKey{}, ErrUnavailable }
	ask(t, c, numbered(0))
	for range 2 { // an error is not remembered
		if _, err := c.Unwrap(t.Context(), f.kek, []byte("wrapped"), numbered(1)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("error = %v", err)
		}
	}
	f.made(t, 3)
	f.unwrap = newFake().unwrap
	ask(t, c, numbered(1))
}

func TestCacheErrors(t *testing.T) {
	t.Parallel()
	for _, want := range []error{ErrCorrupt, ErrDenied, ErrUnknownKey, ErrUnavailable, ErrContext} {
		t.Run(want.Error(), func(t *testing.T) {
			t.Parallel()
			f := newFake()
			// A driver that breaks its promise and gives a key with the error.
			f.unwrap = func(context.Context, []byte, Binding) (DataKey, error) { return dataKey, want }
			f.wrap = func(context.Context, DataKey, Binding) ([]byte, error) { return []byte("x"), want }
			c := newCache(t, f, Limits{})
			if key, err := c.Unwrap(t.Context(), f.kek, nil, Binding{}); !errors.Is(err, want) || key != (DataKey{}) {
				t.Errorf("Unwrap: %v, a key: %t", err, key != DataKey{})
			}
			if wrapped, err := c.Wrap(t.Context(), f.kek, dataKey, Binding{}); !errors.Is(err, want) || wrapped != nil {
				t.Errorf("Wrap: %v, %d bytes", err, len(wrapped))
			}
			if n := held(c); n != 0 {
				t.Errorf("%d keys remembered of calls that failed", n)
			}
		})
	}
}

// until blocks as a service does that never answers.
func until(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("calling: %w", ctx.Err())
}

func TestCacheTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.unwrap = func(ctx context.Context, _ []byte, _ Binding) (DataKey, error) { return DataKey{}, until(ctx) }
		f.wrap = func(ctx context.Context, _ DataKey, _ Binding) ([]byte, error) { return nil, until(ctx) }
		c := newCache(t, f, Limits{})
		began := time.Now() // the bubble's clock, which stands still while anything runs
		if _, err := c.Unwrap(t.Context(), f.kek, nil, Binding{}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Unwrap: %v", err)
		}
		if _, err := c.Wrap(t.Context(), f.kek, dataKey, Binding{}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Wrap: %v", err)
		}
		if waited := time.Since(began); waited != 2*DefaultTimeout {
			t.Errorf("waited %s, want twice %s", waited, DefaultTimeout)
		}
		// A caller's own end is not the service's fault.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Unwrap(ctx, f.kek, nil, Binding{}); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnavailable) {
			t.Errorf("Unwrap: %v", err)
		}
	})
}

func TestCacheClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var ended atomic.Int64
		slowly := func(ctx context.Context) error { // what a driver does before it can end
			defer ended.Add(1)
			defer time.Sleep(time.Second) //nolint:forbidigo // nothing sleeps in a bubble
			return until(ctx)
		}
		f.unwrap = func(ctx context.Context, _ []byte, _ Binding) (DataKey, error) { return DataKey{}, slowly(ctx) }
		f.wrap = func(ctx context.Context, _ DataKey, _ Binding) ([]byte, error) { return nil, slowly(ctx) }
		c := NewCache(f, Limits{})
		began := time.Now()
		var calls sync.WaitGroup
		calls.Go(func() {
			if _, err := c.Unwrap(t.Context(), f.kek, nil, Binding{}); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Unwrap under way: %v", err)
			}
		})
		calls.Go(func() {
			if _, err := c.Wrap(t.Context(), f.kek, dataKey, Binding{}); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Wrap under way: %v", err)
			}
		})
		synctest.Wait()
		c.Close()
		if n := ended.Load(); n != 2 {
			t.Errorf("%d calls have ended, want 2", n)
		}
		if waited := time.Since(began); waited != time.Second { // the bubble's clock
			t.Errorf("closing took %s: the calls were not told", waited)
		}
		calls.Wait()
		f.made(t, 2)
		if _, err := c.Unwrap(t.Context(), f.kek, nil, Binding{}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Unwrap after Close: %v", err)
		}
		if _, err := c.Wrap(t.Context(), f.kek, dataKey, Binding{}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Wrap after Close: %v", err)
		}
		f.made(t, 0)
		c.Close() // a second one changes nothing
	})
}
