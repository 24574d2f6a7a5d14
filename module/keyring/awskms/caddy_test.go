package awskms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

const moduleID = "s3_encryption.keyrings.aws_kms"

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
	f := newFakeKMS(arnA)
	t.Setenv("SEALGATE_TEST_ENDPOINT", f.serve(t))
	t.Setenv("SEALGATE_TEST_KEY", arnA)
	t.Setenv("SEALGATE_TEST_ACCESS_KEY", "AKIDGUEST")
	t.Setenv("SEALGATE_TEST_SECRET", "not a secret of anybody")
	k, err := load(t, `{
		"key": "{env.SEALGATE_TEST_KEY}",
		"endpoint": "{env.SEALGATE_TEST_ENDPOINT}",
		"timeout": "10s",
		"credentials": {"source": "static", "access_key": "{env.SEALGATE_TEST_ACCESS_KEY}", "secret": "{env.SEALGATE_TEST_SECRET}"},
		"reuse": {"max_age": "1m", "max_objects": 2}
	}`)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.calls("Encrypt")) + len(f.calls("Decrypt")); n != 0 {
		t.Errorf("loading the configuration called KMS %d times", n)
	}
	for range 4 {
		key, b := dataKey(), object("bucket", "name")
		wrapped, err := k.Wrap(t.Context(), k.KEKs()[0], key, b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b); err != nil || got != key {
			t.Errorf("got another key, or error %v", err)
		}
	}
	calls := f.calls("Encrypt")
	if len(calls) != 2 || !strings.Contains(calls[0].authorization, "Credential=AKIDGUEST/") {
		t.Errorf("got %d calls, want 2; signed as %q", len(calls), calls[0].authorization)
	}
}

func TestGuestRefuses(t *testing.T) {
	t.Setenv("SEALGATE_TEST_EMPTY", "")
	tests := map[string]struct{ config, want string }{
		"no key":               {`{}`, "is not the ARN of a key"},
		"an unknown field":     {`{"arn": "x"}`, "unknown field"},
		"a literal secret":     {`{"key": "` + arnA + `", "credentials": {"source": "static", "access_key": "AKID", "secret": "hidden"}}`, "must be a placeholder"},
		"an empty secret":      {`{"key": "` + arnA + `", "credentials": {"source": "static", "access_key": "AKID", "secret": "{env.SEALGATE_TEST_EMPTY}"}}`, "the access key or the secret is empty"},
		"an unknown source":    {`{"key": "` + arnA + `", "credentials": {"source": "client"}}`, "is neither default nor static"},
		"a pair for default":   {`{"key": "` + arnA + `", "credentials": {"access_key": "AKID"}}`, "takes no access key"},
		"a missing variable":   {`{"key": "{env.SEALGATE_TEST_NOT_SET}"}`, "is not the ARN of a key"},
		"an unknown reference": {`{"key": "{nothing.like.this}"}`, "key: "},
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

// A configuration that is replaced takes its keys with it.
func TestGuestCleanup(t *testing.T) {
	t.Parallel()
	m := &Module{Key: arnA, Reuse: new(ReuseConfig)}
	if err := m.Cleanup(); err != nil {
		t.Errorf("never provisioned: %v", err)
	}
	if err := m.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	if err := m.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Wrap(t.Context(), m.KEKs()[0], dataKey(), object("bucket", "name")); !errors.Is(err, keyring.ErrUnavailable) {
		t.Errorf("got error %v, want %v", err, keyring.ErrUnavailable)
	}
}
