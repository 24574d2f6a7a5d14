package gateway

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/sealgate/sealgate/module/keyring"
)

// stubKeyring answers with its own byte and counts. hold, if there is one, keeps a
// call until it is closed.
type stubKeyring struct {
	id    byte
	asked int
	hold  chan struct{}
}

func (s *stubKeyring) KEKs() []keyring.KEK {
	return []keyring.KEK{{Kind: keyring.Local, ID: [8]byte{s.id}}}
}

func (s *stubKeyring) Wrap(_ context.Context, _ keyring.KEK, _ keyring.DataKey, b keyring.Binding) ([]byte, error) {
	s.asked++
	return append([]byte{s.id}, b.OID[:]...), nil
}

func (s *stubKeyring) Unwrap(context.Context, keyring.KEK, []byte, keyring.Binding) (keyring.DataKey, error) {
	s.asked++
	if s.hold != nil {
		<-s.hold
	}
	return keyring.DataKey{s.id}, nil
}

// unwrap asks the cache for the key of an object.
func unwrap(t *testing.T, s *sharedKeyring, object byte) byte {
	t.Helper()
	key, err := s.cache.Unwrap(t.Context(), keyring.KEK{}, []byte{object}, keyring.Binding{OID: [32]byte{object}})
	if err != nil {
		t.Fatal(err)
	}
	return key[0]
}

// TestSharedKeyring goes through reloads: the configuration in force is asked,
// and what it answered is remembered after it.
func TestSharedKeyring(t *testing.T) {
	t.Parallel()
	const key = "driver {TestSharedKeyring}"
	first, second, failed := &stubKeyring{id: 1}, &stubKeyring{id: 2}, &stubKeyring{id: 3}
	s, err := shareKeyring(key)
	if err != nil {
		t.Fatal(err)
	}
	one := s.attach(first)
	s.prefer(one)
	if got := unwrap(t, s, 'a'); got != 1 || s.KEKs()[0].ID[0] != 1 {
		t.Errorf("keyring %d answers", got)
	}

	// A configuration that is not started, and fails.
	again, err := shareKeyring(key)
	if err != nil || again != s {
		t.Fatalf("another shared keyring, error %v", err)
	}
	three := s.attach(failed)
	if got := unwrap(t, s, 'b'); got != 1 || s.KEKs()[0].ID[0] != 1 {
		t.Errorf("before the start, keyring %d answers", got)
	}
	s.detach(three)
	returnKeyring(t, key, false)

	// One that takes over.
	if _, err := shareKeyring(key); err != nil {
		t.Fatal(err)
	}
	two := s.attach(second)
	s.prefer(two)
	if got := unwrap(t, s, 'c'); got != 2 || s.KEKs()[0].ID[0] != 2 {
		t.Errorf("after the start, keyring %d answers", got)
	}
	s.detach(one)
	returnKeyring(t, key, false)
	if got := unwrap(t, s, 'a'); got != 1 {
		t.Errorf("what keyring 1 answered is forgotten; keyring %d answers", got)
	}
	if got := unwrap(t, s, 'd'); got != 2 {
		t.Errorf("keyring %d answers", got)
	}
	if first.asked != 2 || second.asked != 2 || failed.asked != 0 {
		t.Errorf("asked %d, %d and %d times", first.asked, second.asked, failed.asked)
	}

	// The end.
	s.detach(two)
	if _, err := s.Unwrap(t.Context(), keyring.KEK{}, nil, keyring.Binding{}); !errors.Is(err, keyring.ErrUnavailable) {
		t.Errorf("unwrapping without a keyring: %v", err)
	}
	if _, err := s.Wrap(t.Context(), keyring.KEK{}, keyring.DataKey{}, keyring.Binding{}); !errors.Is(err, keyring.ErrUnavailable) {
		t.Errorf("wrapping without a keyring: %v", err)
	}
	if len(s.KEKs()) != 1 || s.KEKs()[0].ID[0] != 2 {
		t.Errorf("the keys are %v", s.KEKs())
	}
	returnKeyring(t, key, true)
	if _, err := s.cache.Unwrap(t.Context(), keyring.KEK{}, []byte{'a'}, keyring.Binding{OID: [32]byte{'a'}}); !errors.Is(err, keyring.ErrUnavailable) {
		t.Errorf("a closed cache remembers: %v", err)
	}
}

// returnKeyring gives a shared keyring back to the pool, which closes it or not.
func returnKeyring(t *testing.T, key string, closes bool) {
	t.Helper()
	if closed, err := sharedKeyrings.Delete(key); err != nil || closed != closes {
		t.Errorf("closed %v, error %v", closed, err)
	}
}

// TestDetachWaits: a keyring is not closed under a call.
func TestDetachWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := &stubKeyring{id: 1, hold: make(chan struct{})}
		s := new(sharedKeyring)
		one := s.attach(busy)
		s.prefer(s.attach(&stubKeyring{id: 2}))
		s.prefer(one)
		answered, detached := false, false
		go func() {
			key, err := s.Unwrap(t.Context(), keyring.KEK{}, nil, keyring.Binding{})
			answered = err == nil && key[0] == 1
		}()
		synctest.Wait()
		go func() {
			s.detach(one)
			detached = true
		}()
		synctest.Wait()
		if answered || detached {
			t.Errorf("answered %v, detached %v before the keyring answered", answered, detached)
		}
		if key, err := s.Unwrap(t.Context(), keyring.KEK{}, nil, keyring.Binding{}); err != nil || key[0] != 2 {
			t.Errorf("the other keyring is not asked: %v, %v", key[0], err)
		}
		close(busy.hold)
		synctest.Wait()
		if !answered || !detached {
			t.Errorf("answered %v, detached %v after the keyring answered", answered, detached)
		}
	})
}
