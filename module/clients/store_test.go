package clients

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// fixture writes clients.yaml to a fresh folder.
func fixture(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clients.yaml")
	write(t, path, content)
	return path
}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLookup(t *testing.T) {
	t.Setenv("SEALGATE_TEST_SECRET", "secret-from-environment")
	path := fixture(t, `version: 1
clients:
  - {access_key: plain, secret: 0123456789abcdef, principal: one, groups: [g], attributes: {a: b}}
  - {access_key: file, secret_file: file.secret, principal: two}
  - {access_key: env, secret_env: SEALGATE_TEST_SECRET, principal: three}
  - {access_key: off, secret: 0123456789abcdef, principal: four, disabled: true}
  - {access_key: timed, secret: 0123456789abcdef, principal: five, expires: 2027-01-31T00:00:00Z}
`)
	write(t, filepath.Join(filepath.Dir(path), "file.secret"), "secret-from-a-file\r\n")
	s := open(t, path)
	end := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		key    string
		at     time.Time
		secret string
		err    error
	}{
		{"plain", end, "0123456789abcdef", nil},
		{"file", end, "secret-from-a-file", nil},
		{"env", end, "secret-from-environment", nil},
		{"off", end, "", ErrDisabled},
		{"timed", end.Add(-time.Nanosecond), "0123456789abcdef", nil},
		{"timed", end, "", ErrExpired},
		{"PLAIN", end, "", ErrUnknown},
		{"", end, "", ErrUnknown},
	} {
		c, err := s.Lookup(tc.key, tc.at)
		if !errors.Is(err, tc.err) || c.Secret.Reveal() != tc.secret {
			t.Errorf("Lookup(%q) = %q, %v; want %q, %v", tc.key, c.Secret.Reveal(), err, tc.secret, tc.err)
		}
		if err != nil && c.Principal != "" {
			t.Errorf("Lookup(%q) gives a client and an error", tc.key)
		}
	}
	if st := s.Status(); st.Clients != 5 || st.Err != "" || st.Path != path || st.LoadedAt.IsZero() {
		t.Errorf("status = %+v", st)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	t.Run("missing file", func(t *testing.T) {
		t.Parallel()
		if _, err := Open(filepath.Join(t.TempDir(), "no.yaml")); !errors.Is(err, os.ErrNotExist) {
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
			path := fixture(t, minimal)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if !errors.Is(err, ErrExposed) || !strings.Contains(err.Error(), "chmod 600") {
				t.Errorf("error = %v", err)
			}
		})
	}
	withFile := "version: 1\nclients:\n  - {access_key: app, secret_file: s, principal: p}\n"
	t.Run("secret file exposed", func(t *testing.T) {
		t.Parallel()
		path := fixture(t, withFile)
		secret := filepath.Join(filepath.Dir(path), "s")
		write(t, secret, "0123456789abcdef")
		if err := os.Chmod(secret, 0o644); err != nil { //nolint:gosec // the point
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrExposed) {
			t.Errorf("error = %v", err)
		}
	})
	for name, content := range map[string]string{
		"short": "0123456789abcde", "short with newline": "0123456789abcde\n", "two lines": "0123456789abcdef\nx\n",
		"empty": "", "too large": strings.Repeat("x", maxSecretFile+1),
	} {
		t.Run("secret file "+name, func(t *testing.T) {
			t.Parallel()
			path := fixture(t, withFile)
			write(t, filepath.Join(filepath.Dir(path), "s"), content)
			if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "secret_file") {
				t.Errorf("error = %v", err)
			}
		})
	}
	t.Run("variable not set", func(t *testing.T) {
		t.Parallel()
		path := fixture(t, "version: 1\nclients:\n  - {access_key: app, secret_env: SEALGATE_TEST_NOT_SET, principal: p}\n")
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "SEALGATE_TEST_NOT_SET is not set") {
			t.Errorf("error = %v", err)
		}
	})
}

func TestReloadKeepsTheLastGood(t *testing.T) {
	t.Parallel()
	path := fixture(t, minimal)
	s := open(t, path)
	write(t, path, "version: 1\nclients: [")
	if err := s.Reload(); err == nil {
		t.Fatal("reload of a broken file succeeded")
	}
	if _, err := s.Lookup("app1", time.Now()); err != nil {
		t.Errorf("client is gone: %v", err)
	}
	if st := s.Status(); st.Err == "" || st.Clients != 1 {
		t.Errorf("status = %+v", st)
	}
	write(t, path, strings.ReplaceAll(minimal, "app1", "app2"))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lookup("app1", time.Now()); !errors.Is(err, ErrUnknown) {
		t.Errorf("old client: %v", err)
	}
	if st := s.Status(); st.Err != "" {
		t.Errorf("status = %+v", st)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := fixture(t, "version: 1\nclients:\n  - {access_key: app1, secret_file: s, principal: p}\n")
		secret := filepath.Join(filepath.Dir(path), "s")
		write(t, secret, "0123456789abcdef")
		s := open(t, path)
		ctx, cancel := context.WithCancel(t.Context())
		changes := make(chan error)
		var watcher sync.WaitGroup
		watcher.Go(func() { s.Watch(ctx, 2*time.Second, func(err error) { changes <- err }) })
		secretOf := func() string {
			c, err := s.Lookup("app1", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return c.Secret.Reveal()
		}
		quiet := func(why string) {
			t.Helper()
			select {
			case err := <-changes:
				t.Errorf("%s: reported %v", why, err)
			case <-time.After(10 * time.Second): // of the bubble's clock
			}
		}
		quiet("nothing changed")
		write(t, secret, "fedcba9876543210")
		if err := <-changes; err != nil || secretOf() != "fedcba9876543210" {
			t.Errorf("after a change of the secret file: %v, %q", err, secretOf())
		}
		if err := os.Chmod(secret, 0o644); err != nil { //nolint:gosec // the point
			t.Fatal(err)
		}
		if err := <-changes; !errors.Is(err, ErrExposed) || s.Status().Err == "" || secretOf() != "fedcba9876543210" {
			t.Errorf("after exposure: %v, %+v", err, s.Status())
		}
		quiet("the same error")
		if err := os.Chmod(secret, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := <-changes; err != nil || s.Status().Err != "" {
			t.Errorf("after repair: %v, %+v", err, s.Status())
		}
		quiet("repaired")
		cancel()
		watcher.Wait()
	})
}

// Lookups run while reloads swap what they read; the race detector watches.
func TestLookupDuringReload(t *testing.T) {
	t.Parallel()
	path := fixture(t, minimal)
	s := open(t, path)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 200 {
				if _, err := s.Lookup("app1", time.Now()); err != nil {
					t.Error(err)
				}
				_ = s.Status()
			}
		})
	}
	for range 20 {
		if err := s.Reload(); err != nil {
			t.Error(err)
		}
	}
	running.Wait()
}
