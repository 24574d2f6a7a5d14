package local

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
)

// vectors are wrapped keys that every later version has to unwrap, made by
// another implementation: KEK 00 to 1f, OID of 22, data key of 11, nonce of 33,
// AAD "envelope".
var vectors = map[string]struct {
	context map[string]string
	wrapped string
}{
	"without context": {
		nil,
		"33333333333333333333333349fcaa2b13f20efd5ae27fed5c6f1c8df05a905b7870b506deefc95ed82901d65c648771" +
			"be30928e0c0a8fa1e7e4db27",
	},
	"with context": {
		map[string]string{"purpose": "invoices", "classification": "c3"},
		"33333333333333333333333349fcaa2b13f20efd5ae27fed5c6f1c8df05a905b7870b506deefc95ed82901d65808fb10" +
			"579dfccdd042fca8d6ffc371000e636c617373696669636174696f6e000263330007707572706f73650008696e766f69" +
			"636573",
	},
}

// TestVectors opens what earlier versions wrapped.
func TestVectors(t *testing.T) {
	t.Parallel()
	secret, k, b := vectorInput()
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrapped, err := hex.DecodeString(v.wrapped)
			if err != nil {
				t.Fatal(err)
			}
			got, err := unwrap(secret, wrapped, b)
			if err != nil || got != k {
				t.Errorf("unwrap: %v, same key: %t", err, got == k)
			}
			encoded, err := keyring.EncodeContext(v.context)
			if err != nil || !bytes.Equal(wrapped[sealedSize:], encoded) {
				t.Errorf("context %x, want %x (%v)", wrapped[sealedSize:], encoded, err)
			}
		})
	}
}

func vectorInput() (*[keySize]byte, keyring.DataKey, keyring.Binding) {
	var secret [keySize]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	k := keyring.DataKey(bytes.Repeat([]byte{0x11}, 32))
	return &secret, k, keyring.Binding{Namespace: "b", OID: [32]byte(bytes.Repeat([]byte{0x22}, 32)), AAD: []byte("envelope")}
}

// TestLayout opens a wrapped key by the letter of its description, with HKDF
// spelt out as in RFC 5869 and a GCM that takes the nonce as an argument.
func TestLayout(t *testing.T) {
	t.Parallel()
	for name, context := range map[string]map[string]string{"without context": nil, "with context": {"a": "b"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secret, k, b := vectorInput()
			b.Context = context
			wrapped, err := wrap(secret, k, b)
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := keyring.EncodeContext(context)
			if err != nil {
				t.Fatal(err)
			}
			if len(wrapped) != 60+len(encoded) || !bytes.Equal(wrapped[60:], encoded) {
				t.Fatalf("%d bytes, want 60 and the context's %d", len(wrapped), len(encoded))
			}
			prk := mac(b.OID[:], secret[:])
			derived := mac(prk, []byte("sealgate/1 wrap\x01"))
			block, err := aes.NewCipher(derived)
			if err != nil {
				t.Fatal(err)
			}
			var aead cipher.AEAD
			fips140.WithoutEnforcement(func() { aead, err = cipher.NewGCM(block) }) // where nonces may not be chosen
			if err != nil {
				t.Fatal(err)
			}
			got, err := aead.Open(nil, wrapped[:12], wrapped[12:60], append([]byte("envelope"), encoded...))
			if err != nil || !bytes.Equal(got, k[:]) {
				t.Errorf("open: %v", err)
			}
		})
	}
}

func mac(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// TestUnwrapRefusesAnotherEncoding: a context that authenticates, but is not
// encoded in the one way there is.
func TestUnwrapRefusesAnotherEncoding(t *testing.T) {
	t.Parallel()
	secret, k, b := vectorInput()
	aead, err := objectAEAD(secret, b.OID)
	if err != nil {
		t.Fatal(err)
	}
	for name, context := range map[string]string{
		"one pair":   "\x00\x01a\x00\x01b",
		"not sorted": "\x00\x01b\x00\x01b\x00\x01a\x00\x01b",
		"cut":        "\x00\x01a\x00",
		"too long":   strings.Repeat("\x00", keyring.MaxContext+1),
	} {
		wrapped := append(aead.Seal(nil, nil, k[:], additional(b.AAD, []byte(context))), context...)
		got, err := unwrap(secret, wrapped, b)
		if name == "one pair" {
			if err != nil || got != k {
				t.Errorf("%s: %v", name, err)
			}
		} else if !errors.Is(err, keyring.ErrCorrupt) || got != (keyring.DataKey{}) {
			t.Errorf("%s: error %v, a key: %t", name, err, got != keyring.DataKey{})
		}
	}
}

// FuzzUnwrap: nothing but what wrap made is opened, and nothing panics.
func FuzzUnwrap(f *testing.F) {
	secret, k, b := vectorInput()
	for _, context := range []map[string]string{nil, {"a": "b"}} {
		b.Context = context
		wrapped, err := wrap(secret, k, b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wrapped)
		f.Add(wrapped[:60])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		before := bytes.Clone(wrapped)
		got, err := unwrap(secret, wrapped, b)
		if err == nil && got != k {
			t.Error("opened to another key")
		}
		if err != nil && got != (keyring.DataKey{}) {
			t.Error("a key comes with an error")
		}
		if !bytes.Equal(wrapped, before) {
			t.Error("wrapped was changed")
		}
	})
}
