package lint

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"

	"github.com/sealgate/sealgate/policy"
)

// Cost is what a document of the policy was measured to cost a request, in
// microseconds: the median over ordinary requests, the one it costs most.
type Cost struct {
	Asked    string  `json:"asked"`           // the document, data.site.rules.x.deny
	Micros   float64 `json:"micros"`          // for it alone, with all it refers to
	Decision float64 `json:"decision_micros"` // for a whole decision of the library without the site
	Measured bool    `json:"measured"`        // whether the figures are there
}

// String is the cost in words, empty if it was not measured.
func (c *Cost) String() string {
	if !c.Measured {
		return "in " + c.Asked
	}
	return fmt.Sprintf("%s costs %.1f µs; a decision of the library alone costs %.0f µs", c.Asked, c.Micros, c.Decision)
}

// rounds is how often each request is evaluated.
const rounds = 100

// ordinary are requests that costs are measured with, as the library's tests build them.
var ordinary = []string{
	`put("sse-kms")`, `get`, `with_fields($document("PutBucketEncryption", [$setting("sse-kms", "k")]))`,
}

// measure fills in what the problems' documents cost.
func measure(ctx context.Context, s policy.Sources, found []Problem) error {
	var asked []string
	for _, p := range found {
		if p.Cost != nil && !slices.Contains(asked, p.Cost.Asked) {
			asked = append(asked, p.Cost.Asked)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	alone, err := policy.ReadSources("")
	if err != nil {
		return err
	}
	library, err := alone.Modules(true)
	if err != nil {
		return err
	}
	bench, err := policy.CompileModules(library)
	if err != nil {
		return err
	}
	inputs, err := requests(ctx, bench)
	if err != nil {
		return err
	}
	decision, err := median(ctx, bench, "data.sealgate.main.decision", inputs)
	if err != nil {
		return err
	}
	whole, err := s.Compile()
	if err != nil {
		return err
	}
	nothing, err := median(ctx, whole, "data.nothing", inputs)
	if err != nil {
		return err
	}
	for _, document := range asked {
		cost, err := median(ctx, whole, document, inputs)
		if err != nil {
			return err
		}
		for i := range found {
			if found[i].Cost != nil && found[i].Cost.Asked == document {
				*found[i].Cost = Cost{
					Asked: document, Micros: max(0, cost-nothing), Decision: max(0, decision-nothing), Measured: true,
				}
			}
		}
	}
	return nil
}

// requests evaluates the ordinary requests.
func requests(ctx context.Context, compiler *ast.Compiler) ([]ast.Value, error) {
	var out []ast.Value
	for _, call := range ordinary {
		query := "x = data.sealgate.lib.testing." + strings.ReplaceAll(call, "$", "data.sealgate.lib.testing.")
		set, err := oparego.New(oparego.Compiler(compiler), oparego.Query(query)).Eval(ctx)
		if err != nil || len(set) != 1 {
			return nil, fmt.Errorf("building the request %s: %w", call, err)
		}
		value, err := ast.InterfaceToValue(set[0].Bindings["x"])
		if err != nil {
			return nil, fmt.Errorf("building the request %s: %w", call, err)
		}
		out = append(out, value)
	}
	return out, nil
}

// median is the time one evaluation of a document takes, in microseconds, for the
// request for which that is longest.
func median(ctx context.Context, compiler *ast.Compiler, document string, inputs []ast.Value) (float64, error) {
	query, err := oparego.New(oparego.Compiler(compiler), oparego.Query(document)).PrepareForEval(ctx)
	if err != nil {
		return 0, fmt.Errorf("measuring %s: %w", document, err)
	}
	worst := 0.0
	for _, input := range inputs {
		took := make([]time.Duration, rounds)
		for i := range took {
			begin := time.Now()
			if _, err := query.Eval(ctx, oparego.EvalParsedInput(input)); err != nil {
				return 0, fmt.Errorf("measuring %s: %w", document, err)
			}
			took[i] = time.Since(begin)
		}
		slices.Sort(took)
		worst = max(worst, float64(took[rounds/2].Nanoseconds())/1000)
	}
	return worst, nil
}
