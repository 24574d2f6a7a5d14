package engine

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/policy"
)

// serveDelete decides DeleteObjects key by key: denied keys are answered in
// <Error> elements and only the others go to the store.
func (x *exchange) serveDelete() error {
	data, err := x.readDocument()
	if err != nil {
		return err
	}
	doc, err := s3.ParseDelete(data)
	if err != nil {
		return err
	}
	x.rec.Keys = &RecordKeys{Named: len(doc.Objects)}
	allowed := s3.Delete{Quiet: doc.Quiet}
	var refused []deleteError
	for _, o := range doc.Objects {
		one := *x.req
		one.Key, one.VersionID = o.Key, o.VersionID
		in, err := x.describe(&one, sse.Choice{})
		if err != nil {
			return err
		}
		in.Request.Actions, in.Request.KeyCount = deleteActions(x.req, o), len(doc.Objects)
		d, err := x.ask(in)
		if err != nil {
			return err
		}
		x.rec.Findings = appendNew(x.rec.Findings, d.Findings)
		if d.Allow {
			if o.ETag != "" && x.sealedRule(objectName{x.req.Bucket, o.Key}) != nil {
				o.ETag = storeETag(o.ETag)
			}
			allowed.Objects = append(allowed.Objects, o)
			continue
		}
		e := clientError(x.denial(d.Findings))
		refused = append(refused, deleteError{Key: o.Key, VersionID: o.VersionID, Code: e.Code, Message: e.Message})
	}
	x.rec.Keys.Denied = len(refused)
	x.rec.Decided = RecordEncryption{Mode: string(policy.Unchanged)}
	if len(allowed.Objects) == 0 {
		x.rec.Outcome = OutcomeDenied
		return x.writeDeleteResult(deleteResult{Errors: refused}, nil)
	}
	call := x.newCall(x.req, plan{mode: policy.Unchanged})
	attachDocument(&call, allowed.XML())
	resp, err := x.call(x.r.Context(), call)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxDeleteResult))
	if err != nil {
		return s3.ErrBadGateway.WithMessage("The store's answer broke off.").WithCause(err)
	}
	if err := x.lateFailure(answer); err != nil {
		return err
	}
	var result deleteResult
	if err := xml.Unmarshal(answer, &result); err != nil {
		return s3.ErrBadGateway.WithMessage("The store's answer could not be read.").WithCause(err)
	}
	for i := range result.Errors {
		e := &result.Errors[i]
		e.Message = x.presentable(s3.NewError(e.Code, http.StatusOK, e.Message)).Message
	}
	result.Errors = append(result.Errors, refused...)
	return x.writeDeleteResult(result, resp)
}

// maxDeleteResult bounds the store's answer, in bytes. It repeats the keys of
// the request and adds up to two version ids and a message to each.
const maxDeleteResult = 3 * s3.MaxDocument

// deleteActions are the actions one key needs: its own, and whatever the
// request's headers add for all keys.
func deleteActions(req *s3.Request, o s3.ObjectIdentifier) []string {
	actions := []string{o.Action()}
	for _, a := range req.Actions() {
		if a != req.Op.Action {
			actions = append(actions, a)
		}
	}
	return actions
}

type deleteResult struct {
	XMLName xml.Name        `xml:"DeleteResult"`
	Deleted []deletedObject `xml:"Deleted"`
	Errors  []deleteError   `xml:"Error"`
}

type deletedObject struct { // in the order of the stores
	DeleteMarker          string `xml:"DeleteMarker,omitempty"`
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
	Key                   string `xml:"Key"`
	VersionID             string `xml:"VersionId,omitempty"`
}

type deleteError struct {
	Key       string `xml:"Key"`
	VersionID string `xml:"VersionId,omitempty"`
	Code      string `xml:"Code"`
	Message   string `xml:"Message"`
}

// writeDeleteResult answers in S3's form; resp is nil if the store was not asked.
func (x *exchange) writeDeleteResult(result deleteResult, resp *http.Response) error {
	result.XMLName = xml.Name{Space: s3Namespace, Local: "DeleteResult"}
	var out bytes.Buffer
	out.WriteString(xmlDeclaration)
	if err := xml.NewEncoder(&out).Encode(result); err != nil {
		return s3.ErrInternalError.WithCause(err)
	}
	if resp != nil {
		x.replyHeader(resp)
	}
	x.replyIDs()
	h := x.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", itoa(int64(out.Len())))
	x.w.WriteHeader(http.StatusOK)
	_, err := x.w.Write(out.Bytes())
	return err
}

const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// appendNew adds the findings whose rule is not yet there with that action: one
// record for up to a thousand keys stays readable.
func appendNew(have, more []policy.Finding) []policy.Finding {
next:
	for _, f := range more {
		for _, h := range have {
			if h.ID == f.ID && h.Action == f.Action {
				continue next
			}
		}
		have = append(have, f)
	}
	return have
}
