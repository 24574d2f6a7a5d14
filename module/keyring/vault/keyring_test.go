package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/keyringtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a Keyring that ends with the test.
func open(t *testing.T, c Config) *Keyring {
	t.Helper()
	if c.Key == "" {
		c.Key = "objects"
	}
	if c.TokenFile == "" && c.AppRole == nil {
		c.Token = NewSecret(rootToken)
	}
	k, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// object is a Binding of a fresh object.
func object(namespace, name string) keyring.Binding {
	b := keyring.Binding{Namespace: namespace, Context: map[string]string{"tenant": "blue", "class": "confidential"}}
	rand.Read(b.OID[:])
	b.AAD = slices.Concat([]byte("head "), b.OID[:], []byte(" "+namespace+"/"+name))
	return b
}

func dataKey() keyring.DataKey {
	var key keyring.DataKey
	rand.Read(key[:])
	return key
}

func mustWrap(t *testing.T, k *Keyring, b keyring.Binding) (keyring.DataKey, []byte) {
	t.Helper()
	key := dataKey()
	wrapped, err := k.Wrap(t.Context(), k.KEKs()[0], key, b)
	if err != nil {
		t.Fatal(err)
	}
	return key, wrapped
}

func mustOpen(t *testing.T, k *Keyring, wrapped []byte, b keyring.Binding, want keyring.DataKey) {
	t.Helper()
	got, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b)
	if err != nil || got != want {
		t.Errorf("got another key, or error %v", err)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	with := func(fault fakeFault) keyringtest.Fault {
		return func(t *testing.T) (keyring.Keyring, func()) {
			f := newFakeVault()
			return open(t, Config{Address: f.serve(t)}), func() { f.fail(fault) }
		}
	}
	keyringtest.Run(t, func(t *testing.T) keyring.Keyring {
		return bubbled(t, newFakeVault(), Config{})
	}, keyringtest.Options{
		Unavailable: with(failing(http.StatusServiceUnavailable, "Vault is sealed")),
		Denied:      with(failing(http.StatusForbidden, "permission denied")),
		Slow:        with(hanging),
	})
}

// bubbled is a Keyring without a network, also for bubbles of synctest.
func bubbled(t *testing.T, transport http.RoundTripper, c Config) *Keyring {
	t.Helper()
	c.Address, c.Key = "https://vault.example.org", "objects"
	if c.TokenFile == "" && c.AppRole == nil && c.Token.Reveal() == "" {
		c.Token = NewSecret(rootToken)
	}
	c, err := c.checked()
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKeyring(c, transport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestKEK(t *testing.T) {
	t.Parallel()
	id := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "transit/" + hex.EncodeToString(sum[:8])
	}
	f := newFakeVault()
	tests := map[string]struct {
		config Config
		want   string
	}{
		"defaults":        {Config{}, id("sealgate vaulttransit/objects")},
		"another address": {Config{Address: "https://other.example.org"}, id("sealgate vaulttransit/objects")},
		"a mount":         {Config{Mount: "/team/transit/"}, id("sealgate vaultteam/transit/objects")},
		"an id":           {Config{ID: "eu"}, id("sealgate vaulttransit/objects#eu")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := bubbled(t, f, tt.config).KEKs()[0].String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	f := newFakeVault()
	k := bubbled(t, f, Config{})
	b := object("bucket", "name")
	key, wrapped := mustWrap(t, k, b)
	f.set(func(f *fakeVault) { f.version++ })
	key2, wrapped2 := mustWrap(t, k, b)
	if !strings.Contains(string(wrapped), "vault:v1:") || !strings.Contains(string(wrapped2), "vault:v2:") {
		t.Error("the versions are not those of the key")
	}
	mustOpen(t, k, wrapped, b, key)
	mustOpen(t, k, wrapped2, b, key2)
	f.set(func(f *fakeVault) { f.minVersion = 2 })
	if _, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b); !errors.Is(err, keyring.ErrDenied) {
		t.Errorf("a retired version: got error %v, want %v", err, keyring.ErrDenied)
	}
	mustOpen(t, k, wrapped2, b, key2)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	calls := []string{"transit/encrypt/objects", "transit/decrypt/objects"}
	tests := map[string]struct {
		fault fakeFault
		want  error
	}{
		"denied":             {failing(403, "permission denied"), keyring.ErrDenied},
		"no mount":           {failing(404, "no handler for route"), keyring.ErrDenied},
		"no key":             {failing(400, "encryption key not found"), keyring.ErrDenied},
		"sealed":             {failing(503, "Vault is sealed"), keyring.ErrUnavailable},
		"quota":              {failing(429, "rate limit quota exceeded"), keyring.ErrUnavailable},
		"not replicated yet": {failing(412, "required index state not present"), keyring.ErrUnavailable},
		"internal":           {failing(500, "internal error"), keyring.ErrUnavailable},
		"html, 400":          {saying(400, "<html>tenant blue</html>"), keyring.ErrUnavailable},
		"html, 403":          {saying(403, "<html>tenant blue</html>"), keyring.ErrUnavailable},
		"html, 200":          {saying(200, "<html>tenant blue</html>"), keyring.ErrUnavailable},
		"redirect":           {saying(307, ""), keyring.ErrUnavailable},
		"nothing":            {saying(200, ""), keyring.ErrUnavailable},
		"nothing, 404":       {saying(404, ""), keyring.ErrUnavailable},
		"half":               {saying(200, `{"data":{"cipher`), keyring.ErrUnavailable},
		"no data":            {saying(200, `{"data":{}}`), keyring.ErrUnavailable},
		"other types":        {saying(200, `{"data":{"ciphertext":1,"plaintext":[]}}`), keyring.ErrUnavailable},
		"endless":            {saying(200, `{"data":{"ciphertext":"vault:v1:AAAA","plaintext":"`+strings.Repeat("A", 43)+`=","x":"`+strings.Repeat("x", 2*maxReply)+`"}}`), keyring.ErrUnavailable},
		"cut connection":     {cutting, keyring.ErrUnavailable},
		"slow":               {hanging, keyring.ErrUnavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeVault()
			k := open(t, Config{Address: f.serve(t), Timeout: time.Second})
			b := object("bucket", "name")
			key, wrapped := mustWrap(t, k, b)
			f.fail(on(tt.fault, calls...))
			none, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), b)
			if !errors.Is(err, tt.want) || none != nil {
				t.Errorf("Wrap: got error %v, want %v and nothing", err, tt.want)
			}
			checkText(t, err)
			got, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b)
			if !errors.Is(err, tt.want) || got != (keyring.DataKey{}) {
				t.Errorf("Unwrap: got error %v, want %v and no key", err, tt.want)
			}
			checkText(t, err)
			f.fail(nil)
			mustOpen(t, k, wrapped, b, key)
		})
	}
}

