package engine

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy/posture"
)

// sealedRead is a GetObject or HeadObject of a name whose objects are sealed. It
// guesses what the store holds, asks for what that needs, and asks again where
// the reply shows something else: only then is it known.
type sealedRead struct {
	x      *exchange
	plan   plan
	name   objectName
	rule   *posture.Rule
	ranged bool
	want   byteRange // if ranged
}

// serveSealedRead serves a read that policy wants decrypted.
func (x *exchange) serveSealedRead(p plan, rule *posture.Rule) error {
	r := &sealedRead{x: x, plan: p, name: objectName{x.req.Bucket, x.req.Key}, rule: rule}
	r.want, r.ranged = parseRange(x.req.Header.Get("Range"))
	if r.ranged && x.req.PartNumber > 0 {
		return s3.ErrInvalidRequest.WithMessage("Cannot specify both Range header and partNumber query parameter.")
	}
	read := r.get
	switch {
	case x.req.Op.Name == "HeadObject":
		read = r.head
	case x.req.Op.Name == "GetObjectAttributes":
		read = r.attributes
	case x.req.PartNumber > 0:
		read = r.getPart
	}
	var err error
	for range maxReads {
		if err = read(); !errors.Is(err, errChanged) || x.w.wroteHeader {
			break
		}
	}
	return err
}

// errChanged: the object was overwritten while it was read in several requests.
// A client that is told of it gets a 503.
var errChanged = errors.New("the object is another one by now")

// maxReads bounds how often one read starts anew: after wrong guesses, and for
// objects that are overwritten meanwhile.
const maxReads = 5

// at is the place of the object in memory.
func (r *sealedRead) at() string { return place(r.name, r.x.req.VersionID) }

// call is the client's request without what is about plaintext.
func (r *sealedRead) call() upstream.Call {
	call := r.x.newCall(r.x.req, r.plan)
	call.Header.Del("Range")
	call.Header.Del("X-Amz-Checksum-Mode")
	call.Query = withoutPair(call.Query, "partNumber")
	return call
}

func withoutPair(q s3.Query, name string) s3.Query {
	var out s3.Query
	for _, pair := range q {
		if pair.Name != name {
			out = append(out, pair)
		}
	}
	return out
}

// asked is the client's request as it is, for an object that is not sealed.
func (r *sealedRead) asked() error {
	resp, err := r.x.call(r.x.r.Context(), r.x.newCall(r.x.req, r.plan)) //nolint:bodyclose // relay closes it
	if err != nil {
		return err
	}
	if resp.Header.Get(envelopeHeader) != "" {
		_ = resp.Body.Close()
		return errChanged
	}
	return r.x.relay(resp)
}

// get gives the whole object or a range of it.
func (r *sealedRead) get() error {
	var hint *known
	if r.ranged { // the whole object is opened without knowing where its parts are
		if guess, ok := r.x.e.memory.layouts.get(r.at()); ok {
			hint = &guess
		}
	}
	for range maxReads {
		next, err := r.attempt(hint)
		if err != nil || next == nil {
			return err
		}
		hint = next
	}
	return errChanged
}

// attempt makes one request under an assumption. If the reply shows another
// object it returns what to assume next.
func (r *sealedRead) attempt(hint *known) (next *known, err error) {
	call := r.call()
	var extent seal.Extent
	if r.ranged {
		var ok bool
		if extent, ok = r.setRange(&call, hint); !ok {
			return r.outside()
		}
	}
	resp, err := r.x.call(r.x.r.Context(), call)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return r.outside()
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		return nil, r.relayRefusal(resp)
	}
	now, ok := foundIn(resp)
	switch {
	case !ok:
		return nil, errNoSize
	case resp.StatusCode == http.StatusPartialContent && !r.ranged:
		return nil, errOtherRange // a client would take it for the whole object
	case hint != nil && hint.found != now:
		r.x.e.memory.layouts.forget(r.at())
		return nil, errChanged
	case !now.sealed():
		return r.notSealed(hint, now, resp)
	case resp.StatusCode == http.StatusOK:
		return nil, r.whole(now, resp)
	}
	kind, ok := now.kind()
	switch {
	case !ok:
		return nil, r.x.damaged(r.name, seal.ErrEnvelope)
	case kind == seal.Single:
		return nil, r.single(now, resp)
	case hint != nil:
		return nil, r.opened(now, resp, extent, hint.layout)
	}
	_ = resp.Body.Close() // the range of a single object that is none
	return r.lookUp(now)
}

// errOtherRange: a store that gives other bytes than it says can only make
// opening fail, but which bytes a client gets must not be its choice.
var errOtherRange = s3.ErrBadGateway.WithMessage("The store gave another range than it was asked for.")

