package engine

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/sealgate/sealgate/module/s3"
)

// maxErrorDocument bounds what is read of a store's error reply.
const maxErrorDocument = 64 << 10

// copyBuffers hold the bytes of a reply on its way to the client. A chunk of a
// sealed object, of the smallest size, is opened right into one.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// replyHeaders are what a store's reply may tell the client besides x-amz-* and
// CORS headers: what S3's API knows. Anything else speaks of the store's host
// or of what stands before it.
var replyHeaders = map[string]bool{
	"Accept-Ranges": true, "Allow": true, "Cache-Control": true, "Content-Disposition": true, "Content-Encoding": true,
	"Content-Language": true, "Content-Length": true, "Content-Md5": true, "Content-Range": true, "Content-Type": true,
	"Etag": true, "Expires": true, "Last-Modified": true, "Retry-After": true, "Vary": true,
}

// showsReplyHeader reports whether a header of the store's reply reaches the client.
func showsReplyHeader(name string) bool {
	switch name {
	case "X-Amz-Request-Id", "X-Amz-Id-2":
		return false
	}
	return replyHeaders[name] || strings.HasPrefix(name, "X-Amz-") || isCORSReply(name)
}

func isCORSReply(name string) bool { return strings.HasPrefix(name, "Access-Control-") }

// relay sends the store's reply to the client: error documents re-written in
// the gateway's name, everything else streamed as it comes.
func (x *exchange) relay(resp *http.Response) error {
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return err
	}
	x.replyHeader(resp)
	x.w.WriteHeader(resp.StatusCode)
	if x.r.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified {
		return nil
	}
	return x.stream(resp.Body)
}

// stream copies a reply body. An error leaves the reply cut short, which the
// caller turns into a cut connection.
func (x *exchange) stream(body io.Reader) error {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	_, err := io.CopyBuffer(struct{ io.Writer }{x.w}, struct{ io.Reader }{body}, *buf)
	if err != nil {
		x.rec.Outcome = OutcomeAborted
	}
	return err
}

// replyHeader prepares the client's reply headers from the store's.
func (x *exchange) replyHeader(resp *http.Response) {
	h := x.w.Header()
	for name, values := range resp.Header {
		if !showsReplyHeader(name) {
			continue
		}
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			// Clients show user metadata under the name as it is written, which
			// S3 always writes in lower case.
			delete(h, name)
			name = strings.ToLower(name)
		}
		h[name] = values
	}
	stripChunkedEncoding(h) // some stores keep the token that names one hop's framing
	if _, ok := resp.Header["Content-Type"]; !ok {
		h["Content-Type"] = nil // net/http would guess one
	}
	if resp.Header.Get("Location") != "" {
		h.Set("Location", x.location()) // the store's own would show its host
	}
	x.replyIDs()
}

func (x *exchange) replyIDs() {
	h := x.w.Header()
	h.Set("X-Amz-Request-Id", x.rec.ID)
	h.Set("X-Amz-Id-2", hostID)
}

// location is where the client finds what it has made. S3 gives a bucket's as
// a path (API_CreateBucket).
func (x *exchange) location() string {
	if x.req.Key == "" {
		return "/" + x.req.Bucket
	}
	return x.objectURL()
}

// objectURL is the address under which this client finds the object.
func (x *exchange) objectURL() string {
	scheme := "http"
	if x.r.TLS != nil {
		scheme = "https"
	}
	path := "/" + x.req.Bucket
	if x.req.VirtualHost {
		path = ""
	}
	return scheme + "://" + x.r.Host + path + "/" + s3.EscapePath(x.req.Key)
}

// ownFault are error codes by which a store speaks of the gateway's own
// credentials or clock, about which a client can do nothing.
var ownFault = map[string]bool{
	"InvalidAccessKeyId": true, "SignatureDoesNotMatch": true, "RequestTimeTooSkewed": true,
	"ExpiredToken": true, "InvalidToken": true, "AuthorizationHeaderMalformed": true,
	"TokenRefreshRequired": true, "MissingSecurityHeader": true, "XMinioInvalidIAMCredentials": true,
}

// storeError turns a reply that is no success into an error for the client;
// nil for 2xx and 304.
func (x *exchange) storeError(resp *http.Response) error {
	x.rec.Answered.UpstreamStatus = resp.StatusCode
	x.rec.Answered.UpstreamRequestID = resp.Header.Get("X-Amz-Request-Id")
	if resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusNotModified {
		return nil
	}
	x.rec.Outcome = OutcomeStore
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorDocument))
	if err != nil {
		return s3.ErrBadGateway.WithCause(err)
	}
	e := parseStoreError(doc)
	if e == nil {
		e = errorForStatus(resp.StatusCode)
	}
	e.Status = resp.StatusCode
	if resp.StatusCode < http.StatusBadRequest {
		return misdirected(resp)
	}
	if ownFault[e.Code] && !x.e.cfg.ClientCredentials {
		return s3.ErrBadGateway.WithMessage("The store did not accept the gateway's own credentials.").WithCause(e)
	}
	for name, v := range resp.Header {
		if x.aside {
			break
		}
		if errorHeaders[name] || isCORSReply(name) {
			x.w.Header()[name] = v
		}
	}
	return x.presentable(e)
}

