package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/policy"
)

// decideAndPlan describes req to policy, asks once, and plans what follows.
func (x *exchange) decideAndPlan(req *s3.Request) (plan, error) {
	asked, err := x.asked(req)
	if err != nil {
		return plan{}, err
	}
	in, err := x.describe(req, asked)
	if err != nil {
		return plan{}, err
	}
	d, err := x.decide(in)
	if err != nil {
		return plan{}, err
	}
	return x.plan(req, asked, d)
}

// asked reads the encryption a request asks for, wherever it says so.
func (x *exchange) asked(req *s3.Request) (sse.Choice, error) {
	asked, err := sse.Asked(req.Header)
	if err != nil {
		return sse.Choice{}, err
	}
	if asked.Customer != nil && x.r.TLS == nil {
		return sse.Choice{}, s3.ErrInvalidRequest.WithMessage("Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.")
	}
	x.rec.Asked = recordChoice(asked)
	return asked, nil
}

// decide asks policy once and turns a denial or a fault into the error the
// client gets. The answer is noted in the record.
func (x *exchange) decide(in *policy.Input) (policy.Decision, error) {
	d, err := x.ask(in)
	if err != nil {
		return policy.Decision{}, err
	}
	x.rec.Findings = append(x.rec.Findings, d.Findings...)
	x.rec.Decided = RecordEncryption{
		Mode: string(d.Encryption.Mode), KeyID: d.Encryption.KeyID, Keyring: d.Encryption.Keyring,
		Context: sortedNames(d.Encryption.Context), BucketKey: d.Encryption.BucketKey, OnConflict: d.Encryption.OnConflict,
	}
	if !d.Allow {
		x.rec.Outcome = OutcomeDenied
		return d, x.denial(d.Findings)
	}
	return d, nil
}

// ask is one evaluation, timed. Its error is a fault: 503, cause recorded.
func (x *exchange) ask(in *policy.Input) (policy.Decision, error) {
	began := x.e.cfg.Now()
	d, err := x.gen.Decide(x.r.Context(), in)
	took := x.e.cfg.Now().Sub(began)
	x.rec.Duration.Decision += took.Microseconds()
	x.e.cfg.Observer.Decision(took)
	x.note(in, err != nil || !d.Allow)
	if err != nil {
		return d, x.fault(err)
	}
	x.warn(d.Findings)
	return d, nil
}

func (x *exchange) fault(err error) error {
	x.rec.Outcome = OutcomeFault
	if errors.Is(x.r.Context().Err(), context.Canceled) {
		x.rec.Outcome = OutcomeAborted
	}
	e := s3.ErrServiceUnavailable.WithMessage("The request could not be decided. Please try again.").WithCause(err)
	var f *policy.Fault
	if errors.As(err, &f) {
		x.rec.Findings = append(x.rec.Findings, policy.Finding{ID: f.ID, Message: f.Error(), Action: policy.ActionDeny})
		e = e.With("RuleId", f.ID)
	}
	return e
}

// denial is policy's no. A verified client is told why; others only get the ids.
func (x *exchange) denial(findings []policy.Finding) error {
	findings = denying(findings)
	message := "Access denied by policy."
	if x.proof.Kind != 0 && len(findings) > 0 {
		reasons := make([]string, len(findings))
		for i, f := range findings {
			reasons[i] = f.ID + ": " + f.Message
		}
		message = "Access denied by policy. " + strings.Join(reasons, "; ")
	}
	e := s3.ErrAccessDenied.WithMessage(message)
	for _, f := range findings {
		e = e.With("RuleId", f.ID)
	}
	return e
}

// enforcementDenial is the gateway's own no, after an allowing decision.
func enforcementDenial(id, message string) error {
	return &denied{finding: policy.Finding{ID: id, Message: message, Action: policy.ActionDeny}}
}

// denied carries a finding up to where the record is.
type denied struct{ finding policy.Finding }

func (d *denied) Error() string { return d.finding.ID + ": " + d.finding.Message }

// plan makes the plan for a decision and refuses modes the store lately failed
// to apply.
func (x *exchange) plan(req *s3.Request, asked sse.Choice, d policy.Decision) (plan, error) {
	p, err := makePlan(req.Op, asked, d.Encryption)
	var no *denied
	if errors.As(err, &no) {
		x.rec.Outcome = OutcomeDenied
		x.rec.Findings = append(x.rec.Findings, no.finding)
		return plan{}, x.denial([]policy.Finding{no.finding})
	}
	if err != nil {
		return plan{}, err
	}
	p.onRead = d.OnRead
	if p.mode == policy.CSE {
		if !sealable[req.Op.Name] {
			return plan{}, notOnSealed(req.Op)
		}
		p.seal, err = x.planSealed(objectName{req.Bucket, req.Key}, d.Encryption)
		return p, err
	}
	if p.expectsConfirmation() && x.e.cfg.Verify != VerifyOff && x.e.refused.has(p.mode) {
		return plan{}, s3.ErrNotImplemented.
			WithMessage("The store lately failed to apply the encryption decided for this request ("+string(p.mode)+").").
			With("RuleId", "ENF-002")
	}
	return p, nil
}
