package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/sealgate/sealgate/module/keyring"
)

var update = flag.Bool("update", false, "rewrite the expected part of testdata/adapt")

const moduleID = "s3_encryption.keyrings.vault"

// separator divides a .caddyfiletest into what follows the keyring's name in a
// Caddyfile and what it adapts to: JSON, or a part of the error.
const separator = "----------\n"

func TestAdapt(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, ok := strings.Cut(string(data), separator)
			if !ok && !*update {
				t.Fatal("no separator")
			}
			got := adaptOrError(t, input)
			if *update {
				if err := os.WriteFile(file, []byte(input+separator+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want = strings.TrimSpace(want)
			if strings.HasPrefix(want, "{") {
				if got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			} else if want == "" || !strings.Contains(got, want) {
				t.Errorf("got %q, want an error containing %q", got, want)
			}
		})
	}
}

// adaptOrError gives the indented JSON of a keyring, or the error.
func adaptOrError(t *testing.T, input string) string {
	t.Helper()
	d := caddyfile.NewTestDispenser(input)
	d.Next()
	guest, err := caddyfile.UnmarshalModule(d, moduleID)
	if err != nil {
		return err.Error()
	}
	adapted, err := json.Marshal(guest)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// load provisions the guest as Caddy does, until the test ends.
func load(t *testing.T, config string) (keyring.Keyring, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	guest, err := ctx.LoadModuleByID(moduleID, json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return guest.(keyring.Keyring), nil
}

func TestGuest(t *testing.T) {
	f := newFakeVault()
	f.namespace = "team"
	t.Setenv("SEALGATE_TEST_ADDRESS", f.serve(t))
	t.Setenv("SEALGATE_TEST_TOKEN", rootToken)
	tests := map[string]string{
		"token":      `"token": "{env.SEALGATE_TEST_TOKEN}"`,
		"token_file": `"token_file": "` + write(t, "", rootToken) + `"`,
		"approle":    `"approle": {"role_id": "role", "secret_id_file": "` + write(t, "", f.secretID) + `"}`,
	}
	for name, login := range tests {
		t.Run(name, func(t *testing.T) {
			k, err := load(t, `{"address": "{env.SEALGATE_TEST_ADDRESS}", "key": "objects", "namespace": "team", "timeout": "10s", `+login+`}`)
			if err != nil {
				t.Fatal(err)
			}
			key, b := dataKey(), object("bucket", "name")
			wrapped, err := k.Wrap(t.Context(), k.KEKs()[0], key, b)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b); err != nil || got != key {
				t.Errorf("got another key, or error %v", err)
			}
		})
	}
}

func TestGuestRefuses(t *testing.T) {
	t.Setenv("SEALGATE_TEST_EMPTY", "")
	const start = `{"address": "https://vault.example.org", "key": "objects"`
	tests := map[string]struct{ config, want string }{
		"nothing":              {`{}`, `key "" is not the name`},
		"an unknown field":     {`{"url": "x"}`, "unknown field"},
		"a literal token":      {start + `, "token": "hvs.hidden"}`, "must be a placeholder"},
		"an empty token":       {start + `, "token": "{env.SEALGATE_TEST_EMPTY}"}`, "exactly one of"},
		"two logins":           {start + `, "token_file": "/f", "approle": {"role_id": "r", "secret_id_file": "/f"}}`, "exactly one of"},
		"an unknown reference": {start + `, "id": "{nothing.like.this}"}`, "id: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tt.config)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got error %v, want %q in it", err, tt.want)
			}
		})
	}
}

// A configuration that is replaced ends its session; goleak finds one that stays.
func TestGuestCleanup(t *testing.T) {
	t.Parallel()
	if err := new(Module).Cleanup(); err != nil {
		t.Errorf("never provisioned: %v", err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	guest, err := ctx.LoadModuleByID(moduleID, json.RawMessage(`{"address": "http://127.0.0.1:1", "key": "objects", "token_file": "/nowhere/token"}`))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-guest.(*Module).session.done:
	default:
		t.Error("the session goes on")
	}
}
