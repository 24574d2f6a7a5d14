package sigv4

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
)

// keysPerGeneration is half of what a KeyCache holds.
const keysPerGeneration = 512

// KeyCache keeps up to 1024 derived signing keys, so that a request costs one
// HMAC instead of five. Entries are found by a digest of access key, day,
// region and secret: after a secret is changed its old keys are never found
// again. The zero KeyCache is empty and ready; a nil *KeyCache derives every
// time. It is safe for concurrent use and prints nothing of what it holds.
type KeyCache struct {
	mu         sync.Mutex
	young, old map[keyID]signingKey
}

type (
	keyID      [sha256.Size]byte
	signingKey [sha256.Size]byte
)

// Format writes a placeholder whatever the verb.
func (k *KeyCache) Format(s fmt.State, _ rune) { fmt.Fprint(s, "[redacted keys]") }

// key is the signing key of secret for the scope c. The result belongs to the
// caller.
func (k *KeyCache) key(c Credential, secret string) []byte {
	if k == nil {
		key := deriveKey(c, secret)
		return key[:]
	}
	id := cacheID(c, secret)
	k.mu.Lock()
	key, ok := k.young[id]
	if !ok {
		if key, ok = k.old[id]; ok {
			k.put(id, key)
		}
	}
	k.mu.Unlock()
	if ok {
		return key[:]
	}
	key = deriveKey(c, secret) // outside the lock: two at once is cheaper than waiting
	k.mu.Lock()
	k.put(id, key)
	k.mu.Unlock()
	return key[:]
}

// put keeps a key. When the young half is full it becomes the old one, and
// what was not used since the last time is forgotten. k.mu must be held.
func (k *KeyCache) put(id keyID, key signingKey) {
	if k.young == nil || len(k.young) >= keysPerGeneration {
		k.old, k.young = k.young, make(map[keyID]signingKey)
	}
	k.young[id] = key
}

// cacheID digests the four parts unambiguously: each is preceded by its length.
func cacheID(c Credential, secret string) keyID {
	b := make([]byte, 0, 160)
	for _, part := range [...]string{c.AccessKey, c.Date, c.Region, secret} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(b)
}

// deriveKey is the key derivation of Signature Version 4.
func deriveKey(c Credential, secret string) (key signingKey) {
	k := []byte("AWS4" + secret)
	for _, part := range [...]string{c.Date, c.Region, service, terminator} {
		k = appendHMAC(nil, k, part)
	}
	copy(key[:], k)
	return key
}
