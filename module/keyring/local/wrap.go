package local

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/sealgate/sealgate/module/keyring"
)

// sealedSize is the length of a wrapped data key before the encoded context:
// nonce, key and tag.
const sealedSize = 12 + keySize + 16

// info separates this use of a key-encryption key from any other one.
const info = "sealgate/1 wrap"

// wrap returns nonce ‖ AES-256-GCM(data key) ‖ tag ‖ encoded context. The GCM
// key is HKDF-SHA-256(secret, salt OID), so that no key comes near the number
// of random nonces it may be used with, and the context is part of what the tag
// covers.
func wrap(secret *[keySize]byte, k keyring.DataKey, b keyring.Binding) ([]byte, error) {
	context, err := keyring.EncodeContext(b.Context)
	if err != nil {
		return nil, err
	}
	aead, err := objectAEAD(secret, b.OID)
	if err != nil {
		return nil, err
	}
	defer k.Wipe()
	sealed := make([]byte, 0, sealedSize+len(context))
	sealed = aead.Seal(sealed, nil, k[:], additional(b.AAD, context)) //nolint:gosec // the cipher draws the nonce
	return append(sealed, context...), nil
}

// unwrap is the inverse of wrap. Its errors are [keyring.ErrCorrupt].
func unwrap(secret *[keySize]byte, wrapped []byte, b keyring.Binding) (keyring.DataKey, error) {
	if len(wrapped) < sealedSize {
		return keyring.DataKey{}, fmt.Errorf("%w: %d bytes", keyring.ErrCorrupt, len(wrapped))
	}
	sealed, context := wrapped[:sealedSize], wrapped[sealedSize:]
	if _, err := keyring.DecodeContext(context); err != nil {
		return keyring.DataKey{}, err
	}
	aead, err := objectAEAD(secret, b.OID)
	if err != nil {
		return keyring.DataKey{}, err
	}
	var k keyring.DataKey
	if _, err := aead.Open(k[:0], nil, sealed, additional(b.AAD, context)); err != nil {
		return keyring.DataKey{}, keyring.ErrCorrupt
	}
	return k, nil
}

// objectAEAD derives the cipher that wraps the data key of one object.
func objectAEAD(secret *[keySize]byte, oid [32]byte) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, secret[:], oid[:], info, keySize)
	if err != nil {
		return nil, fmt.Errorf("deriving the wrapping key: %w", err)
	}
	defer clear(derived)
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("making the wrapping cipher: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// additional joins what the tag covers besides the key, in memory of its own.
func additional(aad, context []byte) []byte {
	joined := make([]byte, 0, len(aad)+len(context))
	return append(append(joined, aad...), context...)
}
