package engine

import (
	"errors"
	"net/http"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
)

// serveCopy serves CopyObject and UploadPartCopy. Grants come first, then one
// HEAD of the source, the only call before a decision; then the decision sees
// how the source is encrypted.
func (x *exchange) serveCopy() error {
	if err := x.noBody(); err != nil {
		return err
	}
	asked, err := x.asked(x.req)
	if err != nil {
		return err
	}
	sourceKey, err := sse.AskedCopySource(x.req.Header)
	if err != nil {
		return err
	}
	if sourceKey != nil && x.r.TLS == nil {
		return s3.ErrInvalidRequest.WithMessage("Requests specifying Server Side Encryption with Customer provided keys must be made over a secure connection.")
	}
	in, err := x.describe(x.req, asked)
	if err != nil {
		return err
	}
	if missing := x.gen.Missing(in); len(missing) > 0 {
		// The decision has nothing to add to this and the source stays unread.
		_, err := x.decide(in)
		if err == nil {
			err = s3.ErrInternalError.WithCause(errors.New("a copy without its grants was allowed"))
		}
		return err
	}
	source := written{bucket: x.req.CopySource.Bucket, key: x.req.CopySource.Key, versionID: x.req.CopySource.VersionID}
	header, err := x.headObject(x.r.Context(), source, x.sourceHeader(sourceKey))
	if err != nil {
		return x.sourceError(err)
	}
	from, err := x.sourceOf(header, sourceKey)
	if err != nil {
		return err
	}
	describeSource(in, sse.FromReply(header))
	describeSealedSource(in, from)
	d, err := x.decide(in)
	if err != nil {
		return err
	}
	p, err := x.plan(x.req, asked, d)
	if err != nil {
		return err
	}
	if err := x.plainSource(from); err != nil {
		return err
	}
	if p.seal != nil || from.opened() {
		return x.copySealed(p, from)
	}
	call := x.newCall(x.req, p)
	if sourceKey != nil {
		sourceKey.ApplyCopySource(call.Header)
	}
	if etag := header.Get("ETag"); etag != "" {
		// What is copied is what policy saw, and what the client's own
		// conditions were found to hold for.
		for name := range sourceConditions {
			call.Header.Del(name)
		}
		call.Header.Set("X-Amz-Copy-Source-If-Match", etag)
	}
	resp, err := x.call(x.r.Context(), call)
	if err != nil {
		return err
	}
	return x.lateReply(resp, func(doc []byte) (late, error) {
		seen, err := x.confirm(p, resp.Header, written{
			bucket: x.req.Bucket, key: x.req.Key, versionID: resp.Header.Get("X-Amz-Version-Id"),
			visible: x.req.Op.Name == "CopyObject",
		})
		return late{doc: doc, seen: seen}, err
	})
}

// sourceConditions are a copy's conditions on its source, and what they are
// called in a HEAD of it.
var sourceConditions = map[string]string{
	"X-Amz-Copy-Source-If-Match": "If-Match", "X-Amz-Copy-Source-If-None-Match": "If-None-Match",
	"X-Amz-Copy-Source-If-Modified-Since": "If-Modified-Since", "X-Amz-Copy-Source-If-Unmodified-Since": "If-Unmodified-Since",
}

// sourceHeader asks for the source under the conditions of the copy.
func (x *exchange) sourceHeader(key *sse.CustomerKey) http.Header {
	h := x.headHeader()
	if key != nil {
		sse.Choice{Mode: sse.C, Customer: key}.Apply(h)
	}
	sealed := x.sealedRule(objectName{x.req.CopySource.Bucket, x.req.CopySource.Key}) != nil
	for name, plain := range sourceConditions {
		if v := x.req.Header.Get(name); v != "" {
			if sealed {
				v = storeETags(v)
			}
			h.Set(plain, v)
		}
	}
	return h
}

// sourceError is what S3 answers to a copy whose source cannot be read. A HEAD
// reply has no error code, so whether the bucket is missing takes another one.
func (x *exchange) sourceError(err error) error {
	var head *headError
	if !errors.As(err, &head) {
		return err
	}
	x.rec.Outcome, x.rec.Answered.UpstreamStatus = OutcomeStore, head.status
	switch head.status {
	case http.StatusNotModified, http.StatusPreconditionFailed:
		return s3.ErrPreconditionFailed.WithCause(err)
	case http.StatusNotFound:
		bucket := written{bucket: x.req.CopySource.Bucket}
		var missing *headError
		if _, err := x.headObject(x.r.Context(), bucket, x.headHeader()); errors.As(err, &missing) && missing.status == http.StatusNotFound {
			return s3.ErrNoSuchBucket.With("BucketName", bucket.bucket).WithCause(err)
		}
		return s3.ErrNoSuchKey.WithCause(err)
	case http.StatusForbidden:
		return s3.ErrAccessDenied.WithCause(err)
	case http.StatusBadRequest:
		return s3.ErrInvalidRequest.WithMessage("The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.").WithCause(err)
	case http.StatusMethodNotAllowed:
		return s3.ErrInvalidRequest.WithMessage("The source of a copy request may not specifically refer to a delete marker by version id.").WithCause(err)
	default:
		return s3.ErrServiceUnavailable.WithCause(err)
	}
}
