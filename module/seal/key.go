package seal

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
)

// KeySize is the length of a data key, in bytes.
const KeySize = 32

const redacted = "[redacted]"

// DataKey is the key of one object. Every way of printing or encoding one gives
// "[redacted]"; [DataKey.Reveal] is the only way to the bytes. Copies share
// them, so that [DataKey.Wipe] wipes all copies. The zero DataKey is no key.
type DataKey struct{ key hidden }

// hidden holds secret bytes, or is nil. It is a function because fmt cannot call
// the methods of a value held in an unexported field: it prints what it finds
// there, and follows a pointer where a verb does not fit. It cannot look into a
// function.
type hidden func() []byte

func hide(secret []byte) hidden { return func() []byte { return secret } }

// NewDataKey makes a DataKey of a copy of plain, the result of unwrapping. The
// error is [ErrDataKey] where it has not 32 bytes.
func NewDataKey(plain []byte) (DataKey, error) {
	if len(plain) != KeySize {
		return DataKey{}, ErrDataKey
	}
	return DataKey{hide(bytes.Clone(plain))}, nil
}

func freshDataKey() DataKey {
	key := make([]byte, KeySize)
	must(rand.Read(key))
	return DataKey{hide(key)}
}

// Reveal returns the 32 bytes themselves, for wrapping, or nil for the zero
// DataKey. They are the key's own: they must not be modified and become zero
// with Wipe.
func (k DataKey) Reveal() []byte {
	if k.key == nil {
		return nil
	}
	return k.key()
}

// Wipe sets the key to zero in this and every copy. It must not run while one
// of them is in use.
func (k DataKey) Wipe() {
	clear(k.Reveal())
}

// String returns "[redacted]".
func (DataKey) String() string { return redacted }

// GoString returns "[redacted]".
func (DataKey) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (DataKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]"; encoding/json uses it too.
func (DataKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (DataKey) LogValue() slog.Value { return slog.StringValue(redacted) }
