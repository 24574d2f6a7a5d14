package engine

import (
	"maps"
	"slices"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/policy"
)

// plan is what a decision means for one request: what to send to the store and
// what the stored object must show afterwards.
type plan struct {
	// mode is the weakest mode that satisfies the decision; Unchanged for
	// requests that store nothing.
	mode policy.Mode
	// send is put into the call's headers; its zero value sends no choice.
	send sse.Choice
	// seal says how to seal what is written; nil where nothing is sealed.
	seal *sealing
	// onRead is what a reader of a sealed object is given.
	onRead string
	// keys are the KMS keys that satisfy the decision; empty means any.
	keys []string
}

// expectsConfirmation reports whether the store's reply has something to prove.
func (p plan) expectsConfirmation() bool {
	return p.mode != policy.Unchanged && p.mode != policy.None && p.mode != policy.CSE && p.mode != ""
}

// takesChoice reports whether an operation fixes an object's encryption by
// headers of its own (form fields count as headers).
func takesChoice(op *s3.Operation) bool {
	return op.Name == "PostObject" || op.Headers["x-amz-server-side-encryption"]
}

// makePlan holds the decision against what the client asked. Its errors are
// what the client is told before a body is read.
func makePlan(op *s3.Operation, asked sse.Choice, d policy.Encryption) (plan, error) {
	if op.Class != s3.ClassWrite {
		// Reads of SSE-C objects carry the client's key through.
		return plan{mode: policy.Unchanged, send: asked}, nil
	}
	if d.Mode == policy.CSE {
		// The store sees ciphertext; what it does to it is not decided here.
		if asked.Mode != "" {
			if _, err := settle(asked, d); err != nil {
				return plan{}, err
			}
		}
		return plan{mode: policy.CSE}, nil
	}
	p := plan{mode: d.Mode, keys: acceptedKeys(d)}
	if !takesChoice(op) {
		return planForPart(p, asked, d)
	}
	want := sse.Choice{Mode: sse.Mode(d.Mode), KeyID: d.KeyID, Context: d.Context, BucketKey: d.BucketKey}
	switch {
	case asked.Mode == "" && d.Mode == policy.None:
		p.send = asked // at most a bucket key
		return p, nil
	case asked.Mode == "" && d.Mode == policy.SSEC:
		return plan{}, errNoClientKey()
	case asked.Mode == "":
		p.send = want
		if want.BucketKey == nil {
			p.send.BucketKey = asked.BucketKey
		}
		return p.withKey()
	case d.Mode == policy.None:
		// Nothing is demanded, so nothing that is asked conflicts.
		return plan{}.keep(asked), nil
	case agrees(asked, want, d):
		p.send = merge(asked, want)
		return p.withKey()
	}
	keep, err := settle(asked, d)
	switch {
	case err != nil:
		return plan{}, err
	case keep:
		return p.keep(merge(asked, stillWanted(asked, d))).withKey()
	case d.Mode == policy.SSEC:
		return plan{}, errNoClientKey() // nothing the gateway could put in its place
	default:
		p.send = want
		return p.withKey()
	}
}

// errNoClientKey: only the client can send a key of its own.
func errNoClientKey() error {
	return enforcementDenial("ENF-004", "objects here are encrypted with a key that the client sends (SSE-C), and none was sent")
}

// planForPart is for requests that write under an encryption fixed earlier
// (parts, Complete, annotations): nothing can be injected, so what was asked
// must agree and the store's reply is held against the decision.
func planForPart(p plan, asked sse.Choice, d policy.Encryption) (plan, error) {
	p.send = asked
	want := sse.Choice{Mode: sse.Mode(d.Mode), KeyID: d.KeyID, Context: d.Context, BucketKey: d.BucketKey}
	if asked.Mode == "" || d.Mode == policy.None || agrees(asked, want, d) {
		return p, nil
	}
	keep, err := settle(asked, d)
	if err != nil {
		return plan{}, err
	}
	if !keep {
		return plan{}, enforcementDenial("ENF-003", "the encryption asked for does not agree with what is decided here, and a part cannot change it")
	}
	return p.keep(asked), nil
}

// keep makes the plan follow the client's own choice.
func (p plan) keep(asked sse.Choice) plan {
	p.send = asked
	p.mode = policy.Mode(asked.Mode)
	if asked.KeyID != "" {
		p.keys = []string{asked.KeyID}
	}
	return p
}

// withKey refuses to leave the key to the store where only certain keys will
// do: that it took another one would show when the object is written.
func (p plan) withKey() (plan, error) {
	if isKMS(p.send.Mode) && p.send.KeyID == "" && len(p.keys) > 0 {
		return plan{}, enforcementDenial("ENF-005", "objects here are encrypted under one of certain KMS keys, and none was named")
	}
	return p, nil
}

// settle answers a conflict the way the decision says: keep the client's
// choice, replace it (false), or refuse the request.
func settle(asked sse.Choice, d policy.Encryption) (keep bool, err error) {
	rank := policy.Mode(asked.Mode).Rank()
	switch d.OnConflict {
	case "replace":
		return false, nil
	case "keep-if-stronger":
		return rank > d.Mode.Rank(), nil
	case "keep-if-allowed":
		if rank >= d.Mode.Rank() && (!isKMS(asked.Mode) || keyAllowed(asked.KeyID, d)) {
			return true, nil
		}
	}
	return false, enforcementDenial("ENF-003", "the encryption asked for does not agree with what is decided here")
}

// agrees reports whether what was asked is what is wanted, so that merging the
// two changes nothing the client said.
func agrees(asked, want sse.Choice, d policy.Encryption) bool {
	if asked.Mode != want.Mode {
		return false
	}
	if !isKMS(asked.Mode) {
		return true
	}
	if asked.KeyID != "" && !keyAllowed(asked.KeyID, d) {
		return false
	}
	if asked.BucketKey != nil && want.BucketKey != nil && *asked.BucketKey != *want.BucketKey {
		return false
	}
	for k, v := range want.Context {
		if got, ok := asked.Context[k]; ok && got != v {
			return false
		}
	}
	return true
}

// merge gives the client's choice with what is wanted filled in.
func merge(asked, want sse.Choice) sse.Choice {
	out := asked
	if out.KeyID == "" {
		out.KeyID = want.KeyID
	}
	if out.BucketKey == nil {
		out.BucketKey = want.BucketKey
	}
	if len(want.Context) > 0 {
		out.Context = maps.Clone(asked.Context)
		if out.Context == nil {
			out.Context = make(map[string]string, len(want.Context))
		}
		maps.Copy(out.Context, want.Context)
	}
	return out
}

// stillWanted is what a kept choice must carry as well.
func stillWanted(asked sse.Choice, d policy.Encryption) sse.Choice {
	if !isKMS(asked.Mode) {
		return sse.Choice{}
	}
	return sse.Choice{KeyID: d.KeyID, Context: d.Context}
}

func isKMS(m sse.Mode) bool { return m == sse.KMS || m == sse.DSSE }

// keyAllowed: with no key named anywhere in the decision, any key will do;
// an unnamed key (the store's default) only passes in that case.
func keyAllowed(id string, d policy.Encryption) bool {
	keys := acceptedKeys(d)
	return len(keys) == 0 || slices.ContainsFunc(keys, func(k string) bool { return sse.SameKey(k, id) })
}

func acceptedKeys(d policy.Encryption) []string {
	if d.KeyID == "" {
		return d.AllowedKeys
	}
	return append([]string{d.KeyID}, d.AllowedKeys...)
}
