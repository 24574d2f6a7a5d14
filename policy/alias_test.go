package policy

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPlainKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"": "", "a": "a", "a/b": "a/b", "a/": "a/", "a.b/..c/...": "a.b/..c/...",
		"/a": "a", "//a": "a", "a//b": "a/b", "a//": "a/", "./a": "a", "a/.": "a", "a/./b": "a/b",
		"a/../b": "b", "../a": "a", "x/../../a": "a", "a/..": "a/..", "/": "/", "//": "//", ".": ".", "..": "..", "./": "./",
	} {
		plain, differs := plainKey(key)
		if plain != want || differs != (want != key) {
			t.Errorf("%q is %q, %v, want %q", key, plain, differs, want)
		}
	}
}

func TestPlainKeyIsPlain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[a./]{0,12}`).Draw(t, "key")
		plain, differs := plainKey(key)
		if !differs {
			return
		}
		if again, more := plainKey(plain); more || again != plain {
			t.Fatalf("%q is %q, which is %q", key, plain, again)
		}
	})
}

// A key that some stores take for another is held against the rules for both.
func TestKeysOfTwoNames(t *testing.T) {
	t.Parallel()
	site := map[string]string{"site.rego": `package site.rules.private

deny contains {"id": "SIT-001", "msg": "private", "path": "resource.key"} if startswith(input.resource.key, "private/")

deny contains {"id": "SIT-002", "msg": "private source", "path": "copy_source"} if startswith(input.copy_source.resource.key, "private/")
`}
	anonymously := func(in *Input) *Input {
		in.Identity = Identity{AuthMethod: AuthAnonymous}
		return in
	}
	from := func(key string) *Input {
		return change(put("data", "a"), func(in *Input) {
			in.Request.SourceActions = List{"s3:GetObject"}
			in.CopySource = CopySource{Present: true, Resource: Resource{Bucket: "data", Key: key}, Encryption: Observed{Known: true, Mode: None}}
		})
	}
	for name, test := range map[string]struct {
		in   *Input
		want []string
	}{
		"a slash before a stricter prefix":  {put("data", "/kms/a"), []string{"ENC-000"}},
		"dots before a stricter prefix":     {put("data", "open/../kms/a"), []string{"ENC-000"}},
		"a dot in a laxer prefix":           {put("data", "open/./a"), nil},
		"twice the slash in a prefix":       {put("data", "kms//a"), nil},
		"a slash where nothing differs":     {put("data", "/a"), nil},
		"a site's rule":                     {get("data", "/private/a"), []string{"SIT-001"}},
		"a site's rule, of a dot":           {request(ClassDelete, "DeleteObject", "data", "x/../private/a"), []string{"SIT-001"}},
		"the source of a copy":              {from("/private/a"), []string{"SIT-002"}},
		"a grant":                           {anonymously(get("data", "public/../a")), []string{"GRT-000"}},
		"a grant for what it is named only": {anonymously(get("data", "/public/a")), []string{"GRT-000"}},
		"a grant for both":                  {anonymously(get("data", "public//a")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := newEngine(t, site).Current().Decide(t.Context(), test.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(d); !slices.Equal(got, test.want) && len(got)+len(test.want) > 0 || d.Allow != (len(test.want) == 0) {
				t.Errorf("allow %v, findings %v, want %v", d.Allow, got, test.want)
			}
		})
	}
	missing := newEngine(t, nil).Current().Missing(anonymously(get("data", "public/../a")))
	if !slices.Equal(missing, []string{"s3:GetObject"}) {
		t.Errorf("missing %v", missing)
	}
}
