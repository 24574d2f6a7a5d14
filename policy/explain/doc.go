// Package explain says why a request was decided as it was, in terms a policy author
// can act on: the rules that gave the findings, the rules that nearly did, what
// encryption was required by whom, and the smallest change that decides otherwise.
//
//	input, err := policy.ReadInput(record.Input)
//	...
//	e, err := explain.Explain(ctx, engine.Current(), explain.Question{Input: input})
//
// # Promises
//
// It shows and never decides: the request is evaluated once as any other, and once
// more with every rule looked at, and an Explanation is given only if both answers are
// the same. A change it proposes has been evaluated, floors and all, and does flip the
// decision. What it proposes is the smallest of a finite number of changes: the values
// that the input schema lists, those the policy compares with, and their neighbours.
// That none is found does not mean that there is none.
//
// It takes at most Limit and keeps no trace, only what it needs of one. A policy that
// has been written to take long is cut off with what was found until then, which
// Explanation.Partial tells.
package explain
