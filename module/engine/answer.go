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

// copyBuffers hold the bytes of a reply on its way to the client.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// hopHeaders and the store's own identity never reach the client.
var hiddenReplyHeaders = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Connection": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Alt-Svc": true,
	"Server": true, "Via": true, "X-Amz-Request-Id": true, "X-Amz-Id-2": true, "Location": true,
	"Strict-Transport-Security": true, "Date": true,
}

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
		if hiddenReplyHeaders[name] {
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
	if loc := resp.Header.Get("Location"); loc != "" && resp.StatusCode < http.StatusMultipleChoices {
		h.Set("Location", x.clientLocation(loc))
	}
	x.replyIDs()
}

func (x *exchange) replyIDs() {
	h := x.w.Header()
	h.Set("X-Amz-Request-Id", x.rec.ID)
	h.Set("X-Amz-Id-2", hostID)
}

// clientLocation is where the client finds what the store calls location: the
// store's host must not be seen.
func (x *exchange) clientLocation(location string) string {
	if !strings.Contains(location, "://") {
		return location
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
	if resp.StatusCode < http.StatusMultipleChoices || resp.StatusCode == http.StatusNotModified {
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
	for _, name := range []string{"X-Amz-Delete-Marker", "X-Amz-Version-Id", "X-Amz-Bucket-Region", "Last-Modified", "Allow", "Content-Range", "Retry-After"} {
		if v := resp.Header.Values(name); len(v) > 0 {
			x.w.Header()[name] = v
		}
	}
	return e
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

// parseStoreError reads an <Error> document; nil if doc is none. The elements
// that would show the store's address or ids are left out.
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
				case "RequestId", "HostId", "Resource", "Endpoint", "Region", "Bucket", "StringToSign", "CanonicalRequest",
					"StringToSignBytes", "CanonicalRequestBytes", "SignatureProvided", "AWSAccessKeyId":
				default:
					out.Details = append(out.Details, s3.Detail{Name: name, Value: text.String()})
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
