package vault

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	const address = "https://vault.example.org:8200"
	token := NewSecret("hvs.hidden")
	tests := map[string]struct {
		config Config
		want   string
	}{
		"no key":                 {Config{Address: address, Token: token}, `key "" is not the name`},
		"a path for a key":       {Config{Address: address, Key: "../sys/seal", Token: token}, "is not the name"},
		"a key of dots":          {Config{Address: address, Key: "..", Token: token}, "is not the name"},
		"a mount that climbs":    {Config{Address: address, Key: "k", Mount: "a/../b", Token: token}, "is not the path"},
		"a mount with a query":   {Config{Address: address, Key: "k", Mount: "a?b", Token: token}, "is not the path"},
		"no address":             {Config{Key: "k", Token: token}, "no address set"},
		"plaintext":              {Config{Address: "http://vault.example.org", Key: "k", Token: token}, "in plaintext over a network"},
		"no URL":                 {Config{Address: "vault.example.org:8200", Key: "k", Token: token}, "is not an https:// URL"},
		"a socket":               {Config{Address: "unix:///run/vault", Key: "k", Token: token}, "is not an https:// URL"},
		"a URL with a path":      {Config{Address: address + "/v1", Key: "k", Token: token}, "has a path or query"},
		"a URL with a password":  {Config{Address: "https://u:hidden@vault.example.org", Key: "k", Token: token}, "is not accepted"},
		"no login":               {Config{Address: address, Key: "k"}, "exactly one of"},
		"an empty token":         {Config{Address: address, Key: "k", Token: NewSecret("")}, "exactly one of"},
		"two logins":             {Config{Address: address, Key: "k", Token: token, TokenFile: "/f"}, "exactly one of"},
		"a token with a newline": {Config{Address: address, Key: "k", Token: NewSecret("hvs.hidden\nx")}, "no token has"},
		"no role id":             {Config{Address: address, Key: "k", AppRole: &AppRole{SecretIDFile: "/f"}}, "no role_id"},
		"no secret id":           {Config{Address: address, Key: "k", AppRole: &AppRole{RoleID: "r"}}, "no secret_id_file"},
		"an odd role mount":      {Config{Address: address, Key: "k", AppRole: &AppRole{RoleID: "r", SecretIDFile: "/f", Mount: "a/../b"}}, "is not a path"},
		"negative time-out":      {Config{Address: address, Key: "k", Token: token, Timeout: -1}, "timeout -1ns"},
		"endless time-out":       {Config{Address: address, Key: "k", Token: token, Timeout: time.Hour}, "timeout 1h0m0s"},
		"no such CA":             {Config{Address: address, Key: "k", Token: token, CAFile: "/nowhere/ca.pem"}, "no such file"},
		"no CA in it":            {Config{Address: address, Key: "k", Token: token, CAFile: write(t, "", "x")}, "no certificate"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := New(tt.config)
			if err == nil {
				k.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("got %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(newFakeVault())
	t.Cleanup(server.Close)
	server.Config.ErrorLog = nil
	ca := write(t, "", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	b := object("bucket", "name")
	key, wrapped := mustWrap(t, open(t, Config{Address: server.URL, CAFile: ca}), b)
	mustOpen(t, open(t, Config{Address: server.URL, CAFile: ca}), wrapped, b, key)
	distrustful := open(t, Config{Address: server.URL})
	if _, err := distrustful.Wrap(t.Context(), distrustful.KEKs()[0], key, b); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA: got error %v", err)
	}
}

func TestSecretIsRedacted(t *testing.T) {
	t.Parallel()
	secret := NewSecret("hidden")
	inside := struct{ secret Secret }{secret}
	js, err := json.Marshal(Config{Token: secret})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "secret", secret)
	l := newLease("hidden", time.Hour, true)
	all := fmt.Sprintf("%v %+v %#v %s %q %x %v %+v %#v %s %s %+v %#v", secret, secret, secret, secret, secret, secret, inside, inside, inside, js, log.String(), l, l)
	if strings.Contains(all, "hidden") || strings.Contains(all, fmt.Sprintf("%x", "hidden")) || !strings.Contains(all, redacted) {
		t.Errorf("got %s", all)
	}
	if secret.Reveal() != "hidden" || (Secret{}).Reveal() != "" {
		t.Error("Reveal gives another value")
	}
}
