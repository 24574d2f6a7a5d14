package awskms

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a secret access key. Every way of printing or encoding one gives
// "[redacted]"; [Secret.Reveal] is the only way to the value. The zero Secret
// is empty. Two Secrets must not be compared with ==.
type Secret struct {
	// value is behind a pointer because fmt cannot call the methods of a
	// value held in an unexported field and would print its content.
	value *string
}

// NewSecret makes a Secret of plain.
func NewSecret(plain string) Secret { return Secret{&plain} }

// Reveal returns the secret itself, "" for the zero Secret.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText returns "[redacted]"; encoding/json uses it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
