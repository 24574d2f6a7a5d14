package policy

import (
	"errors"
	"fmt"
)

// Fault identifiers. A fault means that no answer could be had, which is never an
// allow: callers deny with 503 and record the identifier.
const (
	FaultUndefined = "EVL-001" // the entrypoint has no value
	FaultConflict  = "EVL-002" // complete rules disagree
	FaultBuiltin   = "EVL-003" // a built-in function failed
	FaultDecision  = "EVL-004" // the result is not a decision
	FaultTimeout   = "EVL-005" // out of time, or the caller went away
	FaultPanic     = "EVL-006" // the evaluator panicked
	FaultNotLoaded = "EVL-007" // no policy was ever loaded
	FaultStale     = "EVL-008" // the policy in force may be an old one, see Options.MaxStaleness
)

// Fault is the error of every evaluation that gave no decision.
type Fault struct {
	ID    string
	cause error
}

// Error names the fault and its cause. The cause may quote the policy and values of
// the input, so it belongs in the decision record, not in the answer to the client.
func (f *Fault) Error() string { return f.ID + ": " + f.cause.Error() }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.cause }

func fault(id string, cause error) *Fault { return &Fault{ID: id, cause: cause} }

func faultf(id, format string, args ...any) *Fault {
	return &Fault{ID: id, cause: fmt.Errorf(format, args...)}
}

var errNotLoaded = errors.New("no policy is loaded")
