package starter

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"go.yaml.in/yaml/v3"

	"github.com/sealgate/sealgate/policy"
)

func files(t *testing.T, set string) map[string][]byte {
	t.Helper()
	out, err := Files(set)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// write makes a site of a set, as it is made for a user.
func write(t *testing.T, set string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files(t, set) {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func everySet(t *testing.T, f func(t *testing.T, set string)) {
	t.Helper()
	names, err := Sets()
	if err != nil || !slices.Equal(names, []string{"multi-tenant", Default}) {
		t.Fatalf("sets are %q, %v", names, err)
	}
	for _, set := range names {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			f(t, set)
		})
	}
}

// Everything a set promises is in it.
func TestFiles(t *testing.T) {
	t.Parallel()
	everySet(t, func(t *testing.T, set string) {
		got := files(t, set)
		for _, name := range []string{
			"posture.yaml", "README.md", "ci.yml", ".regal/config.yaml", ".vscode/settings.json", ".sealgate/posture.schema.json",
			".sealgate/rego/main/main.rego", ".sealgate/rego/lib/testing_test.rego", ".sealgate/rego/schemas/input.json",
		} {
			if len(got[name]) == 0 {
				t.Errorf("there is no %s", name)
			}
		}
		for name, data := range got {
			var err error
			switch path.Ext(name) {
			case ".json":
				var v any
				err = json.Unmarshal(data, &v)
			case ".yaml", ".yml":
				var v any
				err = yaml.Unmarshal(data, &v)
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// What the settings of editors name is there.
func TestSettings(t *testing.T) {
	t.Parallel()
	everySet(t, func(t *testing.T, set string) {
		dir := write(t, set)
		var settings struct {
			Roots  []string            `json:"opa.roots"`
			Schema string              `json:"opa.schema"`
			YAML   map[string][]string `json:"yaml.schemas"`
		}
		if err := json.Unmarshal(files(t, set)[".vscode/settings.json"], &settings); err != nil {
			t.Fatal(err)
		}
		named := append(settings.Roots, settings.Schema)
		for schema, of := range settings.YAML {
			named = append(append(named, schema), of...)
		}
		if len(named) != 5 {
			t.Errorf("the settings name %q", named)
		}
		for _, name := range named {
			if _, err := os.Stat(filepath.Join(dir, strings.TrimPrefix(name, "${workspaceFolder}/"))); err != nil {
				t.Error(err)
			}
		}
	})
}

// A set is a policy as it stands, and nothing is to be said against it.
func TestLoad(t *testing.T) {
	t.Parallel()
	everySet(t, func(t *testing.T, set string) {
		dir := write(t, set)
		e, err := policy.New(policy.Options{
			PostureFile: filepath.Join(dir, "posture.yaml"), SiteDir: filepath.Join(dir, "policy"), Timeout: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		if s := e.Status(); s.Err != "" || len(s.Notices) != 0 {
			t.Errorf("status %+v", s)
		}
		if why := e.Status().Uncached; why != "" {
			t.Errorf("no decision is remembered: %s", why)
		}
	})
}

// The tests of a set pass with the library beside it, each rule has some, and so do
// the library's own.
func TestTests(t *testing.T) {
	t.Parallel()
	everySet(t, func(t *testing.T, set string) {
		modules := map[string]*ast.Module{}
		own := 0
		for name, data := range files(t, set) {
			if path.Ext(name) != ".rego" {
				continue
			}
			module, err := ast.ParseModuleWithOpts(name, string(data), ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1})
			if err != nil {
				t.Fatal(err)
			}
			modules[name] = module
		}
		results, err := tester.NewRunner().
			SetCompiler(ast.NewCompiler().WithStrict(true).WithUseTypeCheckAnnotations(true)).
			SetStore(inmem.New()).SetModules(modules).RunTests(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for r := range results {
			if !r.Pass() {
				t.Errorf("%s: %v", r, r.Error)
			}
			if strings.HasPrefix(r.Package, "data.site.") {
				own++
			}
		}
		if own < 5 {
			t.Errorf("the site has %d tests", own)
		}
	})
}

// What a README says can be run is about commands there are, and files there are.
func TestReadme(t *testing.T) {
	t.Parallel()
	everySet(t, func(t *testing.T, set string) {
		got := files(t, set)
		for _, want := range []string{"sealgate policy check policy", "sealgate policy test policy", "opa test policy .sealgate/rego"} {
			if !strings.Contains(string(got["README.md"]), want) {
				t.Errorf("README.md does not say %q", want)
			}
		}
		if !strings.HasPrefix(string(got["posture.yaml"]), "# yaml-language-server: $schema="+Folder+"/posture.schema.json\n") {
			t.Error("posture.yaml does not name its schema")
		}
	})
}

func TestUnknownSet(t *testing.T) {
	t.Parallel()
	for _, set := range []string{"", ".", "..", "none", "starter/policy"} {
		if got, err := Files(set); err == nil {
			t.Errorf("%q has %d files", set, len(got))
		}
	}
}
