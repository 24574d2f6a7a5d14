package engine

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/module/upstream"
)

// serveBodyless serves what carries no body upward: reads, lists, deletes,
// CreateMultipartUpload, and anything else without one.
func (x *exchange) serveBodyless() error {
	if err := x.noBody(); err != nil {
		return err
	}
	p, err := x.decideAndPlan(x.req)
	if err != nil {
		return err
	}
	if serve := x.sealedBodyless(p); serve != nil {
		return serve()
	}
	resp, err := x.call(x.r.Context(), x.newCall(x.req, p))
	if err != nil {
		return err
	}
	switch x.req.Op.Name {
	case "ListObjects", "ListObjectsV2", "ListObjectVersions":
		if x.e.cfg.Keyrings != nil {
			return x.relayListing(resp, p)
		}
	}
	if !p.expectsConfirmation() || resp.StatusCode >= http.StatusMultipleChoices {
		return x.relay(resp)
	}
	// CreateMultipartUpload: nothing to look at yet, so a store that does not
	// report now is asked when the upload completes.
	return x.relayWritten(resp, p, written{bucket: x.req.Bucket, key: x.req.Key})
}

// serveObject serves PutObject, UploadPart and their kin: the decision first,
// then the body, verified while it streams.
func (x *exchange) serveObject() error {
	p, err := x.decideAndPlan(x.req)
	if err != nil {
		return err
	}
	if serve := x.sealedBody(p); serve != nil {
		return serve()
	}
	call := x.newCall(x.req, p)
	body, err := x.openBody(x.e.cfg.PayloadCheck)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := body.attach(&call); err != nil {
		return err
	}
	call.Interrupt = x.interrupt
	resp, err := x.call(x.r.Context(), call)
	if err != nil {
		return err
	}
	return x.relayWritten(resp, p, written{
		bucket: x.req.Bucket, key: x.req.Key,
		versionID: resp.Header.Get("X-Amz-Version-Id"),
		visible:   x.req.Op.Name == "PutObject",
	})
}

// interrupt ends a read of the client's body that waits for bytes the store no
// longer wants. net/http takes the failed read for the client's end: on
// HTTP/1 it cancels the context of the whole connection.
func (x *exchange) interrupt() {
	x.interrupted = x.r.Context().Err() == nil
	_ = http.NewResponseController(x.w).SetReadDeadline(time.Unix(1, 0))
}

// relayWritten confirms a write and relays its reply.
func (x *exchange) relayWritten(resp *http.Response, p plan, at written) error {
	if err := x.storeError(resp); err != nil {
		_ = resp.Body.Close()
		return err
	}
	seen, err := x.confirm(p, resp.Header, at)
	if err != nil {
		_ = resp.Body.Close()
		return err
	}
	if !seen.Reported && x.e.cfg.Verify == VerifyRequired && x.req.Op.Name == "CreateMultipartUpload" {
		seen = promised(p.send)
	}
	if seen.Reported {
		seen.Echo(resp.Header)
	}
	return x.relay(resp)
}

// promised is what AWS would have answered to a choice that was sent.
func promised(c sse.Choice) sse.Observed {
	if c.Mode == "" {
		return sse.Observed{}
	}
	o := sse.Observed{Mode: c.Mode, KeyID: c.KeyID, BucketKey: c.BucketKey, Reported: true}
	if c.Customer != nil {
		o.CustomerMD5 = c.Customer.MD5()
	}
	return o
}

// noBody refuses a body where none belongs. HTTP/2 and HTTP/3 need not say
// beforehand whether one follows.
func (x *exchange) noBody() error {
	body := x.req.ContentLength > 0 || len(x.req.TransferEncoding) > 0
	if !body && x.req.ContentLength < 0 {
		inTime := x.hurry()
		n, err := io.ReadFull(clientBody{x}, make([]byte, 1))
		inTime()
		body = n > 0 || !errors.Is(err, io.EOF)
	}
	if body {
		return s3.ErrInvalidRequest.WithMessage("This operation takes no request body.")
	}
	return nil
}

// objectBody is an object's bytes on their way up.
type objectBody struct {
	*sigv4.Body
	length  int64
	payload string // payload hash to announce upstream
}

// openBody prepares the client's body; errors come before the first byte is
// read where the headers alone show them.
func (x *exchange) openBody(check PayloadCheck) (*objectBody, error) {
	req, proof := x.req, x.proof
	payload := sigv4.UnsignedPayload
	if check == PayloadCheckStore && !proof.Payload.Chunked() {
		if proof.Payload == sigv4.PayloadHash {
			payload = proof.PayloadHash
		}
		proof.Payload = sigv4.PayloadUnsigned
		req = withoutDigests(req)
	}
	b, err := proof.Open(req, clientBody{x})
	if err != nil {
		return nil, err
	}
	return &objectBody{Body: b, length: b.Length(), payload: payload}, nil
}

// withoutDigests is req as if it said nothing of its body that the store can
// check as well.
func withoutDigests(req *s3.Request) *s3.Request {
	out := *req
	out.Wire = req.Wire.Clone()
	for name := range out.Wire {
		if name == "Content-Md5" || name == "X-Amz-Sdk-Checksum-Algorithm" || strings.HasPrefix(name, "X-Amz-Checksum-") {
			delete(out.Wire, name)
		}
	}
	return &out
}

// attach makes the body the payload of call. A body that fits one buffer is
// verified whole first, which also makes it replayable.
func (b *objectBody) attach(call *upstream.Call) error {
	if b.Small() {
		data, err := b.ReadSmall()
		if err != nil {
			return err
		}
		setAll(call.Header, b.Checksums())
		call.Data = data
		call.PayloadHash = b.payload
		return nil
	}
	call.Body, call.Length, call.PayloadHash = b.Body, b.length, b.payload
	name := b.TrailerName()
	if name == "" {
		return nil // a checksum that came as a header is in call.Header already
	}
	call.Body, call.Length = sigv4.EncodeTrailer(b.Body, sigv4.Trailer{
		Length: b.length, Name: name,
		Value: func() (string, error) { return b.Checksums().Get(name), nil },
	})
	call.PayloadHash = sigv4.StreamingUnsignedTrailer
	addChunkedEncoding(call.Header)
	call.Header.Set("X-Amz-Trailer", name)
	call.Header.Set("X-Amz-Decoded-Content-Length", itoa(b.length))
	return nil
}
