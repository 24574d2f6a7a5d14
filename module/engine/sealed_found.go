package engine

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sealgate/sealgate/module/seal"
)

// found is what the store says of an object in the headers of a reply. None of
// it is authentic; opening the object shows what is wrong.
type found struct {
	etag, version, modified string
	size                    int64  // stored bytes
	parts                   int    // the "-N" of the ETag, 0 without
	envelope                string // "" for an object that is not sealed
}

// foundIn reads a reply to GET or HEAD; ok is false where the size is not said.
func foundIn(resp *http.Response) (f found, ok bool) {
	h := resp.Header
	f = found{
		etag: h.Get("ETag"), version: h.Get("X-Amz-Version-Id"), modified: h.Get("Last-Modified"),
		parts: partCount(h.Get("ETag")), envelope: h.Get(envelopeHeader),
	}
	if resp.StatusCode == http.StatusPartialContent {
		_, f.size, ok = parseContentRange(h.Get("Content-Range"))
		return f, ok
	}
	size, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	f.size = size
	return f, err == nil && size >= 0
}

func (f found) sealed() bool { return f.envelope != "" }

// kind is what the envelope says; ok is false where it is malformed. An object of
// one part may have a number of parts in its ETag all the same: a copy that was
// made without the gateway and uploaded in parts. All its bytes are authentic or
// it does not open, whatever the ETag says.
func (f found) kind() (kind seal.Kind, ok bool) {
	e, err := seal.ParseEnvelope(f.envelope)
	return e.Kind, err == nil
}

// plain is the size of the plaintext of a sealed object, by arithmetic on what
// the store says. counted is false for a multipart object that has lost its
// number of parts, as copies made without the gateway do.
func (f found) plain() (size int64, counted bool, err error) {
	kind, ok := f.kind()
	switch {
	case !ok:
		return 0, false, seal.ErrEnvelope
	case kind == seal.Single:
		size, err = seal.SinglePlain(f.size)
		return size, true, err
	case f.parts == 0:
		return 0, false, nil
	}
	size, err = seal.MultipartPlain(f.size, f.parts)
	return size, true, err
}

// hideSealing takes out of a reply's headers what is the gateway's own or is
// about the stored bytes, and shows the ETag as clients see it.
func hideSealing(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			delete(h, name)
		}
	}
	for _, name := range []string{
		envelopeHeader, "X-Amz-Object-Size", "X-Amz-Mp-Parts-Count", "Content-Md5", "Content-Length", "Content-Range",
	} {
		h.Del(name)
	}
	if etag := h.Get("ETag"); etag != "" {
		h.Set("ETag", clientETag(etag))
	}
}

// known is an object whose place of plaintext has been worked out: the layout of
// a sealed one, nil for one that is not sealed and does not look like it.
type known struct {
	found
	layout *seal.Layout
}

// memory is what an engine remembers of objects. It is only a guess at what the
// store holds now, held against every reply.
type memory struct {
	// layouts has objects that were read in ranges, by place, so that the next
	// range of the same object takes one request.
	layouts lru[known]
	// sizes has sizes of plaintext of listed objects, by everything a listing
	// says of them; notSealed for those that are not.
	sizes lru[int64]
}

// Bounds of what is remembered: objects, and parts in all their layouts, of
// about 60 bytes each.
const (
	maxLayouts     = 10_000
	maxLayoutParts = 100_000
	maxSizes       = 50_000
)

func newMemory() *memory {
	return &memory{
		layouts: lru[known]{maxEntries: maxLayouts, maxWeight: maxLayoutParts, weight: func(k known) int {
			if k.layout == nil {
				return 1
			}
			return k.layout.Parts()
		}},
		sizes: lru[int64]{maxEntries: maxSizes},
	}
}

// place is the key of an object, or of one version of it, in memory.
func place(name objectName, version string) string {
	return name.bucket + "/" + name.key + "\x00" + version
}
