package keyring

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// DataKey is the secret key of one object. Every way of printing or encoding
// one gives "[redacted]". Go leaves one gap: fmt does not call the methods of an
// unexported field. A struct that keeps a DataKey in one is not to be printed,
// or has a Format method of its own. Two keys are compared with crypto/subtle,
// not with ==.
type DataKey [32]byte

// Wipe overwrites this copy of the key with zeros.
func (k *DataKey) Wipe() { clear(k[:]) }

// String returns "[redacted]".
func (DataKey) String() string { return redacted }

// GoString returns "[redacted]".
func (DataKey) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (DataKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]"; encoding/json and YAML use it too.
func (DataKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (DataKey) LogValue() slog.Value { return slog.StringValue(redacted) }