// Replies that are well-formed and wrong.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	f := newFakeVault()
	k := bubbled(t, f, Config{})
	b := object("bucket", "name")
	_, wrapped := mustWrap(t, k, b)
	for name, tt := range map[string]struct {
		reply string
		want  error
	}{
		"short key":     {`{"data":{"plaintext":"AAAA"}}`, keyring.ErrCorrupt},
		"no base64":     {`{"data":{"plaintext":"?"}}`, keyring.ErrCorrupt},
		"not authentic": {"", keyring.ErrCorrupt},
	} {
		fault := saying(200, tt.reply)
		if tt.reply == "" {
			fault = failing(400, "cipher: message authentication failed")
		}
		f.fail(fault)
		if got, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b); !errors.Is(err, tt.want) || got != (keyring.DataKey{}) {
			t.Errorf("%s: got error %v, want %v", name, err, tt.want)
		}
	}
	for _, ciphertext := range []string{"", "x", "vault:v1:", "vault:v0:AAAA", "vault:v1:A", "vault:v1:" + strings.Repeat("AAAA", 200)} {
		f.fail(saying(200, `{"data":{"ciphertext":"`+ciphertext+`"}}`))
		if got, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), b); !errors.Is(err, keyring.ErrUnavailable) || got != nil {
			t.Errorf("ciphertext %q: got error %v, want %v", ciphertext, err, keyring.ErrUnavailable)
		}
	}
}

// checkText: an error may name what failed, not what was sent or answered.
func checkText(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return // reported by the caller
	}
	for _, leak := range []string{"blue", "confidential", "bucket", "html", rootToken} {
		if strings.Contains(err.Error(), leak) {
			t.Errorf("the error shows %q: %s", leak, err)
		}
	}
	if len(err.Error()) > 300 {
		t.Errorf("the error is %d bytes long: %s", len(err.Error()), err)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	listener.Close()
	k := open(t, Config{Address: address})
	_, err = k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name"))
	if !errors.Is(err, keyring.ErrUnavailable) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got error %v, want %v that says what failed", err, keyring.ErrUnavailable)
	}
	if status := k.Status(); status.LoggedIn || !strings.Contains(status.Err, "refused") {
		t.Errorf("got status %+v", status)
	}
}