// setRange asks for the stored bytes that hold the range. ok is false where the
// object assumed, or any single object, has none of it.
func (r *sealedRead) setRange(call *upstream.Call, hint *known) (extent seal.Extent, ok bool) {
	switch {
	case hint == nil:
		header := r.want.single()
		call.Header.Set("Range", header)
		return extent, header != ""
	case !hint.sealed():
		call.Header.Set("Range", r.x.req.Header.Get("Range"))
		return r.want.of(hint.size)
	}
	if extent, ok = r.want.of(hint.layout.Plain()); !ok {
		return extent, false
	}
	stored, err := hint.layout.Stored(extent)
	if err != nil {
		return extent, false
	}
	call.Header.Set("Range", rangeHeader(stored))
	return extent, true
}

// lookUp learns where the parts of a multipart object are.
func (r *sealedRead) lookUp(now found) (*known, error) {
	object, err := r.x.unlock(r.x.r.Context(), now.envelope, r.name, r.rule.Keyrings)
	if err != nil {
		return nil, err
	}
	defer object.Wipe()
	layout, err := r.x.layoutOf(object, r.name, now)
	if err != nil {
		return nil, err
	}
	next := known{now, layout}
	r.x.e.memory.layouts.put(r.at(), next)
	return &next, nil
}

// outside deals with a range that is outside of the object assumed, or of the
// one that the store has. Only a look at the object tells which bytes it has.
func (r *sealedRead) outside() (*known, error) {
	now, answered, err := r.look()
	next, size := known{found: now}, now.size
	switch {
	case answered || err != nil:
		return nil, err
	case now.sealed():
		if next.layout, err = r.layout(now); err != nil {
			return nil, err
		}
		size = next.layout.Plain()
	case r.rule.Sealed == posture.SealedAll:
		return nil, r.x.damaged(r.name, errNotSealed)
	}
	if _, ok := r.want.of(size); !ok {
		return nil, r.unsatisfiable(size)
	}
	if !now.sealed() {
		err = r.startsPlain(now)
	}
	return &next, err
}

// look asks for the object's headers under the client's conditions. answered: it
// has passed on a reply that is none.
func (r *sealedRead) look() (now found, answered bool, err error) {
	call := r.call()
	call.Method = http.MethodHead
	call.Header.Del("If-Range")
	resp, err := r.x.call(r.x.r.Context(), call)
	if err != nil {
		return now, false, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return now, true, r.relayRefusal(resp)
	}
	now, ok := foundIn(resp)
	if !ok {
		return now, false, errNoSize
	}
	return now, false, nil
}

var errNoSize = s3.ErrBadGateway.WithMessage("The store did not say how large the object is.")

func (r *sealedRead) unsatisfiable(size int64) error {
	r.x.w.Header().Set("Content-Range", "bytes */"+itoa(size))
	return s3.ErrInvalidRange.With("ActualObjectSize", itoa(size)).With("RangeRequested", r.x.req.Header.Get("Range"))
}

// relayRefusal passes on a reply that is no object: an error, or 304. Any other
// success is none that S3 knows, and its body is not authentic.
func (r *sealedRead) relayRefusal(resp *http.Response) error {
	if resp.StatusCode/100 == 2 {
		return s3.ErrBadGateway.WithMessage("The store gave an answer that is none to this request.").
			WithCause(&headError{status: resp.StatusCode})
	}
	hideSealing(resp.Header)
	return r.x.relay(resp)
}

// notSealed serves an object that is not sealed, where such may be.
func (r *sealedRead) notSealed(hint *known, now found, resp *http.Response) (*known, error) {
	switch {
	case r.rule.Sealed == posture.SealedAll:
		return nil, r.x.damaged(r.name, errNotSealed)
	case resp.StatusCode == http.StatusOK:
		body, err := r.looksPlain(resp.Body)
		if err != nil {
			return nil, err
		}
		resp.Body = body
		return nil, r.x.relay(resp)
	case hint == nil: // the range asked for was one of a sealed object
		_ = resp.Body.Close()
		if err := r.startsPlain(now); err != nil {
			return nil, err
		}
		next := known{found: now}
		r.x.e.memory.layouts.put(r.at(), next)
		return &next, nil
	}
	return nil, r.x.relay(resp)
}

// looksPlain refuses bytes that begin as a sealed object's do.
func (r *sealedRead) looksPlain(body io.ReadCloser) (io.ReadCloser, error) {
	var start [4]byte
	n, err := io.ReadFull(body, start[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, s3.ErrBadGateway.WithCause(err)
	}
	if seal.HasMagic(start[:n]) {
		return nil, r.x.damaged(r.name, errors.New("the object is sealed and has no envelope"))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start[:n]), body), body}, nil
}

// startsPlain looks at the first bytes of an object that is not sealed.
func (r *sealedRead) startsPlain(now found) error {
	call := r.x.pinned(r.name, now)
	r.plan.send.Apply(call.Header) // a key that the client had the store encrypt it with
	call.Header.Set("Range", "bytes=0-3")
	resp, err := r.x.call(r.x.r.Context(), call)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusPreconditionFailed {
		return errChanged
	}
	if err := r.x.storeError(resp); err != nil {
		return err
	}
	_, err = r.looksPlain(io.NopCloser(io.LimitReader(resp.Body, 4)))
	return err
}

