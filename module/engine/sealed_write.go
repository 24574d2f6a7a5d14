package engine

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/module/upstream"
)

// sealedBody is how an operation with an object's bytes is served where they are
// sealed; nil where they are not.
func (x *exchange) sealedBody(p plan) func() error {
	switch {
	case p.seal == nil:
		return nil
	case x.req.Op.Name == "UploadPart":
		return func() error { return x.putSealedPart(p) }
	case x.req.Header.Get("X-Amz-Write-Offset-Bytes") != "":
		return func() error {
			return s3.ErrNotImplemented.WithMessage("Objects here are sealed, and a sealed object cannot be appended to.")
		}
	}
	return func() error { return x.putSealed(p) }
}

// notOnSealed refuses an operation that cannot work on ciphertext.
func notOnSealed(op *s3.Operation) error {
	return s3.ErrNotImplemented.WithMessage("Objects here are sealed by the gateway; " + op.Name + " cannot work on them.")
}

// putSealed serves PutObject: the data key is wrapped before the body is asked
// for, so that a keyring that is down costs the client nothing.
func (x *exchange) putSealed(p plan) error {
	body, err := x.openBody(PayloadCheckGateway)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	call := x.newCall(x.req, p)
	call.Interrupt = x.interrupt
	resp, err := x.sendSealed(&call, body, p.seal)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return err
	}
	x.observed(sse.Observed{}, resp.Header) // the version; how the store encrypts is not decided
	hideSealing(resp.Header)
	setAll(resp.Header, body.Checksums()) // they were found true of the plaintext
	return x.relay(resp)
}

// sendSealed seals body as a single object of the call's name and sends it.
func (x *exchange) sendSealed(call *upstream.Call, body *objectBody, s *sealing) (*http.Response, error) {
	object, sealer, err := x.sealSingle(x.r.Context(), call, plainBody{body, body.length}, s)
	if err != nil {
		return nil, err
	}
	defer object.Wipe()
	defer func() { _ = sealer.Close() }()
	return x.sendSealer(call, sealer, body)
}

// plainBody is plaintext on its way up, of exactly that length.
type plainBody struct {
	io.Reader
	length int64
}

// sealSingle makes the object that call creates, and a sealer of its bytes. None
// is read yet. The caller wipes the object and closes the sealer.
func (x *exchange) sealSingle(ctx context.Context, call *upstream.Call, body plainBody, s *sealing) (sealedObject, *seal.Sealer, error) {
	if _, err := seal.SingleSize(body.length); err != nil {
		return sealedObject{}, nil, entityTooLarge(body.length, seal.MaxSingle)
	}
	object, err := x.newSealed(ctx, seal.Single, objectName{call.Bucket, call.Key}, s)
	if err != nil {
		return sealedObject{}, nil, err
	}
	sealer, err := object.SealSingle(body, body.length)
	if err == nil {
		err = setEnvelope(call.Header, object.envelope)
	}
	if err != nil {
		object.Wipe()
		return sealedObject{}, nil, err
	}
	return object, sealer, nil
}

// sendSealer sends what sealer gives; all of it at once where body is small.
func (x *exchange) sendSealer(call *upstream.Call, sealer *seal.Sealer, body *objectBody) (*http.Response, error) {
	if !body.Small() {
		call.Body, call.Length = sealer, sealer.Size()
		x.protect(call)
		return x.call(x.r.Context(), *call)
	}
	call.Data = make([]byte, sealer.Size())
	if _, err := io.ReadFull(sealer, call.Data); err != nil {
		return nil, err // the body's own, as it is
	}
	x.protect(call)
	return x.call(x.r.Context(), *call)
}

// maxMetadata is what S3 allows an object in user metadata, names and values
// together, in bytes (UserMetadata, "Working with object metadata").
const maxMetadata = 2 << 10

// setEnvelope puts the envelope into the headers of a request that creates a
// sealed object, and takes out what says something of the plaintext's bytes.
func setEnvelope(h http.Header, envelope string) error {
	dropDigests(h)
	h.Set(envelopeHeader, envelope)
	size := 0
	for name, values := range h {
		if rest, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
			size += len(rest) + len(strings.Join(values, ","))
		}
	}
	if size > maxMetadata {
		return s3.ErrMetadataTooLarge.
			With("Size", itoa(int64(size))).With("MaxSizeAllowed", itoa(maxMetadata)).
			WithCause(errors.New("the envelope of a sealed object counts as metadata"))
	}
	return nil
}

// dropDigests removes headers with a digest of bytes that the store never sees.
func dropDigests(h http.Header) {
	for name := range h {
		if name == "Content-Md5" || strings.HasPrefix(name, "X-Amz-Checksum-") {
			delete(h, name)
		}
	}
}

func entityTooLarge(size, limit int64) error {
	return s3.ErrEntityTooLarge.
		WithMessage("Your proposed upload is too large to be sealed.").
		With("ProposedSize", itoa(size)).With("MaxSizeAllowed", itoa(limit))
}
