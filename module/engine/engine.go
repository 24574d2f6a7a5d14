// Package engine is the pipeline every S3 request goes through: parse,
// identify, describe, decide, plan, act, answer, record. It knows HTTP but not
// Caddy: an Engine is an http.Handler.
//
// One file holds one step or one family of operations:
//
//	engine.go      the order of the steps, panics and the record
//	exchange.go    what is known about one request while it is served
//	identify.go    who calls
//	describe.go    the request as policy sees it
//	decide.go      policy's answer, denials and faults
//	plan.go        the decision against what the client asked
//	forward.go     building calls to the store from the parsed request
//	object.go      operations that carry an object's bytes upward
//	form.go        browser form uploads
//	copy.go        copies and their sources
//	document.go    operations with an XML or JSON body
//	delete.go      DeleteObjects, decided key by key
//	late.go        replies that may turn into an error after "200 OK"
//	answer.go      the store's reply on its way to the client
//	confirm.go     the store's reply against the decision
//	sealed.go      operations on names whose objects are sealed, in sealed_*.go:
//	               envelope (keys), etag, range, found and layout (what is stored
//	               where), read, head, attributes, write, upload, parts, complete,
//	               copy, rewrap, list
//	lru.go         what is remembered between requests
//	refusals.go    modes a store has failed to apply
//	loop.go        requests that come back to the gateway that sent them
//	record.go      the decision record
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/upstream"
)

// Engine serves S3 requests. It is safe for concurrent use and holds no state
// about objects that it could not do without: which modes the store has failed
// to apply, and where the parts of sealed objects were found.
type Engine struct {
	cfg     Config
	via     string        // our element of the Via header
	pause   time.Duration // keepAlivePause, but in tests
	refused refusals
	memory  *memory
}

// New checks c and gives an Engine.
func New(c Config) (*Engine, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	return &Engine{cfg: c, via: viaElement(c.Upstream.Name()), pause: keepAlivePause, refused: refusals{now: c.Now}, memory: newMemory()}, nil
}

// ServeHTTP serves one request. r is not modified; r.Header must already hold
// the x-amz-meta-* headers that a server in front may have set aside.
//
// A failure after the reply has begun ends in panic(http.ErrAbortHandler), so
// that the client sees a cut connection and never a clean end.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := e.begin(w, r)
	defer x.finish() // also when writing the answer panics
	err := x.serveRecovered()
	if err != nil {
		err = x.answerError(err)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// serveRecovered turns a panic below it into an error: a bug denies.
func (x *exchange) serveRecovered() (err error) {
	defer x.recovered(&err)
	return x.serve()
}

// recovered, deferred, puts a panic into err and the record.
func (x *exchange) recovered(err *error) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		x.rec.Outcome = OutcomeAborted
		*err = errAborted
	default:
		x.rec.Outcome = OutcomeFault
		*err = s3.ErrInternalError.WithCause(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
	}
}

// serve is the order of the steps. Everything up to the decision happens
// before the first byte of an object body is read.
func (x *exchange) serve() error {
	if looped(x.r.Header, x.e.via) {
		return errLoop
	}
	req, err := x.e.cfg.Parser.Parse(x.r)
	if err != nil {
		return err
	}
	x.parsed(req)
	if err := checkMetadataNames(req.Header); err != nil {
		return err
	}
	if req.Op.Refused != "" {
		return s3.ErrNotImplemented.WithMessage(req.Op.Refused)
	}
	if req.Op.AWSOnly && !x.e.cfg.Upstream.IsAWS() {
		return s3.ErrNotImplemented.WithMessage(req.Op.Name + " is forwarded to AWS only: a store that does not know it could take it for another operation.")
	}
	if req.Op.Body == s3.BodyForm {
		return x.serveForm()
	}
	if err := x.identify(); err != nil {
		return err
	}
	if err := x.checkUnsigned(); err != nil {
		return err
	}
	switch {
	case req.Op.Name == "DeleteObjects":
		return x.serveDelete()
	case req.Op.Body == s3.BodyDocument:
		return x.serveDocument()
	case req.CopySource != nil:
		return x.serveCopy()
	case req.Op.Body == s3.BodyObject:
		return x.serveObject()
	default:
		return x.serveBodyless()
	}
}

