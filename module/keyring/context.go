package keyring

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// MaxContext is the greatest length of an encoded encryption context, in bytes.
// It keeps the envelope within the 2 KB that S3 has for user metadata.
const MaxContext = 1024

// EncodeContext gives an encryption context the form in which every driver
// stores it beside the wrapped key: for each pair, in ascending order of the
// keys' bytes, a 2-byte big-endian length and the key, then a 2-byte length and
// the value. An empty context is zero bytes. There is one encoding of a
// context; it does not say where it ends.
//
// Keys are not empty, keys and values are UTF-8, and the whole is at most
// [MaxContext] bytes; anything else is an [ErrContext], which shows no value.
func EncodeContext(context map[string]string) ([]byte, error) {
	var encoded []byte
	for _, key := range slices.Sorted(maps.Keys(context)) {
		value := context[key]
		switch {
		case key == "":
			return nil, fmt.Errorf("%w: empty key", ErrContext)
		case !utf8.ValidString(key):
			return nil, fmt.Errorf("%w: key %q is not UTF-8", ErrContext, key)
		case !utf8.ValidString(value):
			return nil, fmt.Errorf("%w: the value of %q is not UTF-8", ErrContext, key)
		case len(encoded)+4+len(key)+len(value) > MaxContext:
			return nil, fmt.Errorf("%w: longer than %d bytes", ErrContext, MaxContext)
		}
		encoded = appendField(encoded, key)
		encoded = appendField(encoded, value)
	}
	return encoded, nil
}

// DecodeContext is the inverse of [EncodeContext]: it accepts what that makes
// and nothing else; anything else is an [ErrCorrupt]. Zero bytes are a nil map.
// The content is not to be believed before the wrapped key has authenticated
// it.
func DecodeContext(encoded []byte) (map[string]string, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	if len(encoded) > MaxContext {
		return nil, fmt.Errorf("%w: context longer than %d bytes", ErrCorrupt, MaxContext)
	}
	context := make(map[string]string)
	for previous := ""; len(encoded) > 0; {
		var key, value string
		var ok bool
		if key, encoded, ok = cutField(encoded); !ok {
			return nil, errMalformedContext
		}
		if value, encoded, ok = cutField(encoded); !ok {
			return nil, errMalformedContext
		}
		if key <= previous || !utf8.ValidString(key) || !utf8.ValidString(value) {
			return nil, errMalformedContext
		}
		context[key], previous = value, key
	}
	return context, nil
}

var errMalformedContext = fmt.Errorf("%w: malformed context", ErrCorrupt)

func appendField(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s))) //nolint:gosec // at most MaxContext
	return append(b, s...)
}

// cutField takes one length and its bytes off the beginning of b.
func cutField(b []byte) (field string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; n > len(b) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}
