package engine

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
)

// keepAlivePause is how long a client waits for the first byte of a copy or a
// completion before whitespace is sent, as S3 does (API_CompleteMultipartUpload).
const keepAlivePause = 10 * time.Second

// late is the end of a late reply: the document for the client, without its
// XML declaration, and what is known of the written object's encryption.
type late struct {
	doc    []byte
	seen   sse.Observed
	header http.Header // more of the reply, nil if there is none
	err    error
}

// lateReply reads the reply of an operation whose "200 OK" may still turn into
// an <Error>: CopyObject, UploadPartCopy, CompleteMultipartUpload. finish gets
// the whole document and gives what the client is to see. While the store
// works, the client is kept waiting with whitespace; an error that comes after
// that is written into the body, as S3 does.
func (x *exchange) lateReply(resp *http.Response, finish func(doc []byte) (late, error)) error {
	if err := x.storeError(resp); err != nil {
		_ = resp.Body.Close()
		return err
	}
	return x.keepWaiting(resp, func() late { return x.readLate(resp.Body, finish) }, func() { _ = resp.Body.Close() })
}

// lateWork answers an operation that takes several calls, and so long that the
// client has to be kept waiting.
func (x *exchange) lateWork(work func(ctx context.Context) (late, error)) error {
	ctx, cancel := context.WithCancel(x.r.Context())
	x.aside = true
	resp := &http.Response{StatusCode: http.StatusOK, Header: make(http.Header), Body: http.NoBody}
	return x.keepWaiting(resp, func() (end late) {
		defer x.recovered(&end.err)
		end, end.err = work(ctx)
		return end
	}, cancel)
}

// keepWaiting answers with what work gives. stop makes work end soon; it has
// ended when keepWaiting returns.
func (x *exchange) keepWaiting(resp *http.Response, work func() late, stop func()) error {
	done := make(chan late, 1)
	go func() { // is waited for below
		defer close(done)
		done <- work()
	}()
	defer func() {
		stop()
		for range done { //nolint:revive // until it is closed
		}
	}()
	pause := time.NewTicker(x.e.pause)
	defer pause.Stop()
	begun := false
	for {
		select {
		case <-pause.C:
			if !begun {
				begun = true
				x.beginLate(resp)
			}
			_, _ = io.WriteString(x.w, " ")
			_ = http.NewResponseController(x.w).Flush()
		case end := <-done:
			return x.endLate(resp, end, begun)
		}
	}
}

// beginLate commits to "200 OK" before the end is known. Which encryption the
// object got is not known either, so nothing is said of it.
func (x *exchange) beginLate(resp *http.Response) {
	x.replyHeader(resp)
	h := x.w.Header()
	h.Del("Content-Length")
	sse.Observed{}.Echo(h)
	h.Set("Content-Type", "application/xml")
	x.w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(x.w, xmlDeclaration)
}

// endLate answers with the end, or puts it behind what has been sent.
func (x *exchange) endLate(resp *http.Response, end late, begun bool) error {
	switch {
	case end.err != nil && !begun:
		return end.err
	case end.err != nil:
		return x.lateError(end.err)
	case begun:
		_, err := x.w.Write(end.doc)
		return err
	}
	if end.header != nil {
		for name, v := range end.header {
			if strings.HasPrefix(name, "X-Amz-") {
				resp.Header[name] = v
			}
		}
		hideSealing(resp.Header)
	}
	x.replyHeader(resp)
	h := x.w.Header()
	end.seen.Echo(h)
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", itoa(int64(len(xmlDeclaration)+len(end.doc))))
	x.w.WriteHeader(http.StatusOK)
	_, err := x.w.Write(append([]byte(xmlDeclaration), end.doc...))
	return err
}

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// readLate reads the whole reply and finishes it. It runs beside lateReply: a
// panic here would otherwise end the process.
func (x *exchange) readLate(body io.Reader, finish func([]byte) (late, error)) (end late) {
	defer x.recovered(&end.err)
	doc, err := io.ReadAll(io.LimitReader(body, s3.MaxDocument))
	if err != nil {
		end.err = s3.ErrBadGateway.WithMessage("The store's answer broke off.").WithCause(err)
		return end
	}
	doc = bytes.TrimSpace(doc)
	if err := x.lateFailure(doc); err != nil {
		end.err = err
		return end
	}
	end, end.err = finish(withoutDeclaration(doc))
	return end
}

// lateFailure tells an error in a 200 reply from a result. What is neither is
// an error: nobody knows whether the object was written.
func (x *exchange) lateFailure(doc []byte) error {
	if e := parseStoreError(doc); e != nil {
		x.rec.Outcome = OutcomeStore
		e.Status = http.StatusInternalServerError
		if e.Code == "SlowDown" || e.Code == "ServiceUnavailable" {
			e.Status = http.StatusServiceUnavailable
		}
		return x.presentable(e)
	}
	if root, err := rootElement(doc); err != nil || !strings.HasSuffix(root, "Result") {
		return s3.ErrBadGateway.WithMessage("The store's answer could not be read.").
			WithCause(errors.Join(fmt.Errorf("a reply of %d bytes with root element %q", len(doc), root), err))
	}
	return nil
}

// rootElement reads all of doc and gives the name of its root element.
func rootElement(doc []byte) (string, error) {
	dec := xml.NewDecoder(bytes.NewReader(doc))
	root := ""
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return root, err
		}
		if e, ok := tok.(xml.StartElement); ok && root == "" {
			root = e.Name.Local
		}
	}
}

// withoutDeclaration cuts the XML declaration off, which a reply has only once.
func withoutDeclaration(doc []byte) []byte {
	if bytes.HasPrefix(doc, []byte("<?xml ")) {
		if _, rest, ok := bytes.Cut(doc, []byte("?>")); ok {
			return bytes.TrimSpace(rest)
		}
	}
	return doc
}

// lateError writes an error into a reply whose status is already out.
func (x *exchange) lateError(err error) error {
	e := clientError(err)
	x.rec.Answered.Code = e.Code
	if x.rec.Cause == "" {
		x.rec.Cause = causeOf(err)
	}
	if x.rec.Outcome == "" {
		x.rec.Outcome = outcomeOf(err, e)
	}
	doc := e.Document(s3.Reply{RequestID: x.rec.ID, HostID: hostID, Resource: x.resource()})
	_, werr := x.w.Write(withoutDeclaration(doc))
	return werr
}
