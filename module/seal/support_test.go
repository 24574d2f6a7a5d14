package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"testing"
)

// newObject returns an object with a fresh key and an envelope whose wrapped
// key nobody unwraps.
func newObject(t testing.TB, kind Kind) *Object {
	t.Helper()
	e, key := New(kind)
	e.Wrap, e.KEK, e.Wrapped = WrapLocal, [8]byte{1, 2, 3}, bytes.Repeat([]byte{0xaa}, 60)
	o, err := Unlock(e, key)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// again returns the same object once more, as another gateway has it.
func again(t testing.TB, o *Object) *Object {
	t.Helper()
	return &Object{envelope: o.envelope, prk: hide(bytes.Clone(o.prk()))}
}

// pattern returns n bytes that are the same in every run.
func pattern(n int64, seed uint64) []byte {
	b := make([]byte, n)
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	_, _ = mathrand.NewChaCha8(s).Read(b)
	return b
}

func drain(t testing.TB, s *Sealer, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stored, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(stored)) != s.Size() {
		t.Fatalf("sealed %d bytes, Size says %d", len(stored), s.Size())
	}
	return stored
}

func sealSingle(t testing.TB, o *Object, plain []byte) []byte {
	t.Helper()
	s, err := o.SealSingle(bytes.NewReader(plain), int64(len(plain)))
	return drain(t, s, err)
}

func sealPart(t testing.TB, o *Object, p Part, plain []byte) []byte {
	t.Helper()
	p.Length = int64(len(plain))
	s, err := o.SealPart(bytes.NewReader(plain), p)
	return drain(t, s, err)
}

func openAll(o *Opener, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer o.Close()
	return io.ReadAll(o)
}

func openSingle(o *Object, stored []byte) ([]byte, error) {
	return openAll(o.OpenSingle(bytes.NewReader(stored), int64(len(stored))))
}

func openMultipart(o *Object, parts ...[]byte) ([]byte, error) {
	stored := bytes.Join(parts, nil)
	return openAll(o.OpenMultipart(bytes.NewReader(stored), int64(len(stored)), len(parts)))
}

// openRange fetches what an extent needs and opens it.
func openRange(o *Object, l *Layout, stored []byte, e Extent) ([]byte, error) {
	from, err := l.Stored(e)
	if err != nil {
		return nil, err
	}
	return openAll(o.OpenRange(bytes.NewReader(stored[from.Offset:from.End()]), l, e))
}

// walk reads the headers of a stored multipart object one after the other.
func walk(o *Object, stored []byte) (*Layout, error) {
	var headers []Header
	for at := int64(0); at < int64(len(stored)); {
		h, err := o.ParseHeader(stored[at:min(at+HeaderSize, int64(len(stored)))])
		if err != nil {
			return nil, err
		}
		headers = append(headers, h)
		at += h.Stored()
	}
	return NewLayout(int64(len(stored)), headers)
}

// wantDamage fails unless err is a *Damage, and returns it.
func wantDamage(t testing.TB, err error) *Damage {
	t.Helper()
	var d *Damage
	if !errors.As(err, &d) {
		t.Fatalf("got error %v, want a *Damage", err)
	}
	return d
}

func wantSame(t testing.TB, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes that are not the %d bytes sealed", len(got), len(want))
	}
}

// localWrap wraps a data key as FORMAT.md says for kind 1.
func localWrap(t testing.TB, kek []byte, e Envelope, key DataKey, binding []byte) []byte {
	t.Helper()
	return newAEAD(localKey(t, kek, e)).Seal(nil, nil, key.Reveal(), binding)
}

func localUnwrap(t testing.TB, kek []byte, e Envelope, binding []byte) (DataKey, error) {
	t.Helper()
	plain, err := newAEAD(localKey(t, kek, e)).Open(nil, nil, e.Wrapped, binding)
	if err != nil {
		return DataKey{}, err
	}
	return NewDataKey(plain)
}

func localKey(t testing.TB, kek []byte, e Envelope) []byte {
	t.Helper()
	key, err := hkdf.Key(sha256.New, kek, e.OID[:], "sealgate/1 wrap", KeySize)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func randomBytes(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}
