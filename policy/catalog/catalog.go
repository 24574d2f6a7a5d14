// Package catalog lists the rules of the library, from the annotations beside them,
// and which controls of published frameworks they bear on.
//
//	rules, err := catalog.Rules()
//
// RULES.md is this list for people. It is generated:
//
//	go test ./policy/catalog -update
package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy/posture"
	"github.com/sealgate/sealgate/rego"
)

// Rule is what the annotation of a rule says.
type Rule struct {
	ID     string `json:"id"`     // AAA-000
	Family string `json:"family"` // the letters of the id
	Title  string `json:"title"`
	// Description says why there is the rule and what it does not see. One paragraph.
	Description string `json:"description"`
	Severity    string `json:"severity"` // low, medium, high or critical
	// Remediation is what somebody does whose request was refused.
	Remediation string `json:"remediation"`
	// Controls are written FRAMEWORK:CONTROL, sorted; see [Controls].
	Controls []string `json:"controls"`
	// References are pages to read, sorted.
	References []string `json:"references"`
	// Locked rules always deny: the posture cannot change that.
	Locked bool `json:"locked"`
	// Location is where the annotation stands.
	Location Location `json:"location"`
}

// Location is a place in a file.
type Location struct {
	File string `json:"file"` // as the module was named; rego/<path> for the library
	Line int    `json:"line"` // from 1
}

// String gives file:line.
func (l Location) String() string { return fmt.Sprintf("%s:%d", l.File, l.Line) }

// severities, the least first.
var severities = []string{"low", "medium", "high", "critical"}

// Rules lists every rule of the library, sorted by id. An annotation that is
// incomplete, or an id that is there twice, is an error. The caller owns the result.
func Rules() ([]Rule, error) {
	modules, err := library()
	if err != nil {
		return nil, err
	}
	rules := Of(modules)
	var errs []error
	for i, r := range rules {
		if err := r.check(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", r.Location, r.ID, err))
		}
		if i > 0 && rules[i-1].ID == r.ID {
			errs = append(errs, fmt.Errorf("%s: %s is also at %s", r.Location, r.ID, rules[i-1].Location))
		}
	}
	return rules, errors.Join(errs...)
}

// Of lists the rules whose annotations have a custom id, sorted by id, as far as the
// annotations go. Modules must have been parsed with ast.ParserOptions.ProcessAnnotation.
// It serves a site's rules as well.
func Of(modules map[string]*ast.Module) []Rule {
	var rules []Rule
	for _, module := range modules {
		for _, a := range module.Annotations {
			if id, ok := a.Custom["id"].(string); ok {
				rules = append(rules, ruleOf(id, a))
			}
		}
	}
	slices.SortFunc(rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Location.File, b.Location.File), a.Location.Line-b.Location.Line)
	})
	return rules
}

func ruleOf(id string, a *ast.Annotations) Rule {
	r := Rule{
		ID: id, Title: a.Title, Description: strings.TrimSpace(a.Description),
		Controls: []string{}, References: []string{}, Locked: posture.Locked(id),
		Location: Location{File: a.Location.File, Line: a.Location.Row},
	}
	r.Family, _, _ = strings.Cut(id, "-")
	r.Severity, _ = a.Custom["severity"].(string)
	r.Remediation, _ = a.Custom["remediation"].(string)
	controls, _ := a.Custom["controls"].([]any)
	for _, c := range controls {
		r.Controls = append(r.Controls, fmt.Sprint(c))
	}
	for _, related := range a.RelatedResources {
		r.References = append(r.References, related.Ref.String())
	}
	slices.Sort(r.Controls)
	slices.Sort(r.References)
	return r
}

func (r Rule) check() error {
	switch {
	case r.Title == "" || strings.HasSuffix(r.Title, "."):
		return errors.New("a title is a line without a full stop")
	case !strings.HasSuffix(r.Description, "."):
		return errors.New("a description is made of sentences")
	case !strings.HasSuffix(r.Remediation, "."):
		return errors.New("a remediation is a sentence")
	case !slices.Contains(severities, r.Severity):
		return fmt.Errorf("severity %q is none of %s", r.Severity, strings.Join(severities, ", "))
	case len(r.Controls) == 0:
		return errors.New("it bears on no control")
	case len(slices.Compact(slices.Clone(r.Controls))) != len(r.Controls):
		return errors.New("a control is named twice")
	}
	return nil
}

// library parses the modules of the library that take part in decisions.
func library() (map[string]*ast.Module, error) {
	modules := map[string]*ast.Module{}
	err := fs.WalkDir(rego.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".rego" || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		data, err := fs.ReadFile(rego.FS(), name)
		if err != nil {
			return err
		}
		modules[name], err = ast.ParseModuleWithOpts("rego/"+name, string(data), ast.ParserOptions{
			ProcessAnnotation: true, RegoVersion: ast.RegoV1,
		})
		return err
	})
	return modules, err
}
