package keyringtest

import (
	"crypto/rand"
	"encoding/binary"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
)

// Opener opens a keyring for one test, which closes it with t.Cleanup. It may
// be called from parallel tests, for one key service or for many.
type Opener func(t *testing.T) keyring.Keyring

// Fault opens a keyring as an [Opener] does and returns with it how to make its
// key service fail, or change, from then on; other keyrings stay as they are.
type Fault func(t *testing.T) (k keyring.Keyring, happen func())

// Options are what a driver's own tests can do to it. What is nil is not tested.
type Options struct {
	// Unavailable: the service refuses connections, or says that it is down.
	Unavailable Fault
	// Denied: the service refuses this keyring's credentials.
	Denied Fault
	// Slow: the service takes calls and does not answer before the test ends.
	Slow Fault
	// Rotate: new data keys are wrapped under another KEK; the one before stays.
	Rotate Fault
}

// Run runs every test that o allows for.
func Run(t *testing.T, open Opener, o Options) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(*testing.T, Opener)
	}{
		{"KEKs", testKEKs},
		{"round trip", testRoundTrip},
		{"fresh", testFresh},
		{"lent slices", testLentSlices},
		{"context", testContext},
		{"bad context", testBadContext},
		{"other KEK", testOtherKEK},
		{"other binding", testOtherBinding},
		{"changed AAD", testChangedAAD},
		{"changed wrapped key", testChangedWrapped},
		{"any bytes", testAnyBytes},
		{"ended context", testEndedContext},
		{"concurrency", testConcurrency},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open)
		})
	}
	for _, test := range []struct {
		name  string
		fault Fault
		run   func(*testing.T, Fault)
	}{
		{"unavailable", o.Unavailable, testFails(keyring.ErrUnavailable)},
		{"denied", o.Denied, testFails(keyring.ErrDenied)},
		{"slow", o.Slow, testSlow},
		{"rotate", o.Rotate, testRotate},
	} {
		if test.fault == nil {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, test.fault)
		})
	}
}

// subject is the object that a data key belongs to in a test.
type subject struct {
	namespace, name string
	oid             [32]byte
	context         map[string]string
}

func newSubject() subject {
	s := subject{namespace: "invoices", name: "2026/11/0001.pdf"}
	_, _ = rand.Read(s.oid[:]) // never fails
	return s
}

// binding is made as it is for a sealed object: the AAD covers kek, OID,
// namespace and name, and no AAD is the beginning of another.
func (s subject) binding(kek keyring.KEK) keyring.Binding {
	aad := []byte{1, 1, 0, byte(kek.Kind)}
	aad = append(aad, kek.ID[:]...)
	aad = append(aad, s.oid[:]...)
	aad = append(aad, make([]byte, 32)...) // the key commitment's place
	for _, name := range []string{s.namespace, s.name} {
		aad = binary.BigEndian.AppendUint16(aad, uint16(len(name))) //nolint:gosec // short
		aad = append(aad, name...)
	}
	return keyring.Binding{Namespace: s.namespace, OID: s.oid, AAD: aad, Context: s.context}
}

func newKey() (k keyring.DataKey) {
	_, _ = rand.Read(k[:]) // never fails
	return k
}
