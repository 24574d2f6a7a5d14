package policy

import (
	"fmt"
	"slices"
)

// The floors hold whatever Rego says. They are here, not in the library, because a
// mistake in Rego tends to make a rule silently not apply.

// enforce applies the floors to a decoded decision. The input is complete.
func (in *Input) enforce(d *Decision) error {
	mode := d.Encryption.Mode
	switch {
	case !in.decidesEncryption() && mode != Unchanged:
		return faultf(FaultDecision, "encryption.mode: %q for an operation that writes nothing", mode)
	case in.Request.Class == ClassWrite && d.Allow && mode.Rank() < 0:
		return faultf(FaultDecision, "encryption.mode: %q for an operation that writes", mode)
	}
	if err := in.judged(d); err != nil {
		return err
	}
	if in.Request.Class == ClassWrite || mode != Unchanged {
		in.floor(d)
	}
	for _, action := range in.Grants.Missing {
		d.deny(Finding{ID: FindingNoGrant, Message: "no grant allows " + action, Path: "grants.missing"})
	}
	return nil
}

// decidesEncryption: writes need an encryption, and the default of a bucket may be
// replaced by one. Nothing else has any.
func (in *Input) decidesEncryption() bool {
	return in.Request.Class == ClassWrite || in.Request.Operation == "PutBucketEncryption"
}

// floor denies a write that would be weaker than its posture.
func (in *Input) floor(d *Decision) {
	e := &d.Encryption
	switch {
	case e.Mode.Rank() < 0:
		d.deny(Finding{ID: FindingFloor, Message: "nothing says how objects here must be encrypted", Path: "posture.id"})
	case e.Mode.Rank() < in.Posture.Rank:
		d.deny(Finding{
			ID:      FindingFloor,
			Message: fmt.Sprintf("the posture requires %s, the policy decided %s", in.Posture.Mode, e.Mode),
			Path:    "posture.mode",
		})
	case e.Mode.KMS() && e.KeyID == "" && (in.Posture.Rank < 0 || in.Posture.KeyID != ""):
		// Leaving the key to the store is for the posture to say.
		d.deny(Finding{ID: FindingFloor, Message: "the policy decided a KMS mode without a key", Path: "posture.key_id"})
	}
}

// deny adds a finding unless there is one of that id that denies.
func (d *Decision) deny(f Finding) {
	d.Allow = false
	f.Action, f.Waiver = ActionDeny, ""
	same := func(g Finding) bool {
		return g.Denies() && g.ID == f.ID && (f.ID != FindingNoGrant || g.Message == f.Message)
	}
	if !slices.ContainsFunc(d.Findings, same) {
		d.Findings = append(d.Findings, f)
	}
}

var classes = []string{ClassRead, ClassWrite, ClassDelete, ClassList, ClassObjectConfig, ClassBucketConfig, ClassAdmin}

// check refuses an input the floors could not judge, above all one whose class is
// not one of ours: every rule about writes would let it pass.
func (in *Input) check() error {
	if !slices.Contains(classes, in.Request.Class) {
		return faultf(FaultDecision, "input: unknown operation class %q", in.Request.Class)
	}
	if len(in.Resource.Key) > maxKey || len(in.CopySource.Resource.Key) > maxKey {
		return faultf(FaultDecision, "input: a key longer than %d bytes", maxKey)
	}
	return nil
}

// Classes are the classes of requests.
func Classes() []string { return slices.Clone(classes) }
