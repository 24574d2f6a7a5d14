package local

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	idA, idB = "0123456789abcdef", "1234567890123456" // the second would be a number elsewhere
	secretA  = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="
	secretB  = "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjI="
	lineA    = "key: " + idA + " 2026-01-02T03:04:05Z old " + secretA + "\n"
	lineB    = "key: " + idB + " 2026-11-23T00:00:00+01:00 current " + secretB + "\n"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"plain":               "version: 1\n" + lineA + lineB,
		"no newline":          "version: 1\n" + lineA + strings.TrimSuffix(lineB, "\n"),
		"lines end as in DOS": "version: 1\r\n" + strings.ReplaceAll(lineA+lineB, "\n", "\r\n"),
		"comments":            "# one\n\n  # two\nversion: 1\n\n" + lineA + "# three\n" + lineB + "\n",
		"wide spaces":         "version: 1\n" + strings.ReplaceAll(lineA+lineB, " ", "\t  "),
		"capital digits":      "version: 1\n" + strings.Replace(lineA, idA, strings.ToUpper(idA), 1) + lineB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := parse([]byte(content))
			if err != nil || len(keys) != 2 {
				t.Fatalf("%d keys, %v", len(keys), err)
			}
			a, b := keys[0], keys[1]
			if fmt.Sprint(a) != idA || a.state != Old || !a.created.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || *a.secret != [32]byte(bytes.Repeat([]byte("1"), 32)) {
				t.Errorf("first key %s %s %s", a, a.state, a.created)
			}
			if fmt.Sprint(b) != idB || b.state != Current || !b.created.Equal(time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)) || *b.secret != [32]byte(bytes.Repeat([]byte("2"), 32)) {
				t.Errorf("second key %s %s %s", b, b.state, b.created)
			}
			if order := currentFirst(keys); order[0].id != b.id || order[1].id != a.id || keys[0].id != a.id {
				t.Errorf("current first: %v of %v", order, keys)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	with := func(old, replacement string) string {
		return "version: 1\n" + lineA + strings.Replace(lineB, old, replacement, 1)
	}
	b64 := base64.StdEncoding.EncodeToString
	for name, tc := range map[string]struct{ content, want string }{
		"empty":               {"", "the file is empty"},
		"comments only":       {"# a\n\n", "the file is empty"},
		"no version":          {lineA + lineB, "line 1: want \"version: 1\""},
		"other version":       {"version: 2\n" + lineB, "line 1: want \"version: 1\""},
		"version twice":       {"version: 1\nversion: 1\n" + lineB, "line 2"},
		"no key":              {"version: 1\n", "exactly one current key, found 0"},
		"no current key":      {"version: 1\n" + lineA, "exactly one current key, found 0"},
		"two current keys":    {"version: 1\n" + strings.Replace(lineA, "old", "current", 1) + lineB, "found 2"},
		"id twice":            {with(idB, idA), "key " + idA + " is there twice"},
		"secret twice":        {with(secretB, secretA), "has the secret of another"},
		"short id":            {with(idB, idB[2:]), "16 hexadecimal digits"},
		"long id":             {with(idB, idB+"00"), "16 hexadecimal digits"},
		"id no digits":        {with(idB, "x"+idB[1:]), "16 hexadecimal digits"},
		"no time":             {with("2026-11-23T00:00:00+01:00", "yesterday"), "RFC 3339"},
		"year 10000 in UTC":   {with("2026-11-23T00:00:00+01:00", "9999-12-31T23:59:59-01:00"), "RFC 3339"},
		"unknown state":       {with("current", "Current"), "state is neither"},
		"word missing":        {with("current ", ""), "want key: <id>"},
		"word too many":       {with("current", "current current"), "want key: <id>"},
		"not a key":           {with("key:", "KEY:"), "want key: <id>"},
		"short secret":        {with(secretB, b64(make([]byte, 31))), "base64 form of 32 bytes"},
		"long secret":         {with(secretB, b64(make([]byte, 33))), "base64 form of 32 bytes"},
		"secret in hex":       {with(secretB, strings.Repeat("32", 32)), "base64 form of 32 bytes"},
		"no padding":          {with(secretB, strings.TrimRight(secretB, "=")), "base64 form of 32 bytes"},
		"bits in the padding": {with(secretB, secretB[:42]+"J="), "base64 form of 32 bytes"},
		"zeros":               {with(secretB, b64(make([]byte, 32))), "all zeros"},
		"second line":         {"version: 1\n\n# x\n" + lineA + "key: nonsense\n", "line 5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := parse([]byte(tc.content))
			if err == nil {
				t.Fatalf("accepted: %v", keys)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q, want %q in it", err, tc.want)
			}
			for _, leak := range []string{secretA[:6], secretB[:6], "3232", "yesterday", "nonsense"} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("error %q quotes the file", err)
				}
			}
		})
	}
	t.Run("too many keys", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		b.WriteString("version: 1\n")
		for i := range maxKeys + 1 {
			fmt.Fprintf(&b, "key: %016x 2026-01-02T03:04:05Z old %s\n", i, base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%032d", i+1)))
		}
		if _, err := parse([]byte(b.String())); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("error = %v", err)
		}
	})
}

