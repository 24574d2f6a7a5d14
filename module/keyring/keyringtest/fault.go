package keyringtest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
)

// testFails checks that both calls fail with want once the service does.
func testFails(want error) func(*testing.T, Fault) {
	return func(t *testing.T, fault Fault) {
		k, happen := fault(t)
		w := seal(t, k, newSubject())
		w.opens(t)
		before := slices.Clone(k.KEKs())
		happen()
		fresh := newSubject()
		wrapped, err := k.Wrap(t.Context(), w.kek, w.key, fresh.binding(w.kek))
		if !errors.Is(err, want) || wrapped != nil {
			t.Errorf("Wrap: %d bytes, error %v; want none and %q", len(wrapped), err, want)
		}
		hides(t, "Wrap", err, w.key)
		w.refuses(t, "Unwrap", w.kek, w.wrapped, w.subject.binding(w.kek), want)
		if !slices.Equal(k.KEKs(), before) {
			t.Errorf("KEKs() = %v, before the fault %v", k.KEKs(), before)
		}
	}
}

// testSlow checks that calls end when their context does. A driver that waits
// for the service keeps the test from ending at all.
func testSlow(t *testing.T, fault Fault) {
	for name, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		},
		"cancelled": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			timer := time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, func() { timer.Stop(); cancel() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, happen := fault(t)
			w := seal(t, k, newSubject())
			happen()
			ctx, cancel := end(t.Context())
			defer cancel()
			wrapped, err := k.Wrap(ctx, w.kek, w.key, newSubject().binding(w.kek))
			endsWith(t, "Wrap", err)
			if wrapped != nil {
				t.Error("Wrap gives bytes with an error")
			}
			ctx, cancel = end(t.Context())
			defer cancel()
			got, err := k.Unwrap(ctx, w.kek, w.wrapped, w.subject.binding(w.kek))
			endsWith(t, "Unwrap", err)
			w.checkRefusal(t, "Unwrap", got, err, nil)
		})
	}
}

// testRotate checks what a change of the first KEK leaves as it was.
func testRotate(t *testing.T, fault Fault) {
	k, happen := fault(t)
	before := seal(t, k, newSubject())
	happen()
	after := seal(t, k, newSubject())
	if after.kek == before.kek {
		t.Fatalf("the first KEK is %s as before", after.kek)
	}
	if !slices.Contains(k.KEKs(), before.kek) {
		t.Errorf("KEKs() = %v, without %s of before", k.KEKs(), before.kek)
	}
	before.opens(t)
	after.opens(t)
	after.refuses(t, "the KEK of before", before.kek, after.wrapped, after.subject.binding(before.kek), keyring.ErrCorrupt)

	// A request that asked for KEKs a moment ago.
	s, key := newSubject(), newKey()
	wrapped, err := k.Wrap(t.Context(), before.kek, key, s.binding(before.kek))
	if err != nil {
		t.Fatalf("Wrap under the KEK of before: %v", err)
	}
	sealed{k, before.kek, s, key, wrapped}.opens(t)
}
