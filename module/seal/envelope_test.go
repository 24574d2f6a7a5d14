package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

func sampleEnvelope(t testing.TB, kind Kind, wrapped int) (Envelope, DataKey) {
	t.Helper()
	e, key := New(kind)
	e.Wrap, e.KEK, e.Wrapped = WrapTransit, [8]byte{7: 9}, randomBytes(t, wrapped)
	return e, key
}

func encode(t testing.TB, e Envelope) string {
	t.Helper()
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEnvelopeRoundTrip(t *testing.T) {
	t.Parallel()
	for _, wrapped := range []int{1, 2, 60, 184, MaxWrapped} {
		for _, kind := range []Kind{Single, Multipart} {
			e, key := sampleEnvelope(t, kind, wrapped)
			text := encode(t, e)
			got, err := ParseEnvelope(text)
			if err != nil {
				t.Fatal(err)
			}
			if encode(t, got) != text || got.Kind != kind || got.OID != e.OID || got.Commit != e.Commit || !bytes.Equal(got.Wrapped, e.Wrapped) {
				t.Errorf("%v of %d: got %+v", kind, wrapped, got)
			}
			if _, err := Unlock(got, key); err != nil {
				t.Error(err)
			}
		}
	}
	e, _ := sampleEnvelope(t, Single, 60)
	if n := len(encode(t, e)); n != 184 {
		t.Errorf("%d characters with a local key, want 184", n)
	}
	e.Wrapped = make([]byte, MaxWrapped)
	if n := len(encode(t, e)); n != 1470 {
		t.Errorf("%d characters at most, want 1470", n)
	}
}

func TestEnvelopeRefused(t *testing.T) {
	t.Parallel()
	e, _ := sampleEnvelope(t, Single, 60)
	text := encode(t, e)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	with := func(at int, value byte) string {
		changed := bytes.Clone(raw)
		changed[at] = value
		return base64.RawURLEncoding.EncodeToString(changed)
	}
	odd, _ := sampleEnvelope(t, Single, 61)
	loose := encode(t, odd) // 139 bytes: two spare bits at the end
	tests := map[string]string{
		"empty":            "",
		"version 0":        with(0, 0),
		"version 2":        with(0, 2),
		"suite 0":          with(1, 0),
		"suite 2":          with(1, 2),
		"unknown flag":     with(2, 2),
		"high flag":        with(2, 0x80),
		"wrap 0":           with(3, 0),
		"wrap 5":           with(3, 5),
		"wrapped longer":   with(77, 61),
		"wrapped shorter":  with(77, 59),
		"wrapped empty":    with(77, 0),
		"wrapped too long": base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw[:76]), append([]byte{4, 1}, make([]byte, 1025)...)...)),
		"cut":              text[:len(text)-4],
		"header only":      base64.RawURLEncoding.EncodeToString(raw[:78]),
		"spare byte":       base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw), 0)),
		"padding":          text + "==",
		"line break":       text[:10] + "\n" + text[10:],
		"carriage return":  text + "\r",
		"space":            " " + text,
		"other alphabet":   "+/" + text[2:],
		"spare bits":       loose[:len(loose)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", loose[len(loose)-1])+1]),
		"very long":        strings.Repeat("A", 1<<20),
	}
	for name, text := range tests {
		if got, err := ParseEnvelope(text); !errors.Is(err, ErrEnvelope) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// Any changed bit of an envelope is refused when it is read, when the data key
// is unwrapped under its binding, or by the commitment.
func TestEveryBitOfAnEnvelope(t *testing.T) {
	t.Parallel()
	kek := randomBytes(t, 32)
	e, key := New(Single)
	e.Wrap, e.KEK = WrapLocal, [8]byte(randomBytes(t, 8))
	e.Wrapped = localWrap(t, kek, e, key, bind(t, e, "bucket", "name"))
	open := func(text, namespace, name string) error {
		e, err := ParseEnvelope(text)
		if err != nil {
			return err
		}
		binding, err := e.Binding(namespace, name)
		if err != nil {
			return err
		}
		key, err := localUnwrap(t, kek, e, binding)
		if err != nil {
			return err
		}
		_, err = Unlock(e, key)
		return err
	}
	text := encode(t, e)
	if err := open(text, "bucket", "name"); err != nil {
		t.Fatal(err)
	}
	raw, err := e.bytes()
	if err != nil {
		t.Fatal(err)
	}
	flip(raw, func(bit int, changed []byte) {
		if open(base64.RawURLEncoding.EncodeToString(changed), "bucket", "name") == nil {
			t.Errorf("bit %d: accepted", bit)
		}
	})
	for i := range text {
		for _, c := range "A_9z" {
			if changed := text[:i] + string(c) + text[i+1:]; changed != text && open(changed, "bucket", "name") == nil {
				t.Errorf("character %d is %c: accepted", i, c)
			}
		}
	}
	for _, moved := range [][2]string{{"bucket", "nam"}, {"bucket", "name2"}, {"bucke", "tname"}, {"bucketn", "ame"}, {"other", "name"}, {"name", "bucket"}} {
		if open(text, moved[0], moved[1]) == nil {
			t.Errorf("opened as %q", moved)
		}
	}
}

func bind(t testing.TB, e Envelope, namespace, key string) []byte {
	t.Helper()
	b, err := e.Binding(namespace, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBinding(t *testing.T) {
	t.Parallel()
	e, _ := New(Multipart)
	if _, err := e.Binding("b", "k"); !errors.Is(err, ErrEnvelope) {
		t.Errorf("without a wrap kind: %v", err)
	}
	e.Wrap, e.KEK = WrapKMS, [8]byte{1}
	before := bind(t, e, "b\x00", "ké")
	want := slices.Concat([]byte{1, 1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0}, e.OID[:], e.Commit[:], []byte("\x00\x02b\x00\x00\x03ké"))
	wantSame(t, before, want)
	e.Wrapped = make([]byte, 184)
	wantSame(t, bind(t, e, "b\x00", "ké"), before)

	seen := map[string]string{}
	for _, names := range [][2]string{{"ab", "c"}, {"a", "bc"}, {"a\x00\x01b", "c"}, {"a", "\x00\x01bc"}} {
		b := string(bind(t, e, names[0], names[1]))
		if other, ok := seen[b]; ok {
			t.Errorf("%q and %q have one binding", names, other)
		}
		seen[b] = fmt.Sprint(names)
	}
	for name, names := range map[string][2]string{
		"no namespace":       {"", "k"},
		"no key":             {"b", ""},
		"long namespace":     {strings.Repeat("n", MaxNamespace+1), "k"},
		"long key":           {"b", strings.Repeat("k", MaxKeyName+1)},
		"very long together": {strings.Repeat("n", 1<<17), strings.Repeat("k", 1<<17)},
	} {
		if _, err := e.Binding(names[0], names[1]); !errors.Is(err, ErrName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bind(t, e, strings.Repeat("n", MaxNamespace), strings.Repeat("k", MaxKeyName))
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	e, key := sampleEnvelope(t, Single, 60)
	_, other := New(Single)
	if _, err := Unlock(e, other); !errors.Is(err, ErrCommitment) {
		t.Errorf("another key: %v", err)
	}
	if _, err := Unlock(e, DataKey{}); !errors.Is(err, ErrDataKey) {
		t.Errorf("no key: %v", err)
	}
	moved := e
	moved.OID[31] ^= 1
	if _, err := Unlock(moved, key); !errors.Is(err, ErrCommitment) {
		t.Errorf("another OID: %v", err)
	}
	bare := e
	bare.Wrapped = nil
	if _, err := Unlock(bare, key); !errors.Is(err, ErrEnvelope) {
		t.Errorf("not wrapped: %v", err)
	}
	if _, err := bare.Encode(); !errors.Is(err, ErrEnvelope) {
		t.Errorf("not wrapped: %v", err)
	}
	again, _ := New(Single)
	if again.OID == e.OID || again.Commit == e.Commit {
		t.Error("two objects are alike")
	}
	key.Wipe()
	if _, err := Unlock(e, key); !errors.Is(err, ErrCommitment) {
		t.Errorf("wiped key: %v", err)
	}
}

func TestDataKey(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 31, 33} {
		if _, err := NewDataKey(make([]byte, n)); !errors.Is(err, ErrDataKey) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	plain := bytes.Repeat([]byte{0x5a}, KeySize)
	key, err := NewDataKey(plain)
	if err != nil {
		t.Fatal(err)
	}
	clear(plain)
	if key.Reveal()[0] != 0x5a {
		t.Error("the key is not a copy")
	}
	o := newObject(t, Single)
	o.prk = hide(bytes.Repeat([]byte{0x5a}, 32))
	s, err := o.SealSingle(bytes.NewReader(nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	holder := struct {
		key DataKey
		Key DataKey
		obj *Object
	}{key, key, o}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key, "object", o, "holder", holder)
	text := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q", "%o", "%b", "%c", "%U"} {
		for _, value := range []any{key, &key, o, holder, &holder, []DataKey{key}} {
			text += fmt.Sprintf(verb, value) + "\n"
		}
	}
	for _, value := range []any{key, o, holder} {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		text += string(raw)
	}
	for _, leak := range []string{"5a5a", "5A5A", "90 90", "ZZ", "Zlpa", "0x5a, 0x5a", "132 132", "1011010 1011010", "U+005A U+005A"} {
		if strings.Contains(text, leak) {
			t.Errorf("the key shows as %q in %s", leak, text)
		}
	}
	if fmt.Sprint(key) != "[redacted]" || key.String() != "[redacted]" || key.GoString() != "[redacted]" {
		t.Error("not redacted")
	}
	copied := key
	copied.Wipe()
	if !bytes.Equal(key.Reveal(), make([]byte, KeySize)) {
		t.Error("Wipe left a copy")
	}
	DataKey{}.Wipe()
	if (DataKey{}).Reveal() != nil {
		t.Error("the zero key reveals something")
	}
}
