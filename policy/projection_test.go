package policy

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/dependencies"
)

// readers are sites whose rules read the input in every way Rego has. The findings they
// give depend on what they read.
var readers = map[string]string{
	"a header":          `deny contains {"id": "TST-001", "msg": ""} if input.request.headers["x-amz-acl"] == "a"`,
	"a header, maybe":   `deny contains {"id": "TST-001", "msg": ""} if not input.request.headers["x-amz-acl"]`,
	"headers by name":   "deny contains {\"id\": \"TST-001\", \"msg\": name} if {\n\tsome name in [\"x-amz-acl\", \"tenant\"]\n\tinput.request.headers[name] == \"b\"\n}",
	"headers by input":  `deny contains {"id": "TST-001", "msg": ""} if input.request.headers[input.request.tags.tenant] == "b"`,
	"headers, all":      `deny contains {"id": "TST-001", "msg": v} if some v in input.request.headers`,
	"headers, get":      `deny contains {"id": "TST-001", "msg": ""} if object.get(input.request.headers, "x-amz-acl", "") == "a"`,
	"attribute":         `deny contains {"id": "TST-001", "msg": input.identity.attributes.tenant} if input.identity.attributes.tenant`,
	"brackets":          `deny contains {"id": "TST-001", "msg": ""} if input["identity"]["attributes"]["tenant"] == "a"`,
	"nested":            `deny contains {"id": "TST-001", "msg": input.copy_source.resource.key} if input.copy_source.encryption.key_id == "a"`,
	"in the finding":    `deny contains {"id": "TST-001", "msg": input.resource.key, "path": concat("/", input.resource.prefixes)}`,
	"in a template":     "deny contains {\"id\": \"TST-001\", \"msg\": $\"of {input.request.storage_class}\"} if input.request.read_only",
	"some field of":     "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if {\n\tsome field in [\"bucket\", \"key\"]\n\tinput.resource[field] == \"data\"\n}",
	"function":          "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if odd(input.identity, \"x\")\n\nodd(who, _) if who.attributes.tenant == \"a\"\n\nodd(who, _) if who.principal == \"root\"",
	"function inside":   "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if odd(\"a\")\n\nodd(x) if input.request.checksum == x",
	"comprehension":     `deny contains {"id": "TST-001", "msg": ""} if count([p | some p in input.resource.prefixes; p != input.request.prefix]) > 1`,
	"set":               `deny contains {"id": "TST-001", "msg": ""} if {g | some g in input.identity.groups} & {input.request.checksum} != set()`,
	"object":            `deny contains {"id": "TST-001", "msg": m.a} if m := {n: v | some n, v in input.request.tags; n != input.transport.sni}`,
	"name":              "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if {\n\twho := input.identity\n\twho.principal == \"root\"\n\tname := who.attributes\n\tname.tenant != \"b\"\n}",
	"name of a name":    "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if {\n\tt := input.transport\n\ts := t\n\ts.loopback\n}",
	"pattern":           "deny contains {\"id\": \"TST-001\", \"msg\": x} if {\n\t[x, \"b\"] = [input.request.checksum, input.request.prefix]\n}",
	"import":            "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if asked.method == \"a\"\n\nimport input.request as asked",
	"not":               `deny contains {"id": "TST-001", "msg": ""} if not input.object.known`,
	"every":             `deny contains {"id": "TST-001", "msg": ""} if every g in input.identity.groups { g != input.request.storage_class }`,
	"else":              "deny contains {\"id\": \"TST-001\", \"msg\": level}\n\nlevel := \"a\" if input.object.exists else := \"b\" if input.object.size > 1 else := input.time.weekday",
	"default":           "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if limit > 1\n\ndefault limit := 0\n\nlimit := input.request.content_length if input.request.multipart.active",
	"with":              "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if frozen with input.resource.bucket as input.request.prefix\n\nfrozen if input.resource.bucket == \"a\"",
	"with part":         "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if odd with input.identity as {\"principal\": input.request.checksum}\n\nodd if input.identity.principal == \"a\"",
	"with function":     "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if lower(input.identity.access_key) == \"b\" with lower as odd\n\nodd(_) := input.request.checksum",
	"walk":              "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if {\n\twalk(input.identity, [_, v])\n\tv == \"b\"\n}",
	"head":              "deny contains {\"id\": \"TST-001\", \"msg\": n} if some n, _ in by\n\nby[input.identity.access_key] := input.transport.source_ip",
	"head, deep":        "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if by.a.b\n\nby[input.identity.access_key][input.transport.sni] := true",
	"hour":              `deny contains {"id": "TST-001", "msg": ""} if input.time.hour > 1`,
	"age":               `deny contains {"id": "TST-001", "msg": ""} if input.request.presign.age_s > 1`,
	"document":          `deny contains {"id": "TST-001", "msg": input.document.settings[1].path} if input.document.settings[0].bucket_key == "yes"`,
	"posture":           `deny contains {"id": "TST-001", "msg": input.posture.prefix} if input.posture.keyring != ""`,
	"grants":            `deny contains {"id": "TST-001", "msg": g} if some g in input.grants.ids`,
	"revision":          `deny contains {"id": "TST-001", "msg": input.gateway.revision} if input.gateway.region == "a"`,
	"another package":   "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if data.site[input.request.checksum].odd\n\na := {\"odd\": input.request.prefix == \"a\"}",
	"the join":          `deny contains {"id": "TST-001", "msg": ""} if data.sealgate.join.top < input.encryption.bucket_default.rank`,
	"shadowed":          "deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if odd(input.identity.access_key)\n\nodd(x) if {\n\tx == input.transport.tls_version\n}",
	"fault, some input": `deny contains {"id": "TST-001", "msg": ""} if to_number(input.request.checksum) == 1`,
}

