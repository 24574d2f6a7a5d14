package keyringtest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
)

// testOtherKEK names another KEK than the one that wrapped.
func testOtherKEK(t *testing.T, open Opener) {
	k := open(t)
	w := seal(t, k, newSubject())
	b := w.subject.binding(w.kek)
	for bit := range 8 * len(w.kek.ID) {
		other := w.kek
		other.ID[bit/8] ^= 1 << (bit % 8)
		w.refuses(t, fmt.Sprintf("id with bit %d changed", bit), other, w.wrapped, b, keyring.ErrUnknownKey)
	}
	for kind := range 256 {
		other := keyring.KEK{Kind: keyring.Kind(kind), ID: w.kek.ID} //nolint:gosec // below 256
		if other != w.kek {
			w.refuses(t, fmt.Sprintf("kind %d", kind), other, w.wrapped, b, nil)
		}
	}
	for _, other := range k.KEKs() {
		if other != w.kek {
			w.refuses(t, "another KEK of the keyring", other, w.wrapped, w.subject.binding(other), nil)
		}
	}
	unknown := keyring.KEK{Kind: w.kek.Kind, ID: [8]byte{0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0}}
	key := newKey()
	wrapped, err := k.Wrap(t.Context(), unknown, key, w.subject.binding(unknown))
	if wrapped != nil {
		t.Error("Wrap under an unknown KEK gives bytes")
	}
	sealed{k, unknown, w.subject, key, nil}.checkRefusal(t, "Wrap under an unknown KEK", keyring.DataKey{}, err, keyring.ErrUnknownKey)
}

// testOtherBinding moves a wrapped key to another object.
func testOtherBinding(t *testing.T, open Opener) {
	k := open(t)
	w := seal(t, k, newSubject())
	for name, change := range map[string]func(*subject){
		"namespace":       func(s *subject) { s.namespace = "payroll" },
		"longer names":    func(s *subject) { s.namespace += "2" },
		"key name":        func(s *subject) { s.name = "2026/11/0002.pdf" },
		"names moved":     func(s *subject) { s.namespace, s.name = s.namespace+"2", s.name[1:] },
		"names swapped":   func(s *subject) { s.namespace, s.name = s.name, s.namespace },
		"first bit, OID":  func(s *subject) { s.oid[0] ^= 0x80 },
		"middle bit, OID": func(s *subject) { s.oid[15] ^= 1 },
		"last bit, OID":   func(s *subject) { s.oid[31] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := w.subject
			change(&s)
			w.refuses(t, name, w.kek, w.wrapped, s.binding(w.kek), keyring.ErrCorrupt)
		})
	}
	other := newSubject()
	other.oid = w.subject.oid
	other.name = "another"
	second := seal(t, k, other)
	w.refuses(t, "wrapped keys swapped", w.kek, second.wrapped, w.subject.binding(w.kek), keyring.ErrCorrupt)
	w.opens(t)
	second.opens(t)
}

func testChangedAAD(t *testing.T, open Opener) {
	k := open(t)
	w := seal(t, k, newSubject())
	intact := w.subject.binding(w.kek).AAD
	refuse := func(what string, aad []byte) {
		t.Helper()
		b := w.subject.binding(w.kek)
		b.AAD = aad
		w.refuses(t, what, w.kek, w.wrapped, b, keyring.ErrCorrupt)
	}
	for bit := range 8 * len(intact) {
		if !worth(bit, len(intact)) {
			continue
		}
		aad := bytes.Clone(intact)
		aad[bit/8] ^= 1 << (bit % 8)
		refuse(fmt.Sprintf("bit %d changed", bit), aad)
	}
	refuse("none", nil)
	refuse("shorter", intact[:len(intact)-1])
	refuse("longer", append(bytes.Clone(intact), 0))
	w.opens(t)
}

func testChangedWrapped(t *testing.T, open Opener) {
	k := open(t)
	for name, context := range map[string]map[string]string{
		"without context": nil,
		"with context":    {"purpose": "invoices", "region": "eu"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSubject()
			s.context = context
			w := seal(t, k, s)
			b := s.binding(w.kek)
			for bit := range 8 * len(w.wrapped) {
				if !worth(bit, len(w.wrapped)) {
					continue
				}
				changed := bytes.Clone(w.wrapped)
				changed[bit/8] ^= 1 << (bit % 8)
				w.refuses(t, fmt.Sprintf("bit %d changed", bit), w.kek, changed, b, keyring.ErrCorrupt)
			}
			for n := range w.wrapped {
				w.refuses(t, fmt.Sprintf("cut to %d bytes", n), w.kek, w.wrapped[:n], b, keyring.ErrCorrupt)
			}
			for _, end := range []string{"\x00", "=", "\n", "\x00\x01a\x00\x01b"} {
				longer := append(bytes.Clone(w.wrapped), end...)
				w.refuses(t, fmt.Sprintf("%q at the end", end), w.kek, longer, b, keyring.ErrCorrupt)
			}
			w.refuses(t, "twice", w.kek, append(bytes.Clone(w.wrapped), w.wrapped...), b, keyring.ErrCorrupt)
			w.opens(t)
		})
	}
}

// testAnyBytes unwraps what no keyring made.
func testAnyBytes(t *testing.T, open Opener) {
	k := open(t)
	w := seal(t, k, newSubject())
	b := w.subject.binding(w.kek)
	for _, n := range []int{0, 1, 2, 16, 28, 59, 60, 61, 92, 200, 2000, 65535} {
		random := make([]byte, n)
		w.refuses(t, fmt.Sprintf("%d zeros", n), w.kek, random, b, keyring.ErrCorrupt)
		_, _ = rand.Read(random) // never fails
		w.refuses(t, fmt.Sprintf("%d random bytes", n), w.kek, random, b, keyring.ErrCorrupt)
	}
	w.refuses(t, "nil", w.kek, nil, b, keyring.ErrCorrupt)
}

// worth selects the bits to change in n bytes: all of the first and last 64,
// where the fields of the drivers' formats are, and one of each byte between,
// so that a driver whose service is across a network is done in time.
func worth(bit, n int) bool {
	at := bit / 8
	return at < 64 || at >= n-64 || bit%8 == at%8
}
