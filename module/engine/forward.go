package engine

import (
	"net/http"
	"slices"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// emptyPayload is the payload hash of a request without a body.
const emptyPayload = sigv4.EmptySHA256

// plainHeaders are the request headers that S3 gives a meaning to and that are
// no x-amz-* headers. Everything else a client sends stays here.
var plainHeaders = map[string]bool{
	"Cache-Control": true, "Content-Disposition": true, "Content-Encoding": true, "Content-Language": true,
	"Content-Type": true, "Content-Md5": true, "Expires": true,
	"If-Match": true, "If-None-Match": true, "If-Modified-Since": true, "If-Unmodified-Since": true,
}

// rangeHeaders mean something in reads only.
var rangeHeaders = map[string]bool{"Range": true, "If-Range": true}

// crossOriginHeaders are what a browser asks a bucket's CORS rules with. They
// are all that a preflight takes, which is parsed no further.
var crossOriginHeaders = map[string]bool{
	"Origin": true, "Access-Control-Request-Method": true, "Access-Control-Request-Headers": true,
}

// ownHeaders are x-amz-* headers that belong to one hop: the client's
// signature, its framing and its checksums, which the body's reader verifies
// and hands over itself.
var ownHeaders = map[string]bool{
	"X-Amz-Date":                   true,
	"X-Amz-Content-Sha256":         true,
	"X-Amz-Security-Token":         true,
	"X-Amz-User-Agent":             true,
	"X-Amz-Decoded-Content-Length": true,
	"X-Amz-Trailer":                true,
	"X-Amz-Sdk-Checksum-Algorithm": true,
}

// forwards reports whether a request header of op goes to the store. Which
// x-amz-* headers op takes was checked when the request was parsed.
func forwards(op *s3.Operation, name string) bool {
	switch {
	case crossOriginHeaders[name]:
		return true
	case op.Scope == s3.ScopeAny:
		return false
	case rangeHeaders[name]:
		return op.ReadOnly
	case plainHeaders[name]:
		return true
	}
	return strings.HasPrefix(name, "X-Amz-") && !ownHeaders[name]
}

// newCall builds the call for req from what was parsed, never from the raw
// request: what policy saw is what the store gets.
func (x *exchange) newCall(req *s3.Request, p plan) upstream.Call {
	h := make(http.Header, len(req.Header))
	for name, v := range req.Header {
		if forwards(req.Op, name) {
			h[name] = slices.Clone(v)
		}
	}
	stripChunkedEncoding(h)
	if x.sealedRule(objectName{req.Bucket, req.Key}) != nil {
		for _, name := range []string{"If-Match", "If-None-Match", "If-Range"} {
			if v := h.Get(name); v != "" {
				h.Set(name, storeETags(v))
			}
		}
	}
	if req.CopySource != nil {
		h.Set("X-Amz-Copy-Source", req.CopySource.Header())
	}
	sse.Strip(h)
	p.send.Apply(h)
	x.sent(p.send)
	if p.seal != nil {
		x.rec.Sent = RecordEncryption{Mode: string(policy.CSE), Keyring: p.seal.keyring, Context: sortedNames(p.seal.context)}
	}
	return upstream.Call{
		Method: req.Method, Bucket: req.Bucket, Key: req.Key,
		Query: forwardedQuery(req), Header: h, PayloadHash: emptyPayload,
	}
}

// forwardedQuery keeps the parameters the operation is known by and those it
// takes, in the order they came.
func forwardedQuery(req *s3.Request) s3.Query {
	var out s3.Query
	for _, pair := range req.Query {
		if takesQuery(req.Op, pair.Name) {
			out = append(out, pair)
		}
	}
	return out
}

func takesQuery(op *s3.Operation, name string) bool {
	for _, t := range op.Require {
		if t.Name == name {
			return true
		}
	}
	for _, o := range op.Optional {
		// A hoisted x-amz-* parameter has become a header.
		if o == name && !strings.HasPrefix(name, "x-amz-") {
			return true
		}
	}
	return false
}

// sent notes the choice that goes to the store.
func (x *exchange) sent(c sse.Choice) {
	x.rec.Sent = recordChoice(c)
}

func recordChoice(c sse.Choice) RecordEncryption {
	return RecordEncryption{Mode: string(c.Mode), KeyID: c.KeyID, Context: sortedNames(c.Context), BucketKey: c.BucketKey}
}
