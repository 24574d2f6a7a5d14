package seal_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/sealgate/sealgate/module/seal"
)

// keyring stands for whoever wraps data keys. This one only remembers them.
type keyring map[string]seal.DataKey

func (k keyring) wrap(binding []byte, key seal.DataKey) []byte {
	k[string(binding)] = key
	return []byte("wrapped")
}

func (k keyring) unwrap(binding, _ []byte) seal.DataKey { return k[string(binding)] }

// A single object is sealed, stored, and a range of it opened.
func Example() {
	keys := keyring{}
	const plaintext = "what only the key opens"

	envelope, key := seal.New(seal.Single)
	envelope.Wrap, envelope.KEK = seal.WrapLocal, [8]byte{1}
	binding, err := envelope.Binding("bucket", "name")
	if err != nil {
		log.Fatal(err)
	}
	envelope.Wrapped = keys.wrap(binding, key)
	object, err := seal.Unlock(envelope, key)
	if err != nil {
		log.Fatal(err)
	}
	body, err := object.SealSingle(strings.NewReader(plaintext), int64(len(plaintext)))
	if err != nil {
		log.Fatal(err)
	}
	defer body.Close()
	stored, err := io.ReadAll(body)
	if err != nil {
		log.Fatal(err)
	}
	metadata, err := envelope.Encode()
	if err != nil {
		log.Fatal(err)
	}

	// Later, elsewhere, with what the store has.
	envelope, err = seal.ParseEnvelope(metadata)
	if err != nil {
		log.Fatal(err)
	}
	if binding, err = envelope.Binding("bucket", "name"); err != nil {
		log.Fatal(err)
	}
	if object, err = seal.Unlock(envelope, keys.unwrap(binding, envelope.Wrapped)); err != nil {
		log.Fatal(err)
	}
	defer object.Wipe()
	layout, err := seal.SingleLayout(int64(len(stored)))
	if err != nil {
		log.Fatal(err)
	}
	wanted := seal.Extent{Offset: 10, Length: 7}
	fetch, err := layout.Stored(wanted)
	if err != nil {
		log.Fatal(err)
	}
	opener, err := object.OpenRange(bytes.NewReader(stored[fetch.Offset:fetch.End()]), layout, wanted)
	if err != nil {
		log.Fatal(err)
	}
	defer opener.Close()
	opened, err := io.ReadAll(opener)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes stored, %q of %d opened\n", len(stored), opened, layout.Plain())
	// Output: 115 bytes stored, "the key" of 23 opened
}
