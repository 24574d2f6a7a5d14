package engine

import (
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/policy/posture"
)

// attributes answers GetObjectAttributes from a HEAD of the object: what the
// store would say is about the stored bytes, and of those nothing is shown.
func (r *sealedRead) attributes() error {
	x := r.x
	at := written{bucket: r.name.bucket, key: r.name.key, versionID: x.req.VersionID}
	resp, err := x.call(x.r.Context(), x.headCall(at, x.headHeader()))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return err
	}
	now, ok := foundIn(resp)
	switch {
	case !ok:
		return errNoSize
	case !now.sealed() && r.rule.Sealed == posture.SealedAll:
		return x.damaged(r.name, errNotSealed)
	case !now.sealed():
		return r.asked()
	}
	doc, err := r.attributesOf(now, resp.Header)
	if err != nil {
		return err
	}
	for name := range resp.Header {
		switch name {
		case "Last-Modified", "X-Amz-Version-Id", "X-Amz-Delete-Marker", "Date":
		default:
			delete(resp.Header, name)
		}
	}
	resp.Header.Set("Content-Type", "application/xml")
	return x.relayDocument(resp, doc)
}

// objectAttributes is the document of GetObjectAttributes, in the order of its
// schema. Checksums are left out: the store's are not the plaintext's.
type objectAttributes struct {
	XMLName      xml.Name    `xml:"GetObjectAttributesResponse"`
	Xmlns        string      `xml:"xmlns,attr"`
	ETag         string      `xml:"ETag,omitempty"`
	ObjectParts  *partsCount `xml:"ObjectParts"`
	StorageClass string      `xml:"StorageClass,omitempty"`
	ObjectSize   *int64      `xml:"ObjectSize"`
}

// partsCount is all S3 says of the parts of an object without checksums.
type partsCount struct {
	PartsCount int `xml:"PartsCount"`
}

func (r *sealedRead) attributesOf(now found, h http.Header) ([]byte, error) {
	wanted := make(map[string]bool)
	for _, v := range r.x.req.Header.Values("X-Amz-Object-Attributes") {
		for name := range strings.SplitSeq(v, ",") {
			wanted[strings.TrimSpace(name)] = true
		}
	}
	doc := objectAttributes{Xmlns: s3Namespace}
	kind, ok := now.kind()
	size, counted, err := now.plain()
	if !ok || err != nil {
		return nil, r.x.damaged(r.name, seal.ErrEnvelope)
	}
	if !counted || kind == seal.Multipart && wanted["ObjectParts"] {
		layout, err := r.layout(now)
		if err != nil {
			return nil, err
		}
		size = layout.Plain()
		if wanted["ObjectParts"] {
			doc.ObjectParts = &partsCount{layout.Parts()}
		}
	}
	if wanted["ETag"] {
		doc.ETag, _ = unquoted(clientETag(now.etag))
	}
	if wanted["StorageClass"] {
		if doc.StorageClass = h.Get("X-Amz-Storage-Class"); doc.StorageClass == "" {
			doc.StorageClass = "STANDARD"
		}
	}
	if wanted["ObjectSize"] {
		doc.ObjectSize = &size
	}
	out, err := xml.Marshal(doc)
	if err != nil {
		return nil, s3.ErrInternalError.WithCause(err)
	}
	return append([]byte(xmlDeclaration), out...), nil
}
