package engine

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/posture"
)

// copySource is the source of a copy, as a HEAD of it showed it.
type copySource struct {
	name   objectName
	header http.Header
	found  found
	sized  bool          // its size was said
	rule   *posture.Rule // nil where objects are not sealed
	key    *sse.CustomerKey
	// raw: a sealed source is copied as it is stored, for a reader who is given
	// ciphertext.
	raw bool
}

// opened reports whether what is copied is the plaintext of a sealed object.
func (s *copySource) opened() bool { return s.rule != nil && s.found.sealed() && !s.raw }

// sourceOf holds a source against posture, and asks policy what a reader of it
// is given if it is sealed.
func (x *exchange) sourceOf(header http.Header, key *sse.CustomerKey) (*copySource, error) {
	s := &copySource{name: objectName{x.req.CopySource.Bucket, x.req.CopySource.Key}, header: header, key: key}
	s.found, s.sized = foundIn(&http.Response{StatusCode: http.StatusOK, Header: header})
	s.rule = x.sealedRule(s.name)
	switch {
	case s.rule == nil:
		return s, nil
	case s.found.sealed():
	case s.rule.Sealed == posture.SealedAll:
		return nil, x.damaged(s.name, errNotSealed)
	default:
		return s, nil
	}
	onRead, err := x.onReadOfSource()
	switch {
	case err != nil:
		return nil, err
	case onRead == posture.OnReadReject:
		return nil, x.rejectRead()
	}
	s.raw = onRead == posture.OnReadPassThrough
	return s, nil
}

// plainSource refuses a source that has no envelope where sealed objects are, and
// begins as one: an object whose envelope was stripped must not pass for one that
// was never sealed, by a copy no more than by reading it.
func (x *exchange) plainSource(s *copySource) error {
	if s.rule == nil || s.found.sealed() || s.sized && s.found.size < 4 {
		return nil
	}
	r := &sealedRead{x: x, name: s.name, rule: s.rule}
	if s.key != nil {
		r.plan.send = sse.Choice{Mode: sse.C, Customer: s.key}
	}
	err := r.startsPlain(s.found)
	if errors.Is(err, errChanged) {
		return s3.ErrPreconditionFailed.WithCause(err)
	}
	return err
}

// onReadOfSource asks policy about the read that is part of a copy.
func (x *exchange) onReadOfSource() (string, error) {
	read := *x.req
	read.Op, _ = s3.Lookup("GetObject")
	read.Method, read.CopySource = http.MethodGet, nil
	read.Bucket, read.Key, read.VersionID = x.req.CopySource.Bucket, x.req.CopySource.Key, x.req.CopySource.VersionID
	in, err := x.describe(&read, sse.Choice{})
	if err != nil {
		return "", err
	}
	d, err := x.ask(in)
	switch {
	case err != nil:
		return "", err
	case !d.Allow:
		x.rec.Outcome = OutcomeDenied
		x.rec.Findings = append(x.rec.Findings, d.Findings...)
		return "", x.denial(d.Findings)
	}
	return d.OnRead, nil
}

// describeSealedSource says to policy that a source is sealed.
func describeSealedSource(in *policy.Input, s *copySource) {
	if s.opened() {
		in.CopySource.Encryption.Mode = policy.CSE
	}
}

// copySealed serves a copy from or to where objects are sealed. Under one
// keyring the store copies ciphertext, and only the data key is wrapped anew;
// otherwise the plaintext goes through the gateway.
func (x *exchange) copySealed(p plan, s *copySource) error {
	switch {
	case !s.sized:
		return errNoSize
	case x.req.Op.Name == "UploadPartCopy":
		return x.copySealedPart(p, s)
	}
	work := func(ctx context.Context) (http.Header, error) { return x.copyThrough(ctx, p, s) }
	if p.seal != nil && s.opened() {
		object, err := x.unlock(x.r.Context(), s.found.envelope, s.name, s.rule.Keyrings)
		if err != nil {
			return err
		}
		defer object.Wipe()
		same, err := x.wrappedBy(object, p.seal.keyring)
		if err != nil {
			return err
		}
		if same {
			work = func(ctx context.Context) (http.Header, error) { return x.rewrapped(ctx, p, s, object) }
		}
	}
	return x.lateWork(func(ctx context.Context) (late, error) {
		header, err := work(ctx)
		if err != nil {
			return late{}, err
		}
		seen, err := x.confirm(p, header, written{bucket: x.req.Bucket, key: x.req.Key, versionID: header.Get("X-Amz-Version-Id"), visible: true})
		return late{doc: copyResult("CopyObjectResult", header, p.seal != nil), seen: seen, header: header}, err
	})
}

// copyResult is the document a copy is answered with.
func copyResult(root string, header http.Header, sealed bool) []byte {
	etag := header.Get("ETag")
	if sealed {
		etag = clientETag(etag)
	}
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		at = time.Now()
	}
	doc, _ := xml.Marshal(struct { // of plain values: it does not fail
		XMLName      xml.Name
		ETag         string
		LastModified string
	}{xml.Name{Local: root}, etag, at.UTC().Format("2006-01-02T15:04:05.000Z")})
	return doc
}

