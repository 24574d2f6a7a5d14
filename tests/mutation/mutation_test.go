// Package mutation changes the policy library in one place at a time and demands
// that a test of the library notices. A condition whose removal nobody notices is
// one nobody would miss when it is lost.
package mutation

import (
	"context"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/sealgate/sealgate/rego"
)

// fewest is less than there are, so that the run cannot become empty unnoticed.
const fewest = 400

// forCost are changes that no test can notice, because what is taken out says the
// same as the rest in less time.
var forCost = map[string]string{
	"join/join.rego taken out: else := input.posture.on_read if count(read_words) == 0": "nearly every request has nothing to compare",
	"main/main.rego taken out: join.several":                                            "conflicts say the same, each for itself",
	"rules/keys.rego taken out: count(input.posture.key_tenants) > 0":                   "few keys belong to anybody",
	"rules/keys.rego gte instead: count(input.posture.key_tenants) > 0":                 "the same",
}

type modules map[string]*ast.Module

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

func library(t *testing.T) modules {
	t.Helper()
	parsed := modules{}
	err := fs.WalkDir(rego.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".rego" {
			return err
		}
		data, err := fs.ReadFile(rego.FS(), name)
		if err != nil {
			return err
		}
		parsed[name], err = ast.ParseModuleWithOpts("rego/"+name, string(data), ast.ParserOptions{RegoVersion: ast.RegoV1})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// outcome is what became of a mutant.
type outcome int

const (
	survived outcome = iota
	killed           // a test failed
	invalid          // it does not compile, or cannot be evaluated
)

// run compiles modules and runs their tests, up to the first that fails.
func run(ctx context.Context, m modules) (outcome, string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runner := tester.NewRunner().
		SetCompiler(ast.NewCompiler()).
		SetStore(inmem.New()).
		SetModules(m).
		SetParallel(1)
	results, err := runner.RunTests(ctx, nil)
	if err != nil {
		return invalid, err.Error()
	}
	out, by := survived, ""
	for r := range results {
		if out == survived && !r.Pass() {
			out, by = killed, r.Name
			cancel() // and drain what is left
		}
	}
	return out, by
}

// needed are the test module and every module it reaches.
func needed(all modules, test string) modules {
	out := modules{}
	var add func(name string)
	add = func(name string) {
		if out[name] != nil {
			return
		}
		out[name] = all[name]
		ast.WalkRefs(all[name], func(ref ast.Ref) bool {
			if !ref[0].Equal(ast.DefaultRootDocument) {
				return false
			}
			prefix := ref.ConstantPrefix()
			for other, m := range all {
				if isTest(other) != strings.HasPrefix(path.Base(other), "testing") && isTest(other) {
					continue
				}
				if prefix.HasPrefix(m.Package.Path) || m.Package.Path.HasPrefix(prefix) {
					add(other)
				}
			}
			return false
		})
	}
	add(test)
	return out
}

// TestMutants takes the library apart, one piece at a time.
func TestMutants(t *testing.T) {
	t.Parallel()
	all := library(t)
	if out, by := run(t.Context(), copied(all)); out != survived {
		t.Fatalf("the library itself fails its tests: %s", by)
	}
	var mutants []mutant
	own := map[string]modules{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if isTest(name) {
			continue
		}
		mutants = append(mutants, mutantsOf(name, all[name])...)
		if test := strings.TrimSuffix(name, ".rego") + "_test.rego"; all[test] != nil {
			own[name] = needed(all, test)
		}
	}
	if len(mutants) < fewest {
		t.Errorf("only %d mutants", len(mutants))
	}

	var next, dead, broken atomic.Int64
	var workers sync.WaitGroup
	survivors := make([]bool, len(mutants))
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(mutants) {
					return
				}
				switch judge(t.Context(), all, own[mutants[i].module], mutants[i]) {
				case killed:
					dead.Add(1)
				case invalid:
					broken.Add(1)
				case survived:
					survivors[i] = true
				}
			}
		})
	}
	workers.Wait()
	spared := 0
	for i, m := range mutants {
		if survivors[i] && forCost[m.module+" "+m.change] != "" {
			survivors[i] = false
			spared++
		}
	}
	if spared != len(forCost) {
		t.Errorf("%d changes are for cost alone, %d of them are there and go unnoticed", len(forCost), spared)
	}
	t.Logf("%d mutants: tests noticed %d, the compiler %d", len(mutants), dead.Load(), broken.Load())
	for i, m := range mutants {
		if survivors[i] {
			t.Errorf("no test notices %s: %s", m.place, m.change)
		}
	}
}

// judge asks the tests beside the changed module first: they are quick, and they
// are the ones that should notice. Where they do not, all are asked.
func judge(ctx context.Context, all, own modules, m mutant) outcome {
	for _, set := range []modules{own, all} {
		if set[m.module] == nil {
			continue
		}
		set = copied(set)
		mutate(set[m.module], m.number)
		if out, _ := run(ctx, set); out != survived {
			return out
		}
	}
	return survived
}

func copied(m modules) modules {
	out := make(modules, len(m))
	for name, module := range m {
		out[name] = module.Copy()
	}
	return out
}
