package policy

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const goodSite = `package site.rules.freeze

deny contains {"id": "FRZ-001", "msg": "frozen", "path": "resource.key"} if startswith(input.resource.key, "frozen/")
`

// TestSiteIsRefused loads site directories that must name their mistake.
func TestSiteIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, text, want string
	}{
		"package of the library":      {"a.rego", "package sealgate.rules.own\n\ndeny contains {} if false\n", "a.rego"},
		"package beside the site":     {"a.rego", "package sites\n\nx := 1\n", "a.rego"},
		"package with another root":   {"a.rego", "package main\n\nx := 1\n", "packages are site"},
		"overriding the decision":     {"a.rego", "package sealgate.main\n\ndecision := {}\n", "a.rego"},
		"overriding a rule":           {"a.rego", "package sealgate.rules.tls\n\ndeny contains x if some x in []\n", "a.rego"},
		"json data":                   {"data.json", "{}", "data.json"},
		"yaml data":                   {"sub/data.yaml", "a: 1", "sub/data.yaml"},
		"yml data":                    {"data.yml", "a: 1", "data.yml"},
		"misspelt field":              {"a.rego", "package site.rules.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"} if input.resource.buckett == \"b\"\n", "a.rego:3"},
		"a schema of its own":         {"a.rego", "# METADATA\n# schemas:\n#   - input: {}\npackage site.rules.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"} if input.request.clas == \"write\"\n", "a.rego:1: schemas"},
		"misspelt field, annotated":   {"a.rego", "# METADATA\n# title: x\npackage site.rules.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"} if input.request.clas == \"write\"\n", "a.rego:5"},
		"misspelt field in a helper":  {"a.rego", "package site.lib.x\n\nbad if input.identity.groop == \"x\"\n", "a.rego:3"},
		"compared with another type":  {"a.rego", "package site.rules.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"} if input.transport.tls_version_num == \"12\"\n", "a.rego:3"},
		"http.send":                   {"a.rego", "package site.lib\n\nx := http.send({\"method\": \"get\", \"url\": \"http://localhost\"})\n", "http.send"},
		"clock":                       {"a.rego", "package site.lib\n\nx := time.now_ns()\n", "time.now_ns"},
		"chance":                      {"a.rego", "package site.lib\n\nx := rand.intn(\"a\", 2)\n", "rand.intn"},
		"environment":                 {"a.rego", "package site.lib\n\nx := opa.runtime()\n", "opa.runtime"},
		"unused variable":             {"a.rego", "package site.lib\n\nx if {\n\ty := 1\n}\n", "a.rego:4"},
		"syntax":                      {"a.rego", "package site.lib\n\nx := := 1\n", "a.rego:3"},
		"empty file":                  {"a.rego", "", "a.rego"},
		"deny that is a boolean":      {"a.rego", "package site.rules.x\n\ndeny if input.resource.key == \"k\"\n", "must be a set"},
		"deny that is a list":         {"a.rego", "package site.rules.x\n\ndeny := [1]\n", "must be a set"},
		"deny that is a function":     {"a.rego", "package site.rules.x\n\ndeny(x) := x\n", "must be a set"},
		"default deny":                {"a.rego", "package site.rules.x\n\ndefault deny := false\n", "must be a set"},
		"deny by key":                 {"a.rego", "package site.rules.x\n\ndeny[k] := 1 if some k in [\"a\"]\n", "must be a set"},
		"deny in another place":       {"a.rego", "package site.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"}\n", "not asked here"},
		"deny at the root":            {"a.rego", "package site\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"}\n", "not asked here"},
		"deny too high":               {"a.rego", "package site.rules\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"}\n", "not asked"},
		"deny too deep":               {"a.rego", "package site.rules.a.b\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"}\n", "not asked"},
		"deny where require belongs":  {"a.rego", "package site.encryption.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"}\n", "use require"},
		"require where deny belongs":  {"a.rego", "package site.rules.x\n\nrequire contains {\"mode\": \"cse\"}\n", "use deny"},
		"require that is an object":   {"a.rego", "package site.encryption.x\n\nrequire := {\"mode\": \"cse\"}\n", "must be a set"},
		"misspelt deny":               {"a.rego", "package site.rules.x\n\ndenied contains {\"id\": \"TST-001\", \"msg\": \"\"}\n", "contributes nothing"},
		"misspelt require":            {"a.rego", "package site.encryption.x\n\nrequires contains {\"mode\": \"cse\"}\n", "contributes nothing"},
		"rules as one value":          {"a.rego", "package site\n\nrules := {\"x\": {\"deny\": set()}}\n", "not asked"},
		"goes wrong for empty input":  {"a.rego", "package site.rules.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"} if to_number(input.resource.key) > 1\n", "EVL-003"},
		"calls the decision":          {"a.rego", "package site.rules.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"} if data.sealgate.main.decision.allow\n", "recursi"},
		"large file":                  {"a.rego", "package site.lib\n\n# " + strings.Repeat("x", MaxModule), "larger than"},
		"unreadable rule of old Rego": {"a.rego", "package site.rules.x\n\ndeny[x] { x := 1 }\n", "a.rego:3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"good.rego": goodSite, test.file: test.text})
			_, err := New(Options{PostureFile: "testdata/posture.yaml", SiteDir: dir})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestSiteIsLoaded(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"nothing":                 {},
		"a rule":                  {"freeze.rego": goodSite},
		"in a folder":             {"team/a/freeze.rego": goodSite},
		"beside other files":      {"freeze.rego": goodSite, "README.md": "x", ".hidden.json": "{}", ".git/config.yaml": "x", "freeze.rego~": "x"},
		"tests are not served":    {"freeze.rego": goodSite, "freeze_test.rego": "package anything\n\ntest_x if http.send({})\n"},
		"helper":                  {"freeze.rego": goodSite, "lib.rego": "package site.lib.keys\n\nfrozen if startswith(input.resource.key, \"frozen/\")\n"},
		"helper beside a rule":    {"a.rego": goodSite + "\nhelper := 1\n\nf(x) := x\n"},
		"by its full name":        {"a.rego": "package site\n\nrules.freeze.deny contains {\"id\": \"FRZ-001\", \"msg\": \"\"} if input.resource.key == \"x\"\n"},
		"schema annotation":       {"a.rego": "# METADATA\n# schemas:\n#   - input: schema.input\n" + goodSite},
		"requirement":             {"a.rego": "package site.encryption.raise\n\nrequire contains {\"mode\": \"dsse-kms\"} if \"top/\" in input.resource.prefixes\n"},
		"rule that asks the join": {"a.rego": "package site.rules.x\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"} if data.sealgate.join.top > 99\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := newEngine(t, files).Current().Decide(t.Context(), put("data", "kms/a"))
			if err != nil || !d.Allow {
				t.Errorf("got %+v, %v", d, err)
			}
		})
	}
}

