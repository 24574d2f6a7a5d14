package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// What a site's rules are read through. A rule anywhere else is not asked.
const (
	denyRule    = "deny"
	requireRule = "require"
)

// checkSite refuses site modules that would load and then do less than their author
// meant: another package, a deny that is not a set, a rule where nobody looks.
func checkSite(modules map[string]*ast.Module) error {
	var errs []error
	for _, module := range modules {
		if err := checkSiteModule(module); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func checkSiteModule(module *ast.Module) error {
	location := module.Package.Location
	path, ok := groundPath(module.Package.Path)
	if !ok || len(path) < 2 || path[1] != "site" {
		return fmt.Errorf("%s: package %s: a site's packages are site and those below it", location, packageName(module))
	}
	errs := append(checkReserved(module), checkSchemas(module)...)
	contributes := false
	for _, rule := range module.Rules {
		found, err := checkSiteRule(path, rule)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", rule.Location, err))
		}
		contributes = contributes || found
	}
	if len(errs) == 0 && !contributes && len(path) > 2 && (path[2] == "rules" || path[2] == "encryption") {
		errs = append(errs, fmt.Errorf("%s: package %s contributes nothing: it has no %s",
			location, packageName(module), expected(path[2])))
	}
	return errors.Join(errs...)
}

// checkReserved refuses rule ids whose findings never deny: a rule that used one would
// look like a denial and be none.
func checkReserved(module *ast.Module) (errs []error) {
	ast.WalkTerms(module, func(t *ast.Term) bool {
		if s, ok := t.Value.(ast.String); ok && ruleID(string(s)) && reservedRule(string(s)) {
			errs = append(errs, fmt.Errorf("%s: %s is an id of the gateway's own, which never denies", t.Location, string(s)))
		}
		return false
	})
	return errs
}

// checkSchemas refuses annotations by which a module would be held against another
// schema than the input's: misspelt fields would load, and never fire.
func checkSchemas(module *ast.Module) (errs []error) {
	for _, a := range module.Annotations {
		for _, s := range a.Schemas {
			if !s.Path.Equal(ast.InputRootRef) || !s.Schema.Equal(inputSchema) || s.Definition != nil {
				errs = append(errs, fmt.Errorf("%s: schemas: the input has the schema it has; leave the annotation out", a.Location))
			}
		}
	}
	return errs
}

// inputSchema is the name of the input's schema in annotations.
var inputSchema = ast.MustParseRef("schema.input")

// checkSiteRule reports whether a rule is one that is asked.
func checkSiteRule(pkg []string, rule *ast.Rule) (contributes bool, err error) {
	name, ground := groundPath(rule.Head.Ref())
	full := append(append([]string{}, pkg...), name...)
	tree := ""
	if len(full) > 2 && (full[2] == "rules" || full[2] == "encryption") {
		tree = full[2]
	}
	last := full[len(full)-1]
	switch {
	case tree == "":
		if last == denyRule || last == requireRule {
			return false, fmt.Errorf("%s is not asked here: use site.rules.<name>.deny or site.encryption.<name>.require", last)
		}
		return false, nil
	case len(full) != 5:
		return false, fmt.Errorf("data.%s is not asked: rules are data.site.%s.<name>.%s", strings.Join(full[1:], "."), tree, expected(tree))
	case last == denyRule || last == requireRule:
		if last != expected(tree) {
			return false, fmt.Errorf("%s is not asked in site.%s: use %s", last, tree, expected(tree))
		}
		if rule.Head.RuleKind() != ast.MultiValue || isFunction(rule) || !ground {
			return false, fmt.Errorf("%s must be a set of objects: write \"%s contains {…} if { … }\"", last, last)
		}
		return true, nil
	}
	return false, nil
}

func expected(tree string) string {
	if tree == "rules" {
		return denyRule
	}
	return requireRule
}

func isFunction(rule *ast.Rule) bool { return len(rule.Head.Args) > 0 }

// groundPath returns the words of a reference up to its first variable.
func groundPath(ref ast.Ref) (words []string, ground bool) {
	for i, term := range ref {
		switch v := term.Value.(type) {
		case ast.Var:
			if i > 0 {
				return words, false
			}
			words = append(words, string(v))
		case ast.String:
			words = append(words, string(v))
		default:
			return words, false
		}
	}
	return words, true
}

func packageName(module *ast.Module) string {
	return strings.TrimPrefix(module.Package.Path.String(), "data.")
}
