package engine

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/policy/posture"
)

// maxListing bounds a document of the store's, in bytes: a listing of 1,000 keys
// of 1,024 bytes that are escaped threefold, and what stands around them.
const maxListing = 8 << 20

// headsAtOnce is how many objects of one listing are looked at at a time.
const headsAtOnce = 16

// notSealed stands for the size of a listed object that is not sealed.
const notSealed = -1

// relayListing passes a listing on with the sizes and ETags that clients see.
// Where everything is sealed, that is arithmetic; elsewhere each object that
// could be sealed by its size is looked at, and remembered.
func (x *exchange) relayListing(resp *http.Response, p plan) error {
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return err
	}
	doc, err := readDocumentReply(resp)
	if err != nil {
		return err
	}
	if p.onRead != posture.OnReadPassThrough {
		if doc, err = x.translateListing(doc); err != nil {
			return err
		}
	}
	return x.relayDocument(resp, doc)
}

// listed is one object of a listing.
type listed struct {
	key, version, modified string
	etag, size             textAt
	drop                   []textAt // elements about the stored bytes
	plain                  int64
}

// textAt is a stretch of a document: the content of an element, or an element.
type textAt struct {
	start, end int
	text       string
}

func (x *exchange) translateListing(doc []byte) ([]byte, error) {
	objects, err := parseListing(doc)
	if err != nil {
		return nil, errUnreadable(err)
	}
	if err := x.sizesOf(objects); err != nil {
		return nil, err
	}
	var edits []textAt
	for _, o := range objects {
		if o.plain == notSealed {
			continue
		}
		o.size.text, o.etag.text = itoa(o.plain), clientETag(o.etag.text)
		edits = append(edits, o.size)
		if o.etag.end > 0 {
			o.etag.text = escapedXML(o.etag.text)
			edits = append(edits, o.etag)
		}
		edits = append(edits, o.drop...)
	}
	return edited(doc, edits), nil
}

// edited gives doc with stretches of it replaced.
func edited(doc []byte, edits []textAt) []byte {
	if len(edits) == 0 {
		return doc
	}
	slices.SortFunc(edits, func(a, b textAt) int { return a.start - b.start })
	out := make([]byte, 0, len(doc))
	at := 0
	for _, e := range edits {
		out = append(append(out, doc[at:e.start]...), e.text...)
		at = e.end
	}
	return append(out, doc[at:]...)
}

// sizesOf finds the size of the plaintext of each object, or that it is none of
// the gateway's.
func (x *exchange) sizesOf(objects []*listed) error {
	group, ctx := errgroup.WithContext(x.r.Context())
	group.SetLimit(headsAtOnce)
	for _, o := range objects {
		o.plain = notSealed
		name := objectName{x.req.Bucket, o.key}
		rule := x.sealedRule(name)
		stored, err := strconv.ParseInt(o.size.text, 10, 64)
		if rule == nil || rule.OnRead == posture.OnReadPassThrough || err != nil {
			continue
		}
		size, err := listedPlain(stored, partCount(o.etag.text))
		switch {
		case err != nil: // no sealed object has this size
			continue
		case rule.Sealed == posture.SealedAll:
			o.plain = size
			continue
		}
		at := place(name, o.version) + "\x00" + o.modified + "\x00" + o.etag.text + "\x00" + o.size.text
		if size, ok := x.e.memory.sizes.get(at); ok {
			o.plain = size
			continue
		}
		group.Go(func() error {
			size, err := x.lookAtListed(ctx, name, o.version)
			if err != nil {
				return err
			}
			o.plain = size
			x.e.memory.sizes.put(at, size)
			return nil
		})
	}
	return group.Wait()
}

// listedPlain is the size of the plaintext of an object that is sealed.
func listedPlain(stored int64, parts int) (int64, error) {
	if parts > 0 {
		return seal.MultipartPlain(stored, parts)
	}
	return seal.SinglePlain(stored)
}

func (x *exchange) lookAtListed(ctx context.Context, name objectName, version string) (int64, error) {
	resp, err := x.callAside(ctx, x.headCall(written{bucket: name.bucket, key: name.key, versionID: version}, x.headHeader()))
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusMethodNotAllowed: // gone since it was listed
		return notSealed, nil
	default:
		return 0, s3.ErrServiceUnavailable.WithMessage("A listed object could not be looked at. Please try again.").
			WithCause(&headError{status: resp.StatusCode})
	}
	now, ok := foundIn(resp)
	if !ok || !now.sealed() {
		return notSealed, nil
	}
	size, counted, err := now.plain()
	if err != nil || !counted {
		return notSealed, nil //nolint:nilerr // reading it says what is wrong; a listing shows what is stored
	}
	return size, nil
}

// parseListing finds the objects of a ListObjects, ListObjectsV2 or
// ListObjectVersions document.
func parseListing(doc []byte) ([]*listed, error) {
	var (
		objects []*listed
		current *listed
		escaped bool
		path    []string
		starts  []int
	)
	dec := xml.NewDecoder(bytes.NewReader(doc))
	for {
		at := int(dec.InputOffset())
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			path, starts = append(path, t.Name.Local), append(starts, at)
			if len(path) == 2 && (t.Name.Local == "Contents" || t.Name.Local == "Version") {
				current = new(listed)
				objects = append(objects, current)
			}
		case xml.CharData:
			escaped = escaped || len(path) == 2 && path[1] == "EncodingType" && string(t) == "url"
			if current != nil && len(path) == 3 {
				current.take(path[2], textAt{at, int(dec.InputOffset()), string(t)})
			}
		case xml.EndElement:
			if current != nil && len(path) == 3 && (path[2] == "ChecksumAlgorithm" || path[2] == "ChecksumType") {
				current.drop = append(current.drop, textAt{start: starts[2], end: int(dec.InputOffset())})
			}
			if len(path) == 2 {
				current = nil
			}
			path, starts = path[:len(path)-1], starts[:len(starts)-1]
		}
	}
	if escaped {
		for _, o := range objects {
			key, err := url.QueryUnescape(o.key)
			if err != nil {
				return nil, err
			}
			o.key = key
		}
	}
	return objects, nil
}

// take notes the content of an element of an entry. Text that is given in
// several pieces is one.
func (o *listed) take(element string, t textAt) {
	extend := func(have *textAt) {
		if have.end == t.start && have.end > 0 {
			have.end, have.text = t.end, have.text+t.text
			return
		}
		*have = t
	}
	switch element {
	case "Key":
		o.key += t.text
	case "VersionId":
		o.version += t.text
	case "LastModified":
		o.modified += t.text
	case "ETag":
		extend(&o.etag)
	case "Size":
		extend(&o.size)
	}
}