// readingSite returns the files of a site with one of these rules.
func readingSite(name string) map[string]string {
	text := readers[name]
	// Imports belong to the top.
	if rule, imported, ok := strings.Cut(text, "\n\nimport "); ok {
		text = "import " + imported + "\n\n" + rule
	}
	if name == "fault, some input" {
		text = `deny contains {"id": "TST-001", "msg": ""} if input.request.checksum != "" ` +
			"\n\ndeny contains {\"id\": \"TST-002\", \"msg\": \"\"} if {\n\tinput.request.checksum == \"b\"\n\tto_number(input.request.checksum) == 1\n}"
	}
	return map[string]string{"a.rego": "package site.rules.reader\n\n" + text + "\n"}
}

func compileSite(t testing.TB, site map[string]string) *ast.Compiler {
	t.Helper()
	s, err := readSources(t.Context(), Options{PostureFile: "testdata/posture.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(site)) {
		s.site = append(s.site, source{name: name, data: []byte(site[name])})
	}
	compiler, err := compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return compiler
}

// TestReads holds what is found against OPA's own analysis, which goes another way.
func TestReads(t *testing.T) {
	t.Parallel()
	sites := map[string]map[string]string{"the library": nil}
	for name := range readers {
		sites[name] = readingSite(name)
	}
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compiler := compileSite(t, site)
			found := reads(compiler.Modules)
			base, err := dependencies.Base(compiler, ast.MustParseRef(entrypoint))
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, ref := range base {
				if !ref[0].Equal(ast.InputRootDocument) {
					continue
				}
				n++
				path := inputPath(ref)
				if !slices.ContainsFunc(found, func(r ast.Ref) bool {
					p := inputPath(r)
					return len(p) <= len(path) && slices.Equal(p, path[:len(p)])
				}) {
					t.Errorf("%v was not found", ref)
				}
			}
			if n < 20 {
				t.Errorf("OPA names only %d: %v", n, base)
			}
		})
	}
}

// TestReadsOfRules looks at rules as they are written: the compiler takes most of what
// is nested out of them, and nothing here should depend on it.
func TestReadsOfRules(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string][]string{
		`p if input.a.b == 1`:                                 {"input.a.b"},
		`p if data.x[input.a][input.b.c]`:                     {"input.a", "input.b.c"},
		`p if input.a[input.b[input.c]]`:                      {"input.a[input.b[input.c]]", "input.b[input.c]", "input.c"},
		`p := input.a if true else := input.b if input.c`:     {"input.a", "input.b", "input.c"},
		`p contains {"x": [input.a]}`:                         {"input.a"},
		`p[input.a] := input.b`:                               {"input.a", "input.b"},
		`p.q[input.a].r contains input.b`:                     {"input.a", "input.b"},
		`f(input.a) := input.b`:                               {"input.a", "input.b"},
		`p if f(input)`:                                       {"input"},
		`p if q with input.a as input.b with data.x as input`: {"input", "input.a", "input.b"},
		`p if every x in input.a { x != input.b }`:            {"input.a", "input.b"},
		`p if {input.a | input.b} == {input.c: [input.d | input.e] | input.f}`: {
			"input.a", "input.b", "input.c", "input.d", "input.e", "input.f"},
		`p := $"{input.a}"`: {"input.a"},
		`default p := 1`:    nil,
	} {
		module := ast.MustParseModule("package x\n\nimport input.unused\n\n" + rule)
		var got []string
		for _, ref := range reads(map[string]*ast.Module{"x.rego": module}) {
			got = append(got, ref.String())
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", rule, got, want)
		}
	}
}

