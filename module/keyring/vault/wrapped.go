package vault

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"

	"github.com/sealgate/sealgate/module/keyring"
)

// A wrapped data key is
//
//	be16 length ‖ context ‖ ciphertext as Vault writes it, "vault:v1:…"
//
// with the policy's context as keyring.EncodeContext writes it.

// maxCiphertext bounds a ciphertext, in bytes. That of a data key has 89 and the
// digits of its version.
const maxCiphertext = 512

// ciphertextForm is how Vault writes a ciphertext: the version of the key, then
// base64.
var ciphertextForm = regexp.MustCompile(`^vault:v[1-9][0-9]{0,9}:([A-Za-z0-9+/]+={0,2})$`)

// validCiphertext reports whether text is a ciphertext in the one form it has:
// decoders differ in what they overlook.
func validCiphertext(text string) bool {
	if len(text) > maxCiphertext {
		return false
	}
	m := ciphertextForm.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	_, err := base64.StdEncoding.Strict().DecodeString(m[1])
	return err == nil
}

// join makes a wrapped key of its parts; context is at most keyring.MaxContext.
func join(context []byte, ciphertext string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(context))) //nolint:gosec // at most MaxContext
	return append(append(b, context...), ciphertext...)
}

// cut is the inverse of join. It refuses what join does not make.
func cut(wrapped []byte) (context []byte, ciphertext string, err error) {
	if len(wrapped) < 2 {
		return nil, "", errMalformed
	}
	n := int(binary.BigEndian.Uint16(wrapped))
	if wrapped = wrapped[2:]; n > len(wrapped) {
		return nil, "", errMalformed
	}
	if _, err := keyring.DecodeContext(wrapped[:n]); err != nil {
		return nil, "", err
	}
	ciphertext = string(wrapped[n:])
	if !validCiphertext(ciphertext) {
		return nil, "", errMalformed
	}
	return wrapped[:n], ciphertext, nil
}

var errMalformed = fmt.Errorf("%w: malformed", keyring.ErrCorrupt)

// associated is what Vault authenticates with a data key. It needs no length
// between its two: no AAD is the beginning of another one.
func associated(aad, context []byte) []byte { return slices.Concat(aad, context) }
