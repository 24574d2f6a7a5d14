package vault

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
)

// FuzzCut: what is accepted has one form, to the byte, and names nothing else
// than a ciphertext.
func FuzzCut(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("\x00\x00vault:v1:AAAA"))
	f.Add([]byte("\x00\x06\x00\x01a\x00\x01bvault:v12:AAAAAA=="))
	f.Add([]byte("\x00\x00vault:v01:AAAA"))
	f.Add([]byte("\x00\x00vault:v1:AAAAAB=="))
	f.Add([]byte("\x00\x00vault:v1:AA\nAA"))
	f.Add([]byte("\xff\xff"))
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		before := bytes.Clone(wrapped)
		context, ciphertext, err := cut(wrapped)
		if !bytes.Equal(before, wrapped) {
			t.Error("the input was changed")
		}
		if err != nil {
			if !errors.Is(err, keyring.ErrCorrupt) {
				t.Errorf("got error %v", err)
			}
			return
		}
		if !strings.HasPrefix(ciphertext, "vault:v") || strings.ContainsAny(ciphertext, "\r\n\" ") {
			t.Errorf("got ciphertext %q", ciphertext)
		}
		pairs, err := keyring.DecodeContext(context)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := keyring.EncodeContext(pairs)
		if err != nil || !bytes.Equal(join(encoded, ciphertext), wrapped) {
			t.Errorf("%q is another form of %q", wrapped, join(encoded, ciphertext))
		}
	})
}

// FuzzName: what is accepted stays below its mount.
func FuzzName(f *testing.F) {
	f.Add("transit", "objects")
	f.Add("a/b", "..")
	f.Add("a//b", "x")
	f.Add(".", "%2e")
	f.Fuzz(func(t *testing.T, mount, key string) {
		n := name{mount, key}
		if n.check() != nil {
			return
		}
		path := n.path("encrypt")
		for _, segment := range strings.Split(path, "/") {
			if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "%?#\\ ") {
				t.Errorf("%q has the segment %q", path, segment)
			}
		}
	})
}
