package engine

import (
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
	edits, err := partEdits(doc, x.req.UploadID)
	if err != nil {
		return errUnreadable(err)
	}
	hideSealing(resp.Header)
	return x.relayDocument(resp, edited(doc, edits))
}

// partEdits are what clients see differently of a ListParts document.
func partEdits(doc []byte, uploadID string) ([]textAt, error) {
	var edits []textAt
	err := eachLeaf(doc, func(l leaf) {
		name := l.path[len(l.path)-1]
		part := len(l.path) == 3 && l.path[1] == "Part"
		switch {
		case len(l.path) == 2 && name == "UploadId":
			edits = append(edits, textAt{l.start, l.end, escapedXML(uploadID)})
		case part && name == "ETag":
			edits = append(edits, textAt{l.start, l.end, escapedXML(clientETag(l.text))})
		case part && name == "Size":
			stored, err := strconv.ParseInt(l.text, 10, 64)
			if plain, err2 := seal.PartPlain(stored); err == nil && err2 == nil {
				edits = append(edits, textAt{l.start, l.end, itoa(plain)})
			}
		case strings.HasPrefix(name, "Checksum"):
			edits = append(edits, l.outer)
		}
	})
	return edits, err
}

// storedPart is a part of an upload as the store lists it.
type storedPart struct {
	PartNumber int
	ETag       string
	Size       int64
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
