package engine

import (
	"context"
	"errors"
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
			size, err := x.lookAtListed(ctx, name, o)
			switch {
			case errors.Is(err, errGone):
				return nil // it is listed as it is stored
			case err != nil:
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

func (x *exchange) lookAtListed(ctx context.Context, name objectName, o *listed) (int64, error) {
	now, err := x.headListed(ctx, written{bucket: name.bucket, key: name.key, versionID: o.version})
	if errors.Is(err, errGone) && o.version == "null" {
		// Some stores know no version "null" where they never had another.
		now, err = x.headListed(ctx, written{bucket: name.bucket, key: name.key})
	}
	is, _ := unquoted(now.etag)
	listed, _ := unquoted(o.etag.text)
	switch {
	case err != nil:
		return 0, err
	case is != listed:
		return 0, errGone // overwritten since
	case !now.sealed():
		return notSealed, nil
	}
	size, counted, err := now.plain()
	if err != nil || !counted {
		return notSealed, nil //nolint:nilerr // reading it says what is wrong; a listing shows what is stored
	}
	return size, nil
}

// errGone: a listed object is no more, or not for the gateway to look at, as one
// that a customer's key encrypts. It is listed as it is stored.
var errGone = errors.New("the object cannot be looked at")

func (x *exchange) headListed(ctx context.Context, at written) (found, error) {
	resp, err := x.callAside(ctx, x.headCall(at, x.headHeader()))
	if err != nil {
		return found{}, err
	}
	_ = resp.Body.Close()
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
	case status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusTooManyRequests:
		return found{}, errGone
	default:
		return found{}, s3.ErrServiceUnavailable.WithMessage("A listed object could not be looked at. Please try again.").
			WithCause(&headError{status: resp.StatusCode})
	}
	now, ok := foundIn(resp)
	if !ok {
		return found{}, errNoSize
	}
	return now, nil
}

// parseListing finds the objects of a ListObjects, ListObjectsV2 or
// ListObjectVersions document.
func parseListing(doc []byte) ([]*listed, error) { return parseEntries(doc, "Contents", "Version") }

// parseEntries finds the entries of a listing, in elements of these names.
func parseEntries(doc []byte, names ...string) ([]*listed, error) {
	var objects []*listed
	escaped, last := false, -1
	err := eachLeaf(doc, func(l leaf) {
		if len(l.path) == 2 && l.path[1] == "EncodingType" {
			escaped = l.text == "url"
		}
		if len(l.path) != 3 || !slices.Contains(names, l.path[1]) {
			return
		}
		if l.entry != last {
			last = l.entry
			objects = append(objects, new(listed))
		}
		objects[len(objects)-1].take(l)
	})
	if err != nil || !escaped {
		return objects, err
	}
	for _, o := range objects {
		if o.key, err = url.QueryUnescape(o.key); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// take notes an element of an entry.
func (o *listed) take(l leaf) {
	switch l.path[2] {
	case "Key":
		o.key = l.text
	case "VersionId":
		o.version = l.text
	case "LastModified":
		o.modified = l.text
	case "ETag":
		o.etag = l.textAt
	case "Size":
		o.size = l.textAt
	case "ChecksumAlgorithm", "ChecksumType":
		o.drop = append(o.drop, l.outer)
	}
}
