package engine

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/module/upstream"
)

// listSealedParts serves ListParts with the sizes and ETags that clients know.
func (x *exchange) listSealedParts(p plan) error {
	ref, err := x.uploadOf(x.r.Context())
	if err != nil {
		return err
	}
	defer ref.object.Wipe()
	call := x.newCall(x.req, p)
	call.Query = withUploadID(call.Query, ref.id)
	resp, err := x.call(x.r.Context(), call)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.uploadError(resp, ref); err != nil {
		return err
	}
	doc, err := readDocumentReply(resp)
	if err != nil {
		return err
	}
	edits, err := partEdits(doc, x.req)
	if err != nil {
		return errUnreadable(err)
	}
	hideSealing(resp.Header)
	return x.relayDocument(resp, edited(doc, edits))
}

// partEdits are what clients see differently of a ListParts document.
//
// A part without plaintext that stands behind another one is not shown: it is the
// closing part of a completion that failed, and a client that goes on from what is
// listed would take it for one of its own. If it is one of its own after all, the
// object is the same without it.
func partEdits(doc []byte, req *s3.Request) ([]textAt, error) {
	marker, _ := req.Query.Get("part-number-marker")
	after, _ := strconv.Atoi(marker)
	var edits []textAt
	var part partEntry
	first := after <= 0
	flush := func() {
		if part.seen && part.empty && !first {
			edits = append(edits, textAt{start: part.start, end: elementEnd(doc, part.end, "Part")})
		} else {
			edits = append(edits, part.edits...)
		}
		first = first && !part.seen
	}
	err := eachLeaf(doc, func(l leaf) {
		name := l.path[len(l.path)-1]
		inPart := len(l.path) == 3 && l.path[1] == "Part"
		if inPart && (!part.seen || l.entry != part.start) {
			flush()
			part = partEntry{seen: true, start: l.entry}
		}
		if inPart {
			part.end = l.outer.end
		}
		switch {
		case len(l.path) == 2 && name == "UploadId":
			edits = append(edits, textAt{l.start, l.end, escapedXML(req.UploadID)})
		case inPart && name == "ETag":
			part.edits = append(part.edits, textAt{l.start, l.end, escapedXML(clientETag(l.text))})
		case inPart && name == "Size":
			stored, err := strconv.ParseInt(l.text, 10, 64)
			if plain, err2 := seal.PartPlain(stored); err == nil && err2 == nil {
				part.empty = plain == 0
				part.edits = append(part.edits, textAt{l.start, l.end, itoa(plain)})
			}
		case inPart && strings.HasPrefix(name, "Checksum"):
			part.edits = append(part.edits, l.outer)
		case strings.HasPrefix(name, "Checksum"):
			edits = append(edits, l.outer)
		}
	})
	flush()
	return edits, err
}

// partEntry is a part of a ListParts document.
type partEntry struct {
	seen, empty bool
	start, end  int // of the element; the end of its last leaf
	edits       []textAt
}

// elementEnd is where an element of that name ends of which the last leaf with
// text ends at from.
func elementEnd(doc []byte, from int, name string) int {
	for {
		i := bytes.Index(doc[from:], []byte("</"))
		if i < 0 {
			return len(doc)
		}
		tag, end, err := cutTag(doc, from+i)
		if err != nil {
			return len(doc)
		}
		if string(localName(tag[1:])) == name {
			return end
		}
		from = end
	}
}

// storedPart is a part of an upload as the store lists it.
type storedPart struct {
	PartNumber int
	ETag       string
	Size       int64
	// ChecksumCRC64NVME is what the part came with, if it did; the store wants
	// to hear it again.
	ChecksumCRC64NVME string
}

// partsOf lists all parts of an upload.
func (x *exchange) partsOf(ctx context.Context, ref uploadRef) (map[int]storedPart, error) {
	out := make(map[int]storedPart)
	marker := 0
	for range seal.MaxParts {
		call := upstream.Call{
			Method: http.MethodGet, Bucket: x.req.Bucket, Key: x.req.Key, Header: x.headHeader(), PayloadHash: emptyPayload,
			Query: s3.Query{{Name: "uploadId", Value: ref.id, HasValue: true}},
		}
		if marker > 0 {
			call.Query = append(call.Query, s3.Pair{Name: "part-number-marker", Value: strconv.Itoa(marker), HasValue: true})
		}
		page, err := x.partsPage(ctx, call)
		if err != nil {
			return nil, err
		}
		for _, part := range page.Part {
			out[part.PartNumber] = part
		}
		if !page.IsTruncated || len(page.Part) == 0 {
			return out, nil
		}
		marker = page.Part[len(page.Part)-1].PartNumber
	}
	return out, nil
}

type partsPage struct {
	Part        []storedPart
	IsTruncated bool
}

func (x *exchange) partsPage(ctx context.Context, call upstream.Call) (page partsPage, err error) {
	resp, err := x.call(ctx, call)
	if err != nil {
		return page, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return page, err
	}
	doc, err := readDocumentReply(resp)
	if err != nil {
		return page, err
	}
	if err := xml.Unmarshal(doc, &page); err != nil {
		return page, errUnreadable(err)
	}
	return page, nil
}
