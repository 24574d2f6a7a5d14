package keyring

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
)

// Kind says how data keys are wrapped. Its values are those of the wrap-kind
// byte in a sealed object's envelope and never change.
type Kind uint8

// The kinds there are; 0 is none of them.
const (
	Local           Kind = 1 // a key in a file of the gateway's
	KMS             Kind = 2 // AWS KMS, one call a data key
	KMSIntermediate Kind = 3 // AWS KMS, many data keys under one wrapped by KMS
	Transit         Kind = 4 // the transit engine of Vault or OpenBao
)

// String returns the kind's name in logs and listings, for example "local".
func (k Kind) String() string {
	switch k {
	case Local:
		return "local"
	case KMS:
		return "kms"
	case KMSIntermediate:
		return "kms-intermediate"
	case Transit:
		return "transit"
	default:
		return fmt.Sprintf("kind-%d", uint8(k))
	}
}

// KEK names one key-encryption key: it is what an envelope stores of it, and
// holds nothing secret. It is comparable.
type KEK struct {
	Kind Kind    // how data keys are wrapped
	ID   [8]byte // which key
}

// String returns kind and id, for example "local/0123456789abcdef".
func (k KEK) String() string { return k.Kind.String() + "/" + hex.EncodeToString(k.ID[:]) }

// MarshalText is String as bytes; JSON and structured logs use it too.
func (k KEK) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Binding is what a wrapped data key belongs to, and the only thing it can be
// unwrapped for. A Keyring neither changes nor keeps what it refers to.
type Binding struct {
	// Namespace is where the object lives, usually its bucket.
	Namespace string
	// OID is the object's random id.
	OID [32]byte
	// AAD is everything the data key is bound to, KEK, OID and Namespace
	// included: the envelope before the wrapped key, then namespace and key
	// name with their lengths. No AAD may be the beginning of another one.
	AAD []byte
	// Context is the encryption context that policy asks for, at most
	// [MaxContext] bytes as encoded. It is authenticated and not secret.
	// Wrap stores it in the wrapped key; Unwrap takes it from there and
	// ignores this field.
	Context map[string]string
}

// Keyring wraps and unwraps data keys with key-encryption keys that it alone
// reaches. It is safe for concurrent use, and its calls end soon after their
// context does.
//
// Errors that a caller can act on match [ErrUnknownKey], [ErrDenied],
// [ErrUnavailable], [ErrCorrupt] or, from Wrap, [ErrContext]; after the end of
// ctx, they match its error or ErrUnavailable. Whatever the error is, the key
// returned with it is zero and nothing must be read or written. No error shows
// key material.
type Keyring interface {
	// KEKs lists the keys it can unwrap with, the one for new data keys first.
	// It is never empty once the keyring is provisioned, has no key twice and
	// does not wait for anything. The slice is not to be changed; a keyring
	// whose keys change returns another one.
	KEKs() []KEK

	// Wrap wraps key for b under kek, which must be KEKs()[0] as of a moment
	// ago: a key that has just been rotated out is still accepted. The caller
	// owns the bytes returned.
	Wrap(ctx context.Context, kek KEK, key DataKey, b Binding) ([]byte, error)

	// Unwrap returns the data key that was wrapped under kek for b. It fails
	// unless kek, b's Namespace, OID and AAD and every bit of wrapped are
	// those of the Wrap. wrapped is neither changed nor kept.
	Unwrap(ctx context.Context, kek KEK, wrapped []byte, b Binding) (DataKey, error)
}

// What can go wrong with a keyring.
var (
	// ErrUnknownKey: the keyring has no such KEK.
	ErrUnknownKey = errors.New("unknown key-encryption key")
	// ErrDenied: the key service refuses. Trying again does not help.
	ErrDenied = errors.New("key service denied the request")
	// ErrUnavailable: the key service is down, slow or throttles. Trying again
	// may help.
	ErrUnavailable = errors.New("key service unavailable")
	// ErrCorrupt: the wrapped key does not authenticate. It was changed, or
	// moved to another name.
	ErrCorrupt = errors.New("wrapped data key does not authenticate")
	// ErrContext: the encryption context cannot be stored.
	ErrContext = errors.New("invalid encryption context")
)
