package engine

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/module/upstream"
)

// wrappedBy reports whether the keyring of that name can unwrap the object: then
// a copy under it needs no more than another wrap.
func (x *exchange) wrappedBy(object sealedObject, name string) (bool, error) {
	e := object.Envelope()
	_, _, err := x.e.cfg.Keyrings.Find(keyring.KEK{Kind: keyring.Kind(e.Wrap), ID: e.KEK}, []string{name})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, keyring.ErrNotAllowed):
		return false, nil
	}
	return false, s3.ErrInternalError.WithCause(err)
}

// rewrap gives the envelope of an object under another name: the same object,
// data key and commitment, wrapped anew.
func (x *exchange) rewrap(ctx context.Context, s *copySource, object sealedObject, to objectName, p *sealing) (string, error) {
	ring, err := x.e.cfg.Keyrings.Lookup(p.keyring)
	if err != nil {
		return "", s3.ErrInternalError.WithCause(err)
	}
	e := object.Envelope()
	bind, err := binding(e, s.name)
	if err != nil {
		return "", x.damaged(s.name, err)
	}
	key, err := ring.Unwrap(ctx, keyring.KEK{Kind: keyring.Kind(e.Wrap), ID: e.KEK}, e.Wrapped, bind)
	if err != nil {
		return "", keyringError(err)
	}
	defer key.Wipe()
	kek := ring.KEKs()[0]
	e.Wrap, e.KEK, e.Wrapped = seal.WrapKind(kek.Kind), kek.ID, nil
	if bind, err = binding(e, to); err != nil {
		return "", s3.ErrInternalError.WithCause(err)
	}
	bind.Context = p.context
	if e.Wrapped, err = ring.Wrap(ctx, kek, key, bind); err != nil {
		return "", keyringError(err)
	}
	text, err := e.Encode()
	if err != nil {
		return "", s3.ErrInternalError.WithCause(err)
	}
	return text, nil
}

// rewrapped copies a sealed object at the store and gives the reply's headers.
func (x *exchange) rewrapped(ctx context.Context, p plan, s *copySource, object sealedObject) (http.Header, error) {
	envelope, err := x.rewrap(ctx, s, object, objectName{x.req.Bucket, x.req.Key}, p.seal)
	if err != nil {
		return nil, err
	}
	if kind, _ := s.found.kind(); kind == seal.Multipart {
		return x.copyParts(ctx, p, s, envelope)
	}
	call := x.newCall(x.req, p)
	if err := x.copiedHeaders(ctx, call.Header, s); err != nil {
		return nil, err
	}
	if err := setEnvelope(call.Header, envelope); err != nil {
		return nil, err
	}
	call.Header.Set("X-Amz-Metadata-Directive", "REPLACE")
	if call.Header.Get("X-Amz-Tagging") != "" {
		call.Header.Set("X-Amz-Tagging-Directive", "REPLACE")
	}
	pinSource(call.Header, s)
	return x.sendLate(ctx, call, "CopyObjectResult")
}

// pinSource has the store copy what policy saw and nothing else. The client's
// own conditions were found to hold for that.
func pinSource(h http.Header, s *copySource) {
	for name := range sourceConditions {
		h.Del(name)
	}
	h.Set("X-Amz-Copy-Source-If-Match", s.found.etag)
	if s.key != nil {
		s.key.ApplyCopySource(h)
	}
}

// sendLate sends a call whose "200 OK" may still hold an error, and gives the
// reply's headers with the ETag of the result.
func (x *exchange) sendLate(ctx context.Context, call upstream.Call, root string) (http.Header, error) {
	resp, err := x.callAside(ctx, call)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return nil, err
	}
	doc, err := io.ReadAll(io.LimitReader(resp.Body, s3.MaxDocument))
	if err != nil {
		return nil, s3.ErrBadGateway.WithMessage("The store's answer broke off.").WithCause(err)
	}
	if err := x.lateFailure(doc); err != nil {
		return nil, err
	}
	var result struct {
		XMLName xml.Name
		ETag    string
	}
	if err := xml.Unmarshal(doc, &result); err != nil || result.XMLName.Local != root {
		return nil, errUnreadable(errors.Join(err, errors.New("want "+root)))
	}
	resp.Header.Set("ETag", result.ETag)
	return resp.Header, nil
}

