package awskms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/sealgate/sealgate/module/keyring"
)

// localSize is the length of a data key sealed under an intermediate key, in
// bytes: nonce 12, ciphertext 32, tag 16.
const localSize = 12 + 32 + 16

// localInfo is the HKDF info of the key that seals one data key.
const localInfo = "sealgate/1 wrap"

// localBinding is what a data key sealed under an intermediate key belongs to.
type localBinding struct {
	keyring.Binding
	prefix []byte // of the wrapped key: context and intermediate, with their lengths
}

// aad needs no length between its two: no AAD is the beginning of another one.
func (b localBinding) aad() []byte { return slices.Concat(b.AAD, b.prefix) }

// sealLocal appends key, sealed under intermediate, to dst.
func sealLocal(dst []byte, intermediate, key *keyring.DataKey, b localBinding) ([]byte, error) {
	aead, err := localAEAD(intermediate, b)
	if err != nil {
		return nil, err
	}
	return append(dst, aead.Seal(nil, nil, key[:], b.aad())...), nil //nolint:gosec // the AEAD makes the nonce
}

// openLocal is the inverse of sealLocal.
func openLocal(intermediate *keyring.DataKey, sealed []byte, b localBinding) (keyring.DataKey, error) {
	aead, err := localAEAD(intermediate, b)
	if err != nil {
		return keyring.DataKey{}, err
	}
	plain, err := aead.Open(nil, nil, sealed, b.aad())
	if err != nil || len(plain) != len(keyring.DataKey{}) {
		return keyring.DataKey{}, fmt.Errorf("%w: under its intermediate key", keyring.ErrCorrupt)
	}
	defer clear(plain)
	return keyring.DataKey(plain), nil
}

// localAEAD is keyed per object, so that no intermediate key comes near the
// number of messages that random nonces allow.
func localAEAD(intermediate *keyring.DataKey, b localBinding) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, intermediate[:], b.OID[:], localInfo, len(intermediate))
	if err != nil {
		return nil, fmt.Errorf("deriving a wrapping key: %w", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("keying aes: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("keying gcm: %w", err)
	}
	return aead, nil
}
