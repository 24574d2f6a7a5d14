package awskms

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/keyring"
)

const (
	arnA       = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	arnB       = "arn:aws:kms:eu-central-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321"
	arnReplica = "arn:aws:kms:eu-central-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
)

var testCredentials = &Credentials{AccessKey: "AKIDTEST", Secret: NewSecret("not a secret of anybody")}

// open makes a Keyring that ends with the test.
func open(t *testing.T, c Config) *Keyring {
	t.Helper()
	if c.Credentials == nil {
		c.Credentials = testCredentials
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

// kinds are the two ways of wrapping, as configurations.
func kinds(endpoint string) map[string]Config {
	return map[string]Config{
		"kms":              {Key: arnA, Endpoint: endpoint},
		"kms-intermediate": {Key: arnA, Endpoint: endpoint, Reuse: &Reuse{}},
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, config := range kinds(newFakeKMS(arnA).serve(t)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := open(t, config)
			key, b := dataKey(), object("bucket", "name")
			wrapped, err := k.Wrap(t.Context(), k.KEKs()[0], key, b)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(wrapped, key[:]) {
				t.Error("the wrapped key shows the key")
			}
			b.Context = nil // Unwrap has it from the wrapped key
			got, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b)
			if err != nil || got != key {
				t.Errorf("got another key, or error %v", err)
			}
			if want := k.KEKs()[0].Kind.String(); want != name {
				t.Errorf("got kind %s, want %s", want, name)
			}
		})
	}
}

