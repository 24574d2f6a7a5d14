package engine

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
)

// keepAlivePause is how long a client waits for the first byte of a copy or a
// completion before whitespace is sent, as S3 does (API_CompleteMultipartUpload).
const keepAlivePause = 10 * time.Second

// late is the end of a late reply: the document for the client, and what is
// known of the written object's encryption.
type late struct {
	doc  []byte
	seen sse.Observed
}

// lateReply reads the reply of an operation whose "200 OK" may still turn into
// an <Error>: CopyObject, UploadPartCopy, CompleteMultipartUpload. finish gets
// the whole document and gives what the client is to see. While the store
// works, the client is kept waiting with whitespace; an error that comes after
// that is written into the body, as S3 does.
func (x *exchange) lateReply(resp *http.Response, finish func(doc []byte) (late, error)) error {
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return err
	}
	type result struct {
		late
		err error
	}
	done := make(chan result, 1)
	go func() { // ends with the reply body, which the deferred Close and the request's context end
		doc, err := io.ReadAll(io.LimitReader(resp.Body, s3.MaxDocument))
		var l late
		if err == nil {
			l, err = x.lateDocument(doc, finish)
		}
		done <- result{l, err}
	}()
	pause := time.NewTicker(keepAlivePause)
	defer pause.Stop()
	begun := false
	for {
		select {
		case <-pause.C:
			if !begun {
				begun = true
				x.replyHeader(resp)
				h := x.w.Header()
				h.Del("Content-Length")
				h.Set("Content-Type", "application/xml")
				x.w.WriteHeader(http.StatusOK)
				_, _ = io.WriteString(x.w, xmlDeclaration)
			}
			_, _ = io.WriteString(x.w, " ")
			_ = http.NewResponseController(x.w).Flush()
		case r := <-done:
			switch {
			case r.err != nil && !begun:
				return r.err
			case r.err != nil:
				return x.lateError(r.err)
			case begun:
				_, err := x.w.Write(bytes.TrimPrefix(r.doc, []byte(xmlDeclaration)))
				return err
			default:
				x.replyHeader(resp)
				h := x.w.Header()
				r.seen.Echo(h)
				h.Set("Content-Type", "application/xml")
				h.Set("Content-Length", strconv.Itoa(len(r.doc)))
				x.w.WriteHeader(http.StatusOK)
				_, err := x.w.Write(r.doc)
				return err
			}
		}
	}
}

const xmlDeclaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// lateDocument tells a result from an error in a 200 reply.
func (x *exchange) lateDocument(doc []byte, finish func([]byte) (late, error)) (late, error) {
	doc = bytes.TrimSpace(doc)
	if e := parseStoreError(doc); e != nil {
		x.rec.Outcome = OutcomeStore
		e.Status = http.StatusInternalServerError
		if e.Code == "SlowDown" || e.Code == "ServiceUnavailable" {
			e.Status = http.StatusServiceUnavailable
		}
		return late{}, e
	}
	return finish(doc)
}

// lateError writes an error into a reply whose status is already out.
func (x *exchange) lateError(err error) error {
	e := clientError(err)
	x.rec.Answered.Code = e.Code
	x.rec.Cause = causeOf(err)
	if x.rec.Outcome == "" {
		x.rec.Outcome = OutcomeFault
	}
	doc := e.Document(s3.Reply{RequestID: x.rec.ID, HostID: hostID, Resource: x.resource()})
	_, werr := x.w.Write(bytes.TrimPrefix(doc, []byte(xmlDeclaration)))
	return werr
}
