package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// What each derived key is for. The number is the version of the format.
const (
	labelCommit = "sealgate/1 commit"
	labelPart   = "sealgate/1 part"
	labelUpload = "sealgate/1 upload"
	labelParts  = "sealgate/1 parts"
)

// New makes a fresh data key and the envelope of an object to be sealed. Wrap,
// KEK and Wrapped of the envelope are left to the caller. Every attempt of a
// single object and every multipart upload needs a New of its own. The caller
// wipes the key when it has been wrapped and given to [Unlock].
func New(kind Kind) (Envelope, DataKey) {
	key := freshDataKey()
	e := Envelope{Kind: kind}
	must(rand.Read(e.OID[:]))
	prk := extract(&e, key)
	defer clear(prk)
	copy(e.Commit[:], expand(prk, labelCommit, len(e.Commit)))
	return e, key
}

// Object is an object whose data key is known: it seals and opens its parts. It
// keeps keys derived from the data key, not the data key. It is safe for
// concurrent use.
type Object struct {
	envelope Envelope
	sealed   atomic.Bool // a single object, which is sealed once

	mu  sync.RWMutex // guards prk against Wipe
	prk hidden       // nil after Wipe
}

// Unlock checks that key is the one the envelope was made for and returns the
// object. The caller may wipe key afterwards. The error is [ErrCommitment],
// [ErrEnvelope] or [ErrDataKey].
//
// The namespace and key name of the object are not looked at here: unwrapping
// the data key under [Envelope.Binding] proved them.
func Unlock(e Envelope, key DataKey) (*Object, error) {
	if key.key == nil {
		return nil, ErrDataKey
	}
	if _, err := e.bytes(); err != nil {
		return nil, err
	}
	prk := extract(&e, key)
	if subtle.ConstantTimeCompare(expand(prk, labelCommit, len(e.Commit)), e.Commit[:]) != 1 {
		clear(prk)
		return nil, ErrCommitment
	}
	e.Wrapped = slices.Clone(e.Wrapped)
	return &Object{envelope: e, prk: hide(prk)}, nil
}

// Envelope returns the envelope the object was unlocked with. Its Wrapped must
// not be modified.
func (o *Object) Envelope() Envelope { return o.envelope }

// Wipe forgets the keys. Sealers and openers that need another key after it
// fail with [ErrWiped], so it is called when they are done. It may be called
// again.
func (o *Object) Wipe() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.prk != nil {
		clear(o.prk())
		o.prk = nil
	}
}

// Format writes "[redacted]" for every verb and flag.
func (o *Object) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// partKeys are the secrets of a part and its header with the right check.
type partKeys struct {
	header [HeaderSize]byte
	key    []byte
}

func (o *Object) partKeys(f *fields) (partKeys, error) {
	k := partKeys{header: f.encode()}
	derived, err := o.derive(labelPart+string(k.header[:checkedSize]), KeySize+checkSize)
	if err != nil {
		return partKeys{}, err
	}
	k.key = derived[:KeySize]
	copy(k.header[checkedSize:], derived[KeySize:])
	return k, nil
}

func (o *Object) derive(info string, size int) ([]byte, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.prk == nil {
		return nil, ErrWiped
	}
	return expand(o.prk(), info, size), nil
}

func extract(e *Envelope, key DataKey) []byte {
	return must(hkdf.Extract(sha256.New, key.key(), e.OID[:]))
}

func expand(prk []byte, info string, size int) []byte {
	return must(hkdf.Expand(sha256.New, prk, info, size))
}

// newAEAD returns AES-256-GCM with a random nonce before every ciphertext, the
// form that FIPS 140-3 mode allows.
func newAEAD(key []byte) cipher.AEAD {
	return must(cipher.NewGCMWithRandomNonce(must(aes.NewCipher(key))))
}
