// Package agreement holds every way of asking about a request against the others: the
// gateway as it serves, `sealgate policy try`, OPA's library with nothing of ours in
// it, and the stock opa binary. It also holds explanations against the policy: what is
// said to have decided must have.
//
// The requests are drawn from a fixed seed (generate_test.go), under the postures and
// site rules in testdata.
package agreement
