package awskms

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/sealgate/sealgate/module/keyring"
)

// How many intermediate keys are held at most: for wrapping, one a scope; for
// unwrapping, one a scope and time. At the limit the oldest goes, which costs a
// call of KMS and nothing else.
const (
	maxTaken  = 1024
	maxOpened = 4096
)

// scope is what an intermediate key is for. Data keys of two scopes never share
// one, so what KMS is asked for says truly what is read.
type scope struct {
	namespace string
	context   string // as encoded
}

// intermediates makes, opens and forgets intermediate keys. Callers get copies
// and wipe them; what is kept here is wiped when it goes.
type intermediates struct {
	maxAge     time.Duration
	maxObjects int
	timeout    time.Duration
	flights    singleflight.Group
	ctx        context.Context // ends with close
	cancel     context.CancelFunc

	mu     sync.Mutex
	taken  map[string]*intermediate // by key and scope
	opened map[string]*intermediate // by key, scope and blob
	sweep  *time.Timer              // runs while something is held
	closed bool
}

type intermediate struct {
	key     *keyring.DataKey
	blob    []byte // key as KMS encrypted it; not changed
	expires time.Time
	left    int // data keys that it may still wrap, if it has a blob
}

// usable is asked under intermediates.mu.
func (i *intermediate) usable() bool {
	return i != nil && time.Now().Before(i.expires) && (i.blob == nil || i.left > 0)
}

