package tests

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/sealgate/sealgate"

// arrows say which packages of this module a package may import, besides those
// below itself. A folder's entry holds for the folders below it that have none.
// "*" is any package.
var arrows = map[string][]string{
	"module":          {"*"}, // the one path for xcaddy, and the map of the packages
	"module/s3":       {},
	"module/seal":     {},
	"module/keyring":  {},
	"module/clients":  {},
	"module/sigv4":    {"module/s3"},
	"module/sse":      {"module/s3"},
	"module/upstream": {"module/s3", "module/sigv4"},
	"module/engine": {
		"module/s3", "module/sigv4", "module/sse", "module/seal", "module/upstream", "module/keyring",
		"module/clients", "policy", "policy/posture",
	},
	"module/records":  {"module/engine", "policy", "policy/posture"},
	"module/recorded": {"module/engine", "policy", "policy/replay"},
	"module/gateway":  {"*"},
	"module/cli":      {"*"},

	"module/keyring/local":  {"module/keyring"},
	"module/keyring/awskms": {"module/keyring"},
	"module/keyring/vault":  {"module/keyring"},

	"policy":     {"rego"},
	"rego":       {},
	"caddyfiles": {},
	"cmd":        {"*"},
	"tests":      {"*"},
}

// fences say where a dependency may be imported. reach: whether packages
// outside may come to it through others (engine comes to OPA through policy).
var fences = []struct {
	name   string
	prefix []string
	within []string
	reach  bool
}{
	{
		name:   "Caddy",
		prefix: []string{"github.com/caddyserver/"},
		within: []string{
			"module", "module/gateway", "module/cli", "cmd", "tests",
			"module/keyring/local", "module/keyring/awskms", "module/keyring/vault",
		},
	},
	{
		name:   "OPA",
		prefix: []string{"github.com/open-policy-agent/"},
		within: []string{"policy", "module/cli"},
		reach:  true,
	},
	{
		name:   "the AWS SDK",
		prefix: []string{"github.com/aws/"},
		within: []string{"module/upstream", "module/keyring/awskms", "cmd/quickstart", "tests"},
		reach:  true,
	},
	{
		name:   "the client of Vault",
		prefix: []string{"github.com/hashicorp/vault/", "github.com/hashicorp/vault-client-go"},
		within: []string{"module/keyring/vault"},
		reach:  true,
	},
	{
		name:   "versitygw",
		prefix: []string{"github.com/versity/"},
		within: []string{"cmd/quickstart", "tests"},
	},
	{
		name:   "minio-go",
		prefix: []string{"github.com/minio/minio-go/"},
		within: []string{"tests"},
	},
}

// packageInfo is what `go list` says about a package, without its tests.
type packageInfo struct {
	ImportPath string
	Imports    []string
	Deps       []string
	GoFiles    []string
}

func (p packageInfo) folder() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, modulePath), "/")
}

func TestImportArrows(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		rule, allowed, ok := ruleFor(p.folder())
		if !ok {
			t.Errorf("%s: no arrows are drawn for this package", p.folder())
			continue
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, modulePath+"/")
			if !ours || slices.Contains(allowed, "*") || slices.Contains(allowed, to) || isBelow(to, rule) {
				continue
			}
			t.Errorf("%s imports %s; it may import %q", p.folder(), to, allowed)
		}
		for _, f := range fences {
			if slices.ContainsFunc(f.within, func(w string) bool { return w == p.folder() || w != "module" && isBelow(p.folder(), w) }) {
				continue
			}
			imports := p.Deps
			if f.reach {
				imports = p.Imports
			}
			for _, imported := range imports {
				if slices.ContainsFunc(f.prefix, func(prefix string) bool { return strings.HasPrefix(imported, prefix) }) {
					t.Errorf("%s reaches %s (%s), which belongs in %q", p.folder(), f.name, imported, f.within)
					break
				}
			}
		}
	}
}

// TestBuildHasKeyringDrivers: what is a Caddy module is of no use unless
// module/imports.go names it.
func TestBuildHasKeyringDrivers(t *testing.T) {
	t.Parallel()
	list := packages(t)
	i := slices.IndexFunc(list, func(p packageInfo) bool { return p.folder() == "module" })
	if i < 0 {
		t.Fatal("no package module")
	}
	drivers := 0
	for _, p := range list {
		if path.Dir(p.folder()) != "module/keyring" || !slices.Contains(p.Imports, "github.com/caddyserver/caddy/v2") {
			continue
		}
		drivers++
		if !slices.Contains(list[i].Imports, p.ImportPath) {
			t.Errorf("module/imports.go does not name %s", p.folder())
		}
	}
	if drivers < 3 {
		t.Errorf("found %d drivers", drivers)
	}
}

// TestNames: a package or file named for nothing in particular collects
// everything in particular.
func TestNames(t *testing.T) {
	t.Parallel()
	vague := []string{"util", "utils", "common", "helper", "helpers", "manager", "misc"}
	for _, p := range packages(t) {
		for _, name := range append(strings.Split(p.folder(), "/"), p.GoFiles...) {
			if slices.Contains(vague, strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test")) {
				t.Errorf("%s: %q says nothing", p.folder(), name)
			}
		}
	}
}

func ruleFor(folder string) (rule string, allowed []string, ok bool) {
	for rule = folder; rule != "."; rule = path.Dir(rule) {
		if rule == "module" && folder != "module" {
			break // every package of module has arrows of its own
		}
		if allowed, ok = arrows[rule]; ok {
			return rule, allowed, true
		}
	}
	return "", nil, false
}

func isBelow(folder, top string) bool {
	return folder == top || strings.HasPrefix(folder, top+"/")
}

func packages(t *testing.T) []packageInfo {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,Deps,GoFiles", modulePath+"/...")
	out, err := list.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var found []packageInfo
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p packageInfo
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
	if len(found) < 5 {
		t.Fatalf("go list found %d packages", len(found))
	}
	return found
}
