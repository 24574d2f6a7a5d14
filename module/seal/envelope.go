package seal

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Kind says how an object was stored: at once or as a multipart upload.
type Kind uint8

// The kinds of object. The values are the multipart flag of the format.
const (
	Single Kind = iota
	Multipart
)

func (k Kind) String() string {
	switch k {
	case Single:
		return "single"
	case Multipart:
		return "multipart"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// WrapKind says who wrapped a data key and so who can unwrap it. The zero
// WrapKind is none.
type WrapKind uint8

// The kinds of wrap the format knows. Others are refused.
const (
	WrapLocal        WrapKind = 1 // a key-encryption key in a local keyring
	WrapKMS          WrapKind = 2 // a KMS key
	WrapIntermediate WrapKind = 3 // a key that is itself wrapped by a KMS key
	WrapTransit      WrapKind = 4 // Vault's transit engine
)

func (k WrapKind) String() string {
	switch k {
	case WrapLocal:
		return "local"
	case WrapKMS:
		return "kms"
	case WrapIntermediate:
		return "kms-intermediate"
	case WrapTransit:
		return "vault-transit"
	}
	return fmt.Sprintf("WrapKind(%d)", uint8(k))
}

func (k WrapKind) known() bool { return k >= WrapLocal && k <= WrapTransit }

// The versions this package reads and writes.
const (
	version = 1
	suite   = 1
)

// Sizes of an envelope, in bytes.
const (
	boundSize    = 76            // version to commitment, the part a wrap is bound to
	envelopeSize = boundSize + 2 // all but the wrapped data key

	// MaxWrapped is the longest wrapped data key an envelope can hold. The
	// envelope is then 1,470 characters of the 2 KB S3 allows for user metadata.
	MaxWrapped = 1024
	// MaxNamespace is the longest namespace that can be bound.
	MaxNamespace = 1<<16 - 1
	// MaxKeyName is the longest key name of an object, S3's limit:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html.
	MaxKeyName = 1024
)

// Envelope is what is stored beside an object so that it can be opened: which
// key wraps its data key, and the wrapped data key. It holds no secret. Version
// and suite have no field because there is only one of each.
//
// [New] makes one without Wrap, KEK and Wrapped. Wrap and KEK are set first,
// since [Envelope.Binding] covers them, and Wrapped when the data key has been
// wrapped.
type Envelope struct {
	Kind    Kind
	Wrap    WrapKind
	KEK     [8]byte  // which key-encryption key, within its keyring
	OID     [32]byte // random, one per object
	Commit  [32]byte // commitment to data key and OID
	Wrapped []byte   // 1 to MaxWrapped bytes that mean something to the keyring only
}

// ParseEnvelope reads the text [Envelope.Encode] writes. Exactly one text is
// accepted for an envelope: no padding, line breaks, spare bits or spare bytes.
// Unknown versions, suites, flags and wrap kinds are refused. All errors are
// [ErrEnvelope].
func ParseEnvelope(text string) (Envelope, error) {
	raw, err := decodeText(text, envelopeSize+MaxWrapped)
	if err != nil {
		return Envelope{}, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	e, rest, err := cutEnvelope(raw)
	if err != nil {
		return Envelope{}, err
	}
	if len(rest) > 0 {
		return Envelope{}, fmt.Errorf("%w: %d spare bytes", ErrEnvelope, len(rest))
	}
	return e, nil
}

// Encode returns the envelope as base64url without padding, the value of a
// metadata header. The error is [ErrEnvelope] where a field has no allowed
// value, as before the data key was wrapped.
func (e Envelope) Encode() (string, error) {
	raw, err := e.bytes()
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Binding returns the bytes a wrap of the data key must authenticate: the
// envelope up to the commitment, the namespace and the key name. It needs Wrap
// and KEK and does not look at Wrapped. The caller owns the result. The error
// is [ErrEnvelope] or [ErrName]; names must have at least one byte.
func (e Envelope) Binding(namespace, key string) ([]byte, error) {
	switch {
	case len(namespace) < 1 || len(namespace) > MaxNamespace:
		return nil, fmt.Errorf("%w: namespace of %d bytes", ErrName, len(namespace))
	case len(key) < 1 || len(key) > MaxKeyName:
		return nil, fmt.Errorf("%w: key name of %d bytes", ErrName, len(key))
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	raw := e.appendBound(make([]byte, 0, boundSize+4+len(namespace)+len(key)))
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(namespace)))
	raw = append(raw, namespace...)
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(key)))
	return append(raw, key...), nil
}

// check refuses values of the bound fields that the format has not.
func (e *Envelope) check() error {
	if e.Kind > Multipart || !e.Wrap.known() {
		return fmt.Errorf("%w: %v, wrap %v", ErrEnvelope, e.Kind, e.Wrap)
	}
	return nil
}

func (e *Envelope) bytes() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	if len(e.Wrapped) < 1 || len(e.Wrapped) > MaxWrapped {
		return nil, fmt.Errorf("%w: wrapped data key of %d bytes", ErrEnvelope, len(e.Wrapped))
	}
	raw := e.appendBound(make([]byte, 0, envelopeSize+len(e.Wrapped)))
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(e.Wrapped)))
	return append(raw, e.Wrapped...), nil
}

func (e *Envelope) appendBound(to []byte) []byte {
	to = append(to, version, suite, byte(e.Kind), byte(e.Wrap))
	to = append(to, e.KEK[:]...)
	to = append(to, e.OID[:]...)
	return append(to, e.Commit[:]...)
}

// cutEnvelope reads an envelope at the start of raw and returns what follows.
func cutEnvelope(raw []byte) (e Envelope, rest []byte, err error) {
	if len(raw) < envelopeSize {
		return e, nil, fmt.Errorf("%w: %d bytes", ErrEnvelope, len(raw))
	}
	if raw[0] != version || raw[1] != suite {
		return e, nil, fmt.Errorf("%w: unknown version %d or suite %d", ErrEnvelope, raw[0], raw[1])
	}
	e.Kind, e.Wrap = Kind(raw[2]), WrapKind(raw[3])
	if err := e.check(); err != nil {
		return e, nil, err
	}
	copy(e.KEK[:], raw[4:])
	copy(e.OID[:], raw[12:])
	copy(e.Commit[:], raw[44:])
	n := int(binary.BigEndian.Uint16(raw[boundSize:]))
	rest = raw[envelopeSize:]
	if n < 1 || n > MaxWrapped || n > len(rest) {
		return e, nil, fmt.Errorf("%w: wrapped data key of %d bytes", ErrEnvelope, n)
	}
	e.Wrapped = rest[:n:n]
	return e, rest[n:], nil
}

// decodeText decodes base64url without padding, of at most limit bytes. The
// standard decoder skips line breaks; here no two texts give the same bytes.
func decodeText(text string, limit int) ([]byte, error) {
	if len(text) > base64.RawURLEncoding.EncodedLen(limit) {
		return nil, fmt.Errorf("%d characters are too many", len(text))
	}
	for i := range len(text) {
		if c := text[i]; c == '\r' || c == '\n' {
			return nil, fmt.Errorf("line break at %d", i)
		}
	}
	return base64.RawURLEncoding.Strict().DecodeString(text)
}