func TestKEKs(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("sealgate kms" + arnA))
	idA := hex.EncodeToString(sum[:8])
	sum = sha256.Sum256([]byte("sealgate kms" + arnB))
	idB := hex.EncodeToString(sum[:8])
	tests := map[string]struct {
		config Config
		want   []string
	}{
		"one":         {Config{Key: arnA}, []string{"kms/" + idA, "kms-intermediate/" + idA}},
		"reuse":       {Config{Key: arnA, Reuse: &Reuse{}}, []string{"kms-intermediate/" + idA, "kms/" + idA}},
		"old as well": {Config{Key: arnB, Old: []string{arnA}}, []string{"kms/" + idB, "kms-intermediate/" + idB, "kms/" + idA, "kms-intermediate/" + idA}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, kek := range open(t, tt.config).KEKs() {
				got = append(got, kek.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWhatKMSIsAsked(t *testing.T) {
	t.Parallel()
	b := object("bucket", "name")
	bind := sha256.Sum256(b.AAD)
	tests := map[string]struct {
		reuse *Reuse
		want  map[string]string
	}{
		"kms": {nil, map[string]string{
			"tenant": "blue", "class": "confidential",
			"sealgate:ns": "bucket", "sealgate:bind": base64.StdEncoding.EncodeToString(bind[:]),
		}},
		"kms-intermediate": {&Reuse{}, map[string]string{
			"tenant": "blue", "class": "confidential",
			"sealgate:ns": "bucket", "sealgate:use": "intermediate",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeKMS(arnA)
			config := Config{Key: arnA, Endpoint: f.serve(t), Reuse: tt.reuse}
			k := open(t, config)
			wrapped, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), b)
			if err != nil {
				t.Fatal(err)
			}
			fresh := open(t, config) // holds no intermediate key
			if _, err := fresh.Unwrap(t.Context(), k.KEKs()[0], wrapped, b); err != nil {
				t.Fatal(err)
			}
			for _, operation := range []string{"Encrypt", "Decrypt"} {
				calls := f.calls(operation)
				if len(calls) != 1 {
					t.Fatalf("%s: got %d calls, want 1", operation, len(calls))
				}
				if !maps.Equal(calls[0].context, tt.want) {
					t.Errorf("%s: got context %v, want %v", operation, calls[0].context, tt.want)
				}
				if calls[0].key != arnA {
					t.Errorf("%s: got key %s, want %s", operation, calls[0].key, arnA)
				}
				if scope := "/eu-central-1/kms/aws4_request"; !strings.Contains(calls[0].authorization, "Credential=AKIDTEST/") || !strings.Contains(calls[0].authorization, scope) {
					t.Errorf("%s: signed as %q", operation, calls[0].authorization)
				}
			}
		})
	}
}

func TestUnwrapRefuses(t *testing.T) {
	t.Parallel()
	endpoint := newFakeKMS(arnA, arnB).serve(t)
	type attempt struct {
		kek     keyring.KEK
		wrapped []byte
		b       keyring.Binding
	}
	both, err := parseARN(arnB)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(a *attempt)
		want   error
	}{
		"another namespace":  {func(a *attempt) { a.b.Namespace = "elsewhere" }, keyring.ErrCorrupt},
		"another name":       {func(a *attempt) { a.b.AAD = append(slices.Clone(a.b.AAD), 'x') }, keyring.ErrCorrupt},
		"no AAD":             {func(a *attempt) { a.b.AAD = nil }, keyring.ErrCorrupt},
		"another key":        {func(a *attempt) { a.kek = both.kek(a.kek.Kind) }, keyring.ErrCorrupt},
		"the other kind":     {func(a *attempt) { a.kek.Kind ^= keyring.KMS ^ keyring.KMSIntermediate }, keyring.ErrCorrupt},
		"an unknown key":     {func(a *attempt) { a.kek.ID[0] ^= 1 }, keyring.ErrUnknownKey},
		"a kind not ours":    {func(a *attempt) { a.kek.Kind = keyring.Local }, keyring.ErrUnknownKey},
		"nothing":            {func(a *attempt) { a.wrapped = nil }, keyring.ErrCorrupt},
		"only a length":      {func(a *attempt) { a.wrapped = a.wrapped[:2] }, keyring.ErrCorrupt},
		"only the context":   {func(a *attempt) { a.wrapped = a.wrapped[:2+int(a.wrapped[1])] }, keyring.ErrCorrupt},
		"one byte less":      {func(a *attempt) { a.wrapped = a.wrapped[:len(a.wrapped)-1] }, keyring.ErrCorrupt},
		"one byte more":      {func(a *attempt) { a.wrapped = append(slices.Clone(a.wrapped), 0) }, keyring.ErrCorrupt},
		"a stripped context": {func(a *attempt) { a.wrapped = append([]byte{0, 0}, a.wrapped[2+int(a.wrapped[1]):]...) }, keyring.ErrCorrupt},
		"too long for KMS":   {func(a *attempt) { a.wrapped = append(slices.Clone(a.wrapped), make([]byte, maxBlob)...) }, keyring.ErrCorrupt},
	}
	for kind, config := range kinds(endpoint) {
		config.Old = []string{arnB}
		k := open(t, config)
		key, b := dataKey(), object("bucket", "name")
		wrapped, err := k.Wrap(t.Context(), k.KEKs()[0], key, b)
		if err != nil {
			t.Fatal(err)
		}
		b.Context = nil
		for name, tt := range tests {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				a := attempt{k.KEKs()[0], wrapped, b}
				tt.change(&a)
				got, err := k.Unwrap(t.Context(), a.kek, a.wrapped, a.b)
				if !errors.Is(err, tt.want) || got != (keyring.DataKey{}) {
					t.Errorf("got error %v, want %v and no key", err, tt.want)
				}
			})
		}
	}
}

// Each thing alone keeps a data key from being opened under its intermediate key.
func TestLocalBinding(t *testing.T) {
	t.Parallel()
	intermediate, key := dataKey(), dataKey()
	b := localBinding{object("bucket", "name"), []byte("prefix")}
	wrapped, err := sealLocal(slices.Clone(b.prefix), &intermediate, &key, b)
	if err != nil {
		t.Fatal(err)
	}
	sealed, ok := bytes.CutPrefix(wrapped, b.prefix)
	if !ok || len(sealed) != localSize {
		t.Fatalf("sealed to %d bytes, want %d after the prefix", len(sealed), localSize)
	}
	if got, err := openLocal(&intermediate, sealed, b); err != nil || got != key {
		t.Fatalf("got another key, or error %v", err)
	}
	for name, change := range map[string]func(i *keyring.DataKey, b *localBinding){
		"intermediate": func(i *keyring.DataKey, _ *localBinding) { i[0] ^= 1 },
		"OID":          func(_ *keyring.DataKey, b *localBinding) { b.OID[31] ^= 1 },
		"AAD":          func(_ *keyring.DataKey, b *localBinding) { b.AAD = b.AAD[1:] },
		"prefix":       func(_ *keyring.DataKey, b *localBinding) { b.prefix = []byte("prefiX") },
	} {
		i, b := intermediate, b
		change(&i, &b)
		if got, err := openLocal(&i, sealed, b); !errors.Is(err, keyring.ErrCorrupt) || got != (keyring.DataKey{}) {
			t.Errorf("%s changed: got error %v, want %v", name, err, keyring.ErrCorrupt)
		}
	}
}

