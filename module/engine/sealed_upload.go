package engine

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/http"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// The upload id a client gets for a sealed upload is its envelope and, sealed
// under the upload's own data key, the store's id. So any gateway that has the
// keyring serves any call of the upload, and none keeps anything between calls.

// uploadRef is an upload of the name of a request, as the store knows it.
type uploadRef struct {
	object sealedObject
	id     string // the store's
}

// createSealed serves CreateMultipartUpload.
func (x *exchange) createSealed(p plan) error {
	name := objectName{x.req.Bucket, x.req.Key}
	object, err := x.newSealed(x.r.Context(), seal.Multipart, name, p.seal)
	if err != nil {
		return err
	}
	defer object.Wipe()
	call := x.newCall(x.req, p)
	if err := setEnvelope(call.Header, object.envelope); err != nil {
		return err
	}
	x.announceChecksum(call.Header)
	resp, err := x.call(x.r.Context(), call)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return err
	}
	doc, created, err := createdUpload(resp)
	if err != nil {
		return err
	}
	id, err := object.SealUploadID(created)
	if err != nil {
		return errUnreadable(err)
	}
	if x.e.cfg.Uploads != nil {
		if err := x.e.cfg.Uploads.Put(x.r.Context(), name.bucket, created, name.key, object.envelope); err != nil {
			// The client has its id; only going on from a listed one is lost.
			x.rec.Cause = "remembering the upload: " + err.Error()
		}
	}
	hideSealing(resp.Header)
	return x.relayDocument(resp, withElement(doc, "UploadId", id))
}

// createdUpload reads the reply to CreateMultipartUpload and the id in it.
func createdUpload(resp *http.Response) (doc []byte, id string, err error) {
	if doc, err = readDocumentReply(resp); err != nil {
		return nil, "", err
	}
	var created struct {
		UploadID string `xml:"UploadId"`
	}
	if err := xml.Unmarshal(doc, &created); err != nil || created.UploadID == "" {
		return nil, "", errUnreadable(err)
	}
	return doc, created.UploadID, nil
}

// putSealedPart serves UploadPart. Each attempt has keys of its own.
func (x *exchange) putSealedPart(p plan) error {
	ref, err := x.uploadOf(x.r.Context())
	if err != nil {
		return err
	}
	defer ref.object.Wipe()
	if err := x.sealedAs(ref, p.seal); err != nil {
		return err
	}
	body, err := x.openBody(PayloadCheckGateway)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	call := x.newCall(x.req, p)
	call.Interrupt = x.interrupt
	resp, err := x.sendSealedPart(&call, ref, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.uploadError(resp, ref); err != nil {
		return err
	}
	hideSealing(resp.Header)
	setAll(resp.Header, body.Checksums())
	return x.relay(resp)
}

func (x *exchange) sendSealedPart(call *upstream.Call, ref uploadRef, body *objectBody) (*http.Response, error) {
	if _, err := seal.PartSize(body.length); err != nil {
		return nil, entityTooLarge(body.length, seal.MaxPart)
	}
	dropDigests(call.Header)
	call.Query = withUploadID(call.Query, ref.id)
	number := x.req.PartNumber
	sealer, err := ref.object.SealPart(body, seal.Part{Number: number, Length: body.length, Final: seal.MustBeFinal(number, body.length)})
	if err != nil {
		return nil, s3.ErrInternalError.WithCause(err)
	}
	defer func() { _ = sealer.Close() }()
	return x.sendSealer(call, sealer, body)
}

// abortSealed serves AbortMultipartUpload. A raw id may always be aborted:
// nothing is written or read under it.
func (x *exchange) abortSealed(p plan) error {
	call := x.newCall(x.req, p)
	id := x.req.UploadID
	ref, err := x.uploadOf(x.r.Context())
	switch {
	case err == nil:
		ref.object.Wipe()
		id = ref.id
		call.Query = withUploadID(call.Query, id)
	case !errors.Is(err, s3.ErrNoSuchUpload):
		return err
	}
	resp, err := x.call(x.r.Context(), call) //nolint:bodyclose // relay closes it
	if err != nil {
		return err
	}
	if resp.StatusCode/100 == 2 {
		x.forgetUpload(id)
	}
	return x.relay(resp)
}

// uploadError is storeError for a call of an upload, whose record goes when the
// store no longer knows it, as after a lifecycle rule has ended it.
func (x *exchange) uploadError(resp *http.Response, ref uploadRef) error {
	err := x.storeError(resp)
	if errors.Is(err, s3.ErrNoSuchUpload) {
		x.forgetUpload(ref.id)
	}
	return err
}

// forgetUpload drops the record of an upload that has ended. One that stays
// behind leads to an upload that the store no longer knows: it costs its place.
func (x *exchange) forgetUpload(id string) {
	if x.e.cfg.Uploads != nil {
		_ = x.e.cfg.Uploads.Delete(context.WithoutCancel(x.r.Context()), x.req.Bucket, id)
	}
}

// uploadOf finds the upload a request names. The caller wipes its object. An id
// of another name, or of none of the gateway's uploads, is ErrNoSuchUpload: what
// is sealed must not go into an upload whose object nobody could open.
func (x *exchange) uploadOf(ctx context.Context) (uploadRef, error) {
	name := objectName{x.req.Bucket, x.req.Key}
	rule := x.sealedRule(name)
	if rule == nil {
		return uploadRef{}, s3.ErrNoSuchUpload
	}
	id, err := seal.ParseUploadID(x.req.UploadID)
	if err != nil {
		return x.recordedUpload(ctx, name, rule.Keyrings)
	}
	object, err := x.unlockEnvelope(ctx, id.Envelope(), name, rule.Keyrings)
	if err != nil {
		return uploadRef{}, noSuchUpload(err)
	}
	upstreamID, err := object.OpenUploadID(id)
	if err != nil {
		object.Wipe()
		return uploadRef{}, s3.ErrNoSuchUpload.WithCause(err)
	}
	return uploadRef{object, upstreamID}, nil
}

// recordedUpload finds an upload by the store's own id, which clients have that
// go on from ListMultipartUploads.
func (x *exchange) recordedUpload(ctx context.Context, name objectName, allowed []string) (uploadRef, error) {
	if x.e.cfg.Uploads == nil {
		return uploadRef{}, s3.ErrNoSuchUpload
	}
	key, envelope, err := x.e.cfg.Uploads.Get(ctx, name.bucket, x.req.UploadID)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && key != name.key:
		return uploadRef{}, s3.ErrNoSuchUpload
	case err != nil:
		return uploadRef{}, s3.ErrServiceUnavailable.WithCause(err)
	}
	e, err := seal.ParseEnvelope(envelope)
	if err != nil {
		return uploadRef{}, s3.ErrNoSuchUpload.WithCause(err)
	}
	object, err := x.unlockEnvelope(ctx, e, name, allowed)
	if err != nil {
		return uploadRef{}, noSuchUpload(err)
	}
	return uploadRef{object, x.req.UploadID}, nil
}

