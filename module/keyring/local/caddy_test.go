package local

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/keyringtest"
)

const moduleID = "s3_encryption.keyrings.local"

// loadGuest provisions the guest as Caddy does for a configuration that end ends.
func loadGuest(t *testing.T, config string) (k *Keyring, end context.CancelFunc, err error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	guest, err := ctx.LoadModuleByID(moduleID, json.RawMessage(config))
	if err != nil {
		cancel()
		return nil, nil, err
	}
	k, ok := guest.(*Keyring)
	if !ok {
		cancel()
		t.Fatalf("the module is a %T", guest)
	}
	return k, cancel, nil
}

// configFor is the guest's JSON for a path.
func configFor(t *testing.T, path string) string {
	t.Helper()
	js, err := json.Marshal(Keyring{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return string(js)
}

func TestAdapt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		input string
		want  string // the JSON, or a part of the error
	}{
		"path":              {"local /etc/sealgate/main.keyring", `{"path":"/etc/sealgate/main.keyring"}`},
		"placeholder":       {"local {env.KEYRING_FILE}", `{"path":"{env.KEYRING_FILE}"}`},
		"quoted":            {`local "a keyring"`, `{"path":"a keyring"}`},
		"empty block":       {"local /k {\n}", `{"path":"/k"}`},
		"no path":           {"local", "wrong argument count"},
		"two paths":         {"local /a /b", "wrong argument count"},
		"unknown in block":  {"local /k {\n\tpath /k\n}", "unrecognized subdirective 'path', at Testfile:2"},
		"block and no path": {"local {\n}", "wrong argument count"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// As the s3_encryption option does: on the driver's name.
			d := caddyfile.NewTestDispenser(tc.input)
			d.Next()
			guest, err := caddyfile.UnmarshalModule(d, moduleID)
			var got string
			if err != nil {
				got = err.Error()
			} else {
				js, err := json.Marshal(guest)
				if err != nil {
					t.Fatal(err)
				}
				got = string(js)
			}
			if got != tc.want && (err == nil || !strings.Contains(got, tc.want)) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestGuestConformance(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyring.Keyring {
		k, end, err := loadGuest(t, configFor(t, newFile(t)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(end)
		return k
	}, keyringtest.Options{})
}

func TestGuestRefuses(t *testing.T) {
	exposed := filepath.Join(t.TempDir(), "no.keyring")
	for name, tc := range map[string]struct{ config, want string }{
		"no path":             {`{}`, "path is missing"},
		"unknown field":       {`{"file": "x"}`, "unknown field"},
		"missing file":        {configFor(t, exposed), "no such file"},
		"unknown placeholder": {`{"path": "{env.SEALGATE_TEST_NOT_SET}"}`, "SEALGATE_TEST_NOT_SET"},
	} {
		t.Run(name, func(t *testing.T) {
			if k, end, err := loadGuest(t, tc.config); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
				if k != nil {
					end()
				}
			}
		})
	}
}

func TestGuestPlaceholder(t *testing.T) {
	path := newFile(t)
	t.Setenv("SEALGATE_TEST_KEYRING", path)
	k, end, err := loadGuest(t, `{"path": "{env.SEALGATE_TEST_KEYRING}"}`)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if k.Status().Path != path || k.Path != "{env.SEALGATE_TEST_KEYRING}" {
		t.Errorf("path %q, configured %q", k.Status().Path, k.Path)
	}
}

// TestGuestFollowsTheFile: a rotation is in force within 5 seconds, a mistake
// never, and nothing runs on when the configuration ends.
func TestGuestFollowsTheFile(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	synctest.Test(t, func(t *testing.T) {
		k, end, err := loadGuest(t, configFor(t, path))
		if err != nil {
			t.Fatal(err)
		}
		first := k.KEKs()[0]
		added := rotate(t, path)
		wait := func() {
			time.Sleep(5 * time.Second) //nolint:forbidigo // nothing sleeps in a bubble
			synctest.Wait()
		}
		wait()
		if keks := k.KEKs(); len(keks) != 2 || keks[0] != added.KEK || keks[1] != first {
			t.Errorf("KEKs %v, want %s and %s", keks, added.KEK, first)
		}
		write(t, path, []byte("version: 1\n"))
		wait()
		if keks := k.KEKs(); len(keks) != 2 || k.Status().Err == "" {
			t.Errorf("KEKs %v, status %+v", keks, k.Status())
		}
		if err := k.Cleanup(); err != nil {
			t.Error(err)
		}
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
		before := k.Status()
		wait()
		if k.Status() != before {
			t.Errorf("the file is still followed: %+v", k.Status())
		}
		end()
	})
}