// copyThrough writes the source's plaintext as a new object.
func (x *exchange) copyThrough(ctx context.Context, p plan, s *copySource) (http.Header, error) {
	plain, size, err := x.readSource(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = plain.Close() }()
	if size > sigv4.MaxPayload {
		return nil, s3.ErrInvalidRequest.WithMessage("The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
	}
	call, err := x.newObjectCall(ctx, p, s)
	if err != nil {
		return nil, err
	}
	call.Body, call.Length, call.PayloadHash = plain, size, sigv4.UnsignedPayload
	call.Interrupt = func() { _ = plain.Close() }
	if p.seal != nil {
		object, sealer, err := x.sealSingle(ctx, &call, plainBody{plain, size}, p.seal)
		if err != nil {
			return nil, err
		}
		defer object.Wipe()
		defer func() { _ = sealer.Close() }()
		call.Body, call.Length = sealer, sealer.Size()
		x.protect(&call)
	}
	return x.sendCopy(ctx, call)
}

func (x *exchange) sendCopy(ctx context.Context, call upstream.Call) (http.Header, error) {
	resp, err := x.callAside(ctx, call)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorDocument))
	return resp.Header, nil
}

// newObjectCall is the PutObject that a copy stands for when its bytes go
// through the gateway, without a body.
func (x *exchange) newObjectCall(ctx context.Context, p plan, s *copySource) (upstream.Call, error) {
	call := x.newCall(x.req, p)
	if err := x.copiedHeaders(ctx, call.Header, s); err != nil {
		return call, err
	}
	for name := range call.Header {
		if strings.HasPrefix(name, "X-Amz-Copy-Source") {
			delete(call.Header, name)
		}
	}
	call.Header.Del("X-Amz-Metadata-Directive")
	call.Header.Del("X-Amz-Tagging-Directive")
	dropDigests(call.Header)
	return call, nil
}

// copiedHeaders gives h the metadata, content headers and tags that a copy takes
// over from its source, where the client does not replace them.
func (x *exchange) copiedHeaders(ctx context.Context, h http.Header, s *copySource) error {
	if h.Get("X-Amz-Metadata-Directive") != "REPLACE" {
		for name := range h {
			if isContentHeader(name) {
				delete(h, name)
			}
		}
		for name, v := range s.header {
			if isContentHeader(name) && name != envelopeHeader {
				h[name] = v
			}
		}
		stripChunkedEncoding(h) // some stores keep it
	}
	if h.Get("X-Amz-Tagging-Directive") == "REPLACE" {
		return nil
	}
	h.Del("X-Amz-Tagging")
	if n, _ := strconv.Atoi(s.header.Get("X-Amz-Tagging-Count")); n == 0 {
		return nil
	}
	tags, err := x.tagsOf(ctx, s)
	if err != nil {
		return err
	}
	h.Set("X-Amz-Tagging", tags)
	return nil
}

// isContentHeader: what S3 keeps with an object and a copy takes over.
func isContentHeader(name string) bool {
	switch name {
	case "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires":
		return true
	}
	return strings.HasPrefix(name, "X-Amz-Meta-")
}

func (x *exchange) tagsOf(ctx context.Context, s *copySource) (string, error) {
	call := x.pinned(s.name, s.found)
	call.Header.Del("If-Match")
	call.Query = append(s3.Query{{Name: "tagging", HasValue: false}}, call.Query...)
	resp, err := x.callAside(ctx, call)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return "", err
	}
	doc, err := readDocumentReply(resp)
	if err != nil {
		return "", err
	}
	return s3.ParseTagging(doc)
}

// readSource reads a source's plaintext, all of it or an extent; the source must
// still be the one that policy saw. The caller closes the reader.
func (x *exchange) readSource(ctx context.Context, s *copySource, extent *seal.Extent) (io.ReadCloser, int64, error) {
	call := x.pinned(s.name, s.found)
	if v := x.req.CopySource.VersionID; v != "" {
		call.Query = s3.Query{{Name: "versionId", Value: v, HasValue: true}}
	}
	if s.key != nil {
		sse.Choice{Mode: sse.C, Customer: s.key}.Apply(call.Header)
	}
	if s.opened() {
		return x.openSource(ctx, call, s, extent)
	}
	size := s.found.size
	if extent != nil {
		call.Header.Set("Range", rangeHeader(*extent))
		size = extent.Length
	}
	body, err := x.getSource(ctx, call)
	return body, size, err
}

