package keyring

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestDataKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	key := DataKey(bytes.Repeat([]byte("Geheimnis"), 4)[:32])
	f := newFake()
	f.unwrap = func(context.Context, []byte, Binding) (DataKey, error) { return key, nil }
	cache := newCache(t, f, Limits{}) // its fields are unexported
	if _, err := cache.Unwrap(t.Context(), f.kek, nil, Binding{}); err != nil {
		t.Fatal(err)
	}
	cache.calls.Wait() // fmt reads its fields without the lock
	type exported struct{ Key DataKey }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t", "%c", "%U", "%e", "% x", "%#x", "%10s"} {
		for _, v := range []any{key, &key, exported{key}, &exported{key}, cache, struct{ c *Cache }{cache}, []DataKey{key}, map[string]DataKey{"a": key}} {
			assertHidden(t, verb, fmt.Sprintf(verb, v), key)
		}
	}
	for _, v := range []any{key, &key, exported{key}, map[string]DataKey{"a": key}} {
		js, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		assertHidden(t, "json", string(js), key)
		if !strings.Contains(string(js), `"[redacted]"`) {
			t.Errorf("json = %s, want [redacted] in it", js)
		}
	}
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("m", "key", key, "pointer", &key, "struct", exported{key})
	}
	assertHidden(t, "slog", b.String(), key)
	if v := slog.AnyValue(key).Resolve(); v.Kind() != slog.KindString || v.String() != redacted {
		t.Errorf("a log handler sees %s", v.Kind())
	}
}

func assertHidden(t *testing.T, how, out string, key DataKey) {
	t.Helper()
	part := key[:3]
	for _, leak := range []string{
		string(part), hex.EncodeToString(part), fmt.Sprintf("%X", part), fmt.Sprintf("% x", part),
		base64.StdEncoding.EncodeToString(part), strings.Trim(fmt.Sprint(part), "[]"), fmt.Sprintf("%#x, %#x", part[0], part[1]),
	} {
		if strings.Contains(out, leak) {
			t.Errorf("%s: %q contains %q", how, out, leak)
		}
	}
}

func TestWipe(t *testing.T) {
	t.Parallel()
	key := DataKey{1, 31: 2}
	key.Wipe()
	if key != (DataKey{}) {
		t.Error("not all zeros")
	}
}

func TestKEKText(t *testing.T) {
	t.Parallel()
	for want, kek := range map[string]KEK{
		"local/0123456789abcdef":            {Local, [8]byte{1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}},
		"kms/0000000000000000":              {KMS, [8]byte{}},
		"kms-intermediate/0000000000000001": {KMSIntermediate, [8]byte{7: 1}},
		"transit/ff00000000000000":          {Transit, [8]byte{0xff}},
		"kind-9/0000000000000000":           {9, [8]byte{}},
	} {
		if got := kek.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
		if js, err := json.Marshal(map[KEK]KEK{kek: kek}); err != nil || string(js) != fmt.Sprintf("{%q:%q}", want, want) {
			t.Errorf("json = %s, %v", js, err)
		}
	}
	// Stored in every envelope: these numbers never change.
	if Local != 1 || KMS != 2 || KMSIntermediate != 3 || Transit != 4 {
		t.Error("a kind has another number")
	}
}