// TestLibraryReads: the library leaves out all that would make a key of every request.
func TestLibraryReads(t *testing.T) {
	t.Parallel()
	for _, ref := range reads(compileSite(t, nil).Modules) {
		path := strings.Join(inputPath(ref), ".")
		for _, name := range []string{"", "request", "request.id", "request.headers", "request.content_length", "resource", "resource.key", "time"} {
			if path == name || name == "time" && strings.HasPrefix(path, "time.") {
				t.Errorf("%s%v is read", place(ref), ref)
			}
		}
	}
	if status := newEngine(t, nil).Status(); !status.Cached || status.Uncached != "" {
		t.Errorf("got %+v", status)
	}
}

// TestUncached loads sites that cannot be cached, and says where that comes from.
func TestUncached(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ rule, want string }{
		"id":                 {`deny contains {"id": "TST-001", "msg": ""} if input.request.id == "x"`, "a.rego:3: input.request.id is read"},
		"id in a finding":    {`deny contains {"id": "TST-001", "msg": input.request.id} if input.request.class == "x"`, "input.request.id is read"},
		"nanoseconds":        {`deny contains {"id": "TST-001", "msg": ""} if input.time.ns < 1`, "input.time.ns is read"},
		"seconds":            {`deny contains {"id": "TST-001", "msg": ""} if input.time.rfc3339 == ""`, "input.time.rfc3339 is read"},
		"request handed on":  {"deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if odd(input.request)\n\nodd(r) if r.class == \"x\"", "a.rego:3: input.request is read"},
		"request named":      {"deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if {\n\tr := input.request\n\tr.class == \"x\"\n}", "a.rego:4: input.request is read"},
		"some field of it":   {"deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if input.request[_] == \"x\"", "input.request"},
		"input handed on":    {`deny contains {"id": "TST-001", "msg": ""} if object.get(input, ["request", "class"], "") == "x"`, "input is read"},
		"input named":        {"deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if {\n\ti := input\n\ti.request.class == \"x\"\n}", "a.rego:4: input is read"},
		"input replaced":     {"deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if odd with input as {}\n\nodd if input.request.class == \"x\"", "input is read"},
		"never asked":        {"deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if input.request.class == \"x\"\n\nunused := input.time.ns", "a.rego:5: input.time.ns is read"},
		"every field of all": {"deny contains {\"id\": \"TST-001\", \"msg\": \"\"} if {\n\tsome part\n\tinput[part].class == \"x\"\n}", "is read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, map[string]string{"a.rego": "package site.rules.reader\n\n" + test.rule + "\n"})
			status := e.Status()
			if status.Cached || !strings.Contains(status.Uncached, test.want) {
				t.Errorf("got %q, want %q", status.Uncached, test.want)
			}
			for range 2 {
				if d, err := e.Current().Decide(t.Context(), put("data", "kms/a")); err != nil || !d.Allow {
					t.Errorf("got %+v, %v", d, err)
				}
			}
			if n := entries(e.Current().cache); n != 0 {
				t.Errorf("%d decisions are remembered", n)
			}
		})
	}
}

// TestNondeterministicIsNotCached: no policy can have such a function, and one that
// had it would not be cached.
func TestNondeterministicIsNotCached(t *testing.T) {
	t.Parallel()
	for _, call := range []string{`time.now_ns()`, `rand.intn("a", 2)`, `uuid.rfc4122("a")`, `opa.runtime()`, `crypto.x509.parse_and_verify_certificates("")`} {
		module := ast.MustParseModule("package site.lib\n\nx := " + call)
		compiler := ast.NewCompiler()
		if compiler.Compile(map[string]*ast.Module{"a.rego": module}); compiler.Failed() {
			t.Fatal(compiler.Errors)
		}
		name, _, _ := strings.Cut(call, "(")
		if _, err := project(compiler); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", call, err)
		}
	}
}

// TestEveryFieldIsALeaf walks the document: a policy may read any part of it.
func TestEveryFieldIsALeaf(t *testing.T) {
	t.Parallel()
	for _, f := range fieldsOf(&Input{}) {
		_, err := projectionOf([]ast.Ref{inputRef(f.path)})
		if unique := slices.ContainsFunc(leaves, func(l leaf) bool { return l.unique && l.path == f.path }); (err != nil) != unique {
			t.Errorf("%s: %v", f.path, err)
		}
	}
	for _, path := range []string{"nope", "request.nope", "identity.group"} {
		if _, err := projectionOf([]ast.Ref{inputRef(path)}); err == nil || !strings.Contains(err.Error(), "no field") {
			t.Errorf("%s: got %v", path, err)
		}
	}
	paths := map[string]bool{}
	for _, l := range leaves {
		if paths[l.path] {
			t.Errorf("%s is there twice", l.path)
		}
		paths[l.path] = true
	}
}

// TestFaultSitesAreRead makes sure that the readers are what they are taken for.
func TestFaultSitesAreRead(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir("testdata/faults")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile("testdata/faults/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := project(compileSite(t, map[string]string{f.Name(): string(data)})); err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
}
