package policy

import (
	"bytes"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"pgregory.net/rapid"
)

// TestLeaves draws pairs of requests and compares, for every part of the document, the
// keys with what OPA would be shown: the same key must mean the same value, and the
// same value the same key where the leaf is no more than the part.
func TestLeaves(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	var paths []string
	for _, f := range fieldsOf(&Input{}) {
		paths = append(paths, f.path)
	}
	exact := map[string]bool{}
	for _, l := range leaves {
		exact[l.path] = !l.unique
	}
	differed := map[string]bool{}
	rapid.Check(t, func(t *rapid.T) {
		for round := range 4 { // pairs that hardly differ, and pairs that differ in every part
			a := drawInput(t)
			b := vary(t, a)
			if round%2 == 1 {
				b = drawInput(t)
			}
			va, vb := g.complete(a), g.complete(b)
			for _, path := range paths {
				ref := inputRef(path)
				parts, err := projectionOf([]ast.Ref{ref})
				if err != nil {
					continue // unique, see TestUncached
				}
				ka, kb := newCache(parts, nil).key(a), newCache(parts, nil).key(b)
				same := find(va, ref).Compare(find(vb, ref)) == 0
				if bytes.Equal(ka, kb) && !same {
					t.Fatalf("%s: %v and %v have the key %q", path, find(va, ref), find(vb, ref), ka)
				}
				if !bytes.Equal(ka, kb) {
					differed[path] = true
					if same && exact[path] && !strings.HasSuffix(path, "prefixes") {
						t.Fatalf("%s: %v has the keys %q and %q", path, find(va, ref), ka, kb)
					}
				}
			}
		}
	})
	for _, path := range []string{"schema", "gateway.revision", "request.id", "time.ns", "time.rfc3339"} {
		differed[path] = true // not in keys
	}
	for _, path := range paths {
		if !differed[path] {
			t.Errorf("%s is in no key", path)
		}
	}
}

func inputRef(path string) ast.Ref {
	ref := ast.InputRootRef.Copy()
	for name := range strings.SplitSeq(path, ".") {
		ref = append(ref, ast.StringTerm(name))
	}
	return ref
}

func find(v ast.Value, ref ast.Ref) ast.Value {
	found, err := v.Find(ref[1:])
	if err != nil {
		return ast.NullValue
	}
	return found
}

// TestEntries: of a map only the entries that are read are in the key.
func TestEntries(t *testing.T) {
	t.Parallel()
	withHeaders := func(m Map) *Input { return &Input{Request: Request{Headers: m}} }
	entry := ast.MustParseRef(`input.request.headers["x-amz-acl"]`)
	second := ast.MustParseRef(`input.request.headers["x-amz-tagging"]`)
	whole := ast.MustParseRef(`input.request.headers[name]`)
	for name, test := range map[string]struct {
		refs []ast.Ref
		a, b Map
		same bool
	}{
		"another entry":            {[]ast.Ref{entry}, Map{"x-amz-acl": "a", "x": "1"}, Map{"x-amz-acl": "a", "x": "2"}, true},
		"another value":            {[]ast.Ref{entry}, Map{"x-amz-acl": "a"}, Map{"x-amz-acl": "b"}, false},
		"empty is not absent":      {[]ast.Ref{entry}, Map{"x-amz-acl": ""}, nil, false},
		"no map, empty map":        {[]ast.Ref{entry}, nil, Map{}, true},
		"one for the other":        {[]ast.Ref{entry, second}, Map{"x-amz-acl": "a"}, Map{"x-amz-tagging": "a"}, false},
		"read as a whole as well":  {[]ast.Ref{entry, whole}, Map{"x": "1"}, Map{"x": "2"}, false},
		"read as a whole before":   {[]ast.Ref{whole, entry}, Map{"x": "1"}, Map{"x": "2"}, false},
		"name for value":           {[]ast.Ref{whole}, Map{"a": "bc"}, Map{"ab": "c"}, false},
		"one entry that says two":  {[]ast.Ref{whole}, Map{"a": "1\x01b\x012"}, Map{"a": "1", "b": "2"}, false},
		"the same in any order":    {[]ast.Ref{whole}, Map{"a": "1", "b": "2", "c": "3"}, Map{"c": "3", "b": "2", "a": "1"}, true},
		"nothing of it is read":    {[]ast.Ref{ast.MustParseRef("input.request.class")}, Map{"x": "1"}, Map{"x": "2"}, true},
		"a number is no such name": {[]ast.Ref{ast.MustParseRef("input.request.headers[0]")}, Map{"x": "1"}, Map{"x": "2"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts, err := projectionOf(test.refs)
			if err != nil {
				t.Fatal(err)
			}
			c := newCache(parts, nil)
			if ka, kb := c.key(withHeaders(test.a)), c.key(withHeaders(test.b)); bytes.Equal(ka, kb) != test.same {
				t.Errorf("got %q and %q", ka, kb)
			}
		})
	}
}

// TestKeyLimit: a long key is not used, however it came about, and not built either.
func TestKeyLimit(t *testing.T) {
	t.Parallel()
	parts, err := projectionOf([]ast.Ref{
		ast.MustParseRef("input.request.prefix"), ast.MustParseRef("input.request.headers"), ast.MustParseRef("input.document"),
		ast.MustParseRef("input.identity.groups"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(parts, nil)
	large := strings.Repeat("x", 1<<20)
	many := make(List, 1<<16)
	for i := range many {
		many[i] = "group"
	}
	for name, in := range map[string]*Input{
		"text":     {Request: Request{Prefix: large}},
		"limit":    {Request: Request{Prefix: strings.Repeat("x", keyLimit)}},
		"value":    {Request: Request{Headers: Map{"x": large}}},
		"name":     {Request: Request{Headers: Map{large: "x"}}},
		"list":     {Identity: Identity{Groups: many}},
		"document": {Document: Document{Present: true, Settings: make(Settings, 1<<16)}},
	} {
		if k := c.key(in); k != nil {
			t.Errorf("%s: got a key of %d bytes", name, len(k))
		}
		k := key{}
		for _, write := range parts {
			k = write(k, in)
		}
		if len(k) <= keyLimit || len(k) > 4*keyLimit {
			t.Errorf("%s: %d bytes were written", name, len(k))
		}
	}
	if c.key(&Input{Request: Request{Prefix: strings.Repeat("x", keyLimit/2)}}) == nil {
		t.Error("a key of ordinary length is not used")
	}
}