// noSuchUpload is the answer to an upload id that does not open: anybody can send
// one, so it is no sign of damage. A keyring that is down stays what it is.
func noSuchUpload(err error) error {
	var foreign *foreignError
	if errors.As(err, &foreign) {
		return s3.ErrNoSuchUpload.WithCause(foreign.err)
	}
	return err
}

// sealedAs refuses to go on with an upload that was begun under another keyring
// than is decided now: its object would not be sealed as policy says.
func (x *exchange) sealedAs(ref uploadRef, s *sealing) error {
	if ref.object.keyring == s.keyring {
		return nil
	}
	no := policy.Finding{ID: "ENF-003", Message: "the upload was begun under another keyring than is decided for its object now", Action: policy.ActionDeny}
	x.rec.Outcome = OutcomeDenied
	x.rec.Findings = append(x.rec.Findings, no)
	return x.denial([]policy.Finding{no})
}

// withUploadID names the store's upload in place of the client's.
func withUploadID(q s3.Query, id string) s3.Query {
	out := make(s3.Query, len(q))
	copy(out, q)
	for i := range out {
		if out[i].Name == "uploadId" {
			out[i] = s3.Pair{Name: "uploadId", Value: id, HasValue: true}
		}
	}
	return out
}

// readDocumentReply reads the document of a successful reply.
func readDocumentReply(resp *http.Response) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxListing+1))
	switch {
	case err != nil:
		return nil, s3.ErrBadGateway.WithMessage("The store's answer broke off.").WithCause(err)
	case len(doc) > maxListing:
		return nil, s3.ErrBadGateway.WithMessage("The store's answer is too long.")
	}
	return doc, nil
}

func errUnreadable(err error) error {
	return s3.ErrBadGateway.WithMessage("The store's answer could not be read.").WithCause(err)
}

// relayDocument answers with another document than the store's.
func (x *exchange) relayDocument(resp *http.Response, doc []byte) error {
	resp.Header.Set("Content-Length", itoa(int64(len(doc))))
	resp.Body = io.NopCloser(bytes.NewReader(doc))
	return x.relay(resp)
}

// withElement replaces the content of the root's child of that name.
func withElement(doc []byte, name, text string) []byte {
	start, end := elementText(doc, name)
	if start < 0 {
		return doc
	}
	return edited(doc, []textAt{{start: start, end: end, text: escapedXML(text)}})
}
