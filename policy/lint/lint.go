// Package lint finds mistakes in a policy that load without an error and then make a
// rule do less than its author meant, or cost more than it should:
//
//   - a string held against a field that never has that value, wherever the two meet
//     (impossible-value), and values of types that are never equal (impossible-type);
//   - a field that is not there, where OPA cannot see it: behind the argument of a
//     function or a name that is computed (unknown-field);
//   - a test for presence of what is always present (always-present);
//   - findings and requirements that the gateway would refuse or confuse with its own
//     (finding-form, rule-id, shipped-id, requirement-form);
//   - rules that cost every request, are not bounded, or end the decision cache
//     (unindexed, unbounded, uncached), with what they cost;
//   - rules nobody asks for, and conditions that exclude each other (never-asked,
//     contradiction).
//
// It follows the values of the input's schema through the compiled policy: through
// locals, functions (each call on its own), rules and constants of site and library.
// It runs no rule but to measure its cost, and needs neither network nor posture.
package lint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy"
)

// Code is the name of a kind of problem. Codes of OPA's own errors begin with "rego_".
type Code string

// The codes of this package.
const (
	NotLoaded       Code = "not-loaded" // a gateway would refuse the policy
	ImpossibleValue Code = "impossible-value"
	ImpossibleType  Code = "impossible-type"
	UnknownField    Code = "unknown-field"
	AlwaysPresent   Code = "always-present"
	FindingForm     Code = "finding-form"
	RuleID          Code = "rule-id"
	ShippedID       Code = "shipped-id"
	RequirementForm Code = "requirement-form"
	Unindexed       Code = "unindexed"
	Unbounded       Code = "unbounded"
	Uncached        Code = "uncached"
	NeverAsked      Code = "never-asked"
	Contradiction   Code = "contradiction"
)

// Level is how bad a problem is.
type Level string

// Levels: an error makes a rule do something else than it says; a warning costs time or
// is of no use.
const (
	Error   Level = "error"
	Warning Level = "warning"
)

var warnings = []Code{Unindexed, Uncached, NeverAsked}

// Problem is one finding.
type Problem struct {
	File    string `json:"file,omitempty"` // "" if there is no one place
	Row     int    `json:"row,omitempty"`  // from 1
	Col     int    `json:"col,omitempty"`  // from 1
	Code    Code   `json:"code"`
	Level   Level  `json:"level"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"` // what to write instead
	Cost    *Cost  `json:"cost,omitempty"`
}

// String is the problem in one line: file:row:col: code: message; fix.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Row, p.Col)
	}
	fmt.Fprintf(&b, "%s: %s", p.Code, p.Message)
	if p.Fix != "" {
		fmt.Fprintf(&b, "; %s", p.Fix)
	}
	if p.Cost != nil {
		fmt.Fprintf(&b, " (%s)", p.Cost)
	}
	return b.String()
}

// Compiler reports whether the problem is an error of OPA's.
func (p Problem) Compiler() bool { return strings.HasPrefix(string(p.Code), "rego_") }

func problem(code Code, at *ast.Location, message, fix string) Problem {
	p := Problem{Code: code, Level: Error, Message: message, Fix: fix}
	if slices.Contains(warnings, code) {
		p.Level = Warning
	}
	if at != nil {
		p.File, p.Row, p.Col = at.File, at.Row, at.Col
	}
	return p
}

// Options say what to look at.
type Options struct {
	// Known are values of fields that the schema leaves open, by the field's path
	// without the input's name: "request.operation". Not to be modified meanwhile.
	Known map[string][]string
	// Tests has the site's tests looked at as well.
	Tests bool
	// Measure has what rules cost measured, where there is a problem with it.
	Measure bool
}

// Check looks for problems in the site's and the library's Rego, and returns them by
// place. A policy that does not compile has the errors of the compiler as problems and
// no others. The error is not about the policy.
func Check(ctx context.Context, s policy.Sources, o Options) ([]Problem, error) {
	modules, err := s.Modules(o.Tests)
	if err != nil {
		return fromErrors(err), nil
	}
	// The library's own tests try what is impossible; what builds inputs is needed.
	maps.DeleteFunc(modules, func(name string, _ *ast.Module) bool {
		return strings.HasPrefix(name, "rego/") && strings.HasSuffix(name, "_test.rego") && !strings.HasPrefix(name, "rego/lib/")
	})
	found, err := checkModules(modules, o)
	if err != nil || !o.Measure {
		return found, err
	}
	return found, measure(ctx, s, found)
}

// checkModules is Check for modules that were parsed.
func checkModules(modules map[string]*ast.Module, o Options) ([]Problem, error) {
	compiler, err := policy.CompileModules(modules)
	if err != nil {
		return fromErrors(err), nil
	}
	f, err := newFlow(compiler, o)
	if err != nil {
		return nil, err
	}
	f.program()
	return tidy(slices.Concat(
		f.claims.problems(), f.forms(), f.contradictions(), f.unasked(), f.unloaded(), f.uncached(), f.costly(),
	)), nil
}

// tidy sorts and drops what is there twice.
func tidy(found []Problem) []Problem {
	slices.SortFunc(found, func(a, b Problem) int {
		return cmp.Or(
			strings.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col),
			strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Message, b.Message),
		)
	})
	return slices.CompactFunc(found, func(a, b Problem) bool {
		return a.File == b.File && a.Row == b.Row && a.Col == b.Col && a.Code == b.Code && a.Message == b.Message
	})
}

// placed is an error whose text begins with where it is.
var placed = regexp.MustCompile(`^(.+\.rego):(\d+): (.*)$`)

// fromErrors makes problems of what loading says.
func fromErrors(err error) []Problem {
	var list ast.Errors
	var one *ast.Error
	var joined interface{ Unwrap() []error }
	var out []Problem
	switch {
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			out = append(out, fromErrors(e)...)
		}
		return tidy(out)
	case errors.As(err, &list):
		for _, e := range list {
			out = append(out, fromErrors(e)...)
		}
		return tidy(out)
	case errors.As(err, &one):
		message := one.Message
		if one.Details != nil {
			message = strings.Join(append([]string{message}, one.Details.Lines()...), "\n\t")
		}
		p := problem(Code(one.Code), one.Location, message, "")
		p.Row, p.Col = max(1, p.Row), max(1, p.Col)
		return []Problem{p}
	}
	p := problem(NotLoaded, nil, err.Error(), "")
	if m := placed.FindStringSubmatch(err.Error()); m != nil {
		p.File, p.Message, p.Col = m[1], m[3], 1
		p.Row, _ = strconv.Atoi(m[2])
	}
	return []Problem{p}
}
