package suite

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sealgate/sealgate/policy"
)

// explain runs the tests that failed once more, one by one and traced, and says which
// condition of each did not hold.
func explain(ctx context.Context, runner func() *tester.Runner, txn storage.Transaction, tests []Test) error {
	for i := range tests {
		t := &tests[i]
		if t.Outcome != Fail || t.Reason != "" {
			continue
		}
		// A runner adds to its compiler and its filter is for one run.
		compiler, err := policy.CompilerForTests()
		if err != nil {
			return err
		}
		results, err := runner().SetCompiler(compiler).EnableTracing(true).Filter("^"+regexp.QuoteMeta(t.Name)+"$").RunTests(ctx, txn)
		if err != nil {
			return err
		}
		for r := range results {
			if r.Location != nil && r.Location.Row == t.Row && r.Location.File == t.File {
				t.Reason = failed(r.Trace, t.File)
			}
		}
	}
	return ctx.Err()
}

// failed names the last condition of the test itself that did not hold.
func failed(trace []*topdown.Event, file string) string {
	for i := len(trace) - 1; i >= 0; i-- {
		e, ok := trace[i].Node.(*ast.Expr)
		if !ok || trace[i].Op != topdown.FailOp || e.Location == nil || e.Location.File != file {
			continue
		}
		text := strings.TrimSpace(string(e.Location.Text))
		if text == "" {
			continue
		}
		return fmt.Sprintf("line %d does not hold: %s", e.Location.Row, oneLine(text))
	}
	return ""
}
