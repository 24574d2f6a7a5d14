package cli_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/local"
	"github.com/sealgate/sealgate/module/seal"
)

// sealObject writes what a store would hold of an object, and its envelope:
// sealobject <keyring> <bucket> <key> <plaintext> <raw> <envelope> [<part length>...].
// Without lengths it is a single object.
func sealObject(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 6 {
		ts.Fatalf("usage: sealobject <keyring> <bucket> <key> <plaintext> <raw> <envelope> [<part length>...]")
	}
	plain, err := os.ReadFile(ts.MkAbs(args[3]))
	ts.Check(err)
	lengths := args[6:]
	kind := seal.Single
	if len(lengths) > 0 {
		kind = seal.Multipart
	}
	object := lockedObject(ts, kind, args)
	text, err := object.Envelope().Encode()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[5]), []byte(text+"\n"), 0o600))

	var raw bytes.Buffer
	copyOf := func(sealed io.Reader, err error) {
		ts.Check(err)
		_, err = io.Copy(&raw, sealed)
		ts.Check(err)
	}
	if kind == seal.Single {
		copyOf(object.SealSingle(bytes.NewReader(plain), int64(len(plain))))
	}
	var parts []seal.Part
	for i, text := range lengths {
		length, err := strconv.ParseInt(text, 10, 64)
		ts.Check(err)
		p := seal.Part{Number: i + 1, Length: length}
		copyOf(object.SealPart(bytes.NewReader(plain[:length]), p))
		parts, plain = append(parts, p), plain[length:]
	}
	if kind == seal.Multipart {
		closing, err := object.ClosingPart(len(parts)+1, parts)
		copyOf(bytes.NewReader(closing), err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[4]), raw.Bytes(), 0o600))
}

// lockedObject is a new object whose data key the keyring has wrapped.
func lockedObject(ts *testscript.TestScript, kind seal.Kind, args []string) *seal.Object {
	ring, err := local.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	e, key := seal.New(kind)
	kek := ring.KEKs()[0]
	e.Wrap, e.KEK = seal.WrapLocal, kek.ID
	aad, err := e.Binding(args[1], args[2])
	ts.Check(err)
	e.Wrapped, err = ring.Wrap(context.Background(), kek, keyring.DataKey(key.Reveal()), keyring.Binding{Namespace: args[1], OID: e.OID, AAD: aad})
	ts.Check(err)
	object, err := seal.Unlock(e, key)
	ts.Check(err)
	return object
}

// flipBit changes one bit of a file: flipbit <file> <offset>.
func flipBit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flipbit <file> <offset>")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	offset, err := strconv.Atoi(args[1])
	ts.Check(err)
	data[offset] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}
