package engine

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// minPart is the least size of a part that is not the last (User Guide,
// "Multipart upload limits"), of plaintext here: the store sees more.
const minPart = 5 << 20

// completion is a CompleteMultipartUpload of a sealed upload.
type completion struct {
	x      *exchange
	plan   plan
	ref    uploadRef
	wanted []s3.CompletedPart
}

// completeSealed serves CompleteMultipartUpload: the parts a client names are
// held against what the store has, a closing part ends the object where the
// last part could not know that it is the last, and the store is told.
func (x *exchange) completeSealed(p plan, data []byte) error {
	wanted, err := s3.ParseCompleteMultipart(data)
	if err != nil {
		return err
	}
	ref, err := x.uploadOf(x.r.Context())
	if err != nil {
		return err
	}
	defer ref.object.Wipe()
	if err := x.sealedAs(ref, p.seal); err != nil {
		return err
	}
	c := &completion{x: x, plan: p, ref: ref, wanted: wanted}
	for attempt := 1; ; attempt++ {
		resp, count, err := c.send() //nolint:bodyclose // answer closes it
		switch {
		case errors.Is(err, s3.ErrNoSuchUpload):
			return c.alreadyDone(err)
		case errors.Is(err, errClosingPart) && attempt == 1:
			continue // another completion or upload took its number meanwhile
		case err != nil:
			return err
		}
		return c.answer(resp, count)
	}
}

// errClosingPart: the store does not know the closing part it was just given.
var errClosingPart = errors.New("the store does not find the closing part")

// send makes one attempt and returns the reply, and how many parts the object
// has now.
func (c *completion) send() (resp *http.Response, count int, err error) {
	ctx := c.x.r.Context()
	stored, err := c.x.partsOf(ctx, c.ref)
	if err != nil {
		return nil, 0, err
	}
	parts, closing, err := c.check(stored)
	if err != nil {
		return nil, 0, err
	}
	if err := c.verifyWhole(parts); err != nil {
		return nil, 0, err
	}
	if closing > 0 {
		last, err := c.close(ctx, closing, parts)
		if err != nil {
			return nil, 0, err
		}
		parts = append(parts, last)
	}
	call := c.call(parts)
	resp, err = c.x.call(ctx, call)
	if err != nil {
		return nil, 0, err
	}
	if resp.StatusCode != http.StatusOK {
		err := c.x.storeError(resp)
		_ = resp.Body.Close()
		if closing > 0 && errors.Is(err, s3.ErrInvalidPart) {
			err = errClosingPart
		}
		return nil, 0, err
	}
	return resp, len(parts), nil
}

// part is one part of a completion: what the store is told, and what is in it.
type part struct {
	seal.Part
	etag     string
	checksum string // CRC-64/NVME of the stored bytes; "" for none
}

// check finds the parts the client names. closing is the number of the closing
// part that the object needs, 0 if none.
func (c *completion) check(stored map[int]storedPart) (parts []part, closing int, err error) {
	for _, w := range c.wanted {
		have, ok := stored[w.PartNumber]
		given, _ := unquoted(storeETag(w.ETag))
		is, _ := unquoted(have.ETag)
		plain, err := seal.PartPlain(have.Size)
		if !ok || given != is || err != nil {
			return nil, 0, s3.ErrInvalidPart.With("PartNumber", strconv.Itoa(w.PartNumber)).With("ETag", w.ETag).WithCause(err)
		}
		parts = append(parts, part{seal.Part{Number: w.PartNumber, Length: plain, Final: seal.MustBeFinal(w.PartNumber, plain)}, have.ETag, have.ChecksumCRC64NVME})
	}
	gap, top := false, 0
	for i, p := range parts {
		if i+1 < len(parts) && p.Length < minPart {
			return nil, 0, s3.ErrEntityTooSmall.With("ProposedSize", itoa(p.Length)).With("MinSizeAllowed", itoa(minPart)).
				With("PartNumber", strconv.Itoa(p.Number)).With("ETag", c.wanted[i].ETag)
		}
		gap = gap || p.Number != i+1
		top = p.Number
	}
	final := parts[len(parts)-1].Final
	switch {
	case final && gap:
		return nil, 0, s3.ErrInvalidRequest.WithMessage("Objects here are sealed. Part numbers may have gaps only if the last part has at least 5 MiB and its number is not 10000.")
	case final:
		return parts, 0, nil
	}
	for closing = top + 1; closing <= seal.MaxParts; closing++ {
		if _, taken := stored[closing]; !taken || isClosing(stored[closing]) {
			return parts, closing, nil
		}
	}
	return nil, 0, s3.ErrInvalidRequest.WithMessage("Objects here are sealed, and no part number is left to end this one.")
}

// isClosing reports whether a stored part has the size of a part without
// plaintext: it may be the closing part of another attempt.
func isClosing(p storedPart) bool { return p.Size == seal.PartOverhead }

