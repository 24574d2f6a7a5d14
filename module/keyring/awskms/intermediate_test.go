package awskms

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
)

// reusing is a Keyring on a fake KMS without a network, for bubbles of synctest.
func reusing(t *testing.T, f service, r Reuse) *Keyring {
	t.Helper()
	return direct(open(t, Config{Key: arnA, Reuse: &r}), f)
}

// direct has k call f without a network.
func direct(k *Keyring, f service) *Keyring {
	for kek, key := range k.keys {
		k.keys[kek] = serviceKey{key.arn, f}
	}
	return k
}

func mustWrap(t *testing.T, k *Keyring, b keyring.Binding) (keyring.DataKey, []byte) {
	t.Helper()
	key := dataKey()
	wrapped, err := k.Wrap(t.Context(), k.KEKs()[0], key, b)
	if err != nil {
		t.Fatal(err)
	}
	return key, wrapped
}

func mustUnwrap(t *testing.T, k *Keyring, wrapped []byte, b keyring.Binding) keyring.DataKey {
	t.Helper()
	key, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestReuseBounds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reuse Reuse
		wraps int
		pause time.Duration // after each
		want  int           // calls of Encrypt
	}{
		"within bounds":      {Reuse{}, 100, 0, 1},
		"number reached":     {Reuse{MaxObjects: 10}, 100, 0, 10},
		"one object each":    {Reuse{MaxObjects: 1}, 5, 0, 5},
		"just young enough":  {Reuse{MaxAge: time.Minute}, 2, time.Minute - 1, 1},
		"too old":            {Reuse{MaxAge: time.Minute}, 2, time.Minute, 2},
		"use does not renew": {Reuse{MaxAge: time.Minute}, 7, 20 * time.Second, 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFakeKMS(arnA)
				k := reusing(t, f, tt.reuse)
				for range tt.wraps {
					b := object("bucket", "name")
					key, wrapped := mustWrap(t, k, b)
					if mustUnwrap(t, k, wrapped, b) != key {
						t.Error("got another key")
					}
					time.Sleep(tt.pause) //nolint:forbidigo // nothing sleeps in a bubble
				}
				if n := len(f.calls("Encrypt")); n != tt.want {
					t.Errorf("got %d calls of Encrypt, want %d", n, tt.want)
				}
				if n := len(f.calls("Decrypt")); n != 0 {
					t.Errorf("got %d calls of Decrypt, want none: the keyring knows its own", n)
				}
			})
		})
	}
}

// One namespace and one context share an intermediate key; no others do.
func TestReuseScopes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeKMS(arnA)
		k := reusing(t, f, Reuse{})
		for _, context := range []map[string]string{nil, {"a": "b"}, {"a": "c"}, {"ab": ""}} {
			for _, namespace := range []string{"one", "two"} {
				for range 3 {
					b := object(namespace, "name")
					b.Context = context
					mustWrap(t, k, b)
				}
			}
		}
		if n := len(f.calls("Encrypt")); n != 8 {
			t.Errorf("got %d calls, want 8", n)
		}
	})
}

// A reader asks KMS once for each intermediate key and time.
func TestReuseReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeKMS(arnA)
		writer, reader := reusing(t, f, Reuse{}), reusing(t, f, Reuse{MaxAge: time.Minute})
		var wrapped [20][]byte
		var objects [20]keyring.Binding
		for i := range wrapped {
			objects[i] = object("bucket", "name")
			_, wrapped[i] = mustWrap(t, writer, objects[i])
		}
		var readers sync.WaitGroup
		for i := range wrapped {
			readers.Go(func() { mustUnwrap(t, reader, wrapped[i], objects[i]) })
		}
		readers.Wait()
		if n := len(f.calls("Decrypt")); n != 1 {
			t.Errorf("got %d calls, want 1", n)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // nothing sleeps in a bubble
		mustUnwrap(t, reader, wrapped[0], objects[0])
		if n := len(f.calls("Decrypt")); n != 2 {
			t.Errorf("a minute later: got %d calls, want 2", n)
		}
	})
}

// An intermediate key that is held opens nothing of another namespace, though
// everything else of the wrapped key is the same.
func TestHeldKeyStaysInItsNamespace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeKMS(arnA)
		k := reusing(t, f, Reuse{})
		b := object("bucket", "name")
		_, wrapped := mustWrap(t, k, b)
		b.Namespace = "elsewhere"
		if _, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b); err == nil {
			t.Error("no error")
		}
		if n := len(f.calls("Decrypt")); n != 1 {
			t.Errorf("KMS was asked %d times, want 1", n)
		}
	})
}

func TestSingleFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := gatedKMS{newFakeKMS(arnA), make(chan struct{})}
		k := reusing(t, g, Reuse{})
		first, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		errs := make([]error, 10)
		for i := range errs {
			ctx := t.Context()
			if i == 0 {
				ctx = first
			}
			callers.Go(func() {
				_, errs[i] = k.Wrap(ctx, k.KEKs()[0], dataKey(), object("bucket", "name"))
			})
			synctest.Wait() // the first one begins the call
		}
		cancel() // and goes away; the others still get what it asked for
		synctest.Wait()
		close(g.opened)
		callers.Wait()
		if !errors.Is(errs[0], context.Canceled) {
			t.Errorf("got error %v, want %v", errs[0], context.Canceled)
		}
		for _, err := range errs[1:] {
			if err != nil {
				t.Error(err)
			}
		}
		if n := len(g.calls("Encrypt")); n != 1 {
			t.Errorf("got %d calls, want 1", n)
		}
	})
}

func TestTimeoutOfFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := gatedKMS{newFakeKMS(arnA), make(chan struct{})}
		k := reusing(t, g, Reuse{})
		before := time.Now()
		_, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name"))
		if !errors.Is(err, keyring.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v", err)
		}
		if took := time.Since(before); took != DefaultTimeout {
			t.Errorf("took %v, want %v", took, DefaultTimeout)
		}
	})
}

// What is forgotten is wiped: by age, by number, at the end.
func TestForgetting(t *testing.T) {
	t.Parallel()
	zero := func(keys []*keyring.DataKey) int {
		n := 0
		for _, key := range keys {
			if *key == (keyring.DataKey{}) {
				n++
			}
		}
		return n
	}
	held := func(k *Keyring) (keys []*keyring.DataKey) {
		k.intermediates.mu.Lock()
		defer k.intermediates.mu.Unlock()
		for _, i := range k.intermediates.taken {
			keys = append(keys, i.key)
		}
		for _, i := range k.intermediates.opened {
			keys = append(keys, i.key)
		}
		return keys
	}
	t.Run("age", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			k := reusing(t, newFakeKMS(arnA), Reuse{MaxAge: time.Minute})
			mustWrap(t, k, object("one", "name"))
			time.Sleep(30 * time.Second) //nolint:forbidigo // nothing sleeps in a bubble
			mustWrap(t, k, object("two", "name"))
			keys := held(k)
			for _, want := range []int{0, 2, 4} {
				if n := zero(keys); n != want || len(held(k)) != 4-want {
					t.Errorf("got %d wiped, %d held, want %d and %d", n, len(held(k)), want, 4-want)
				}
				time.Sleep(31 * time.Second) //nolint:forbidigo // nothing sleeps in a bubble
				synctest.Wait()
			}
		})
	})
	t.Run("used up", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			k := reusing(t, newFakeKMS(arnA), Reuse{MaxObjects: 1})
			mustWrap(t, k, object("bucket", "name"))
			keys := held(k)
			mustWrap(t, k, object("bucket", "name"))
			if n := zero(keys); n != 1 { // the other copy is for reading
				t.Errorf("got %d wiped, want 1", n)
			}
		})
	})
	t.Run("number", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			k := reusing(t, newFakeKMS(arnA), Reuse{})
			mustWrap(t, k, object("oldest", "name"))
			keys := held(k)
			for i := range maxOpened {
				time.Sleep(time.Microsecond) //nolint:forbidigo // nothing sleeps in a bubble
				mustWrap(t, k, object(fmt.Sprintf("bucket-%d", i), "name"))
			}
			m := k.intermediates
			if len(m.taken) != maxTaken || len(m.opened) != maxOpened {
				t.Errorf("holds %d and %d, want %d and %d", len(m.taken), len(m.opened), maxTaken, maxOpened)
			}
			if zero(keys) != len(keys) {
				t.Error("the oldest is still there")
			}
		})
	})
	t.Run("close", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			k := reusing(t, newFakeKMS(arnA), Reuse{})
			b := object("bucket", "name")
			_, wrapped := mustWrap(t, k, b)
			keys := held(k)
			k.Close()
			if zero(keys) != 2 || len(held(k)) != 0 {
				t.Error("keys are still there")
			}
			if _, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), b); !errors.Is(err, keyring.ErrUnavailable) {
				t.Errorf("Wrap: got error %v, want %v", err, keyring.ErrUnavailable)
			}
			if _, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b); !errors.Is(err, keyring.ErrUnavailable) {
				t.Errorf("Unwrap: got error %v, want %v", err, keyring.ErrUnavailable)
			}
			if len(held(k)) != 0 {
				t.Error("keys are held again")
			}
		})
	})
}

// A configuration ends while KMS is being asked.
func TestCloseEndsFlights(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := gatedKMS{newFakeKMS(arnA), make(chan struct{})}
		k := reusing(t, g, Reuse{})
		failed := make(chan error, 1)
		go func() {
			_, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name"))
			failed <- err
		}()
		synctest.Wait()
		k.Close()
		if err := <-failed; !errors.Is(err, keyring.ErrUnavailable) || strings.Contains(err.Error(), "no answer within") {
			t.Errorf("got error %v", err)
		}
	})
}