// copyParts copies a multipart object part by part: a plain copy would lose the
// number of its parts, and ends at 5 GiB.
func (x *exchange) copyParts(ctx context.Context, p plan, s *copySource, envelope string) (header http.Header, err error) {
	r := &sealedRead{x: x, name: s.name, rule: s.rule}
	layout, err := r.layout(s.found)
	if err != nil {
		return nil, err
	}
	id, err := x.beginCopy(ctx, p, s, envelope)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			x.abortCopy(id)
		}
	}()
	var parts []part
	for offset := int64(0); offset < s.found.size; {
		rank := len(parts) + 1
		stored := int64(seal.PartOverhead) // the closing part
		if rank <= layout.Parts() {
			_, extent, err := layout.Part(rank)
			if err != nil {
				return nil, s3.ErrInternalError.WithCause(err)
			}
			stored += extent.Length
		}
		etag, err := x.copyPart(ctx, s, id, rank, seal.Extent{Offset: offset, Length: stored})
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{Part: seal.Part{Number: rank}, etag: etag})
		offset += stored
	}
	call := upstream.Call{Method: http.MethodPost, Bucket: x.req.Bucket, Key: x.req.Key, Header: x.headHeader(), Query: uploadQuery(id), Once: true}
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if v := x.req.Header.Get(name); v != "" {
			call.Header.Set(name, storeETags(v))
		}
	}
	attachDocument(&call, completionDocument(parts))
	return x.sendLate(ctx, call, "CompleteMultipartUploadResult")
}

func uploadQuery(id string) s3.Query { return s3.Query{{Name: "uploadId", Value: id, HasValue: true}} }

func (x *exchange) beginCopy(ctx context.Context, p plan, s *copySource, envelope string) (string, error) {
	call, err := x.newObjectCall(ctx, p, s)
	if err != nil {
		return "", err
	}
	if err := setEnvelope(call.Header, envelope); err != nil {
		return "", err
	}
	call.Method, call.Query = http.MethodPost, s3.Query{{Name: "uploads"}}
	for _, name := range []string{"If-Match", "If-None-Match"} {
		call.Header.Del(name) // conditions on the result
	}
	resp, err := x.callAside(ctx, call)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return "", err
	}
	_, id, err := createdUpload(resp)
	return id, err
}

func (x *exchange) copyPart(ctx context.Context, s *copySource, id string, number int, stored seal.Extent) (string, error) {
	h := x.headHeader()
	h.Set("X-Amz-Copy-Source", x.req.CopySource.Header())
	h.Set("X-Amz-Copy-Source-Range", rangeHeader(stored))
	pinSource(h, s)
	header, err := x.sendLate(ctx, upstream.Call{
		Method: http.MethodPut, Bucket: x.req.Bucket, Key: x.req.Key, Header: h, PayloadHash: emptyPayload,
		Query: append(s3.Query{{Name: "partNumber", Value: strconv.Itoa(number), HasValue: true}}, uploadQuery(id)...),
	}, "CopyPartResult")
	if err != nil {
		return "", err
	}
	return header.Get("ETag"), nil
}

// abortCopy leaves nothing behind of a copy that failed.
func (x *exchange) abortCopy(id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), confirmTime)
	defer cancel()
	resp, err := x.callAside(ctx, upstream.Call{
		Method: http.MethodDelete, Bucket: x.req.Bucket, Key: x.req.Key, Header: x.headHeader(), Query: uploadQuery(id), PayloadHash: emptyPayload,
	})
	if err == nil {
		_ = resp.Body.Close()
	}
}
