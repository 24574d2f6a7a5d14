package suite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/policy"
)

// site is a rule of which tests miss some.
const site = `package site.rules.freeze

# Some are never met.
deny contains {"id": "FRZ-001", "msg": "frozen", "path": "resource.key"} if {
	input.request.class == "write"
	"frozen/" in input.resource.prefixes
	not exempt
}

deny contains {"id": "FRZ-002", "msg": "listed", "path": "resource.key"} if {
	input.request.class == "list"
	input.request.prefix == "frozen/"
}

exempt if input.identity.principal == "root"

exempt if {
	count(input.identity.groups) > 3
	input.identity.attributes.exempt == "yes"
}

unasked := 1
`

const siteTest = `package site.rules.freeze_test

import data.sealgate.lib.testing
import data.site.rules.freeze

frozen := testing.with_fields({"resource": {"key": "frozen/a", "prefixes": ["frozen/"]}})

test_denied if testing.ids(freeze.deny) == {"FRZ-001"} with input as frozen

test_elsewhere if count(freeze.deny) == 0 with input as testing.base

test_root if {
	count(freeze.deny) == 0 with input as object.union(frozen, {"identity": {"principal": "root"}})
}
`

func read(t *testing.T, files map[string]string) policy.Sources {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := policy.ReadSources(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRun(t *testing.T) {
	t.Parallel()
	broken := "\ntest_wrong if {\n\tprint(\"seen\", 7)\n\ttesting.ids(freeze.deny) == {\"FRZ-009\"} with input as frozen\n}\n\ntest_odd if to_number(\"x\") == 1\n\ntodo_test_later if false\n"
	s := read(t, map[string]string{"freeze.rego": site, "freeze_test.rego": siteTest + broken})
	r, err := Run(t.Context(), s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Outcome{
		"test_denied": Pass, "test_elsewhere": Pass, "test_root": Pass, "test_wrong": Fail, "test_odd": Error, "todo_test_later": Skip,
	}
	for _, test := range r.Tests {
		name := test.Name[strings.LastIndex(test.Name, ".")+1:]
		if test.Outcome != want[name] {
			t.Errorf("%s: %s, want %s", test.Name, test.Outcome, want[name])
		}
		delete(want, name)
		switch name {
		case "test_wrong":
			if !strings.Contains(test.Reason, `line 18 does not hold: testing.ids(freeze.deny) == {"FRZ-009"}`) || !strings.Contains(test.Output, "seen 7") {
				t.Errorf("test_wrong: reason %q, output %q", test.Reason, test.Output)
			}
		case "test_odd":
			if !strings.Contains(test.Reason, "to_number") {
				t.Errorf("test_odd: reason %q", test.Reason)
			}
		}
	}
	if len(want) != 0 || r.Failed() != 2 {
		t.Errorf("not run: %v; %d failed", want, r.Failed())
	}
}

func TestRunSelects(t *testing.T) {
	t.Parallel()
	s := read(t, map[string]string{"freeze.rego": site, "freeze_test.rego": siteTest})
	for name, test := range map[string]struct {
		o    Options
		want func(n int) bool
	}{
		"all":     {Options{}, func(n int) bool { return n == 3 }},
		"one":     {Options{Run: "test_denied$"}, func(n int) bool { return n == 1 }},
		"none":    {Options{Run: "nothing"}, func(n int) bool { return n == 0 }},
		"library": {Options{Library: true}, func(n int) bool { return n > 50 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Run(t.Context(), s, test.o)
			if err != nil || !test.want(len(r.Tests)) || r.Failed() != 0 {
				t.Errorf("%d tests, %d failed, %v", len(r.Tests), r.Failed(), err)
			}
		})
	}
	if _, err := Run(t.Context(), s, Options{Run: "("}); !errors.Is(err, ErrPattern) {
		t.Errorf("got %v", err)
	}
}

// TestCoverage: each rule that is missed in part names the condition that stopped tests.
func TestCoverage(t *testing.T) {
	t.Parallel()
	s := read(t, map[string]string{"freeze.rego": site, "freeze_test.rego": siteTest})
	r, err := Run(t.Context(), s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := r.Coverage
	if len(c.Files) != 1 || c.Percent < 40 || c.Percent > 80 || c.Lines <= c.Covered {
		t.Fatalf("got %+v", c)
	}
	want := []struct {
		rule, why string
		rows      []int
		row       int
	}{
		{"data.site.rules.freeze.deny", `no test meets the condition input.request.class == "list"; OPA passes the rule over by its index (index_excluded)`, []int{10, 11, 12}, 11},
		{"data.site.rules.freeze.exempt", "no test meets the condition count(input.identity.groups) > 3; OPA passes the rule over by its index (index_excluded)", []int{17, 18, 19}, 18},
		{"data.site.rules.freeze.unasked", "no test asks for it", []int{22}, 22},
	}
	gaps := c.Files[0].Gaps
	for i, w := range want {
		if i >= len(gaps) {
			t.Errorf("missing: %+v", w)
			continue
		}
		g := gaps[i]
		if g.Rule != w.rule || g.Why != w.why || g.Row != w.row || !slices.Equal(g.Rows, w.rows) {
			t.Errorf("got  %+v\nwant %+v", g, w)
		}
	}
	if len(gaps) != len(want) {
		t.Errorf("%d gaps: %+v", len(gaps), gaps)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, text, want string }{
		"a test that does not compile":   {"x_test.rego", "package site.x_test\n\ntest_x if nope\n", "nope"},
		"a misspelt field in a test":     {"x_test.rego", "package site.x_test\n\ntest_x if input.request.klass == \"write\"\n", "klass"},
		"the network":                    {"x_test.rego", "package site.x_test\n\ntest_x if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"})\n", "http.send"},
		"a package that is not a site's": {"x.rego", "package other\n\nx := 1\n", "site"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Run(t.Context(), read(t, map[string]string{test.file: test.text}), Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}
