// Package suite runs the Rego tests of a site with the library, as a gateway would load
// both, and says which lines of the site's rules no test comes to, and why.
package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/sealgate/sealgate/policy"
)

// Outcome is how a test ended.
type Outcome string

// Outcomes of a test.
const (
	Pass  Outcome = "pass"
	Fail  Outcome = "fail"  // false or undefined
	Error Outcome = "error" // it could not be evaluated
	Skip  Outcome = "skip"  // its name begins with todo_
)

// Test is one test that was run.
type Test struct {
	Name    string        `json:"name"` // data.site.rules.x_test.test_y
	File    string        `json:"file"`
	Row     int           `json:"row"`
	Outcome Outcome       `json:"outcome"`
	Reason  string        `json:"reason,omitempty"` // of an error, or the condition that did not hold
	Output  string        `json:"output,omitempty"` // of print
	Took    time.Duration `json:"took_ns"`
}

// Report is what a run came to.
type Report struct {
	Tests    []Test   `json:"tests"`
	Coverage Coverage `json:"coverage"`
}

// Failed counts the tests that did not pass.
func (r Report) Failed() int {
	n := 0
	for _, t := range r.Tests {
		if t.Outcome == Fail || t.Outcome == Error {
			n++
		}
	}
	return n
}

// Options say what to run.
type Options struct {
	// Run is a regular expression for the names of the tests; empty for all.
	Run string
	// Library has the library's own tests run as well.
	Library bool
	// Timeout bounds one test; 0 means five seconds.
	Timeout time.Duration
}

// ErrPattern: Options.Run is no regular expression.
var ErrPattern = errors.New("not a regular expression")

// Run runs tests. An error is one of loading, which joins *ast.Error and others, or of
// the context.
func Run(ctx context.Context, s policy.Sources, o Options) (Report, error) {
	if _, err := regexp.Compile(o.Run); err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrPattern, err)
	}
	modules, err := s.Modules(true)
	if err != nil {
		return Report{}, err
	}
	if !o.Library {
		maps.DeleteFunc(modules, func(name string, _ *ast.Module) bool { return libraryTest(name) })
	}
	compiler, err := policy.CompilerForTests()
	if err != nil {
		return Report{}, err
	}
	coverage := cover.New()
	store := inmem.New()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return Report{}, err
	}
	defer store.Abort(ctx, txn)
	runner := func() *tester.Runner {
		return tester.NewRunner().
			SetStore(store).
			SetModules(modules).
			CapturePrintOutput(true).
			RaiseBuiltinErrors(true).
			SetParallel(runtime.GOMAXPROCS(0)).
			SetTimeout(cmp.Or(o.Timeout, 5*time.Second))
	}
	results, err := runner().
		SetCompiler(compiler.WithEnablePrintStatements(true)).
		SetCoverageQueryTracer(coverage).
		SetCoverageRuns([]cover.Kind{cover.KindIndexExcluded, cover.KindEarlyExit}).
		Filter(o.Run).
		RunTests(ctx, txn)
	if err != nil {
		return Report{}, err
	}
	report := Report{Tests: []Test{}}
	for result := range results {
		report.Tests = append(report.Tests, testOf(result))
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	slices.SortFunc(report.Tests, func(a, b Test) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Row, b.Row), strings.Compare(a.Name, b.Name))
	})
	report.Coverage = measure(coverage, modules)
	return report, explain(ctx, runner, txn, report.Tests)
}

// libraryTest reports whether a file is a test of the library. What builds inputs is
// there for every test.
func libraryTest(name string) bool {
	return strings.HasPrefix(name, "rego/") && strings.HasSuffix(name, "_test.rego") && !strings.HasPrefix(name, "rego/lib/")
}

func testOf(r *tester.Result) Test {
	t := Test{Name: r.Package + "." + r.Name, Outcome: Pass, Took: r.Duration, Output: string(r.Output)}
	if r.Location != nil {
		t.File, t.Row = r.Location.File, r.Location.Row
	}
	switch {
	case r.Skip:
		t.Outcome = Skip
	case r.Error != nil:
		t.Outcome, t.Reason = Error, r.Error.Error()
	case r.Fail:
		t.Outcome = Fail
		t.Reason = cases(r.SubResults)
	}
	return t
}

// cases names those of a test's cases that failed.
func cases(results tester.SubResultMap) string {
	var failed []string
	for path, result := range results.Iter {
		if result.Fail {
			failed = append(failed, strings.Join(path, "/"))
		}
	}
	slices.Sort(failed)
	return strings.Join(failed, ", ")
}