// errAborted says the reply had begun and can only be cut.
var errAborted = errors.New("reply aborted")

// answerError writes the S3 error for err, unless the reply has begun: then it
// returns errAborted and the connection must be cut.
func (x *exchange) answerError(err error) error {
	if x.rec.Cause == "" {
		x.rec.Cause = causeOf(err)
	}
	if x.w.wroteHeader {
		if x.rec.Outcome == "" || x.rec.Outcome == OutcomeOK {
			x.rec.Outcome = OutcomeAborted
		}
		return errAborted
	}
	gone := x.r.Context().Err() != nil && !x.interrupted
	if errors.Is(err, errAborted) || gone {
		if x.rec.Outcome == "" {
			x.rec.Outcome = OutcomeAborted
		}
		return errAborted
	}
	e := clientError(err)
	x.rec.Answered.Code = e.Code
	if x.rec.Outcome == "" {
		x.rec.Outcome = outcomeOf(err, e)
	}
	x.drain()
	if x.interrupted && x.r.ProtoMajor == 1 {
		x.w.Header().Set("Connection", "close")
	}
	s3.WriteError(x.w, e, s3.Reply{RequestID: x.rec.ID, HostID: hostID, Resource: x.resource(), Method: x.r.Method})
	return nil
}

// outcomeOf is the outcome of an error nobody gave one.
func outcomeOf(err error, shown *s3.Error) Outcome {
	var unavailable *upstream.Unavailable
	switch {
	case errors.As(err, &unavailable), errors.Is(shown, s3.ErrBadGateway):
		return OutcomeStore
	case shown.Status >= http.StatusInternalServerError && shown.Status != http.StatusNotImplemented:
		return OutcomeFault
	}
	return OutcomeRefused
}

// maxDrain and drainTime bound what is read of a body whose request is refused.
const (
	maxDrain  = 16 << 20
	drainTime = 5 * time.Second
)

// drain takes the rest of a refused upload off the wire, within bounds, because
// many clients read no reply before they have written their body and would
// only see a broken connection. It does so for verified callers only, and not
// for a client that still waits for "100 Continue".
func (x *exchange) drain() {
	waits := x.r.Header.Get("Expect") != "" && !x.begun
	if x.proof.Kind == sigv4.Anonymous || x.r.Body == nil || x.r.ContentLength == 0 || waits {
		return
	}
	control := http.NewResponseController(x.w)
	if control.SetReadDeadline(time.Now().Add(drainTime)) != nil {
		return
	}
	n, err := io.CopyN(io.Discard, x.r.Body, maxDrain)
	if errors.Is(err, io.EOF) && n < maxDrain {
		_ = control.SetReadDeadline(time.Time{})
	}
}

// hostID is what x-amz-id-2 shows: S3 has one, ours says nothing of the host.
const hostID = "sealgate"

// clientError finds the S3 error a client is shown for err.
func clientError(err error) *s3.Error {
	var unavailable *upstream.Unavailable
	var own *s3.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &unavailable):
		return s3.ErrServiceUnavailable.WithMessage("The store behind the gateway cannot be reached. Please try again.").WithCause(err)
	case errors.Is(err, context.DeadlineExceeded):
		return s3.ErrServiceUnavailable.WithCause(err)
	case errors.Is(err, errChanged):
		return s3.ErrServiceUnavailable.WithMessage("The object is being overwritten. Please try again.").WithCause(err)
	default:
		return s3.AsError(err)
	}
}

// causeOf is the operator's reason: the error with everything it wraps.
func causeOf(err error) string {
	var own *s3.Error
	if errors.As(err, &own) {
		if cause := errors.Unwrap(own); cause != nil {
			return own.Code + ": " + cause.Error()
		}
	}
	return err.Error()
}
