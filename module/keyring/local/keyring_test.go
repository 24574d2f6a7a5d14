package local

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/keyringtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newFile makes a keyring file in a fresh folder.
func newFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "main.keyring")
	if _, err := Init(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func rotate(t *testing.T, path string) Key {
	t.Helper()
	k, err := Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path) //nolint:gosec // a test's own file
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// rotating opens a keyring with two keys that can be rotated.
func rotating(t *testing.T) (keyring.Keyring, func()) {
	path := newFile(t)
	rotate(t, path)
	f := open(t, path)
	return f, func() {
		rotate(t, path)
		if err := f.Reload(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyring.Keyring {
		k, _ := rotating(t)
		return k
	}, keyringtest.Options{Rotate: rotating})
}

// TestConformanceOfCache runs the same tests through a cache, which must not
// make a keyring accept anything it does not.
func TestConformanceOfCache(t *testing.T) {
	t.Parallel()
	cached := func(t *testing.T, k keyring.Keyring) keyring.Keyring {
		c := keyring.NewCache(k, keyring.Limits{})
		t.Cleanup(c.Close)
		return c
	}
	keyringtest.Run(t, func(t *testing.T) keyring.Keyring {
		k, _ := rotating(t)
		return cached(t, k)
	}, keyringtest.Options{Rotate: func(t *testing.T) (keyring.Keyring, func()) {
		k, happen := rotating(t)
		return cached(t, k), happen
	}})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	t.Run("missing file", func(t *testing.T) {
		t.Parallel()
		if _, err := Open(filepath.Join(t.TempDir(), "no.keyring")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		if _, err := Open(t.TempDir()); !errors.Is(err, ErrExposed) {
			t.Errorf("error = %v", err)
		}
	})
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o660, 0o610, 0o601} {
		t.Run("mode "+mode.String(), func(t *testing.T) {
			t.Parallel()
			path := newFile(t)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path); !errors.Is(err, ErrExposed) || !strings.Contains(err.Error(), "chmod 600") {
				t.Errorf("error = %v", err)
			}
			if _, err := Rotate(path); !errors.Is(err, ErrExposed) {
				t.Errorf("Rotate: error = %v", err)
			}
		})
	}
	t.Run("mode 0400 is private", func(t *testing.T) {
		t.Parallel()
		path := newFile(t)
		if err := os.Chmod(path, 0o400); err != nil {
			t.Fatal(err)
		}
		open(t, path)
	})
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		path := newFile(t)
		write(t, path, append(read(t, path), bytes.Repeat([]byte("#\n"), maxFile/2)...))
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("error = %v", err)
		}
	})
}

func TestReloadKeepsTheLastGood(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	f := open(t, path)
	good, before := f.Status(), slices.Clone(f.KEKs())
	content := read(t, path)

	write(t, path, []byte("version: 2\n"))
	if err := f.Reload(); err == nil {
		t.Error("an invalid file is no error")
	}
	if s := f.Status(); s.Err == "" || !strings.Contains(s.Err, "line 1") || s.Keys != 1 || !s.LoadedAt.Equal(good.LoadedAt) {
		t.Errorf("status = %+v", s)
	}
	if !slices.Equal(f.KEKs(), before) {
		t.Errorf("KEKs() = %v, want %v", f.KEKs(), before)
	}

	write(t, path, content)
	if err := f.Reload(); err != nil {
		t.Error(err)
	}
	if s := f.Status(); s.Err != "" || s.Path != path {
		t.Errorf("status = %+v", s)
	}
}

// TestReloadRefusesAnotherSecret: a file restored from the wrong backup.
func TestReloadRefusesAnotherSecret(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	f := open(t, path)
	keys, err := parse(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	secret := *keys[0].secret
	secret[7] ^= 1
	keys[0].secret = &secret
	write(t, path, render(keys))
	if err := f.Reload(); err == nil || !strings.Contains(err.Error(), "another secret") {
		t.Errorf("error = %v", err)
	}
}

// TestRemovedKey: a key that is taken out of the file opens nothing more.
func TestRemovedKey(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	f := open(t, path)
	old := f.KEKs()[0]
	b := keyring.Binding{AAD: []byte("aad")}
	wrapped, err := f.Wrap(t.Context(), old, keyring.DataKey{1}, b)
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, path)
	keys, err := parse(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, render(keys[1:]))
	if err := f.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Unwrap(t.Context(), old, wrapped, b); !errors.Is(err, keyring.ErrUnknownKey) {
		t.Errorf("error = %v", err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	synctest.Test(t, func(t *testing.T) {
		f := open(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		var changes []error
		var watcher sync.WaitGroup
		watcher.Go(func() { f.Watch(ctx, time.Second, func(err error) { changes = append(changes, err) }) })
		tick := func() {
			time.Sleep(time.Second) //nolint:forbidigo // nothing sleeps in a bubble
			synctest.Wait()
		}

		tick()
		if len(changes) != 0 {
			t.Errorf("nothing changed, %v reported", changes)
		}
		added := rotate(t, path)
		tick()
		if len(changes) != 1 || changes[0] != nil || f.KEKs()[0] != added.KEK {
			t.Errorf("after a rotation: %v, KEKs %v, want %s first", changes, f.KEKs(), added.KEK)
		}
		good := read(t, path)
		write(t, path, []byte("no keyring\n"))
		tick()
		tick()
		if len(changes) != 2 || changes[1] == nil || f.Status().Err == "" {
			t.Errorf("after an invalid change: %v, status %+v", changes, f.Status())
		}
		write(t, path, good)
		tick()
		if len(changes) != 3 || changes[2] != nil || f.Status().Err != "" {
			t.Errorf("after the repair: %v, status %+v", changes, f.Status())
		}
		cancel()
		watcher.Wait()
	})
}

// TestReadersDuringRotations: no request fails because the file changes.
func TestReadersDuringRotations(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	f := open(t, path)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := byte(1); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key, b := keyring.DataKey{i}, keyring.Binding{OID: [32]byte{i}, AAD: []byte("aad")}
				kek := f.KEKs()[0]
				wrapped, err := f.Wrap(t.Context(), kek, key, b)
				if err != nil {
					t.Errorf("Wrap: %v", err)
					return
				}
				if got, err := f.Unwrap(t.Context(), kek, wrapped, b); err != nil || got != key {
					t.Errorf("Unwrap: %v", err)
					return
				}
			}
		})
	}
	for range 20 {
		rotate(t, path)
		if err := f.Reload(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	readers.Wait()
	if n := f.Status().Keys; n != 21 {
		t.Errorf("%d keys, want 21", n)
	}
}