// close uploads the closing part.
func (c *completion) close(ctx context.Context, number int, parts []part) (part, error) {
	earlier := make([]seal.Part, len(parts))
	for i, p := range parts {
		earlier[i] = p.Part
	}
	data, err := c.ref.object.ClosingPart(number, earlier)
	if err != nil {
		return part{}, s3.ErrInternalError.WithCause(err)
	}
	call := upstream.Call{
		Method: http.MethodPut, Bucket: c.x.req.Bucket, Key: c.x.req.Key, Header: c.x.headHeader(), Data: data,
		Query: s3.Query{
			{Name: "partNumber", Value: strconv.Itoa(number), HasValue: true},
			{Name: "uploadId", Value: c.ref.id, HasValue: true},
		},
	}
	c.x.protect(&call)
	resp, err := c.x.call(ctx, call)
	if err != nil {
		return part{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := c.x.storeError(resp); err != nil {
		return part{}, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorDocument))
	return part{seal.Part{Number: number, Final: true}, resp.Header.Get("ETag"), call.Header.Get("X-Amz-Checksum-Crc64nvme")}, nil
}

// completionDocument names the parts of an object to the store.
func completionDocument(parts []part) []byte {
	type element struct {
		PartNumber        int
		ETag              string
		ChecksumCRC64NVME string `xml:",omitempty"`
	}
	doc := struct {
		XMLName xml.Name  `xml:"CompleteMultipartUpload"`
		Xmlns   string    `xml:"xmlns,attr"`
		Part    []element `xml:"Part"`
	}{Xmlns: "http://s3.amazonaws.com/doc/2006-03-01/"}
	for _, p := range parts {
		doc.Part = append(doc.Part, element{p.Number, p.etag, p.checksum})
	}
	data, _ := xml.Marshal(doc) // of plain values: it does not fail
	return data
}

// call is the completion as the store gets it.
func (c *completion) call(parts []part) upstream.Call {
	data := completionDocument(parts)
	call := c.x.newCall(c.x.req, c.plan)
	dropDigests(call.Header)
	attachDocument(&call, data)
	call.Query = withUploadID(call.Query, c.ref.id)
	call.Once = true // a repeated one could answer NoSuchUpload for a success
	if size, err := strconv.ParseInt(call.Header.Get("X-Amz-Mp-Object-Size"), 10, 64); err == nil {
		call.Header.Set("X-Amz-Mp-Object-Size", itoa(size+seal.PartOverhead*int64(len(parts))))
	}
	return call
}

// answer relays the store's reply, which may still turn into an error.
func (c *completion) answer(resp *http.Response, count int) error {
	x := c.x
	hideSealing(resp.Header)
	return x.lateReply(resp, func(doc []byte) (late, error) {
		edits, err := completedEdits(doc)
		if err != nil {
			return late{}, errUnreadable(err)
		}
		if n := partCount(edits.etag); n != count {
			// A listing computes sizes from this number.
			x.rec.Findings = append(x.rec.Findings, policy.Finding{
				ID: "ENF-008", Message: "the store's ETag does not tell the number of parts: sizes in listings will be wrong",
				Action: policy.ActionAudit,
			})
		}
		x.forgetUpload(c.ref.id)
		return late{doc: x.clientDocument(edited(doc, edits.edits))}, nil
	})
}

type completed struct {
	etag  string
	edits []textAt
}

func completedEdits(doc []byte) (completed, error) {
	var out completed
	err := eachLeaf(doc, func(l leaf) {
		switch name := l.path[len(l.path)-1]; {
		case name == "ETag":
			out.etag = l.text
			out.edits = append(out.edits, textAt{l.start, l.end, escapedXML(clientETag(l.text))})
		case strings.HasPrefix(name, "Checksum"):
			out.edits = append(out.edits, l.outer)
		}
	})
	return out, err
}

// alreadyDone answers a completion whose upload is gone: it may have completed,
// and the client may not have heard of it. The object there tells by its id.
func (c *completion) alreadyDone(gone error) error {
	x := c.x
	resp, err := x.call(x.r.Context(), x.headCall(written{bucket: x.req.Bucket, key: x.req.Key}, x.headHeader()))
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	e, err := seal.ParseEnvelope(resp.Header.Get(envelopeHeader))
	if resp.StatusCode != http.StatusOK || err != nil || e.OID != c.ref.object.Envelope().OID {
		return gone
	}
	x.rec.Outcome = ""
	x.forgetUpload(c.ref.id)
	doc, err := xml.Marshal(struct {
		XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
		Location string
		Bucket   string
		Key      string
		ETag     string
	}{Location: x.objectURL(), Bucket: x.req.Bucket, Key: x.req.Key, ETag: clientETag(resp.Header.Get("ETag"))})
	if err != nil {
		return s3.ErrInternalError.WithCause(err)
	}
	// What else a HEAD tells, such as a Content-Encoding, is about the object.
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/xml"}}}
	if v := resp.Header.Get("X-Amz-Version-Id"); v != "" {
		answer.Header.Set("X-Amz-Version-Id", v)
	}
	return x.relayDocument(answer, append([]byte(xmlDeclaration), doc...))
}