func TestSiteDirectory(t *testing.T) {
	t.Parallel()
	load := func(dir string) error {
		_, err := New(Options{PostureFile: "testdata/posture.yaml", SiteDir: dir})
		return err
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		if load(filepath.Join(t.TempDir(), "none")) == nil {
			t.Error("a missing directory was loaded")
		}
	})
	t.Run("a file", func(t *testing.T) {
		t.Parallel()
		if load("testdata/posture.yaml") == nil {
			t.Error("a file was loaded as a directory")
		}
	})
	t.Run("linked directory inside", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.Symlink(t.TempDir(), filepath.Join(dir, "more")); err != nil {
			t.Fatal(err)
		}
		if err := load(dir); err == nil || !strings.Contains(err.Error(), "more") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("broken link", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.Symlink(filepath.Join(dir, "gone"), filepath.Join(dir, "a.rego")); err != nil {
			t.Fatal(err)
		}
		if load(dir) == nil {
			t.Error("a broken link was loaded")
		}
	})
	t.Run("too many files", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		for i := range MaxModules + 1 {
			writeFiles(t, dir, map[string]string{strconv.Itoa(i) + ".rego": "package site.lib\n"})
		}
		if err := load(dir); err == nil || !strings.Contains(err.Error(), "more than 1000") {
			t.Errorf("got %v", err)
		}
	})
	// The way configuration is mounted into containers: visible names are links
	// into a hidden directory that is replaced as a whole.
	t.Run("mounted", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{"..2026/freeze.rego": goodSite})
		if err := os.Symlink("..2026", filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("..data/freeze.rego", filepath.Join(dir, "freeze.rego")); err != nil {
			t.Fatal(err)
		}
		e, err := New(Options{PostureFile: "testdata/posture.yaml", SiteDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if d, err := e.Current().Decide(t.Context(), put("data", "frozen/a")); err != nil || d.Allow {
			t.Errorf("the mounted rule is not asked: %+v, %v", d, err)
		}
		if n := e.Status().Files; n != 2 {
			t.Errorf("got %d files", n)
		}
	})
}
