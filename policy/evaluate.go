package policy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	oparego "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// patience is how many times its time-out an evaluation gets when it is tried again.
const patience = 10

// secondTries bounds how many evaluations of one generation are tried again at once.
type secondTries chan struct{}

// answer evaluates, and once more with more time if the first try ran out of it: the
// time-out is one of the clock, and on a busy machine a sound evaluation can be made to
// wait for longer than it works. A policy that really takes too long fails the second
// time as well. Few may try again at once, so that such a policy cannot hold the machine.
func (t secondTries) answer(ctx context.Context, timeout time.Duration, try func(time.Duration) (ast.Value, error)) (ast.Value, error) {
	result, err := try(timeout)
	if err == nil || !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return result, err
	}
	select {
	case t <- struct{}{}:
		defer func() { <-t }()
		return try(patience * timeout)
	default:
		return nil, err
	}
}

// evaluate runs the prepared query once. Every way of having no answer is a *Fault.
func evaluate(ctx context.Context, query oparego.PreparedEvalQuery, input ast.Value, timeout time.Duration, more ...oparego.EvalOption) (result ast.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, faultf(FaultPanic, "evaluation panicked: %v", p)
		}
	}()
	// A timer and a callback on the context cost less than a goroutine for each
	// evaluation, which is what OPA would start for a context of its own.
	stop := topdown.NewCancel()
	timer := time.AfterFunc(timeout, stop.Cancel)
	defer timer.Stop()
	defer context.AfterFunc(ctx, stop.Cancel)()

	var failures []topdown.Error
	options := append([]oparego.EvalOption{
		oparego.EvalParsedInput(input),
		oparego.EvalMetrics(metrics.NoOp()),
		oparego.EvalExternalCancel(stop),
		oparego.EvalBuiltinErrorList(&failures),
	}, more...)
	set, err := query.Eval(ctx, options...)
	// A short evaluation can finish although it was cancelled, and one that was
	// cancelled inside a built-in can report that as a failure of the built-in.
	if stop.Cancelled() || ctx.Err() != nil {
		return nil, timedOut(ctx, timeout)
	}
	if err != nil {
		return nil, evaluationFault(ctx, err, timeout)
	}
	if len(failures) > 0 {
		return nil, builtinFault(failures)
	}
	if len(set) == 0 {
		return nil, faultf(FaultUndefined, "%s is undefined", entrypoint)
	}
	if len(set) > 1 || len(set[0].Expressions) != 1 {
		return nil, faultf(FaultDecision, "%s has more than one value", entrypoint)
	}
	value, ok := set[0].Expressions[0].Value.(ast.Value)
	if !ok {
		return nil, faultf(FaultDecision, "%s is a %T", entrypoint, set[0].Expressions[0].Value)
	}
	return value, nil
}

func timedOut(ctx context.Context, timeout time.Duration) *Fault {
	if cause := context.Cause(ctx); cause != nil {
		return faultf(FaultTimeout, "evaluation was given up: %w", cause)
	}
	return faultf(FaultTimeout, "evaluation took longer than %v: %w", timeout, context.DeadlineExceeded)
}

func evaluationFault(ctx context.Context, err error, timeout time.Duration) *Fault {
	if topdown.IsCancel(err) {
		return timedOut(ctx, timeout)
	}
	var e *topdown.Error
	if errors.As(err, &e) && e.Code == topdown.ConflictErr {
		return fault(FaultConflict, err)
	}
	return fault(FaultBuiltin, err)
}

// builtinFault shows the first failures; their number is not bounded by anything.
func builtinFault(failures []topdown.Error) *Fault {
	const shown = 3
	errs := make([]error, 0, shown+1)
	for i := range failures {
		if i == shown {
			errs = append(errs, fmt.Errorf("and %d more", len(failures)-shown))
			break
		}
		errs = append(errs, &failures[i])
	}
	return fault(FaultBuiltin, errors.Join(errs...))
}
