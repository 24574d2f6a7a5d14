package keyring

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// gate is a fake keyring whose Unwrap answers when it is told to.
type gate struct {
	*fake
	answer chan error // nil for a key
}

func newGate() gate {
	g := gate{newFake(), make(chan error)}
	g.unwrap = func(ctx context.Context, _ []byte, _ Binding) (DataKey, error) {
		select {
		case err := <-g.answer:
			return dataKey, err
		case <-ctx.Done():
			return DataKey{}, ctx.Err()
		}
	}
	return g
}

func TestFlightIsShared(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{"key": nil, "error": ErrCorrupt} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGate()
				c := newCache(t, g.fake, Limits{})
				var callers sync.WaitGroup
				for range 20 {
					callers.Go(func() {
						key, err := c.Unwrap(t.Context(), g.kek, []byte("w"), numbered(0))
						if !errors.Is(err, want) || (key == dataKey) != (want == nil) {
							t.Errorf("Unwrap: %v, a key: %t; want %v", err, key == dataKey, want)
						}
					})
				}
				synctest.Wait()
				g.made(t, 1)
				g.answer <- want
				callers.Wait()
				c.mu.Lock()
				defer c.mu.Unlock()
				if len(c.flights) != 0 {
					t.Errorf("%d flights are left", len(c.flights))
				}
			})
		})
	}
}

// TestFlightOutlivesItsFirstCaller: the others still get the key, and the
// slices of the one who left are no longer looked at.
func TestFlightOutlivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		proceed := make(chan struct{})
		f.unwrap = func(ctx context.Context, wrapped []byte, b Binding) (DataKey, error) {
			<-proceed
			if string(wrapped) != "wrapped" || string(b.AAD) != "aad" {
				t.Errorf("the call sees %q and %q", wrapped, b.AAD)
			}
			return dataKey, ctx.Err()
		}
		c := newCache(t, f, Limits{})
		ctx, cancel := context.WithCancel(t.Context())
		wrapped, aad := []byte("wrapped"), []byte("aad")
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := c.Unwrap(ctx, f.kek, wrapped, Binding{AAD: aad}); !errors.Is(err, context.Canceled) {
				t.Errorf("the one who leaves: %v", err)
			}
			clear(wrapped)
			clear(aad)
		})
		synctest.Wait()
		callers.Go(func() {
			key, err := c.Unwrap(t.Context(), f.kek, []byte("wrapped"), Binding{AAD: []byte("aad")})
			if err != nil || key != dataKey {
				t.Errorf("the one who stays: %v, right key: %t", err, key == dataKey)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(proceed)
		callers.Wait()
		f.made(t, 1)
	})
}

// TestFlightEndsWithItsLastCaller: calls do not outnumber callers, and who
// comes next begins a call of its own.
func TestFlightEndsWithItsLastCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var ended []error
		f.unwrap = func(ctx context.Context, _ []byte, _ Binding) (DataKey, error) {
			<-ctx.Done()
			ended = append(ended, ctx.Err())
			return dataKey, nil // too late
		}
		c := newCache(t, f, Limits{})
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for range 3 {
			callers.Go(func() {
				if key, err := c.Unwrap(ctx, f.kek, nil, numbered(0)); !errors.Is(err, context.Canceled) || key != (DataKey{}) {
					t.Errorf("Unwrap: %v, a key: %t", err, key != DataKey{})
				}
			})
		}
		synctest.Wait()
		cancel()
		callers.Wait()
		synctest.Wait()
		if len(ended) != 1 || !errors.Is(ended[0], context.Canceled) {
			t.Errorf("calls ended with %v, want one that was cancelled", ended)
		}
		f.made(t, 1)
		f.unwrap = newFake().unwrap
		ask(t, c, numbered(1))
		f.made(t, 1)
	})
}

// TestFlightOfANewCaller joins while the last caller of the one before leaves.
func TestFlightOfANewCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		c := newCache(t, g.fake, Limits{})
		ctx, cancel := context.WithCancel(t.Context())
		at := addressOf(g.kek, nil, numbered(0))
		c.mu.Lock()
		first := c.join(at, request{g.kek, nil, numbered(0)})
		c.mu.Unlock()
		cancel()
		if _, err := c.leave(ctx, first); !errors.Is(err, context.Canceled) {
			t.Errorf("leaving: %v", err)
		}
		c.mu.Lock()
		second := c.join(at, request{g.kek, nil, numbered(0)})
		c.mu.Unlock()
		if first == second {
			t.Fatal("the new caller joined a call that was ended")
		}
		synctest.Wait()
		c.mu.Lock()
		if c.flights[at] != second {
			t.Error("the first call's end took the second one's place")
		}
		c.mu.Unlock()
		g.answer <- nil
		<-second.done
		if key, err := c.leave(t.Context(), second); err != nil || key != dataKey {
			t.Errorf("Unwrap: %v, right key: %t", err, key == dataKey)
		}
	})
}

// TestFlightWithoutCallers: a key that nobody took is not left in memory.
func TestFlightWithoutCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.unwrap = func(ctx context.Context, _ []byte, _ Binding) (DataKey, error) {
			<-ctx.Done()
			return dataKey, nil
		}
		c := newCache(t, f, Limits{})
		c.mu.Lock()
		left := c.join(addressOf(f.kek, nil, numbered(0)), request{f.kek, nil, numbered(0)})
		c.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.leave(ctx, left); !errors.Is(err, context.Canceled) {
			t.Errorf("leaving: %v", err)
		}
		<-left.done
		c.mu.Lock()
		defer c.mu.Unlock()
		if *left.outcome.key != (DataKey{}) {
			t.Error("the key is still in memory")
		}
	})
}

// TestFlightThatDoesNotReturn: nobody waits for ever, and nobody gets a key.
func TestFlightThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	unwrap := func(t *testing.T, f *fake) (key DataKey, panicked any, err error) {
		c := newCache(t, f, Limits{})
		defer func() { panicked = recover() }()
		key, err = c.Unwrap(t.Context(), f.kek, nil, Binding{})
		return key, nil, err
	}
	t.Run("panic", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		f.unwrap = func(context.Context, []byte, Binding) (DataKey, error) { panic("out of cheese") }
		if _, panicked, _ := unwrap(t, f); panicked != "out of cheese" {
			t.Errorf("panic %v in the caller", panicked)
		}
	})
	t.Run("exit", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		f.unwrap = func(context.Context, []byte, Binding) (DataKey, error) {
			runtime.Goexit()
			return dataKey, nil
		}
		if key, _, err := unwrap(t, f); !errors.Is(err, errNoAnswer) || key != (DataKey{}) {
			t.Errorf("Unwrap: %v, a key: %t", err, key != DataKey{})
		}
	})
}