// whole opens an object from all its stored bytes.
func (r *sealedRead) whole(now found, resp *http.Response) error {
	object, err := r.x.unlock(r.x.r.Context(), now.envelope, r.name, r.rule.Keyrings)
	if err != nil {
		return err
	}
	defer object.Wipe()
	opener, err := r.openWhole(object, now, resp.Body)
	if err != nil {
		return err
	}
	return r.answer(resp, opener, nil)
}

// openWhole opens an object from all its stored bytes.
func (r *sealedRead) openWhole(object sealedObject, now found, body io.Reader) (plaintext, error) {
	kind, ok := now.kind()
	if !ok {
		return nil, r.x.damaged(r.name, seal.ErrEnvelope)
	}
	var opener *seal.Opener
	var err error
	if kind == seal.Single {
		if opener, err = object.OpenSingle(body, now.size); err != nil {
			return nil, r.x.damaged(r.name, err)
		}
		return opener, nil
	}
	parts := now.parts
	if parts == 0 { // copied without the gateway
		layout, err := r.layout(now)
		if err != nil {
			return nil, err
		}
		parts = int((now.size - layout.Plain()) / seal.PartOverhead) // a closing part included
	}
	if opener, err = object.OpenUnbroken(body, now.size, parts); err != nil {
		return nil, r.x.damaged(r.name, err)
	}
	return &gapReader{Opener: opener, read: r, object: object, now: now}, nil
}

// single opens a range of a single object from a reply to a request that was
// made before its size was known.
func (r *sealedRead) single(now found, resp *http.Response) error {
	layout, err := seal.SingleLayout(now.size)
	if err != nil {
		return r.x.damaged(r.name, err)
	}
	extent, ok := r.want.of(layout.Plain())
	if !ok {
		return r.unsatisfiable(layout.Plain())
	}
	return r.opened(now, resp, extent, layout)
}

// opened opens a range from a reply that has at least the stored bytes it needs.
func (r *sealedRead) opened(now found, resp *http.Response, extent seal.Extent, layout *seal.Layout) error {
	needed, err := layout.Stored(extent)
	if err != nil {
		return r.x.damaged(r.name, err)
	}
	given := seal.Extent{Length: now.size}
	if resp.StatusCode == http.StatusPartialContent {
		given, _, _ = parseContentRange(resp.Header.Get("Content-Range"))
	}
	if given.Offset > needed.Offset || given.End() < needed.End() {
		return errOtherRange
	}
	object, err := r.x.unlock(r.x.r.Context(), now.envelope, r.name, r.rule.Keyrings)
	if err != nil {
		return err
	}
	defer object.Wipe()
	if _, err := io.CopyN(io.Discard, resp.Body, needed.Offset-given.Offset); err != nil {
		return s3.ErrBadGateway.WithMessage("The store's answer broke off.").WithCause(err)
	}
	opener, err := object.OpenRange(resp.Body, layout, extent)
	if err != nil {
		return r.x.damaged(r.name, err)
	}
	resp.StatusCode = http.StatusPartialContent
	return r.answer(resp, opener, func(h http.Header) {
		h.Set("Content-Range", contentRange(extent, layout.Plain()))
		if r.x.req.PartNumber > 0 {
			showParts(h, layout)
		}
	})
}

// plaintext is what answers a read: a *seal.Opener, or one that goes on where
// that cannot.
type plaintext interface {
	io.ReadCloser
	Size() int64
}

// answer gives the client what opener reads. The first bytes are opened before
// anything is promised; a failure after that cuts the reply short.
func (r *sealedRead) answer(resp *http.Response, opener plaintext, more func(http.Header)) error {
	defer func() { _ = opener.Close() }()
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	n, err := opener.Read(*buf)
	if err != nil && !errors.Is(err, io.EOF) {
		return r.openError(err)
	}
	hideSealing(resp.Header)
	r.x.replyHeader(resp)
	h := r.x.w.Header()
	h.Set("Content-Length", itoa(opener.Size()))
	if more != nil {
		more(h)
	}
	r.x.w.WriteHeader(resp.StatusCode)
	for err == nil {
		if _, err = r.x.w.Write((*buf)[:n]); err != nil {
			r.x.rec.Outcome = OutcomeAborted
			return err
		}
		n, err = opener.Read(*buf)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return r.openError(err)
}

// openError tells damage from a reply that broke off.
func (r *sealedRead) openError(err error) error {
	var damage *seal.Damage
	var own *s3.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &damage):
		return r.x.damaged(r.name, err)
	}
	return s3.ErrBadGateway.WithMessage("The store's answer broke off.").WithCause(err)
}