func TestWrapRefuses(t *testing.T) {
	t.Parallel()
	f := newFakeKMS(arnA)
	k := open(t, Config{Key: arnA, Endpoint: f.serve(t)})
	unknown := k.KEKs()[0]
	unknown.ID[7] ^= 1
	tests := map[string]struct {
		kek     keyring.KEK
		context map[string]string
		want    error
	}{
		"an unknown key":      {unknown, nil, keyring.ErrUnknownKey},
		"our context key":     {k.KEKs()[0], map[string]string{"sealgate:ns": "elsewhere"}, keyring.ErrContext},
		"any key like ours":   {k.KEKs()[0], map[string]string{"Sealgate:x": "v"}, keyring.ErrContext},
		"a key of AWS":        {k.KEKs()[0], map[string]string{"aws:s3:arn": "v"}, keyring.ErrContext},
		"a context too long":  {k.KEKs()[0], map[string]string{"k": strings.Repeat("v", keyring.MaxContext)}, keyring.ErrContext},
		"an empty key":        {k.KEKs()[0], map[string]string{"": "v"}, keyring.ErrContext},
		"a value not of text": {k.KEKs()[0], map[string]string{"k": "\xff"}, keyring.ErrContext},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := object("bucket", "name")
			b.Context = tt.context
			if _, err := k.Wrap(t.Context(), tt.kek, dataKey(), b); !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
			if n := len(f.calls("Encrypt")); n != 0 {
				t.Errorf("KMS was called %d times", n)
			}
		})
	}
}

// A gateway reads what was written with an old key, and with reuse on or off,
// whatever it is itself configured to write with.
func TestReadsWhatWasConfiguredOtherwise(t *testing.T) {
	t.Parallel()
	endpoint := newFakeKMS(arnA, arnB).serve(t)
	for _, written := range []*Reuse{nil, {}} {
		for _, read := range []*Reuse{nil, {}} {
			before := open(t, Config{Key: arnA, Endpoint: endpoint, Reuse: written})
			after := open(t, Config{Key: arnB, Old: []string{arnA}, Endpoint: endpoint, Reuse: read})
			key, b := dataKey(), object("bucket", "name")
			wrapped, err := before.Wrap(t.Context(), before.KEKs()[0], key, b)
			if err != nil {
				t.Fatal(err)
			}
			got, err := after.Unwrap(t.Context(), before.KEKs()[0], wrapped, b)
			if err != nil || got != key {
				t.Errorf("written with reuse %v, read with %v: %v", written, read, err)
			}
		}
	}
}

func TestMultiRegionKey(t *testing.T) {
	t.Parallel()
	there := strings.Replace(arnReplica, "eu-central-1", "eu-west-1", 1)
	f := newFakeKMS(arnReplica, there)
	endpoint := f.serve(t)
	home := open(t, Config{Key: arnReplica, Endpoint: endpoint})
	away := open(t, Config{Key: arnReplica, Endpoint: endpoint, Region: "eu-west-1"})
	if home.KEKs()[0] != away.KEKs()[0] {
		t.Error("the same key has two names")
	}
	key, b := dataKey(), object("bucket", "name")
	wrapped, err := home.Wrap(t.Context(), home.KEKs()[0], key, b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := away.Unwrap(t.Context(), home.KEKs()[0], wrapped, b)
	if err != nil || got != key {
		t.Fatalf("got another key, or error %v", err)
	}
	call := f.calls("Decrypt")[0]
	if call.key != there || !strings.Contains(call.authorization, "/eu-west-1/kms/") {
		t.Errorf("called %s, signed as %q", call.key, call.authorization)
	}
}

func TestCancelledCaller(t *testing.T) {
	t.Parallel()
	for name, config := range kinds(newFakeKMS(arnA).serve(t)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := open(t, config)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := k.Wrap(ctx, k.KEKs()[0], dataKey(), object("bucket", "name"))
			if !errors.Is(err, keyring.ErrUnavailable) || !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v, want %v and %v", err, keyring.ErrUnavailable, context.Canceled)
			}
		})
	}
}
