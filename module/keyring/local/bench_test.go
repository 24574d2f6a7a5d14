package local

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
)

// What a request pays for its data key: wrapping, unwrapping, and unwrapping
// what a cache remembers.
func BenchmarkDataKey(b *testing.B) {
	path := filepath.Join(b.TempDir(), "main.keyring")
	if _, err := Init(path); err != nil {
		b.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		b.Fatal(err)
	}
	cache := keyring.NewCache(f, keyring.Limits{})
	defer cache.Close()
	kek, binding := f.KEKs()[0], keyring.Binding{Namespace: "bucket", AAD: bytes.Repeat([]byte("a"), 150)}
	wrapped, err := f.Wrap(b.Context(), kek, keyring.DataKey{1}, binding)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("wrap", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f.Wrap(b.Context(), kek, keyring.DataKey{1}, binding); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, k := range map[string]keyring.Keyring{"unwrap": f, "unwrap cached": cache} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Unwrap(b.Context(), kek, wrapped, binding); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
