package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/keyring"
	_ "github.com/sealgate/sealgate/module/keyring/awskms"
	"github.com/sealgate/sealgate/module/keyring/local"
)

const cseWith = `version: 1
buckets:
  "*":
    "": {mode: sse-s3}
    vault/: {mode: cse%s}
grants:
  - {id: all, principals: [app], actions: ["s3:*"], resources: ["*"]}
`

// sealing is a posture with a prefix whose objects are sealed; more are further
// fields of its rule.
func sealing(more string) string { return strings.Replace(cseWith, "%s", more, 1) }

// keyringFile makes a keyring file of the bed with one key.
func (b *bed) keyringFile(name string) (path string, kek keyring.KEK) {
	b.t.Helper()
	path = filepath.Join(b.dir, name)
	key, err := local.Init(path)
	if err != nil {
		b.t.Fatal(err)
	}
	return path, key.KEK
}

// keyrings sets the keyrings of the bed's configuration.
func (b *bed) keyrings(list object) {
	b.config["apps"].(object)["s3_encryption"] = object{"keyrings": list}
}

func localKeyring(path string) object { return object{"driver": "local", "path": path} }

// app is the running app.
func (b *bed) app() *App {
	b.t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured("s3_encryption")
	if err != nil {
		b.t.Fatal(err)
	}
	return app.(*App)
}

