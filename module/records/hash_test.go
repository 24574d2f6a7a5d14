package records

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/engine"
)

const hashKey = "a-key-of-at-least-16-bytes"

// hashed is the line of a record after hashing.
func hashed(t testing.TB, r *engine.Record, names ...string) (line, string) {
	t.Helper()
	h, err := NewHasher([]byte(hashKey), names...)
	if err != nil {
		t.Fatal(err)
	}
	q := Queue{cfg: Config{Input: engine.RecordInputAll, Hasher: h}}
	text := lineOf(t, q.view(keep(r)))
	return decode(t, text), string(text)
}

// Each word hides its value everywhere a record shows it, and nothing else.
func TestHashNames(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ hidden, shown, paths []string }{
		"key": {
			[]string{"secret/", "plan.pdf"}, []string{"photos", "alice", "192.0.2.7", "apollo"},
			[]string{"client.path", "findings", "input.request.headers.x-amz-copy-source", "input.resource.key", "input.resource.prefixes", "resource.copy_source", "resource.key"},
		},
		"bucket":        {[]string{"photos"}, []string{"alice"}, nil},
		"principal":     {[]string{`"alice"`}, []string{"secret/plan.pdf"}, []string{"identity.principal", "input.identity.principal"}},
		"access_key":    {[]string{"AKIDEXAMPLE"}, []string{"alice"}, []string{"identity.access_key"}},
		"groups":        {[]string{"staff", "apps"}, []string{"alice"}, []string{"identity.groups", "input.identity.groups"}},
		"source_ip":     {[]string{"192.0.2.7"}, []string{"alice"}, []string{"client.ip", "input.transport.source_ip"}},
		"tags":          {[]string{"apollo"}, []string{"alice", "project"}, []string{"input.request.tags.a.b", "input.request.tags.project"}},
		"metadata":      {[]string{"alice@example.com"}, []string{"private", "x-amz-meta-owner"}, []string{"input.request.headers.x-amz-meta-owner"}},
		"user_agent":    {[]string{`"test"`}, []string{"alice"}, []string{"client.user_agent"}},
		"client.ip":     {[]string{"192.0.2.7"}, nil, []string{"client.ip", "input.transport.source_ip"}},
		"asked.context": {nil, []string{"tenant"}, nil},

		"input.request.tags.project": {[]string{"apollo"}, []string{`"a.b":"c"`}, []string{"input.request.tags.project"}},
		"input.request.tags.a.b":     {[]string{`"a.b":"c"`}, []string{"apollo"}, []string{"input.request.tags.a.b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, text := hashed(t, sample("A"), name)
			for _, s := range tt.hidden {
				if strings.Contains(text, s) {
					t.Errorf("%q is still there: %s", s, text)
				}
			}
			for _, s := range tt.shown {
				if !strings.Contains(text, s) {
					t.Errorf("%q is gone: %s", s, text)
				}
			}
			slices.Sort(l.Hashed)
			if tt.paths != nil && !slices.Equal(l.Hashed, tt.paths) {
				t.Errorf("hashed %q, want %q", l.Hashed, tt.paths)
			}
		})
	}
}

// mac is HMAC-SHA-256 as another program would compute it.
func mac(key, text string) string {
	m := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(m, text)
	return hex.EncodeToString(m.Sum(nil))
}

// Equal values have equal hashes, in one record and between sinks with one key; other
// keys and other values have others.
func TestHashesCompare(t *testing.T) {
	t.Parallel()
	one, _ := hashed(t, sample("A"), "key", "principal", "groups")
	two, _ := hashed(t, sample("B"), "key")
	inner := one.Input["resource"].(map[string]any)["key"]
	if one.Resource.Key != two.Resource.Key || inner != one.Resource.Key || !hashesIn.MatchString(one.Resource.Key) || len(one.Resource.Key) != len(hashPrefix)+64 {
		t.Errorf("hashes %q, %q, in the input %q", one.Resource.Key, two.Resource.Key, inner)
	}
	if want := "hmac-sha256:" + mac(hashKey, "secret/plan.pdf"); one.Resource.Key != want {
		t.Errorf("got %s, want %s", one.Resource.Key, want)
	}
	if one.Identity.Groups[0] == one.Identity.Groups[1] || one.Identity.Principal == one.Resource.Key {
		t.Error("different values have the same hash")
	}
	seen := make(map[string]bool)
	for range 2 {
		h, err := NewHasher(nil, "key")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r := sample("A")
			h.apply(r)
			seen[r.Resource.Key] = true
		}
	}
	if len(seen) != 2 {
		t.Errorf("two random keys make %d hashes of one value", len(seen))
	}
}