func newIntermediates(c Config) *intermediates {
	limits := Reuse{MaxAge: DefaultMaxAge} // reading what was written while reuse was on
	if c.Reuse != nil {
		limits = *c.Reuse
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &intermediates{
		maxAge:     limits.MaxAge,
		maxObjects: limits.MaxObjects,
		timeout:    c.Timeout,
		ctx:        ctx,
		cancel:     cancel,
		taken:      make(map[string]*intermediate),
		opened:     make(map[string]*intermediate),
	}
}

// take gives the intermediate key to wrap one more data key of s with. The blob
// is shared and not to be changed.
func (m *intermediates) take(ctx context.Context, k serviceKey, s scope) (keyring.DataKey, []byte, error) {
	id := takenID(k, s)
	for {
		if key, blob, ok := m.lease(id); ok {
			return key, blob, nil
		}
		err := m.fly(ctx, "take"+id, func(ctx context.Context) error { return m.create(ctx, k, s) })
		if err != nil {
			return keyring.DataKey{}, nil, err
		}
	}
}

func (m *intermediates) lease(id string) (keyring.DataKey, []byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.taken[id]
	if !found.usable() {
		return keyring.DataKey{}, nil, false
	}
	found.left--
	return *found.key, found.blob, true
}

// create makes a new intermediate key for s and holds it, also for reading.
func (m *intermediates) create(ctx context.Context, k serviceKey, s scope) error {
	id := takenID(k, s)
	if m.usable(m.taken, id) { // since the caller looked
		return nil
	}
	policy, err := keyring.DecodeContext([]byte(s.context))
	if err != nil {
		return err
	}
	key := new(keyring.DataKey)
	_, _ = rand.Read(key[:]) // never fails
	blob, err := k.encrypt(ctx, key, intermediateContext(policy, s.namespace))
	if err != nil {
		key.Wipe()
		return err
	}
	copied := *key
	m.mu.Lock()
	defer m.mu.Unlock()
	expires := time.Now().Add(m.maxAge)
	m.hold(m.taken, id, &intermediate{key: key, blob: blob, expires: expires, left: m.maxObjects})
	m.hold(m.opened, openedID(k, s, blob), &intermediate{key: &copied, expires: expires})
	return m.ended()
}

// open gives the intermediate key that KMS encrypted to blob.
func (m *intermediates) open(ctx context.Context, k serviceKey, s scope, blob []byte) (keyring.DataKey, error) {
	id := openedID(k, s, blob)
	for {
		if key, ok := m.find(id); ok {
			return key, nil
		}
		err := m.fly(ctx, "open"+id, func(ctx context.Context) error { return m.fetch(ctx, k, s, blob) })
		if err != nil {
			return keyring.DataKey{}, err
		}
	}
}

func (m *intermediates) find(id string) (keyring.DataKey, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.opened[id]
	if !found.usable() {
		return keyring.DataKey{}, false
	}
	return *found.key, true
}

// fetch has KMS decrypt blob and holds the result.
func (m *intermediates) fetch(ctx context.Context, k serviceKey, s scope, blob []byte) error {
	id := openedID(k, s, blob)
	if m.usable(m.opened, id) { // since the caller looked
		return nil
	}
	policy, err := keyring.DecodeContext([]byte(s.context))
	if err != nil {
		return err
	}
	key, err := k.decrypt(ctx, blob, intermediateContext(policy, s.namespace))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold(m.opened, id, &intermediate{key: &key, expires: time.Now().Add(m.maxAge)})
	return m.ended()
}

func (m *intermediates) usable(held map[string]*intermediate, id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return held[id].usable()
}

// ended is an error once close was called.
func (m *intermediates) ended() error {
	if m.ctx.Err() != nil {
		return fmt.Errorf("%w: keyring closed", keyring.ErrUnavailable)
	}
	return nil
}

// takenID names what an intermediate key is taken for.
func takenID(k serviceKey, s scope) string {
	b := appendField(nil, []byte(k.arn))
	b = appendField(b, sum([]byte(s.namespace)))
	return string(sum(appendField(b, []byte(s.context))))
}

// openedID names an intermediate key by all that KMS checks of it.
func openedID(k serviceKey, s scope, blob []byte) string {
	return string(sum(append([]byte(takenID(k, s)), blob...)))
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

// fly runs call once for all that ask for the same at the same time. It belongs
// to no single caller, so it outlives one that goes away, but not its time nor
// close. Who joins one that is about to run out of time begins another.
func (m *intermediates) fly(ctx context.Context, id string, call func(context.Context) error) error {
	for {
		done := m.flights.DoChan(id, func() (any, error) {
			ctx, cancel := limit(m.ctx, m.timeout)
			defer cancel()
			return nil, call(ctx)
		})
		select {
		case result := <-done:
			var late *overdue
			if errors.As(result.Err, &late) && ctx.Err() == nil {
				continue
			}
			return result.Err
		case <-ctx.Done():
			return fmt.Errorf("%w: waiting for an intermediate key: %w", keyring.ErrUnavailable, context.Cause(ctx))
		}
	}
}

// hold keeps i in a map of m, under m.mu.
func (m *intermediates) hold(held map[string]*intermediate, id string, i *intermediate) {
	if m.closed {
		i.key.Wipe()
		return
	}
	drop(held, id)
	limit := maxOpened
	if i.blob != nil {
		limit = maxTaken
	}
	if len(held) >= limit {
		drop(held, oldest(held))
	}
	held[id] = i
	if m.sweep == nil {
		m.sweep = time.AfterFunc(time.Until(i.expires), m.expire)
	}
}

// expire forgets what is too old and comes back for the rest.
func (m *intermediates) expire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var next time.Time
	for _, held := range []map[string]*intermediate{m.taken, m.opened} {
		for id, i := range held {
			switch {
			case !now.Before(i.expires):
				drop(held, id)
			case next.IsZero() || i.expires.Before(next):
				next = i.expires
			}
		}
	}
	m.sweep = nil
	if !next.IsZero() && !m.closed {
		m.sweep = time.AfterFunc(time.Until(next), m.expire)
	}
}

// close forgets everything and lets nothing begin.
func (m *intermediates) close() {
	m.cancel()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.sweep != nil {
		m.sweep.Stop()
	}
	for _, held := range []map[string]*intermediate{m.taken, m.opened} {
		for id := range held {
			drop(held, id)
		}
	}
}

func oldest(held map[string]*intermediate) string {
	var id string
	var first time.Time
	for other, i := range held {
		if first.IsZero() || i.expires.Before(first) {
			id, first = other, i.expires
		}
	}
	return id
}

// drop wipes and forgets one key, if it is held.
func drop(held map[string]*intermediate, id string) {
	if i := held[id]; i != nil {
		i.key.Wipe()
		delete(held, id)
	}
}
