package sse

import (
	"crypto/fips140"
	"crypto/md5" //nolint:gosec // the protocol's key check, not security
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

const (
	redacted        = "[redacted]"
	customerKeySize = 32 // bytes: AES-256
)

// CustomerKey is the key of an SSE-C request; its algorithm is AES256, the only
// one there is. Every way of printing or encoding one gives "[redacted]". It is
// immutable. Compare with [CustomerKey.Equal], not with ==.
type CustomerKey struct {
	// key holds the 32 bytes. It is behind a pointer because fmt cannot call
	// the methods of a value held in an unexported field and would print its
	// content; and the pointer is to a string, because fmt follows one to an
	// array for verbs it does not know.
	key *string
	md5 string
}

// NewCustomerKey makes a CustomerKey of 32 bytes, which it copies.
func NewCustomerKey(key []byte) (*CustomerKey, error) {
	if len(key) != customerKeySize {
		return nil, errors.New("a customer key has 32 bytes")
	}
	k := string(key)
	return &CustomerKey{key: &k, md5: keyMD5(key)}, nil
}

// keyMD5 is S3's check value of a key: base64 of its MD5. It detects a damaged
// key and protects nothing, so it stands outside FIPS enforcement.
func keyMD5(key []byte) string {
	var sum [md5.Size]byte
	fips140.WithoutEnforcement(func() { sum = md5.Sum(key) }) //nolint:gosec // see above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// MD5 returns the base64 of the key's MD5, as S3 shows it in replies. It does
// not give the key away.
func (k *CustomerKey) MD5() string { return k.md5 }

// Equal reports whether both are the same key, in constant time. A nil key
// equals only nil.
func (k *CustomerKey) Equal(other *CustomerKey) bool {
	if k == nil || other == nil {
		return k == other
	}
	return subtle.ConstantTimeCompare([]byte(*k.key), []byte(*other.key)) == 1
}

// ApplyCopySource sets the headers that open the source of a copy.
func (k *CustomerKey) ApplyCopySource(h http.Header) { k.set(h, copySourcePrefix) }

func (k *CustomerKey) set(h http.Header, prefix string) {
	h.Set(prefix+suffixAlgorithm, customerAlgorithm)
	h.Set(prefix+suffixKey, base64.StdEncoding.EncodeToString([]byte(*k.key)))
	h.Set(prefix+suffixKeyMD5, k.md5)
}

// String returns "[redacted]".
func (CustomerKey) String() string { return redacted }

// GoString returns "[redacted]".
func (CustomerKey) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (CustomerKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]"; encoding/json uses it too.
func (CustomerKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (CustomerKey) LogValue() slog.Value { return slog.StringValue(redacted) }
