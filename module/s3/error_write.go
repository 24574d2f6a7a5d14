package s3

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strconv"
)

// Reply says for which request an error is written. Empty fields are left out.
type Reply struct {
	RequestID string // x-amz-request-id and <RequestId>
	HostID    string // x-amz-id-2 and <HostId>
	Resource  string // <Resource>: the path the client asked for
	Method    string // request method; HEAD gets no body
}

// describesBody are headers that describe an entity which is not sent any
// more once the answer is an error document.
var describesBody = []string{
	"Accept-Ranges", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language",
	"Content-Length", "Content-Md5", "Content-Range", "Etag", "Expires", "Last-Modified", "Trailer",
}

// WriteError answers with the S3 error document for e and is the only writer
// of error bodies. It sets x-amz-request-id, x-amz-id-2, Content-Type and
// Content-Length, and drops headers that described another body. HEAD, 204
// and 304 get headers only.
func WriteError(w http.ResponseWriter, e *Error, r Reply) {
	h := w.Header()
	for _, name := range describesBody {
		h.Del(name)
	}
	if r.RequestID != "" {
		h.Set("X-Amz-Request-Id", r.RequestID)
	}
	if r.HostID != "" {
		h.Set("X-Amz-Id-2", r.HostID)
	}
	if e.Status == http.StatusNoContent || e.Status == http.StatusNotModified {
		h.Del("Content-Type")
		w.WriteHeader(e.Status)
		return
	}
	h.Set("Content-Type", "application/xml")
	if r.Method == http.MethodHead {
		w.WriteHeader(e.Status)
		return
	}
	body := e.document(r)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	_, _ = w.Write(body) // the client is gone when this fails
}

// document renders the <Error> document. It has no namespace, as at S3.
func (e *Error) document(r Reply) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	b.WriteString("<Error>")
	element(&b, "Code", e.Code)
	element(&b, "Message", e.Message)
	for _, d := range e.Details {
		element(&b, d.Name, d.Value)
	}
	if r.Resource != "" {
		element(&b, "Resource", r.Resource)
	}
	if r.RequestID != "" {
		element(&b, "RequestId", r.RequestID)
	}
	if r.HostID != "" {
		element(&b, "HostId", r.HostID)
	}
	b.WriteString("</Error>")
	return b.Bytes()
}

// element writes <name>value</name>. The value is escaped; what XML 1.0 cannot
// hold becomes U+FFFD.
func element(b *bytes.Buffer, name, value string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(value)) // a bytes.Buffer does not fail
	b.WriteString("</" + name + ">")
}
