package catalog

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy/posture"
)

var update = flag.Bool("update", false, "write RULES.md anew")

func rules(t *testing.T) []Rule {
	t.Helper()
	list, err := Rules()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func mapping(t *testing.T) Mapping {
	t.Helper()
	m, err := Controls()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRules(t *testing.T) {
	t.Parallel()
	list := rules(t)
	if len(list) < 40 {
		t.Errorf("only %d rules", len(list))
	}
	families := map[string]bool{}
	for _, r := range list {
		families[r.Family] = true
		if !regexp.MustCompile(`^[A-Z]{3}-\d{3}$`).MatchString(r.ID) {
			t.Errorf("%s: %q is no rule id", r.Location, r.ID)
		}
		if !strings.HasPrefix(r.Location.File, "rego/") || r.Location.Line == 0 {
			t.Errorf("%s is at %s", r.ID, r.Location)
		}
		if r.Locked != posture.Locked(r.ID) {
			t.Errorf("%s: locked is %v", r.ID, r.Locked)
		}
	}
	for _, f := range Families() {
		if !families[f.ID] {
			t.Errorf("the family %s has no rule", f.ID)
		}
		delete(families, f.ID)
	}
	if len(families) > 0 {
		t.Errorf("families without a title: %v", families)
	}
}

// TestRaised: the ids that rules raise are those that are annotated, in the same file.
func TestRaised(t *testing.T) {
	t.Parallel()
	modules, err := library()
	if err != nil {
		t.Fatal(err)
	}
	annotated := map[string]string{}
	for _, r := range rules(t) {
		annotated[r.ID] = r.Location.File
	}
	raised := map[string]string{}
	for _, module := range modules {
		for _, rule := range module.Rules {
			if rule.Head.Key == nil {
				continue
			}
			finding, ok := rule.Head.Key.Value.(ast.Object)
			if !ok {
				continue
			}
			term := finding.Get(ast.StringTerm("id"))
			if term == nil {
				continue // a requirement
			}
			id, ok := term.Value.(ast.String)
			if !ok {
				t.Errorf("%s: the id is no constant", rule.Location)
				continue
			}
			if finding.Get(ast.StringTerm("msg")) == nil || finding.Get(ast.StringTerm("path")) == nil {
				t.Errorf("%s: %s has no msg or no path", rule.Location, id)
			}
			raised[string(id)] = rule.Location.File
		}
	}
	for id, file := range raised {
		if annotated[id] != file {
			t.Errorf("%s is raised in %s and annotated in %q", id, file, annotated[id])
		}
	}
	for id := range annotated {
		if raised[id] == "" {
			t.Errorf("%s is annotated and never raised", id)
		}
	}
}

// TestCheck: an annotation that lacks something is refused.
func TestCheck(t *testing.T) {
	t.Parallel()
	good := Rule{ID: "ABC-001", Title: "A title", Description: "Why.", Severity: "low", Remediation: "What.", Controls: []string{"X:1"}}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Rule){
		"no title":          func(r *Rule) { r.Title = "" },
		"title with a stop": func(r *Rule) { r.Title = "A title." },
		"no description":    func(r *Rule) { r.Description = "" },
		"severity":          func(r *Rule) { r.Severity = "High" },
		"no remediation":    func(r *Rule) { r.Remediation = "" },
		"no control":        func(r *Rule) { r.Controls = nil },
		"control twice":     func(r *Rule) { r.Controls = []string{"X:1", "X:1"} },
	} {
		r := good
		if spoil(&r); r.check() == nil {
			t.Errorf("%s: it was accepted", name)
		}
	}
}

// TestOf: rules of a site are listed as far as they are annotated.
func TestOf(t *testing.T) {
	t.Parallel()
	const text = `package site.rules.a

# METADATA
# title: Frozen
# custom:
#   id: FRZ-001
deny contains {"id": "FRZ-001", "msg": "no"} if input.request.class == "write"

deny contains {"id": "FRZ-002", "msg": "no"} if input.request.class == "delete"
`
	module, err := ast.ParseModuleWithOpts("a.rego", text, ast.ParserOptions{ProcessAnnotation: true})
	if err != nil {
		t.Fatal(err)
	}
	got := Of(map[string]*ast.Module{"a.rego": module})
	if len(got) != 1 || got[0].ID != "FRZ-001" || got[0].Title != "Frozen" || got[0].Location.String() != "a.rego:3" {
		t.Errorf("got %+v", got)
	}
}

func TestControls(t *testing.T) {
	t.Parallel()
	m := mapping(t)
	if !strings.Contains(m.Caution, "not a certificate") {
		t.Errorf("the caution says %q", m.Caution)
	}
	known := map[string]bool{}
	for _, r := range rules(t) {
		known[r.ID] = true
		if got := m.Of(r.ID); !slices.Equal(got, r.Controls) {
			t.Errorf("%s is annotated with %v and mapped to %v", r.ID, r.Controls, got)
		}
	}
	seen := map[string]bool{}
	for _, f := range m.Frameworks {
		if f.Name == "" || !strings.HasPrefix(f.Source, "https://") || len(f.Controls) == 0 {
			t.Errorf("framework %q is incomplete", f.ID)
		}
		for _, c := range f.Controls {
			name := f.ID + ":" + c.ID
			if seen[name] || c.Title == "" || len(c.Rules) == 0 || !slices.IsSorted(c.Rules) {
				t.Errorf("%s is there twice, has no title, or no sorted rules", name)
			}
			seen[name] = true
			for _, id := range c.Rules {
				if !known[id] {
					t.Errorf("%s names %s, which is no rule", name, id)
				}
			}
		}
	}
	for _, id := range []string{"NIST-800-53", "PCI-DSS", "CIS-AWS"} {
		if !slices.ContainsFunc(m.Frameworks, func(f Framework) bool { return f.ID == id }) {
			t.Errorf("%s is not mapped", id)
		}
	}
}

// TestMarkdown: the page in the tree is the one the annotations give.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	want := Markdown(rules(t), mapping(t))
	if *update {
		if err := os.WriteFile("RULES.md", []byte(want), 0o644); err != nil { //nolint:gosec // documentation is for everybody
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("RULES.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("RULES.md is out of date: go test ./policy/catalog -update")
	}
	for _, r := range rules(t) {
		if !strings.Contains(want, "### "+r.ID+"\n") {
			t.Errorf("%s is not described", r.ID)
		}
	}
}
