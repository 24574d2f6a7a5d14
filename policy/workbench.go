package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sealgate/sealgate/policy/posture"
)

// Sources are the Rego files of a policy, for tools that work on them. What an Engine
// loads of a directory is what is here without Tests.
type Sources struct {
	Dir     string // the site's directory, "" for the library alone
	library []source
	site    []source // names begin with Dir
	tests   []source // of the site
	bench   []source // of the library: its tests, and what builds inputs for tests
}

// ReadSources reads the library and the Rego of a site's directory, its tests too. An
// empty dir means the library alone.
func ReadSources(dir string) (Sources, error) {
	s := Sources{Dir: dir}
	var err error
	if s.library, err = readLibrary(); err != nil {
		return Sources{}, fmt.Errorf("reading the policy library: %w", err)
	}
	if s.bench, err = selectLibrary(isTest); err != nil {
		return Sources{}, fmt.Errorf("reading the policy library: %w", err)
	}
	all, err := selectSite(dir, func(name string) bool { return strings.HasSuffix(name, ".rego") })
	if err != nil {
		return Sources{}, fmt.Errorf("reading the policy directory: %w", err)
	}
	for _, f := range all {
		f.name = filepath.Join(dir, f.name)
		if isTest(f.name) {
			s.tests = append(s.tests, f)
		} else {
			s.site = append(s.site, f)
		}
	}
	return s, nil
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// Files lists the names of the site's files, tests last.
func (s Sources) Files() []string {
	var names []string
	for _, f := range slices.Concat(s.site, s.tests) {
		names = append(names, f.name)
	}
	return names
}

// Text is a file's content, nil if there is none of that name. Files of the library are
// named rego/<path>. It is not to be modified.
func (s Sources) Text(name string) []byte {
	for _, f := range slices.Concat(s.site, s.tests) {
		if f.name == name {
			return f.data
		}
	}
	for _, f := range slices.Concat(s.library, s.bench) {
		if "rego/"+f.name == name {
			return f.data
		}
	}
	return nil
}

// Compile compiles what an Engine would load, in the same way: strictly, with the input
// schema and with the built-in functions there are for policies. The error joins
// *ast.Error and others.
func (s Sources) Compile() (*ast.Compiler, error) {
	return compile(sources{library: s.library, site: s.site})
}

// Modules parses the files; those of the library are named rego/<path>, and with tests
// come those of site and library. What a site must not contain is an error.
func (s Sources) Modules(tests bool) (map[string]*ast.Module, error) {
	library, lerr := parse("rego/", s.library)
	site, serr := parse("", s.site)
	if err := errors.Join(lerr, serr); err != nil {
		return nil, err
	}
	if err := checkSite(site); err != nil {
		return nil, err
	}
	maps.Copy(library, site)
	if !tests {
		return library, nil
	}
	own, oerr := parse("", s.tests)
	bench, berr := parse("rego/", s.bench)
	maps.Copy(library, own)
	maps.Copy(library, bench)
	return library, errors.Join(oerr, berr)
}

// CompileModules compiles modules as an Engine does. Modules are not modified.
func CompileModules(modules map[string]*ast.Module) (*ast.Compiler, error) {
	return compileModules(modules)
}

// CompilerForTests is a compiler that has compiled nothing yet, and is otherwise the
// one an Engine uses. Tests may use the built-in functions of policies and no others.
func CompilerForTests() (*ast.Compiler, error) { return newCompiler() }

// InputReads lists every reference to the input in modules that were compiled, a
// document that is read whole as itself. What follows the first variable of one is not
// known.
func InputReads(modules map[string]*ast.Module) []ast.Ref { return reads(modules) }

// UniqueFields are the paths, below input, of what nearly every request has another
// value of: a rule that reads one ends the cache of decisions.
func UniqueFields() []string {
	var paths []string
	for _, l := range leaves {
		if l.unique {
			paths = append(paths, l.path)
		}
	}
	return paths
}

// Anew returns the policy as one that remembers no decision, for measuring.
func (g *Generation) Anew() *Generation {
	if g == nil {
		return nil
	}
	fresh := *g
	fresh.cache, fresh.live = nil, nil
	return &fresh
}

// Trace evaluates a request under a tracer and throws the answer away. It fills the
// input as Decide does.
func (g *Generation) Trace(ctx context.Context, in *Input, tracer topdown.QueryTracer) error {
	if g == nil {
		return fault(FaultNotLoaded, errNotLoaded)
	}
	_, err := evaluate(ctx, g.query, g.complete(in), probeTimeout, oparego.EvalQueryTracer(tracer))
	return err
}

// bare denies everything with as little as a policy can.
const bare = `package sealgate.main

decision := {
	"schema": "sealgate.decision/v1",
	"allow": false,
	"findings": [{"id": "GRT-000", "msg": "", "path": "", "action": "deny", "waiver": ""}],
	"encryption": {
		"mode": "unchanged", "key_id": "", "keyring": "", "context": {},
		"bucket_key": "unset", "on_conflict": "reject", "allowed_keys": [],
	},
	"on_read": "decrypt",
}
`

// Bare is a Generation with a posture and one rule that denies everything: what a
// decision costs before a policy has been written. It is for measuring.
func Bare(ctx context.Context, postureFile string) (*Generation, error) {
	data, err := readBounded(postureFile, posture.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("reading the posture: %w", err)
	}
	return build(ctx, Options{Timeout: probeTimeout, Now: time.Now}, sources{
		library: []source{{name: "main/main.rego", data: []byte(bare)}},
		posture: source{name: postureFile, data: data},
	})
}