// getSource gives the body of a reply to a read of the source.
func (x *exchange) getSource(ctx context.Context, call upstream.Call) (io.ReadCloser, error) {
	resp, err := x.callAside(ctx, call)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusPreconditionFailed {
		_ = resp.Body.Close()
		return nil, s3.ErrPreconditionFailed.WithCause(errChanged)
	}
	if err := x.storeError(resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	if ranged := call.Header.Get("Range") != ""; ranged != (resp.StatusCode == http.StatusPartialContent) {
		_ = resp.Body.Close()
		return nil, s3.ErrBadGateway.WithMessage("The store gave another range than it was asked for.")
	}
	return resp.Body, nil
}

// openSource reads a sealed source.
func (x *exchange) openSource(ctx context.Context, call upstream.Call, s *copySource, extent *seal.Extent) (io.ReadCloser, int64, error) {
	object, err := x.unlock(ctx, s.found.envelope, s.name, s.rule.Keyrings)
	if err != nil {
		return nil, 0, err
	}
	r := &sealedRead{x: x, name: s.name, rule: s.rule}
	var layout *seal.Layout
	if extent != nil {
		if layout, err = r.layout(s.found); err != nil {
			object.Wipe()
			return nil, 0, err
		}
		stored, err := layout.Stored(*extent)
		if err != nil {
			object.Wipe()
			return nil, 0, errCopyRange
		}
		call.Header.Set("Range", rangeHeader(stored))
	}
	body, err := x.getSource(ctx, call)
	if err != nil {
		object.Wipe()
		return nil, 0, err
	}
	var opener plaintext
	if extent != nil {
		opener, err = object.OpenRange(body, layout, *extent)
	} else {
		opener, err = r.openWhole(object, s.found, body)
	}
	if err != nil {
		_ = body.Close()
		object.Wipe()
		return nil, 0, r.openError(err)
	}
	return &sourceReader{opener: opener, body: body, object: object, fail: r.openError}, opener.Size(), nil
}

// errCopyRange is S3's answer to a range that the source of a part has not.
var errCopyRange = s3.ErrInvalidArgument.WithMessage("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")

// sourceReader reads the plaintext of a sealed source.
type sourceReader struct {
	opener plaintext
	body   io.ReadCloser
	object sealedObject
	fail   func(error) error
}

// Read implements io.Reader; what is wrong with the source is a client's error.
func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.opener.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // an Opener returns it as it is
		err = s.fail(err)
	}
	return n, err
}

// Close ends a read that is under way, too.
func (s *sourceReader) Close() error {
	err := s.body.Close()
	_ = s.opener.Close()
	s.object.Wipe()
	return err
}

// copySealedPart serves UploadPartCopy where source or upload are sealed: the
// plaintext goes through the gateway.
func (x *exchange) copySealedPart(p plan, s *copySource) error {
	ref := uploadRef{id: x.req.UploadID}
	if p.seal != nil {
		var err error
		if ref, err = x.uploadOf(x.r.Context()); err != nil {
			return err
		}
		defer ref.object.Wipe()
	}
	extent, err := x.copyRange(s)
	if err != nil {
		return err
	}
	return x.lateWork(func(ctx context.Context) (late, error) {
		header, err := x.copyPartThrough(ctx, p, s, ref, extent)
		if err != nil {
			return late{}, err
		}
		seen, err := x.confirm(p, header, written{bucket: x.req.Bucket, key: x.req.Key})
		return late{doc: copyResult("CopyPartResult", header, p.seal != nil), seen: seen, header: header}, err
	})
}

// copyRange reads x-amz-copy-source-range, which is about plaintext.
func (x *exchange) copyRange(s *copySource) (*seal.Extent, error) {
	v := x.req.Header.Get("X-Amz-Copy-Source-Range")
	if v == "" {
		return nil, nil
	}
	r, ok := parseRange(v)
	if !ok || r.first < 0 || r.last < 0 {
		return nil, errCopyRange
	}
	size := s.found.size
	if s.opened() {
		plain, counted, err := s.found.plain()
		if err != nil {
			return nil, x.damaged(s.name, err)
		}
		if size = plain; !counted {
			size = 1 << 60 // the layout tells
		}
	}
	if r.last >= size {
		return nil, s3.ErrInvalidArgument.WithMessage("Range specified is not valid for source object of size: " + itoa(size))
	}
	return &seal.Extent{Offset: r.first, Length: r.last - r.first + 1}, nil
}

func (x *exchange) copyPartThrough(ctx context.Context, p plan, s *copySource, ref uploadRef, extent *seal.Extent) (http.Header, error) {
	plain, size, err := x.readSource(ctx, s, extent)
	if err != nil {
		return nil, err
	}
	defer func() { _ = plain.Close() }()
	call := x.newCall(x.req, p)
	for name := range call.Header {
		if strings.HasPrefix(name, "X-Amz-Copy-Source") {
			delete(call.Header, name)
		}
	}
	dropDigests(call.Header)
	call.Body, call.Length, call.PayloadHash = plain, size, sigv4.UnsignedPayload
	call.Interrupt = func() { _ = plain.Close() }
	if p.seal == nil {
		return x.sendCopy(ctx, call)
	}
	if _, err := seal.PartSize(size); err != nil {
		return nil, entityTooLarge(size, seal.MaxPart)
	}
	call.Query = withUploadID(call.Query, ref.id)
	sealer, err := ref.object.SealPart(plain, seal.Part{Number: x.req.PartNumber, Length: size, Final: seal.MustBeFinal(x.req.PartNumber, size)})
	if err != nil {
		return nil, s3.ErrInternalError.WithCause(err)
	}
	defer func() { _ = sealer.Close() }()
	call.Body, call.Length = sealer, sealer.Size()
	x.protect(&call)
	return x.sendCopy(ctx, call)
}
