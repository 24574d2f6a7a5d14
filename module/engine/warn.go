package engine

import (
	"strings"

	"github.com/sealgate/sealgate/policy"
)

// warningHeader names, on the reply, the rules whose findings would deny if their
// action in the posture were not warn: "PRE-001, NET-001". It is the gateway's own;
// a store's header of that name does not reach the client.
const warningHeader = "X-Sealgate-Warning"

// warn adds the rules that warn to the reply's header, each once.
func (x *exchange) warn(findings []policy.Finding) {
	for _, f := range findings {
		if f.Action != policy.ActionWarn {
			continue
		}
		have := x.w.Header().Get(warningHeader)
		switch {
		case have == "":
			x.w.Header().Set(warningHeader, f.ID)
		case !strings.Contains(have, f.ID):
			x.w.Header().Set(warningHeader, have+", "+f.ID)
		}
	}
}

// denying are the findings a request is refused for.
func denying(findings []policy.Finding) []policy.Finding {
	out := make([]policy.Finding, 0, len(findings))
	for _, f := range findings {
		if f.Denies() {
			out = append(out, f)
		}
	}
	return out
}
