package awskms

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
)

// FuzzUnwrap: bytes that no keyring made are refused as such, whatever they are.
func FuzzUnwrap(f *testing.F) {
	k, err := New(Config{Key: arnA, Credentials: testCredentials})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(k.Close)
	for kek := range k.keys {
		k.keys[kek] = serviceKey{arnA, newFakeKMS(arnA)}
	}
	f.Add([]byte{}, true)
	f.Add([]byte{0, 0}, false)
	f.Add([]byte("\x00\x08\x00\x02ab\x00\x02cd\x00\x10"+"0123456789abcdef"+"0123456789012345678901234567890123456789012345678901234567890"), true)
	f.Add(append([]byte{0, 0}, make([]byte, 76)...), false)
	f.Fuzz(func(t *testing.T, wrapped []byte, reuse bool) {
		kek := k.KEKs()[0]
		if reuse {
			kek = k.KEKs()[1]
		}
		before := bytes.Clone(wrapped)
		got, err := k.Unwrap(t.Context(), kek, wrapped, keyring.Binding{Namespace: "bucket", AAD: []byte("a")})
		if !errors.Is(err, keyring.ErrCorrupt) {
			t.Errorf("got error %v", err)
		}
		if got != (keyring.DataKey{}) || !bytes.Equal(before, wrapped) {
			t.Error("a key came out, or the input was changed")
		}
	})
}

// FuzzCutField: what is cut off can be put back, to the byte.
func FuzzCutField(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{0, 1, 2, 3})
	f.Add([]byte{255, 255, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		field, rest, ok := cutField(b)
		if ok && !bytes.Equal(append(appendField(nil, field), rest...), b) {
			t.Errorf("%x: cut into %x and %x", b, field, rest)
		}
	})
}

// FuzzParseARN: what is accepted is a key in a region, and no alias.
func FuzzParseARN(f *testing.F) {
	for _, seed := range []string{arnA, arnReplica, "alias/a", "arn:aws:kms:eu-central-1:111122223333:alias/a", "arn:aws:kms::111122223333:key/1", arnA + "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseARN(text)
		if err != nil {
			return
		}
		if a.text != text || a.in(a.region) != text {
			t.Errorf("%q: got %+v", text, a)
		}
		moved, err := parseARN(a.in("xx-moved-1"))
		if err != nil || moved.region != "xx-moved-1" || moved.id != a.id {
			t.Errorf("%q: moved to %+v, error %v", text, moved, err)
		}
	})
}