// Hashing for one destination changes nothing for another.
func TestHashSharesNothing(t *testing.T) {
	t.Parallel()
	h, err := NewHasher([]byte(hashKey), HashNames()...)
	if err != nil {
		t.Fatal(err)
	}
	r := sample("A")
	before, _ := json.Marshal(r)
	it := keep(r)
	hiding, showing := Queue{cfg: Config{Input: engine.RecordInputAll, Hasher: h}}, Queue{cfg: Config{Input: engine.RecordInputAll}}
	hiding.view(it)
	if after, _ := json.Marshal(showing.view(it)); string(after) != string(before) {
		t.Errorf("got %s\nwant %s", after, before)
	}
}

// Texts for people do not show what is hashed, in whatever spelling.
func TestHashInTexts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ key, cause, want string }{
		"none of it":               {"secret/plan.pdf", "no grant", "no grant"},
		"as it is":                 {"secret/plan.pdf", `no grant for "secret/plan.pdf"`, `no grant for "hmac-sha256:`},
		"quoted":                   {"line\nend-of-key", fmt.Sprintf("no grant for %q", "line\nend-of-key"), hashedText},
		"in a URL":                 {"a key with blanks", "Put https://store/photos/a%20key%20with%20blanks: reset", hashedText},
		"in a query":               {"a key with blanks", "Put https://store/photos?k=a+key+with+blanks: reset", hashedText},
		"short":                    {"ab", `key "ab" about`, hashedText},
		"short, only within words": {"ab", "about", "about"},
		"its hash is no word":      {"0", "cause", "cause"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sample("A")
			r.Resource.Key, r.Cause = tt.key, tt.cause
			l, _ := hashed(t, r, "key")
			if !strings.HasPrefix(l.Cause, tt.want) {
				t.Errorf("cause %q, want %q", l.Cause, tt.want)
			}
			if said := slices.Contains(l.Hashed, "cause"); said != (l.Cause != tt.cause) {
				t.Errorf("hashed %q", l.Hashed)
			}
		})
	}
}

func TestHasherErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key   string
		names []string
		want  string
	}{
		"nothing":           {hashKey, nil, "nothing is named"},
		"short key":         {"k3y!", []string{"key"}, "at least 16"},
		"unknown":           {hashKey, []string{"pigeon"}, `"pigeon" is neither`},
		"a whole object":    {hashKey, []string{"client"}, `"client" is neither`},
		"a number":          {hashKey, []string{"answered.status"}, "neither"},
		"what readers need": {hashKey, []string{"id"}, "neither"},
		"a mode":            {hashKey, []string{"decided.mode"}, "neither"},
		"the input":         {hashKey, []string{"input"}, "neither"},
		"its schema":        {hashKey, []string{"input.schema"}, "neither"},
		"below a text":      {hashKey, []string{"resource.key.x"}, "neither"},
		"findings":          {hashKey, []string{"findings"}, "neither"},
		"nothing below":     {hashKey, []string{"input."}, "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewHasher([]byte(tt.key), tt.names...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), tt.key) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

// The key cannot be printed.
func TestHasherHidesItsKey(t *testing.T) {
	t.Parallel()
	h, err := NewHasher([]byte(hashKey), "key")
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", h, h, h), fmt.Sprintf("%+v", Config{Hasher: h})} {
		if strings.Contains(shown, hashKey) {
			t.Errorf("%s", shown)
		}
	}
}

// Every path in the table is one.
func TestHashPaths(t *testing.T) {
	t.Parallel()
	if _, err := NewHasher(nil, HashNames()...); err != nil {
		t.Error(err)
	}
}

// A hashed value shows nowhere, whatever it is.
func FuzzHash(f *testing.F) {
	for _, s := range []string{"secret/plan.pdf", "a\nb c d", `quote"d`, "%41%42%43%44", "+ + + +", "\xff\xfe\xfd\xfc", "ключ/файл"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < shortest || len(s) > maxText/8 || strings.Contains("hmac-sha256: no grant for at https://store/", s) || hashesIn.MatchString(s) {
			return
		}
		r := sample("A")
		r.Resource.Key, r.Resource.CopySource, r.Input.Resource.Key = s, "photos/"+s, s
		r.Findings[0].Message, r.Findings[0].Path = fmt.Sprintf("no grant for %q", s), s
		r.Cause = "no grant for " + s + " at https://store/" + s
		r.Client.Path = "/photos/" + s
		r.Input.Resource.Prefixes, r.Input.Request.Headers = nil, nil
		h, err := NewHasher([]byte(hashKey), "key")
		if err != nil {
			t.Fatal(err)
		}
		q := Queue{cfg: Config{Input: engine.RecordInputAll, Hasher: h}}
		v := q.view(keep(r))
		places := []string{v.Resource.Key, v.Resource.CopySource, v.Input.Resource.Key, v.Client.Path, v.Cause, v.Findings[0].Message, v.Findings[0].Path}
		for i, text := range places {
			if strings.Contains(hashesIn.ReplaceAllString(text, ""), s) {
				t.Errorf("place %d shows %q: %q", i, s, text)
			}
		}
	})
}
