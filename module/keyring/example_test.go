package keyring_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/local"
)

// A data key is wrapped for one object, found again by what the envelope names,
// and of no use for another object.
func Example() {
	dir, err := os.MkdirTemp("", "keyring")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "main.keyring")
	if _, err := local.Init(path); err != nil {
		panic(err)
	}
	file, err := local.Open(path)
	if err != nil {
		panic(err)
	}
	cache := keyring.NewCache(file, keyring.Limits{})
	defer cache.Close()
	set, err := keyring.NewSet([]keyring.Member{{Name: "main", Keyring: cache}})
	if err != nil {
		panic(err)
	}

	ctx := context.Background()
	var key keyring.DataKey
	_, _ = rand.Read(key[:]) // never fails
	kek := cache.KEKs()[0]
	binding := keyring.Binding{Namespace: "invoices", OID: [32]byte{1}, AAD: []byte("the envelope and the names")}
	wrapped, err := cache.Wrap(ctx, kek, key, binding)
	if err != nil {
		panic(err)
	}

	name, found, err := set.Find(kek, []string{"main"})
	if err != nil {
		panic(err)
	}
	back, err := found.Unwrap(ctx, kek, wrapped, binding)
	fmt.Println(name, back == key, back, err)

	binding.AAD = []byte("the envelope and other names")
	_, err = found.Unwrap(ctx, kek, wrapped, binding)
	fmt.Println(errors.Is(err, keyring.ErrCorrupt), err)

	_, _, err = set.Find(kek, []string{"payments"})
	fmt.Println(errors.Is(err, keyring.ErrNotAllowed))
	// Output:
	// main true [redacted] <nil>
	// true wrapped data key does not authenticate
	// true
}