// TestValidateKeyrings: what cannot seal or open is known when a configuration is
// loaded, and nothing of it stays behind.
func TestValidateKeyrings(t *testing.T) {
	t.Setenv("GATEWAY_TEST_KEYRING", "")
	const kms = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"
	for _, tt := range []struct {
		name string
		set  func(*bed) object // gives the keyrings
		want string            // "" is valid
	}{
		{"a keyring nobody names", func(b *bed) object {
			path, _ := b.keyringFile("k")
			return object{"spare": localKeyring(path)}
		}, ""},
		{"the default keyring", func(b *bed) object {
			b.file("posture.yaml", sealing(""))
			path, _ := b.keyringFile("k")
			return object{"main": localKeyring(path)}
		}, ""},
		{"several keyrings", func(b *bed) object {
			b.file("posture.yaml", sealing(", keyring: new, keyrings: [old]"))
			one, _ := b.keyringFile("1")
			return object{"new": object{"driver": "aws_kms", "key": kms}, "old": localKeyring(one)}
		}, ""},
		{"path from a placeholder", func(b *bed) object {
			path, _ := b.keyringFile("k")
			b.t.Setenv("GATEWAY_TEST_KEYRING", path)
			b.file("posture.yaml", sealing(""))
			return object{"main": localKeyring("{env.GATEWAY_TEST_KEYRING}")}
		}, ""},
		{"not set", func(*bed) object { return object{"main": localKeyring("{env.GATEWAY_TEST_KEYRING}")} }, ""},
		{"not set and named", func(b *bed) object {
			b.file("posture.yaml", sealing(""))
			return object{"main": localKeyring("{env.GATEWAY_TEST_KEYRING}")}
		}, `policy: `},
		{"no keyring", func(b *bed) object {
			b.file("posture.yaml", sealing(""))
			return object{}
		}, `buckets[*]["vault/"]: keyring: no keyring is configured`},
		{"unknown keyring", func(b *bed) object {
			b.file("posture.yaml", sealing(", keyring: c"))
			one, _ := b.keyringFile("1")
			two, _ := b.keyringFile("2")
			return object{"b": localKeyring(two), "a": localKeyring(one)}
		}, `buckets[*]["vault/"]: keyring: unknown keyring "c"; keyrings here: a, b`},
		{"unknown keyring to read with", func(b *bed) object {
			b.file("posture.yaml", sealing(", keyrings: [old]"))
			path, _ := b.keyringFile("k")
			return object{"main": localKeyring(path)}
		}, `buckets[*]["vault/"]: keyrings: unknown keyring "old"; keyrings here: main`},
		{"one key in two keyrings", func(b *bed) object {
			path, _ := b.keyringFile("k")
			text, err := os.ReadFile(path)
			if err != nil {
				b.t.Fatal(err)
			}
			return object{"a": localKeyring(path), "b": localKeyring(b.file("copy", string(text)))}
		}, `of keyring "b", also of keyring "a"`},
		{"one keyring under two names", func(b *bed) object {
			path, _ := b.keyringFile("k")
			return object{"a": localKeyring(path), "b": localKeyring(path)}
		}, `of keyring "b", also of keyring "a"`},
		{"no keyring file", func(b *bed) object { return object{"main": localKeyring(filepath.Join(b.dir, "missing"))} }, "missing"},
		{"keyring file others can read", func(b *bed) object {
			path, _ := b.keyringFile("k")
			if err := os.Chmod(path, 0o644); err != nil {
				b.t.Fatal(err)
			}
			return object{"main": localKeyring(path)}
		}, "loading keyrings: key main: "},
		{"no path", func(*bed) object { return object{"main": object{"driver": "local"}} }, "path is missing"},
		{"no driver", func(*bed) object { return object{"main": object{"path": "k"}} }, "driver"},
		{"unknown driver", func(*bed) object { return object{"main": object{"driver": "floppy"}} }, "s3_encryption.keyrings.floppy"},
		{"unknown field", func(*bed) object { return object{"main": object{"driver": "local", "colour": "red"}} }, "colour"},
		{"malformed name", func(b *bed) object {
			path, _ := b.keyringFile("k")
			return object{"my keys": localKeyring(path)}
		}, `keyring name "my keys"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBed(t)
			b.keyrings(tt.set(b))
			err := b.validate()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error containing %q", err, tt.want)
			}
			nothingShared(t)
		})
	}
}

// validate checks the bed's configuration without running it.
func (b *bed) validate() error {
	b.t.Helper()
	b.config["admin"] = object{"disabled": true}
	data, err := json.Marshal(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(data, &config); err != nil {
		b.t.Fatal(err)
	}
	return caddy.Validate(&config)
}

// nothingShared fails the test if a keyring is still held. Tests that share one
// under a name of their own run beside.
func nothingShared(t *testing.T) {
	t.Helper()
	sharedKeyrings.Range(func(key, _ any) bool {
		if !strings.Contains(key.(string), "TestSharedKeyring") {
			t.Errorf("a keyring is still held: %v", key)
		}
		return true
	})
}

// TestReloadKeepsCache: over a reload the cache stays, and behind it the keyring
// of the new configuration follows its file.
func TestReloadKeepsCache(t *testing.T) {
	b := newBed(t)
	path, _ := b.keyringFile("main.keyring")
	b.file("posture.yaml", sealing(""))
	b.keyrings(object{"main": localKeyring(path)})
	b.start()
	before := b.app().keyrings.members[0]
	load(t, b.config)
	after := b.app().keyrings.members[0]
	if before.shared != after.shared || before.guest == after.guest {
		t.Errorf("shared keyring %p then %p, guest %p then %p", before.shared, after.shared, before.guest, after.guest)
	}
	if n, _ := sharedKeyrings.References(after.poolKey); n != 1 {
		t.Errorf("one configuration holds the keyring %d times", n)
	}
	if n := len(after.shared.guests); n != 1 || after.shared.guests[0] != after.guest {
		t.Errorf("%d keyrings can be asked", n)
	}

	// A configuration that cannot be run changes nothing.
	bad := object{"admin": b.config["admin"], "apps": object{
		"s3_encryption": b.config["apps"].(object)["s3_encryption"],
		"http":          httpApp(object{"routes": route(object{"handler": "s3_encryption"})}),
	}}
	data, err := json.Marshal(bad)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(data, true); err == nil || !strings.Contains(err.Error(), "clients: no path set") {
		t.Fatalf("a handler without its files: %v", err)
	}
	if n := len(after.shared.guests); n != 1 || after.shared.guests[0] != after.guest {
		t.Errorf("after a failed reload, %d keyrings can be asked", n)
	}

	rotated, err := local.Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	main, err := b.app().keyrings.all().Lookup("main")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a rotated key is not used", func() bool { return main.KEKs()[0] == rotated.KEK })

	// Without the keyring, the cache goes.
	b.file("posture.yaml", testPosture)
	delete(b.config["apps"].(object), "s3_encryption")
	load(t, b.config)
	nothingShared(t)
	if b.app().keyrings.all() != nil {
		t.Error("there still is a keyring")
	}
}

// TestStart: from its start on, the keyrings of a configuration are asked.
func TestStart(t *testing.T) {
	t.Parallel()
	shared := new(sharedKeyring)
	before := shared.attach(&stubKeyring{id: 1})
	app := &App{keyrings: &keyrings{members: []*keyringMember{{name: "main", shared: shared, guest: shared.attach(&stubKeyring{id: 2})}}}}
	if shared.KEKs()[0].ID[0] != 1 {
		t.Error("a configuration that is not started is asked")
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	if shared.KEKs()[0].ID[0] != 2 {
		t.Error("the configuration before is asked")
	}
	shared.detach(before)
	if shared.KEKs()[0].ID[0] != 2 {
		t.Error("a configuration that ended is asked")
	}
}

// TestReloadChecksNewKeys: the keys of a new configuration count, not those which
// the caches of the one in force still show.
func TestReloadChecksNewKeys(t *testing.T) {
	b := newBed(t)
	one, _ := b.keyringFile("1")
	two, _ := b.keyringFile("2")
	b.keyrings(object{"a": localKeyring(one), "b": localKeyring(two)})
	b.start()
	text, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	b.file("2", string(text))
	data, err := json.Marshal(b.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(data, true); err == nil || !strings.Contains(err.Error(), `of keyring "b", also of keyring "a"`) {
		t.Errorf("got %v", err)
	}
}

// TestSealedObject: with a keyring, what is stored is not what was sent, and what
// is read is, also after a reload.
func TestSealedObject(t *testing.T) {
	b := newBed(t)
	path, _ := b.keyringFile("main.keyring")
	b.file("posture.yaml", sealing(""))
	b.keyrings(object{"main": localKeyring(path)})
	b.start()
	text := strings.Repeat("what nobody else may read ", 10_000)
	if _, err := b.client().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("photos"), Key: aws.String("vault/a"), Body: strings.NewReader(text), Metadata: map[string]string{"plain": "1"},
	}); err != nil {
		t.Fatal(err)
	}
	b.store.mu.Lock()
	stored := string(b.store.objects["/photos/vault/a"])
	b.store.mu.Unlock()
	if len(stored) <= len(text) || strings.Contains(stored, "nobody") {
		t.Errorf("the store has %d bytes of %d", len(stored), len(text))
	}
	for range 2 {
		out, err := b.client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("photos"), Key: aws.String("vault/a")})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		if err != nil || string(got) != text || out.Metadata["plain"] != "1" {
			t.Errorf("got %d bytes with %v, error %v; want %d", len(got), out.Metadata, err, len(text))
		}
		b.start() // another configuration
	}
}

// TestUnknownKeyringOnReload: a posture that names a keyring which is not there
// keeps the last good one.
func TestUnknownKeyringOnReload(t *testing.T) {
	b := newBed(t)
	path, _ := b.keyringFile("main.keyring")
	b.file("posture.yaml", sealing(""))
	b.keyrings(object{"main": localKeyring(path)})
	b.start()
	h := b.app().gateways.joined()[0]
	good := h.policy.Status().Revision
	b.file("posture.yaml", sealing(", keyring: other"))
	err := h.policy.Reload(t.Context())
	if err == nil || !strings.Contains(err.Error(), `unknown keyring "other"; keyrings here: main`) {
		t.Errorf("got %v", err)
	}
	if s := h.policy.Status(); s.Revision != good || s.Err == "" {
		t.Errorf("got %+v, want revision %s", s, good)
	}
	if rule := h.policy.Current().Rule("photos", "vault/a"); rule == nil || rule.Keyring != "main" {
		t.Errorf("the rule in force is %+v", rule)
	}
}

// TestKeyringStatus: the status names keyrings and their keys, and shows none.
func TestKeyringStatus(t *testing.T) {
	b := newBed(t)
	socket := filepath.Join(b.dir, "admin.sock")
	b.config["admin"] = object{"listen": "unix/" + socket, "config": object{"persist": false}}
	path, first := b.keyringFile("main.keyring")
	second, err := local.Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	b.keyrings(object{
		"main": localKeyring(path),
		"kms":  object{"driver": "aws_kms", "key": "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000"},
	})
	b.start()
	res := askAdmin(t, socket, http.MethodGet, "/s3_encryption/status")
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var status struct {
		Keyrings []struct {
			Name, Driver string
			KEKs         []string
			File         *local.Status
			Login        any
		}
	}
	if err := json.Unmarshal(text, &status); err != nil {
		t.Fatal(err)
	}
	if len(status.Keyrings) != 2 {
		t.Fatalf("status %s", text)
	}
	kms, main := status.Keyrings[0], status.Keyrings[1]
	if kms.Name != "kms" || kms.Driver != "aws_kms" || len(kms.KEKs) == 0 || !strings.HasPrefix(kms.KEKs[0], "kms/") || kms.File != nil || kms.Login != nil {
		t.Errorf("status %s", text)
	}
	if main.Name != "main" || main.Driver != "local" || len(main.KEKs) != 2 || main.KEKs[0] != second.KEK.String() || main.KEKs[1] != first.String() {
		t.Errorf("status %s, want keys %s and %s", text, second.KEK, first)
	}
	if main.File == nil || main.File.Path != path || main.File.Keys != 2 || main.File.Err != "" || main.File.LoadedAt.IsZero() {
		t.Errorf("status %s", text)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secrets := regexp.MustCompile(`[A-Za-z0-9+/_-]{43}=?`).FindAllString(string(file), -1)
	if len(secrets) != 2 {
		t.Fatalf("found %d secrets in the keyring file", len(secrets))
	}
	for _, secret := range secrets {
		if strings.Contains(string(text), strings.TrimRight(secret, "=")) {
			t.Error("the status shows a key")
		}
	}
}

// TestKeyringMetrics: objects that cannot be opened are counted, and a keyring file
// that cannot be loaded shows.
func TestKeyringMetrics(t *testing.T) {
	b := newBed(t)
	path, _ := b.keyringFile("main.keyring")
	b.config["apps"] = object{"http": httpApp(object{"routes": []object{
		{"match": []object{{"path": []string{"/-/metrics"}}}, "handle": []object{{"handler": "metrics"}}},
		{"handle": []object{b.handler}},
	}})}
	b.keyrings(object{"main": localKeyring(path)})
	b.start()
	b.app().metrics.OpenFailure()
	_, text := b.send(http.MethodGet, "/-/metrics", nil)
	contains(t, text, "sealgate_open_failures_total 1\n", `sealgate_reload_successful{files="keyrings"} 1`)
	b.file("main.keyring", "version: 2\n")
	file := b.app().keyrings.members[0].guest.keyring.(fileKeyring)
	until(t, "the keyring file is still thought to be good", func() bool { return file.Status().Err != "" })
	_, text = b.send(http.MethodGet, "/-/metrics", nil)
	contains(t, text, `sealgate_reload_successful{files="keyrings"} 0`)
}

// until asks again and again whether a watched file has been noticed.
func until(t *testing.T, otherwise string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second) // 5 seconds are promised on a machine that is not busy
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatal(otherwise)
		case <-poll.C:
		}
	}
}