func TestRenderIsReadBack(t *testing.T) {
	t.Parallel()
	keys, err := parse([]byte("version: 1\n" + lineA + lineB))
	if err != nil {
		t.Fatal(err)
	}
	written := render(keys)
	back, err := parse(written)
	if err != nil || !slices.EqualFunc(back, keys, same) {
		t.Errorf("%v came back as %v, %v", keys, back, err)
	}
	if !bytes.HasPrefix(written, []byte("# Sealgate keyring.")) || !bytes.Contains(written, []byte(lineA)) {
		t.Error("not written as described")
	}
}

func same(a, b key) bool {
	return a.id == b.id && a.created == b.created && a.state == b.state && *a.secret == *b.secret
}

// FuzzParse: what is accepted is written so that it means the same, and what is
// refused is not quoted.
func FuzzParse(f *testing.F) {
	f.Add([]byte("version: 1\n" + lineA + lineB))
	f.Add([]byte("# c\r\nversion: 1\r\n" + lineB))
	f.Add([]byte("version: 1\nkey: \n"))
	f.Add([]byte("version: 1\n" + lineA + lineA))
	f.Fuzz(func(t *testing.T, content []byte) {
		keys, err := parse(content)
		if err != nil {
			if len(err.Error()) > 200 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
			return
		}
		written := render(keys)
		back, err := parse(written)
		if err != nil || !slices.EqualFunc(back, keys, same) {
			t.Errorf("%v came back as %v, %v", keys, back, err)
		}
		if !bytes.Equal(render(back), written) {
			t.Error("written twice, not the same")
		}
	})
}

// TestNothingPrintsASecret prints what holds secrets.
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	file := open(t, path)
	k := file.good.Load().inFileOrder[0]
	guest := &Keyring{Path: path, file: file}
	leaks := []string{
		base64.StdEncoding.EncodeToString(k.secret[:9]), fmt.Sprintf("%x", k.secret[:4]), fmt.Sprintf("%X", k.secret[:4]),
		strings.Trim(fmt.Sprint(k.secret[:4]), "[]"), string(k.secret[:4]),
	}
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t", "%c", "%U", "%e", "% x", "%#x", "%10s"} {
		for _, v := range []any{k, &k, []key{k}, file, struct{ f *File }{file}, guest, k.shown(), file.Status()} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
	}
	for _, v := range []any{k, file, guest, k.shown(), file.Status()} {
		js, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(js)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("m", "key", k, "file", file, "guest", guest)
	}
	for _, leak := range leaks {
		if strings.Contains(b.String(), leak) {
			t.Errorf("%q is printed", leak)
		}
	}
}
