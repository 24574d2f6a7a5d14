package posture

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func parse(t testing.TB, text string) *Posture {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParse(t *testing.T) {
	t.Parallel()
	p := parse(t, `
version: 1
buckets:
  data:
    "": {mode: sse-s3}
    kms/:
      mode: sse-kms
      key_id: main
      allowed_keys: [other]
      context: {department: finance, level: 3}
      bucket_key: false
      on_conflict: replace
      on_read: pass-through
    seal/: {mode: cse, keyring: k, sealed: all, context: {a: b}}
    move/: {mode: cse, keyring: new, keyrings: [old, new, older, old]}
    plain/: {mode: cse, keyrings: [other]}
`)
	r := p.Resolve("data", "kms/a")
	if r == nil || r.ID != "data/kms/" || r.BucketGlob != "data" || r.Prefix != "kms/" || r.Mode != ModeKMS || r.KeyID != "main" ||
		!slices.Equal(r.AllowedKeys, []string{"main", "other"}) || r.Context["level"] != "3" || r.BucketKey == nil || *r.BucketKey ||
		r.OnConflict != OnConflictReplace || r.OnRead != OnReadPassThrough {
		t.Errorf("got %+v", r)
	}
	r = p.Resolve("data", "a")
	if r == nil || r.OnConflict != OnConflictReject || r.OnRead != OnReadDecrypt || r.Sealed != SealedMixed || r.BucketKey != nil || len(r.AllowedKeys) != 0 {
		t.Errorf("defaults: got %+v", r)
	}
	if r = p.Resolve("data", "seal/x"); r == nil || r.Keyring != "k" || r.Sealed != SealedAll || !slices.Equal(r.Keyrings, []string{"k"}) {
		t.Errorf("got %+v", r)
	}
	if r = p.Resolve("data", "move/x"); r == nil || r.Keyring != "new" || !slices.Equal(r.Keyrings, []string{"new", "old", "older"}) {
		t.Errorf("further keyrings: got %+v", r)
	}
	if r = p.Resolve("data", "plain/x"); r == nil || r.Keyring != DefaultKeyring || !slices.Equal(r.Keyrings, []string{"main", "other"}) {
		t.Errorf("the default keyring: got %+v", r)
	}
	if r = p.Resolve("data", "kms/a"); r == nil || r.Keyring != "" || r.Keyrings != nil {
		t.Errorf("a keyring without sealing: got %+v", r)
	}
	if n := len(slices.Collect(p.Rules())); n != 5 {
		t.Errorf("got %d rules", n)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	rule := func(s string) string { return "version: 1\nbuckets: {data: {\"\": {" + s + "}}}\n" }
	grant := func(s string) string { return "version: 1\ngrants: [{" + s + "}]\n" }
	for name, test := range map[string]struct{ text, want string }{
		"empty file":                    {"", "empty"},
		"comment only":                  {"# nothing\n", "empty"},
		"no version":                    {"buckets: {}\n", "version"},
		"version 2":                     {"version: 2\n", "version"},
		"a list":                        {"- version: 1\n", "cannot unmarshal"},
		"syntax":                        {"version: [\n", "yaml"},
		"unknown section":               {"version: 1\nbucket: {}\n", "unknown field bucket"},
		"second document":               {"version: 1\n---\nversion: 1\n", "second document"},
		"anchor":                        {"version: &v 1\n", "anchors"},
		"alias":                         {"version: 1\nbuckets: {a: &x {\"\": {mode: none}}, b: *x}\n", "anchors"},
		"merge key":                     {"version: 1\nbuckets: {a: {\"\": {<<: {mode: none}}}}\n", "merge"},
		"bucket twice":                  {"version: 1\nbuckets:\n  a: {\"\": {mode: cse}}\n  a: {\"\": {mode: none}}\n", "twice"},
		"prefix twice":                  {"version: 1\nbuckets:\n  a:\n    \"1\": {mode: cse}\n    1: {mode: none}\n", "twice"},
		"field twice":                   {rule("mode: cse, mode: none"), "twice"},
		"null section":                  {"version: 1\nbuckets:\n", "empty value"},
		"null bucket":                   {"version: 1\nbuckets: {data: }\n", "empty value"},
		"null prefix":                   {"version: 1\nbuckets: {data: {~: {mode: none}}}\n", "empty value"},
		"null rule":                     {"version: 1\nbuckets: {data: {\"\": }}\n", "empty value"},
		"null mode":                     {rule("mode: "), "empty value"},
		"bucket without a prefix":       {"version: 1\nbuckets: {data: {}}\n", "no prefix"},
		"bucket with a slash":           {"version: 1\nbuckets: {data/a: {\"\": {mode: none}}}\n", "neither"},
		"bucket without a name":         {"version: 1\nbuckets: {\"\": {\"\": {mode: none}}}\n", "neither"},
		"bucket with a space":           {"version: 1\nbuckets: {\"a b\": {\"\": {mode: none}}}\n", "neither"},
		"prefix longer than a key":      {"version: 1\nbuckets:\n  data:\n    ? \"" + strings.Repeat("a", 1025) + "\"\n    : {mode: none}\n", "longer"},
		"no mode":                       {rule("on_read: decrypt"), "mode"},
		"empty mode":                    {rule("mode: \"\""), "mode"},
		"unknown mode":                  {rule("mode: sse-kmss"), "sse-kmss"},
		"mode in capitals":              {rule("mode: SSE-S3"), "SSE-S3"},
		"AWS name of a mode":            {rule("mode: AES256"), "AES256"},
		"mode unchanged":                {rule("mode: unchanged"), "unchanged"},
		"unknown field":                 {rule("mode: cse, keyid: k"), "line 2: unknown field keyid"},
		"unknown conflict":              {rule("mode: cse, on_conflict: ignore"), "on_conflict"},
		"unknown read":                  {rule("mode: cse, on_read: maybe"), "on_read"},
		"unknown sealed":                {rule("mode: cse, sealed: some"), "sealed"},
		"key without KMS":               {rule("mode: sse-s3, key_id: k"), "key_id"},
		"keyring without sealing":       {rule("mode: sse-kms, keyring: k"), "keyring"},
		"empty keyring without sealing": {rule("mode: sse-kms, keyring: \"\""), "keyring: has no meaning"},
		"keyrings without sealing":      {rule("mode: sse-kms, keyrings: [k]"), "keyrings: has no meaning"},
		"no keyrings, unsealed":         {rule("mode: sse-kms, keyrings: []"), "keyrings: has no meaning"},
		"empty keyring":                 {rule("mode: cse, keyring: \"\""), "keyring: \"\" is not"},
		"null keyring":                  {rule("mode: cse, keyring: "), "empty value"},
		"keyring with a blank":          {rule("mode: cse, keyring: a b"), "keyring: \"a b\" is not"},
		"keyring with a line feed":      {rule("mode: cse, keyring: \"a\\n\""), "keyring: \"a\\n\" is not"},
		"keyring pattern":               {rule("mode: cse, keyring: \"*\""), "keyring: \"*\" is not"},
		"long keyring":                  {rule("mode: cse, keyring: " + strings.Repeat("k", 65)), "is not 1 to 64"},
		"keyring as a list":             {rule("mode: cse, keyring: [k]"), "cannot unmarshal"},
		"keyrings as text":              {rule("mode: cse, keyrings: k"), "cannot unmarshal"},
		"empty entry in keyrings":       {rule("mode: cse, keyrings: [a, \"\"]"), "keyrings: \"\" is not"},
		"null in keyrings":              {rule("mode: cse, keyrings: [a, ~]"), "empty value"},
		"slash in keyrings":             {rule("mode: cse, keyrings: [a/b]"), "keyrings: \"a/b\" is not"},
		"sealed without sealing":        {rule("mode: sse-kms, sealed: all"), "sealed"},
		"bucket key with DSSE":          {rule("mode: dsse-kms, bucket_key: true"), "bucket_key"},
		"bucket key with SSE-S3":        {rule("mode: sse-s3, bucket_key: false"), "bucket_key"},
		"bucket key as text":            {rule("mode: sse-kms, bucket_key: maybe"), "cannot unmarshal"},
		"context without KMS":           {rule("mode: sse-s3, context: {a: b}"), "context"},
		"context as a list":             {rule("mode: sse-kms, context: [a]"), "cannot unmarshal"},
		"context without a name":        {rule("mode: sse-kms, context: {\"\": b}"), "context"},
		"allowed keys with sealing":     {rule("mode: cse, allowed_keys: [k]"), "allowed_keys"},
		"allowed keys as text":          {rule("mode: sse-kms, allowed_keys: k"), "cannot unmarshal"},
		"empty allowed key":             {rule("mode: sse-kms, allowed_keys: [\"\"]"), "allowed_keys"},
		"long key":                      {rule("mode: sse-kms, key_id: " + strings.Repeat("k", maxText+1)), "longer"},
		"tie":                           {"version: 1\nbuckets:\n  \"a*\": {\"\": {mode: none}}\n  \"*a\": {\"\": {mode: cse}}\n", "equally specific"},
		"tie in the middle":             {"version: 1\nbuckets:\n  \"x*ab\": {\"\": {mode: none}}\n  \"x-*b\": {\"\": {mode: cse}}\n", "equally specific"},
		"grant without id":              {grant("principals: [a], actions: [\"s3:*\"], resources: [\"*\"]"), "id"},
		"grant id twice":                {"version: 1\ngrants:\n- &a {id: x, principals: [a], actions: [\"*\"], resources: [\"*\"]}\n", "anchors"},
		"grant ids equal":               {"version: 1\ngrants:\n- {id: x, principals: [a], actions: [\"*\"], resources: [\"*\"]}\n- {id: x, principals: [a], actions: [\"*\"], resources: [\"*\"]}\n", "twice"},
		"grant to nobody":               {grant("id: x, actions: [\"s3:*\"], resources: [\"*\"]"), "principals"},
		"grant of nothing":              {grant("id: x, principals: [a], resources: [\"*\"]"), "actions"},
		"grant on nothing":              {grant("id: x, principals: [a], actions: [\"s3:*\"]"), "resources"},
		"grant to an empty name":        {grant("id: x, principals: [\"\"], actions: [\"s3:*\"], resources: [\"*\"]"), "empty entry"},
		"grant to an empty group":       {grant("id: x, groups: [\"\"], actions: [\"s3:*\"], resources: [\"*\"]"), "empty entry"},
		"grant to a pattern":            {grant("id: x, principals: [\"app-*\"], actions: [\"s3:*\"], resources: [\"*\"]"), "not a pattern"},
		"grant to all groups":           {grant("id: x, groups: [\"*\"], actions: [\"s3:*\"], resources: [\"*\"]"), "not a pattern"},
		"action without a service":      {grant("id: x, principals: [a], actions: [GetObject], resources: [\"*\"]"), "not an action"},
		"action with a space":           {grant("id: x, principals: [a], actions: [\"s3: GetObject\"], resources: [\"*\"]"), "not an action"},
		"resource as ARN":               {grant("id: x, principals: [a], actions: [\"s3:*\"], resources: [\"arn:aws:s3:::data/*\"]"), "resources"},
		"resource of the root":          {grant("id: x, principals: [a], actions: [\"s3:*\"], resources: [\"/data\"]"), "resources"},
		"empty resource":                {grant("id: x, principals: [a], actions: [\"s3:*\"], resources: [\"\"]"), "empty entry"},
		"unknown grant field":           {grant("id: x, principal: [a], actions: [\"s3:*\"], resources: [\"*\"]"), "principal"},
		"too large":                     {"version: 1\n#" + strings.Repeat("x", MaxSize), "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v, want an error with %q", p, err, test.want)
			}
		})
	}
}

func TestParseNamesEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte("version: 1\nbuckets: {a: {\"\": {mode: x}, \"%s/\": {mode: y}}}\ngrants: [{id: g}]\n"))
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{`buckets[a][""]: mode: "x"`, `buckets[a]["%s/"]: mode: "y"`, "grants[g]: actions"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestCheckActions(t *testing.T) {
	t.Parallel()
	p := parse(t, `
version: 1
grants:
  - {id: b, groups: [g, h], actions: ["s3:Get*", "s3:Ptu"], resources: ["*"]}
  - {id: a, principals: ["*", anonymous], actions: ["*", "s3:Gte"], resources: ["*"]}
`)
	var asked []string
	err := p.CheckActions(func(action string) error {
		asked = append(asked, action)
		if strings.Contains(action, "t*") || action == "*" {
			return nil
		}
		return fmt.Errorf("%q is none", action)
	})
	if want := []string{"s3:Get*", "s3:Ptu", "*", "s3:Gte"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if want := "grants[b]: actions: \"s3:Ptu\" is none\ngrants[a]: actions: \"s3:Gte\" is none"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := p.CheckActions(func(string) error { return nil }); err != nil {
		t.Errorf("nothing was refused: %v", err)
	}
}

func TestCheckKeyrings(t *testing.T) {
	t.Parallel()
	p := parse(t, `
version: 1
buckets:
  "*": {"": {mode: sse-s3}}
  b*: {"": {mode: cse, keyring: gone}}
  a: {x/: {mode: cse, keyring: k, keyrings: [away, k]}, "": {mode: cse}}
`)
	var asked []string
	err := p.CheckKeyrings(func(name string) error {
		asked = append(asked, name)
		if name == "gone" || name == "away" {
			return fmt.Errorf("%q is none", name)
		}
		return nil
	})
	if want := []string{"main", "k", "away", "gone"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if want := "buckets[a][\"x/\"]: keyrings: \"away\" is none\nbuckets[b*][\"\"]: keyring: \"gone\" is none"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := p.CheckKeyrings(func(string) error { return nil }); err != nil {
		t.Errorf("nothing was refused: %v", err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	p := parse(t, `
version: 1
buckets:
  data: {"": {mode: none}, a/: {mode: sse-s3}, a/b/: {mode: sse-kms}, a/b/c: {mode: cse}}
  only: {in/: {mode: cse}}
  data-*: {"": {mode: sse-s3}}
  data-eu-*: {secret/: {mode: sse-kms}}
  "*": {"": {mode: dsse-kms}}
`)
	for _, test := range []struct{ bucket, key, want string }{
		{"data", "", "data/"},
		{"data", "x", "data/"},
		{"data", "a", "data/"},
		{"data", "a/", "data/a/"},
		{"data", "a/x", "data/a/"},
		{"data", "a/b", "data/a/"},
		{"data", "a/b/x", "data/a/b/"},
		{"data", "a/b/c", "data/a/b/c"},
		{"data", "a/b/cd/e", "data/a/b/c"},
		{"data", "A/b", "data/"},
		{"data", "/a/b/", "data/"},
		{"only", "in/x", "only/in/"},
		{"only", "in", ""},
		{"only", "", ""},
		{"data-", "x", "data-*/"},
		{"data-us", "x", "data-*/"},
		{"data-eu-1", "secret/x", "data-eu-*/secret/"},
		{"data-eu-1", "x", ""}, // never back to data-*
		{"other", "x", "*/"},
		{"", "x", ""},
		{"", "", ""},
	} {
		got := ""
		if r := p.Resolve(test.bucket, test.key); r != nil {
			got = r.ID
		}
		if got != test.want {
			t.Errorf("%s/%s: got %q, want %q", test.bucket, test.key, got, test.want)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	p := parse(t, `
version: 1
grants:
  - {id: reader, principals: [ann], actions: [s3:GetObject], resources: [data/*]}
  - {id: lister, principals: [ann], actions: ["s3:List*"], resources: [data]}
  - {id: prefix, groups: [team], actions: ["s3:*"], resources: [data/team/*]}
  - {id: buckets, groups: [team], actions: [s3:ListBucket], resources: ["data*"]}
  - {id: shared, principals: ["*"], actions: [s3:GetObject], resources: [shared/*]}
  - {id: public, principals: [anonymous], actions: [s3:GetObject], resources: ["*/public/*"]}
  - {id: root, principals: [root], actions: ["*"], resources: ["*"]}
`)
	ann := Identity{Verified: true, Principal: "ann"}
	team := Identity{Verified: true, Principal: "bob", Groups: []string{"x", "team"}}
	nobody := Identity{Anonymous: true}
	for name, test := range map[string]struct {
		id           Identity
		actions      string
		bucket, key  string
		ids, missing string
	}{
		"object":                        {ann, "s3:GetObject", "data", "a/b", "reader", ""},
		"other action":                  {ann, "s3:PutObject", "data", "a/b", "", "s3:PutObject"},
		"longer action":                 {ann, "s3:GetObjectTagging", "data", "a/b", "", "s3:GetObjectTagging"},
		"action in capitals":            {ann, "S3:GETOBJECT", "data", "a/b", "", "S3:GETOBJECT"},
		"some of them":                  {ann, "s3:GetObject s3:PutObject", "data", "a", "reader", "s3:PutObject"},
		"bucket":                        {ann, "s3:ListBucket", "data", "", "lister", ""},
		"bucket of a longer name":       {ann, "s3:ListBucket", "data2", "", "", "s3:ListBucket"},
		"object grant on bucket":        {ann, "s3:GetObject", "data", "", "", "s3:GetObject"},
		"bucket grant on object":        {ann, "s3:ListBucket", "data", "x", "", "s3:ListBucket"},
		"bucket whose name is a prefix": {ann, "s3:GetObject", "dat", "a/x", "", "s3:GetObject"},
		"group":                         {team, "s3:PutObject", "data", "team/x", "prefix", ""},
		"group, beside the prefix":      {team, "s3:PutObject", "data", "team2/x", "", "s3:PutObject"},
		"group, the prefix itself":      {team, "s3:PutObject", "data", "team", "", "s3:PutObject"},
		"group, bucket pattern":         {team, "s3:ListBucket", "data2", "", "buckets", ""},
		"every verified":                {ann, "s3:GetObject", "shared", "x", "shared", ""},
		"every verified, anonymous":     {nobody, "s3:GetObject", "shared", "x", "", "s3:GetObject"},
		"anonymous":                     {nobody, "s3:GetObject", "any", "public/x", "public", ""},
		"anonymous, deeper":             {nobody, "s3:GetObject", "any", "a/public/x", "public", ""},
		"anonymous, other action":       {nobody, "s3:PutObject", "any", "public/x", "", "s3:PutObject"},
		"verified, not anonymous":       {ann, "s3:GetObject", "any", "public/x", "", "s3:GetObject"},
		"named anonymous":               {Identity{Verified: true, Principal: "anonymous"}, "s3:GetObject", "any", "public/x", "", "s3:GetObject"},
		"named star":                    {Identity{Verified: true, Principal: "*"}, "s3:GetObject", "data", "x", "", "s3:GetObject"},
		"neither":                       {Identity{Principal: "root"}, "s3:GetObject", "data", "x", "", "s3:GetObject"},
		"both":                          {Identity{Anonymous: true, Verified: true, Principal: "root"}, "s3:GetObject", "any", "public/x", "", "s3:GetObject"},
		"service":                       {Identity{Verified: true, Principal: "root"}, "s3:ListAllMyBuckets", "", "", "root", ""},
		"service without a star":        {team, "s3:ListBucket", "", "", "", "s3:ListBucket"},
		"one id for two actions":        {Identity{Verified: true, Principal: "root"}, "s3:A s3:B", "b", "k", "root", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids, missing := p.Missing(test.id, strings.Fields(test.actions), test.bucket, test.key)
			if strings.Join(ids, " ") != test.ids || strings.Join(missing, " ") != test.missing {
				t.Errorf("got %v, %v", ids, missing)
			}
		})
	}
	if _, missing := p.Missing(Identity{Verified: true, Principal: "root"}, []string{""}, "b", "k"); len(missing) != 1 {
		t.Error("an action without a name is granted")
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "a/b", true},
		{"a*", "a", true}, {"a*", "ba", false}, {"*a", "ba", true}, {"*a", "ab", false}, {"a*c", "ac", true}, {"a*c", "abbc", true},
		{"a*c", "abcb", false}, {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false}, {"a**b", "ab", true}, {"*ab*ab*", "abab", true},
		{"*ab*ab*", "aab", false}, {"a?", "ab", false}, {"[a]", "a", false}, {"*aaab", "aaaaaab", true}, {"ab*b", "ab", false},
	} {
		if got := newGlob(test.pattern).match(test.text); got != test.want {
			t.Errorf("%q on %q: got %v", test.pattern, test.text, got)
		}
	}
}

// TestGlobRelations compares overlap and matchUnder with what is found by trying
// every short string.
func TestGlobRelations(t *testing.T) {
	t.Parallel()
	var texts, patterns []string
	var grow func(s string)
	grow = func(s string) {
		patterns = append(patterns, s)
		if !strings.Contains(s, "*") {
			texts = append(texts, s)
		}
		if len(s) < 4 {
			for _, c := range "ab*" {
				grow(s + string(c))
			}
		}
	}
	grow("")
	for _, a := range patterns {
		for _, b := range patterns {
			want := slices.ContainsFunc(texts, func(s string) bool { return newGlob(a).match(s) && newGlob(b).match(s) })
			got := overlap(newGlob(a), newGlob(b))
			if got && !want {
				want = longer(a, b)
			}
			if got != want {
				t.Errorf("overlap(%q, %q): got %v", a, b, got)
			}
		}
		for _, under := range []string{"a", "ab", "b"} {
			want := false
			for _, s := range texts {
				want = want || newGlob(a).match(under+s)
			}
			if got := newGlob(a).matchUnder(under); got != want {
				t.Errorf("%q under %q: got %v", a, under, got)
			}
		}
	}
}

// longer looks for a common string of five to eight characters.
func longer(a, b string) bool {
	x, y := newGlob(a), newGlob(b)
	var try func(s string) bool
	try = func(s string) bool {
		if x.match(s) && y.match(s) {
			return true
		}
		return len(s) < 8 && (try(s+"a") || try(s+"b"))
	}
	return try("")
}

// TestGrantedNeverUndercuts holds the early check against the real one.
func TestGrantedNeverUndercuts(t *testing.T) {
	t.Parallel()
	id := Identity{Verified: true, Principal: "p"}
	resources := []string{"*", "a", "a/*", "a*", "*a", "*/x", "a/x", "b*", "*b/x*", "a/x/*y"}
	for _, resource := range resources {
		p := parse(t, fmt.Sprintf("version: 1\ngrants: [{id: g, principals: [p], actions: [\"s3:*\"], resources: [%q]}]\n", resource))
		for _, bucket := range []string{"a", "b", "ab", "ba"} {
			for _, key := range []string{"", "x", "x/y", "a", "q/x"} {
				_, missing := p.Missing(id, []string{"s3:A"}, bucket, key)
				if len(missing) == 0 && !p.Granted(id, []string{"s3:A"}, bucket) {
					t.Errorf("%s: %s/%s is allowed and the bucket is not", resource, bucket, key)
				}
			}
		}
	}
	p := parse(t, "version: 1\ngrants: [{id: g, principals: [p], actions: [s3:A], resources: [a/x/*]}]\n")
	if p.Granted(id, []string{"s3:A"}, "b") || p.Granted(id, []string{"s3:B"}, "a") || p.Granted(Identity{}, []string{"s3:A"}, "a") {
		t.Error("something is granted that is not")
	}
}

func ExamplePosture_Missing() {
	p, err := Parse([]byte(`
version: 1
grants:
  - {id: ingest, principals: [loader], actions: [s3:PutObject], resources: [logs/in/*]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	loader := Identity{Verified: true, Principal: "loader"}
	fmt.Println(p.Missing(loader, []string{"s3:PutObject"}, "logs", "in/today"))
	fmt.Println(p.Missing(loader, []string{"s3:PutObject"}, "logs", "out/today"))
	// Output:
	// [ingest] []
	// [] [s3:PutObject]
}
