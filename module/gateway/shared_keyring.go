package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/keyring"
)

// keyringTimeout bounds a call of a keyring. Drivers have a timeout of their own,
// which can be set; this is the longest one they accept.
const keyringTimeout = time.Minute

// sharedKeyrings holds what is remembered of the keyrings in use, by driver and
// settings. Reloading a configuration must not forget data keys: reading would
// depend on the key service just then, and ask it for all of them at once.
var sharedKeyrings = caddy.NewUsagePool()

// sharedKeyring is the cache in front of the keyrings that have the same driver and
// settings in the configurations of this process. There is one such keyring, but
// two while a reload is under way. The cache asks that of the configuration which
// was started last; one that is only provisioned may never be. Requests that are
// under way outlive their configuration: they go on with the keyring of the next
// one, or get keyring.ErrUnavailable where that has none like it.
type sharedKeyring struct {
	cache *keyring.Cache

	mu     sync.Mutex
	guests []*keyringGuest // the last one is asked
	last   *keyringGuest   // the one in guests, or the one that left it empty
}

// keyringGuest is a keyring that a configuration has, and the calls of it under way.
type keyringGuest struct {
	keyring keyring.Keyring
	calls   sync.WaitGroup // grows under the lock of the sharedKeyring only
}

// shareKeyring gives the shared keyring of this key, which the caller returns to
// the pool.
func shareKeyring(key string) (*sharedKeyring, error) {
	shared, _, err := sharedKeyrings.LoadOrNew(key, func() (caddy.Destructor, error) {
		s := new(sharedKeyring)
		s.cache = keyring.NewCache(s, keyring.Limits{Timeout: keyringTimeout})
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return shared.(*sharedKeyring), nil
}

// attach adds the keyring of a configuration that is not started. It is asked
// only if there is no other.
func (s *sharedKeyring) attach(k keyring.Keyring) *keyringGuest {
	g := &keyringGuest{keyring: k}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guests = slices.Insert(s.guests, 0, g)
	s.last = s.guests[len(s.guests)-1]
	return g
}

// prefer has g asked from now on: its configuration is started.
func (s *sharedKeyring) prefer(g *keyringGuest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.guests, g); i >= 0 {
		s.guests = append(slices.Delete(s.guests, i, i+1), g)
		s.last = g
	}
}

// detach takes g out and waits for its calls, so that it can be closed.
func (s *sharedKeyring) detach(g *keyringGuest) {
	s.mu.Lock()
	s.guests = slices.DeleteFunc(s.guests, func(other *keyringGuest) bool { return other == g })
	if n := len(s.guests); n > 0 {
		s.last = s.guests[n-1]
	}
	s.mu.Unlock()
	g.calls.Wait()
}

// enter gives the keyring to ask; the caller says Done when it has.
func (s *sharedKeyring) enter() (*keyringGuest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.guests) == 0 {
		return nil, fmt.Errorf("%w: the configuration it belongs to has ended", keyring.ErrUnavailable)
	}
	g := s.guests[len(s.guests)-1]
	g.calls.Add(1)
	return g, nil
}

// KEKs implements keyring.Keyring. It does not become empty when a request
// outlives its configuration.
func (s *sharedKeyring) KEKs() []keyring.KEK {
	s.mu.Lock()
	g := s.last
	s.mu.Unlock()
	return g.keyring.KEKs()
}

// Wrap implements keyring.Keyring.
func (s *sharedKeyring) Wrap(ctx context.Context, kek keyring.KEK, key keyring.DataKey, b keyring.Binding) ([]byte, error) {
	g, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer g.calls.Done()
	return g.keyring.Wrap(ctx, kek, key, b)
}

// Unwrap implements keyring.Keyring.
func (s *sharedKeyring) Unwrap(ctx context.Context, kek keyring.KEK, wrapped []byte, b keyring.Binding) (keyring.DataKey, error) {
	g, err := s.enter()
	if err != nil {
		return keyring.DataKey{}, err
	}
	defer g.calls.Done()
	return g.keyring.Unwrap(ctx, kek, wrapped, b)
}

// Destruct implements caddy.Destructor: with its last user go the keys.
func (s *sharedKeyring) Destruct() error {
	s.cache.Close()
	return nil
}

// Interface guards
var (
	_ keyring.Keyring  = (*sharedKeyring)(nil)
	_ caddy.Destructor = (*sharedKeyring)(nil)
)