// errorHeaders are what clients read of a reply that is an error.
var errorHeaders = map[string]bool{
	"X-Amz-Delete-Marker": true, "X-Amz-Version-Id": true, "X-Amz-Bucket-Region": true,
	"Last-Modified": true, "Allow": true, "Content-Range": true, "Retry-After": true, "Vary": true,
}

// presentable keeps from a client who the gateway is at the store: AWS names
// account and role of whoever it refuses.
func (x *exchange) presentable(e *s3.Error) *s3.Error {
	if x.e.cfg.ClientCredentials || !strings.Contains(e.Message, ":iam::") && !strings.Contains(e.Message, ":sts::") {
		return e
	}
	return e.WithMessage("The store refused the request.").WithCause(errors.New(e.Message))
}

// misdirected answers a redirect of the store's. Following it would take the
// bucket out of the region the operator configured, and its Location would
// show the client a way around the gateway.
func misdirected(resp *http.Response) error {
	message := "The store redirects requests for this bucket to another address."
	if region := resp.Header.Get("X-Amz-Bucket-Region"); region != "" {
		message = "The bucket is in region " + region + ", which is not the region of this gateway's store."
	}
	return s3.ErrInvalidRequest.WithMessage(message)
}

// shownDetails are the elements of an error document that speak of the request.
// Others may hold the store's address, its ids, or the gateway's session token.
var shownDetails = map[string]bool{
	"AccessTier": true, "ActualObjectSize": true, "ArgumentName": true, "ArgumentValue": true, "BucketName": true,
	"CalculatedDigest": true, "ClientComputedContentSHA256": true, "Condition": true, "Content-MD5": true, "ETag": true,
	"ExpectedDigest": true, "Header": true, "Key": true, "MaxMessageLengthBytes": true, "MaxSizeAllowed": true,
	"Method": true, "MinSizeAllowed": true, "PartNumber": true, "ProposedSize": true, "RangeRequested": true,
	"ResourceType": true, "S3ComputedContentSHA256": true, "StorageClass": true, "TagKey": true, "TagValue": true,
	"UploadId": true, "VersionId": true,
}

// parseStoreError reads an <Error> document; nil if doc is none.
func parseStoreError(doc []byte) *s3.Error {
	dec := xml.NewDecoder(bytes.NewReader(doc))
	var out s3.Error
	depth := 0
	var name string
	var text strings.Builder
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil //nolint:nilerr // no error document
		}
		switch t := tok.(type) {
		case xml.StartElement:
			depth++
			if depth == 1 && t.Name.Local != "Error" {
				return nil
			}
			if depth == 2 {
				name = t.Name.Local
				text.Reset()
			}
		case xml.CharData:
			if depth == 2 {
				text.Write(t)
			}
		case xml.EndElement:
			if depth == 2 {
				switch name {
				case "Code":
					out.Code = text.String()
				case "Message":
					out.Message = text.String()
				default:
					if shownDetails[name] {
						out.Details = append(out.Details, s3.Detail{Name: name, Value: text.String()})
					}
				}
			}
			depth--
		}
	}
	if out.Code == "" {
		return nil
	}
	return &out
}

// errorForStatus stands in where the store sent no error document: a HEAD
// reply, or a machine between us and the store.
func errorForStatus(status int) *s3.Error {
	out := s3.Error{Status: status, Message: http.StatusText(status)}
	switch status {
	case http.StatusForbidden:
		out.Code = "AccessDenied"
	case http.StatusNotFound:
		out.Code = "NoSuchKey"
	case http.StatusPreconditionFailed:
		out.Code = "PreconditionFailed"
	case http.StatusRequestedRangeNotSatisfiable:
		out.Code = "InvalidRange"
	case http.StatusMethodNotAllowed:
		out.Code = "MethodNotAllowed"
	case http.StatusServiceUnavailable:
		out.Code = "ServiceUnavailable"
	case http.StatusNotImplemented:
		out.Code = "NotImplemented"
	default:
		out.Code = "InternalError"
		if status < http.StatusInternalServerError {
			out.Code = "InvalidRequest"
		}
	}
	return &out
}
