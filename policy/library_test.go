package policy

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/sealgate/sealgate/rego"
)

// libraryModules parses every module of the library, its tests too.
func libraryModules(t *testing.T) map[string]*ast.Module {
	t.Helper()
	modules := map[string]*ast.Module{}
	err := fs.WalkDir(rego.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".rego" {
			return err
		}
		data, err := fs.ReadFile(rego.FS(), name)
		if err != nil {
			return err
		}
		modules[name], err = ast.ParseModuleWithOpts(name, string(data), ast.ParserOptions{ProcessAnnotation: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return modules
}

// TestLibrary runs the library's own tests, with what policies may use here.
func TestLibrary(t *testing.T) {
	t.Parallel()
	schemas, err := schemaSet()
	if err != nil {
		t.Fatal(err)
	}
	compiler := ast.NewCompiler().WithStrict(true).WithSchemas(schemas).WithCapabilities(capabilities()).WithUseTypeCheckAnnotations(true)
	results, err := tester.NewRunner().SetCompiler(compiler).SetModules(libraryModules(t)).CapturePrintOutput(true).RunTests(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r := range results {
		n++
		if !r.Pass() {
			t.Errorf("%s: %v", r, r.Error)
		}
	}
	if n < 100 {
		t.Errorf("only %d tests were run", n)
	}
}

// TestModes compares the two tables of ranks.
func TestModes(t *testing.T) {
	t.Parallel()
	options := []func(*oparego.Rego){oparego.Query("data.sealgate.lib.modes.rank")}
	for _, f := range mustLibrary(t) {
		options = append(options, oparego.Module(f.name, string(f.data)))
	}
	set, err := oparego.New(options...).Eval(t.Context())
	if err != nil || len(set) != 1 {
		t.Fatal(set, err)
	}
	ranks := set[0].Expressions[0].Value.(map[string]any)
	modes := []Mode{None, SSES3, SSEC, KMS, DSSE, CSE}
	if len(ranks) != len(modes) {
		t.Errorf("rego has %v", ranks)
	}
	last := -1
	for _, m := range modes {
		if got := ranks[string(m)]; got == nil || fmt.Sprint(got) != strconv.Itoa(m.Rank()) {
			t.Errorf("%s: rego has %v, Go %d", m, got, m.Rank())
		}
		if m.Rank() <= last {
			t.Errorf("%s: rank %d is not above %d", m, m.Rank(), last)
		}
		last = m.Rank()
	}
	for _, m := range []Mode{Unchanged, Unknown, "", "SSE-KMS"} {
		if m.Rank() != -1 {
			t.Errorf("%q has rank %d", m, m.Rank())
		}
	}
}

func mustLibrary(t *testing.T) []source {
	t.Helper()
	list, err := readLibrary()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if strings.HasSuffix(f.name, "_test.rego") {
			t.Errorf("%s is served", f.name)
		}
	}
	return list
}

// TestRules holds every rule of the library to its form: one id in annotation and
// finding, a title, a severity, and tests beside it.
func TestRules(t *testing.T) {
	t.Parallel()
	modules := libraryModules(t)
	seen := map[string]string{}
	for name, module := range modules {
		if strings.HasSuffix(name, "_test.rego") || path.Dir(name) != "rules" {
			continue
		}
		if modules[strings.TrimSuffix(name, ".rego")+"_test.rego"] == nil {
			t.Errorf("%s has no tests beside it", name)
		}
		titled := false
		own := map[string]bool{}
		for _, a := range module.Annotations {
			switch {
			case a.Scope == "package":
				titled = a.Title != ""
			case a.Custom["id"] != nil:
				id, _ := a.Custom["id"].(string)
				severity, _ := a.Custom["severity"].(string)
				if !ruleID(id) || a.Title == "" || !slices.Contains([]string{"low", "medium", "high", "critical"}, severity) {
					t.Errorf("%s: annotation of %q is incomplete", a.Location, id)
				}
				if other, ok := seen[id]; ok {
					t.Errorf("%s: %s is also in %s", a.Location, id, other)
				}
				seen[id], own[id] = name, true
			}
		}
		if !titled {
			t.Errorf("%s: the package has no title", name)
		}
		raised := map[string]bool{}
		for _, rule := range module.Rules {
			if rule.Head.Name != denyRule {
				continue
			}
			finding, ok := rule.Head.Key.Value.(ast.Object)
			if !ok || finding.Get(ast.StringTerm("id")) == nil {
				t.Errorf("%s: deny must contain an object with an id", rule.Location)
				continue
			}
			id, _ := finding.Get(ast.StringTerm("id")).Value.(ast.String)
			raised[string(id)] = true
			if !own[string(id)] {
				t.Errorf("%s: %s has no annotation in this file", rule.Location, id)
			}
		}
		for id := range own {
			if !raised[id] {
				t.Errorf("%s: %s is annotated and never raised", name, id)
			}
		}
	}
	if len(seen) < 14 {
		t.Errorf("only %d rules: %v", len(seen), seen)
	}
}

// evaluateQuery asks the compiled policy something else than its entrypoint, and
// reports whether that is true.
func evaluateQuery(t testing.TB, g *Generation, query string, input ast.Value) (bool, error) {
	t.Helper()
	set, err := oparego.New(oparego.Query(query), oparego.Compiler(g.compiler), oparego.ParsedInput(input)).Eval(t.Context())
	return set.Allowed(), err
}
