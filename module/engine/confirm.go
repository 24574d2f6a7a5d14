package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// written is where a write ended up, for the question by HEAD.
type written struct {
	bucket, key, versionID string
	// visible: the object can be read now. False for parts and for an upload
	// that has only been created.
	visible bool
}

// confirm holds the store's reply to a write against the plan. It returns what
// the client may be told of the object's encryption, or an error when the
// object is weaker than decided (the object stays: we never delete a user's
// data).
func (x *exchange) confirm(p plan, reply http.Header, at written) (sse.Observed, error) {
	seen := sse.FromReply(reply)
	x.observed(seen, reply)
	if x.e.cfg.Verify == VerifyOff || !p.expectsConfirmation() {
		return seen, nil
	}
	if !seen.Reported && x.e.cfg.Verify == VerifyRequired && at.visible {
		header, err := x.headWritten(at, p)
		if err != nil {
			x.rec.Outcome = OutcomeWeak
			return seen, s3.ErrBadGateway.
				WithMessage("The object was written, but the store did not say how it is encrypted.").
				With("RuleId", "ENF-001").WithCause(err)
		}
		seen = sse.FromReply(header)
		x.observed(seen, nil)
		if !seen.Reported {
			return seen, x.weak(p, seen, at)
		}
	}
	if !seen.Reported {
		// Parts and new uploads of stores that report later; the object is
		// checked when the upload completes.
		return seen, nil
	}
	if !p.satisfiedBy(seen) {
		return seen, x.weak(p, seen, at)
	}
	return seen, nil
}

// satisfiedBy: at least the strength decided, under a key that was decided. A
// store reports the key behind an alias, so an alias is satisfied by any key.
func (p plan) satisfiedBy(seen sse.Observed) bool {
	if policy.Mode(seen.Mode).Rank() < p.mode.Rank() {
		return false
	}
	if p.send.Customer != nil {
		return p.send.Matches(seen)
	}
	if isKMS(sse.Mode(p.mode)) && len(p.keys) > 0 {
		return slices.ContainsFunc(p.keys, func(k string) bool {
			return sse.Choice{Mode: seen.Mode, KeyID: k}.Matches(seen)
		})
	}
	return true
}

// weak notes a reply that shows less than was decided, and refuses the mode up
// front from now on. A part or a completion whose object shows another
// encryption is no failure of the store: that was fixed when the upload was
// created, perhaps under another decision.
func (x *exchange) weak(p plan, seen sse.Observed, at written) error {
	x.rec.Outcome = OutcomeWeak
	if p.send.Mode != "" {
		x.e.refused.add(p.mode)
	}
	x.e.cfg.Observer.WeakReply()
	x.rec.Cause = fmt.Sprintf("the store shows %q (key %q) for bucket %q key %q version %q, decided was %q", seen.Mode, seen.KeyID, at.bucket, at.key, at.versionID, p.mode)
	return s3.ErrBadGateway.
		WithMessage("The object was written, but the store did not encrypt it as decided.").
		With("RuleId", "ENF-002")
}

// observed notes what the store reported.
func (x *exchange) observed(seen sse.Observed, reply http.Header) {
	if seen.Reported {
		x.rec.Answered.Mode, x.rec.Answered.KeyID = string(seen.Mode), seen.KeyID
	}
	if v := reply.Get("X-Amz-Version-Id"); v != "" {
		x.rec.Answered.VersionID = v
	}
}

// confirmTime bounds the question whether an object was encrypted as decided.
const confirmTime = 30 * time.Second

// headWritten asks for what was just written. A client that goes away does not
// keep the answer from the record.
func (x *exchange) headWritten(at written, p plan) (http.Header, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), confirmTime)
	defer cancel()
	h := x.headHeader()
	if p.send.Customer != nil {
		p.send.Apply(h)
	}
	header, err := x.headObject(ctx, at, h)
	var head *headError
	if p.mode == policy.SSEC && p.send.Customer == nil && errors.As(err, &head) && head.status == http.StatusBadRequest {
		// Few clients send their key with a completion, and AWS names no
		// encryption in its reply. This is what S3 answers to a HEAD of an
		// object that only its customer's key opens.
		header = make(http.Header)
		sse.Observed{Mode: sse.C}.Echo(header)
		return header, nil
	}
	return header, err
}

// headHeader is what a HEAD of the gateway's own takes over from the request:
// without it, objects of a requester-pays bucket cannot be looked at.
func (x *exchange) headHeader() http.Header {
	h := make(http.Header, 4)
	if v := x.req.Header.Get("X-Amz-Request-Payer"); v != "" {
		h.Set("X-Amz-Request-Payer", v)
	}
	return h
}

// headObject asks the store for an object's headers, or a bucket's, in the
// gateway's own name. It takes h over. A reply other than 200 is a *headError.
func (x *exchange) headObject(ctx context.Context, at written, h http.Header) (http.Header, error) {
	resp, err := x.call(ctx, x.headCall(at, h))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10))
	if resp.StatusCode != http.StatusOK {
		return nil, &headError{status: resp.StatusCode}
	}
	return resp.Header, nil
}

// headCall takes h over.
func (x *exchange) headCall(at written, h http.Header) upstream.Call {
	call := upstream.Call{Method: http.MethodHead, Bucket: at.bucket, Key: at.key, Header: h, PayloadHash: emptyPayload}
	if at.versionID != "" {
		call.Query = s3.Query{{Name: "versionId", Value: at.versionID, HasValue: true}}
	}
	return call
}

// headError is the store's refusal of a HEAD request of the gateway's own.
type headError struct{ status int }

func (e *headError) Error() string { return fmt.Sprintf("head object: status %d", e.status) }

// call sends one request to the store and times it.
func (x *exchange) call(ctx context.Context, c upstream.Call) (*http.Response, error) {
	began := x.e.cfg.Now()
	resp, err := x.callAside(ctx, c)
	x.rec.Duration.Upstream += x.e.cfg.Now().Sub(began).Microseconds()
	return resp, err
}

// callAside is call without a note in the record, for calls that run beside
// one another.
func (x *exchange) callAside(ctx context.Context, c upstream.Call) (*http.Response, error) {
	if x.e.cfg.ClientCredentials {
		if x.caller.AccessKey == "" {
			return nil, s3.ErrAccessDenied.WithCause(errors.New("an anonymous caller has no credentials to sign with"))
		}
		c.As = &upstream.Credentials{AccessKey: x.caller.AccessKey, Secret: upstream.NewSecret(x.caller.Secret.Reveal())}
	}
	c.Header["Via"] = x.via()
	began := x.e.cfg.Now()
	resp, err := x.e.cfg.Upstream.Do(ctx, c)
	x.e.cfg.Observer.Upstream(x.e.cfg.Now().Sub(began))
	return resp, err
}
