package keyring

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"
)

// address finds a data key in a [Cache].
type address [sha256.Size]byte

// addressOf is SHA-256 over everything that an Unwrap checks, each part with
// its length.
func addressOf(kek KEK, wrapped []byte, b Binding) address {
	digest := sha256.New()
	digest.Write([]byte{byte(kek.Kind)})
	digest.Write(kek.ID[:])
	digest.Write(b.OID[:])
	addPart(digest, []byte(b.Namespace))
	addPart(digest, b.AAD)
	addPart(digest, wrapped)
	return address(digest.Sum(nil))
}

func addPart(digest hash.Hash, part []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(part)))
	digest.Write(n[:])
	digest.Write(part)
}

// memory is the keys that a [Cache] remembers. Its methods are called with the
// cache's lock held.
type memory struct {
	limits Limits
	byAge  *list.List // of *remembered, the oldest first
	found  map[address]*list.Element
}

// remembered is one key. Every key lives equally long, and a busy one that goes
// by its age costs one more call, so there is no order of use to keep.
type remembered struct {
	at    address
	until time.Time
	uses  int
	key   *DataKey
}

func newMemory(limits Limits) memory {
	return memory{limits: limits, byAge: list.New(), found: make(map[address]*list.Element)}
}

// add remembers key, in the place of the oldest if there are too many.
func (m *memory) add(at address, key DataKey) {
	if e, ok := m.found[at]; ok {
		m.forget(e)
	}
	if m.byAge.Len() >= m.limits.MaxKeys {
		m.forget(m.byAge.Front())
	}
	m.found[at] = m.byAge.PushBack(&remembered{at: at, until: time.Now().Add(m.limits.MaxAge), key: &key})
}

// find gives out a remembered key that is not too old and was not used too often.
func (m *memory) find(at address) (DataKey, bool) {
	e, ok := m.found[at]
	if !ok {
		return DataKey{}, false
	}
	r := e.Value.(*remembered)
	if !time.Now().Before(r.until) {
		m.forget(e)
		return DataKey{}, false
	}
	key := *r.key
	if r.uses++; r.uses >= m.limits.MaxUses {
		m.forget(e)
	}
	return key, true
}

// forget wipes a key.
func (m *memory) forget(e *list.Element) {
	r := m.byAge.Remove(e).(*remembered)
	delete(m.found, r.at)
	r.key.Wipe()
}

// expire forgets what is too old, and says when to look again: after how long
// the oldest key left will be, 0 if there is none.
func (m *memory) expire() time.Duration {
	for m.byAge.Len() > 0 {
		oldest := m.byAge.Front()
		if left := time.Until(oldest.Value.(*remembered).until); left > 0 {
			return left
		}
		m.forget(oldest)
	}
	return 0
}

// wipe forgets everything.
func (m *memory) wipe() {
	for m.byAge.Len() > 0 {
		m.forget(m.byAge.Front())
	}
}
