package engine

import (
	"errors"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/policy"
)

// Enforced gives the gateway's own finding about a request that policy allowed: that
// what the client asked for and what was decided cannot both be had. It is nil where
// there is none. in is the input d was decided on, which tells all there is to know
// but the reply of the store.
func Enforced(in *policy.Input, d policy.Decision) *policy.Finding {
	op, ok := s3.Lookup(in.Request.Operation)
	if !ok || !d.Allow {
		return nil
	}
	_, err := makePlan(op, askedIn(in), d.Encryption)
	var no *denied
	if !errors.As(err, &no) {
		return nil
	}
	f := no.finding
	f.Action = policy.ActionDeny
	return &f
}

// askedIn is the encryption asked for, as an input has it.
func askedIn(in *policy.Input) sse.Choice {
	r := in.Encryption.Requested
	asked := sse.Choice{KeyID: r.KeyID, Context: r.Context, BucketKey: r.BucketKey.Pointer()}
	if in.Encryption.Explicit {
		asked.Mode = sse.Mode(r.Mode)
	}
	return asked
}
