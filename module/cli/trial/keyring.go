package trial

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/sealgate/sealgate/module/keyring"
)

// ring is a keyring that ends with the process.
type ring struct {
	kek  keyring.KEK
	aead cipher.AEAD
}

// throwaway makes a keyring of each name; nil where there are none.
func throwaway(names map[string]bool) (*keyring.Set, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var members []keyring.Member
	for _, name := range slices.Sorted(maps.Keys(names)) {
		r, err := newRing()
		if err != nil {
			return nil, err
		}
		members = append(members, keyring.Member{Name: name, Keyring: r})
	}
	return keyring.NewSet(members)
}

func newRing() (*ring, error) {
	var key [32]byte
	r := &ring{kek: keyring.KEK{Kind: keyring.Local}}
	for _, random := range [][]byte{key[:], r.kek.ID[:]} {
		if _, err := rand.Read(random); err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	r.aead, err = cipher.NewGCMWithRandomNonce(block)
	return r, err
}

// KEKs implements keyring.Keyring.
func (r *ring) KEKs() []keyring.KEK { return []keyring.KEK{r.kek} }

// Wrap implements keyring.Keyring.
func (r *ring) Wrap(_ context.Context, kek keyring.KEK, key keyring.DataKey, b keyring.Binding) ([]byte, error) {
	if kek != r.kek {
		return nil, keyring.ErrUnknownKey
	}
	return r.aead.Seal(nil, nil, key[:], bound(b)), nil //nolint:gosec // the AEAD draws its nonce itself
}

// Unwrap implements keyring.Keyring.
func (r *ring) Unwrap(_ context.Context, kek keyring.KEK, wrapped []byte, b keyring.Binding) (keyring.DataKey, error) {
	if kek != r.kek {
		return keyring.DataKey{}, keyring.ErrUnknownKey
	}
	plain, err := r.aead.Open(nil, nil, wrapped, bound(b))
	if err != nil || len(plain) != len(keyring.DataKey{}) {
		return keyring.DataKey{}, keyring.ErrCorrupt
	}
	defer clear(plain)
	return keyring.DataKey(plain), nil
}

// bound is what a wrapped key is bound to, each part with its length.
func bound(b keyring.Binding) []byte {
	var out []byte
	for _, part := range [][]byte{[]byte(b.Namespace), b.OID[:], b.AAD} {
		out = binary.BigEndian.AppendUint64(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

// Interface guard
var _ keyring.Keyring = (*ring)(nil)
