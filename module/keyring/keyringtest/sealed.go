package keyringtest

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
)

// sealed is a data key and what a keyring made of it for one subject.
type sealed struct {
	keyring keyring.Keyring
	kek     keyring.KEK
	subject subject
	key     keyring.DataKey
	wrapped []byte
}

// seal wraps a new data key for s under the first KEK.
func seal(t *testing.T, k keyring.Keyring, s subject) sealed {
	t.Helper()
	w := sealed{keyring: k, kek: first(t, k), subject: s, key: newKey()}
	var err error
	if w.wrapped, err = k.Wrap(t.Context(), w.kek, w.key, s.binding(w.kek)); err != nil {
		t.Fatalf("Wrap: %v", err)
	}
	return w
}

// first is the KEK for new data keys.
func first(t *testing.T, k keyring.Keyring) keyring.KEK {
	t.Helper()
	keks := k.KEKs()
	if len(keks) == 0 {
		t.Fatal("KEKs() is empty")
	}
	return keks[0]
}

// opens checks that w can be unwrapped, for its subject without the context.
func (w sealed) opens(t *testing.T) {
	t.Helper()
	b := w.subject.binding(w.kek)
	b.Context = nil
	got, err := w.keyring.Unwrap(t.Context(), w.kek, w.wrapped, b)
	if err != nil {
		t.Errorf("Unwrap: %v", err)
	} else if got != w.key {
		t.Error("Unwrap gives another key than was wrapped")
	}
}

// refuses checks that Unwrap of something else than w fails, with an error that
// matches want unless that is nil.
func (w sealed) refuses(t *testing.T, what string, kek keyring.KEK, wrapped []byte, b keyring.Binding, want error) {
	t.Helper()
	got, err := w.keyring.Unwrap(t.Context(), kek, wrapped, b)
	w.checkRefusal(t, what, got, err, want)
}

func (w sealed) checkRefusal(t *testing.T, what string, got keyring.DataKey, err, want error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	if got != (keyring.DataKey{}) {
		t.Errorf("%s: a key comes with the error", what)
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("%s: error %q, want %q", what, err, want)
	}
	hides(t, what, err, w.key)
}

// hides checks that no error shows a data key, whole or in part.
func hides(t *testing.T, what string, err error, key keyring.DataKey) {
	t.Helper()
	part := key[:8]
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, text := range []string{e.Error(), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			for _, leak := range []string{
				string(part), hex.EncodeToString(part), base64.StdEncoding.EncodeToString(key[:9]),
				base64.URLEncoding.EncodeToString(key[:9]), strings.Trim(fmt.Sprint(part), "[]"),
			} {
				if strings.Contains(strings.ToLower(text), strings.ToLower(leak)) {
					t.Errorf("%s: the error shows key material", what)
					return
				}
			}
		}
	}
}

// endsWith checks that the error is one that a call may have whose context
// ended.
func endsWith(t *testing.T, what string, err error) {
	t.Helper()
	for _, allowed := range []error{context.Canceled, context.DeadlineExceeded, keyring.ErrUnavailable} {
		if errors.Is(err, allowed) {
			return
		}
	}
	t.Errorf("%s: error %v, want that of the context or %q", what, err, keyring.ErrUnavailable)
}
