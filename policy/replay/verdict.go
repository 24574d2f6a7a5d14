package replay

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sealgate/sealgate/policy"
)

// Verdict is what was decided of a request, as far as it is known.
type Verdict struct {
	Allow      bool              `json:"allow"`
	Fault      string            `json:"fault,omitempty"` // id of the fault there was in place of a decision
	Findings   []policy.Finding  `json:"findings"`
	Encryption policy.Encryption `json:"encryption"`
	OnRead     string            `json:"on_read"`

	// Brief is set for what a decision record tells: of the encryption context the
	// names only, nothing of AllowedKeys and OnRead.
	Brief bool `json:"brief,omitempty"`
	// Pooled is set where the findings are those of several decisions that have one
	// record, this one's among them.
	Pooled bool `json:"pooled,omitempty"`
}

// VerdictOf is the verdict of a decision, or of the fault there was in its place.
func VerdictOf(d policy.Decision, err error) Verdict {
	if err != nil {
		id := policy.FaultDecision
		if f := (*policy.Fault)(nil); errors.As(err, &f) {
			id = f.ID
		}
		return Verdict{Fault: id, Findings: []policy.Finding{}}
	}
	findings := d.Findings
	if findings == nil {
		findings = []policy.Finding{}
	}
	return Verdict{Allow: d.Allow, Findings: findings, Encryption: d.Encryption, OnRead: d.OnRead}
}

// Unjudged reports a fault that says nothing about the policy: there was no time, or
// none in force, or it was not known to be the newest.
func (v Verdict) Unjudged() bool {
	return v.Fault == policy.FaultTimeout || v.Fault == policy.FaultNotLoaded || v.Fault == policy.FaultStale
}

// Kind says how two verdicts on one request differ.
type Kind string

// The kinds of differences, what needs most care first.
const (
	DenyToAllow Kind = "deny_to_allow" // what was refused passes
	Weaker      Kind = "weaker"        // it passes as before, and less encrypted
	Fault       Kind = "fault"         // nothing can be decided of it any more
	AllowToDeny Kind = "allow_to_deny" // what passed is refused
	Encryption  Kind = "encryption"    // it passes as before, otherwise encrypted or read
	Findings    Kind = "findings"      // the same comes of it, for other reasons
	Same        Kind = "same"
	// NotReplayable is a request that the candidate reads more of than is recorded.
	NotReplayable Kind = "not_replayable"
)

// Differences are the kinds in which something changes, in their order.
func Differences() []Kind {
	return []Kind{DenyToAllow, Weaker, Fault, AllowToDeny, Encryption, Findings}
}

// Compare says how a verdict differs from the one before.
func Compare(before, after Verdict) Kind {
	switch {
	case after.Fault != "":
		if after.Fault == before.Fault {
			return Same
		}
		return Fault
	case after.Allow && !before.Allow: // a fault let nothing pass either
		return DenyToAllow
	case before.Allow && !after.Allow:
		return AllowToDeny
	case before.Fault != "":
		return Findings
	case after.Allow && after.Encryption.Mode.Rank() < before.Encryption.Mode.Rank():
		return Weaker
	case after.Allow && !sameEncryption(before, after):
		return Encryption
	case !sameFindings(before, after):
		return Findings
	}
	return Same
}

// sameEncryption compares what both verdicts tell.
func sameEncryption(a, b Verdict) bool {
	if a.Brief || b.Brief {
		a, b = a.brief(), b.brief()
	}
	return a.OnRead == b.OnRead && equalEncryption(a.Encryption, b.Encryption)
}

func equalEncryption(a, b policy.Encryption) bool {
	if a.Mode == policy.Unchanged && b.Mode == policy.Unchanged {
		return true // nothing is written, and the rest says nothing
	}
	return a.Mode == b.Mode && a.KeyID == b.KeyID && a.Keyring == b.Keyring && a.OnConflict == b.OnConflict &&
		reflect.DeepEqual(a.BucketKey, b.BucketKey) && maps.Equal(a.Context, b.Context) &&
		slices.Equal(slices.Sorted(slices.Values(a.AllowedKeys)), slices.Sorted(slices.Values(b.AllowedKeys)))
}

// brief leaves of a verdict what a decision record tells.
func (v Verdict) brief() Verdict {
	v.OnRead, v.Encryption.AllowedKeys = "", nil
	context := make(map[string]string, len(v.Encryption.Context))
	for name := range v.Encryption.Context {
		context[name] = ""
	}
	v.Encryption.Context = context
	return v
}

func sameFindings(a, b Verdict) bool {
	if a.Pooled || b.Pooled {
		x, y := a.effects(), b.effects()
		if a.Pooled {
			x, y = y, x
		}
		for e := range x {
			if !y[e] {
				return false
			}
		}
		return true
	}
	return maps.Equal(a.effects(), b.effects())
}

// effect is what comes of a rule's findings. Their words may differ.
type effect struct{ rule, action string }

func (v Verdict) effects() map[effect]bool {
	out := make(map[effect]bool, len(v.Findings))
	for _, f := range v.Findings {
		out[effect{f.ID, f.Action}] = true
	}
	return out
}

// String says a verdict in a few words.
func (v Verdict) String() string {
	switch {
	case v.Fault != "":
		return "fault " + v.Fault
	case !v.Allow:
		if rules := rulesThat(v.Findings, policy.Finding.Denies); rules != "" {
			return "denied by " + rules
		}
		return "denied"
	}
	out := "allowed"
	if v.Encryption.Mode != policy.Unchanged && v.Encryption.Mode != "" {
		out += " with " + string(v.Encryption.Mode)
	}
	for _, name := range []string{v.Encryption.KeyID, v.Encryption.Keyring} {
		if name != "" {
			out += " " + name
		}
	}
	if rules := rulesThat(v.Findings, func(f policy.Finding) bool { return !f.Denies() }); rules != "" {
		out += " (" + rules + ")"
	}
	return out
}

// rulesThat lists the rules of some findings, each once, in their order.
func rulesThat(findings []policy.Finding, wanted func(policy.Finding) bool) string {
	var rules []string
	for _, f := range findings {
		word := f.ID
		if !f.Denies() {
			word += " " + f.Action
		}
		if wanted(f) && !slices.Contains(rules, word) {
			rules = append(rules, word)
		}
	}
	return strings.Join(rules, ", ")
}
