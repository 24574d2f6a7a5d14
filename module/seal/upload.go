package seal

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// MaxUploadID is the longest upload id of a store that can be sealed, in bytes.
const MaxUploadID = 1024

// UploadID is an upload id as clients see it: the envelope of the upload and,
// sealed under a key of its object, the upload id of the store. Any gateway
// that can unwrap the data key can serve any call of the upload.
type UploadID struct {
	envelope Envelope
	sealed   []byte
}

// ParseUploadID reads the text [Object.SealUploadID] returned, so that the data
// key in its envelope can be unwrapped. Nothing is authenticated yet. Exactly
// one text is accepted for an upload id. All errors are [ErrUploadID].
func ParseUploadID(text string) (UploadID, error) {
	raw, err := decodeText(text, envelopeSize+MaxWrapped+MaxUploadID+chunkOverhead)
	if err != nil {
		return UploadID{}, fmt.Errorf("%w: %w", ErrUploadID, err)
	}
	e, sealed, err := cutEnvelope(raw)
	switch {
	case err != nil:
		return UploadID{}, fmt.Errorf("%w: %w", ErrUploadID, err)
	case e.Kind != Multipart:
		return UploadID{}, fmt.Errorf("%w: its envelope is that of a single object", ErrUploadID)
	case len(sealed) <= chunkOverhead || len(sealed) > MaxUploadID+chunkOverhead:
		return UploadID{}, fmt.Errorf("%w: %d bytes behind the envelope", ErrUploadID, len(sealed))
	}
	return UploadID{e, sealed}, nil
}

// Envelope returns the envelope of the upload. Its Wrapped must not be modified.
func (u UploadID) Envelope() Envelope { return u.envelope }

// SealUploadID returns the upload id for clients, of 1 to [MaxUploadID] bytes
// the store gave. The error is [ErrKind], [ErrUploadID] or [ErrWiped].
func (o *Object) SealUploadID(upstream string) (string, error) {
	if len(upstream) < 1 || len(upstream) > MaxUploadID {
		return "", fmt.Errorf("%w: %d bytes", ErrUploadID, len(upstream))
	}
	key, aad, err := o.uploadKey()
	if err != nil {
		return "", err
	}
	defer clear(key)
	sealed := newAEAD(key).Seal(nil, nil, []byte(upstream), aad) //nolint:gosec // G407: the AEAD draws a nonce for each call
	return base64.RawURLEncoding.EncodeToString(append(aad, sealed...)), nil
}

// OpenUploadID returns the store's upload id. The object must have been
// unlocked with the envelope of u. The error is [ErrUploadID] where u is not
// authentic, [ErrKind] or [ErrWiped].
func (o *Object) OpenUploadID(u UploadID) (string, error) {
	key, aad, err := o.uploadKey()
	if err != nil {
		return "", err
	}
	defer clear(key)
	// The key depends on OID and data key only: the rest of the envelope is
	// compared, and authenticated besides.
	given, err := u.envelope.bytes()
	if err != nil || !bytes.Equal(given, aad) {
		return "", fmt.Errorf("%w: it has another envelope than the object", ErrUploadID)
	}
	upstream, err := newAEAD(key).Open(nil, nil, u.sealed, aad)
	if err != nil {
		return "", fmt.Errorf("%w: %s", ErrUploadID, problemTag)
	}
	return string(upstream), nil
}

// uploadKey returns the key of upload ids and the envelope, which they are
// bound to.
func (o *Object) uploadKey() (key, envelope []byte, err error) {
	if o.envelope.Kind != Multipart {
		return nil, nil, ErrKind
	}
	if envelope, err = o.envelope.bytes(); err != nil {
		return nil, nil, err
	}
	key, err = o.derive(labelUpload, KeySize)
	return key, envelope, err
}