// A store of tokens and data keys is not found by asking another server.
func TestRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := newFakeVault()
	target := elsewhere.serve(t)
	f := newFakeVault()
	k := open(t, Config{Address: f.serve(t)})
	b := object("bucket", "name")
	mustWrap(t, k, b)
	f.fail(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, target+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	if _, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), b); !errors.Is(err, keyring.ErrUnavailable) {
		t.Errorf("got error %v, want %v", err, keyring.ErrUnavailable)
	}
	if len(elsewhere.seen) != 0 {
		t.Errorf("the other server was called: %v", elsewhere.seen)
	}
}

func TestCiphertextForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"vault:v1:AAAA":   true,
		"vault:v123:AAA=": true,
		"vault:v1:AA==":   true,
		"vault:v1:AB==":   false, // another form of AA==
		"vault:v01:AAAA":  false,
		"vault:v0:AAAA":   false,
		"vault:v1:AAA":    false,
		"vault:v1:AA-_":   false,
		"vault:v1:AA\nAA": false,
		"vault:v1:AAAA\n": false,
		"vault:v1:":       false,
		"Vault:v1:AAAA":   false,
		" vault:v1:AAAA":  false,
		"vault:v1:" + strings.Repeat("AAAA", 126): false,
		"vault:v1:" + strings.Repeat("AAAA", 125): true,
		"vault:v99999999999999999999:" + "AAAA":   false,
	} {
		if got := validCiphertext(text); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
}

// Keys that would not bind a data key to its object are never used.
func TestUnsuitableKeys(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(f *fakeVault)
		want   string
	}{
		"rsa":                        {func(f *fakeVault) { f.kind = "rsa-4096" }, `type "rsa-4096"`},
		"derived":                    {func(f *fakeVault) { f.derived = true }, "derives keys"},
		"an old server":              {func(f *fakeVault) { f.ignoreAAD = true }, "ignores associated data"},
		"an old server, type hidden": {func(f *fakeVault) { f.ignoreAAD, f.hideKey = true, true }, "ignores associated data"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeVault()
			tt.change(f)
			k := bubbled(t, f, Config{})
			_, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name"))
			if !errors.Is(err, ErrKeyUnsuitable) || !errors.Is(err, keyring.ErrDenied) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %v with %q", err, ErrKeyUnsuitable, tt.want)
			}
		})
	}
	t.Run("type hidden", func(t *testing.T) {
		t.Parallel()
		f := newFakeVault()
		f.hideKey = true
		mustWrap(t, bubbled(t, f, Config{}), object("bucket", "name"))
	})
}

// Nothing in the environment changes what is called or sent.
func TestEnvironment(t *testing.T) {
	f := newFakeVault()
	f.namespace = "team"
	address := f.serve(t)
	for name, value := range map[string]string{
		"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_AGENT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "hvs.other",
		"VAULT_NAMESPACE": "other", "VAULT_HEADERS": `{"X-Other": "1"}`, "VAULT_WRAP_TTL": "60", "VAULT_SKIP_VERIFY": "true",
		"VAULT_PROXY_ADDR": "http://127.0.0.1:1", "VAULT_HTTP_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "VAULT_RATE_LIMIT": "0.001",
	} {
		t.Setenv(name, value)
	}
	f.fail(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("X-Other") != "" || r.Header.Get("X-Vault-Wrap-Ttl") != "" || r.Header.Get("X-Vault-Token") != rootToken {
			t.Errorf("%s: sent %v", r.URL.Path, r.Header)
		}
		return false
	})
	k := open(t, Config{Address: address, Namespace: "team"})
	b := object("bucket", "name")
	key, wrapped := mustWrap(t, k, b)
	mustOpen(t, k, wrapped, b, key)
}

func TestClosed(t *testing.T) {
	t.Parallel()
	k := bubbled(t, newFakeVault(), Config{})
	b := object("bucket", "name")
	_, wrapped := mustWrap(t, k, b)
	k.Close()
	if _, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b); !errors.Is(err, keyring.ErrUnavailable) {
		t.Errorf("got error %v, want %v", err, keyring.ErrUnavailable)
	}
}

func TestCancelledCaller(t *testing.T) {
	t.Parallel()
	f := newFakeVault()
	f.fail(hanging)
	k := bubbled(t, f, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	_, err := k.Wrap(ctx, k.KEKs()[0], dataKey(), object("bucket", "name"))
	if !errors.Is(err, keyring.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v and %v", err, keyring.ErrUnavailable, context.Canceled)
	}
}

// write makes a file for the test.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "secret")
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
