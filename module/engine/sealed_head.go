package engine

import (
	"net/http"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/policy/posture"
)

// head answers HeadObject. Sizes are arithmetic on what the store says; only a
// question about one part, or for an object that has lost its number of parts,
// reads the headers of the parts.
func (r *sealedRead) head() error {
	call := r.call()
	resp, err := r.x.call(r.x.r.Context(), call)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return r.relayRefusal(resp)
	}
	now, ok := foundIn(resp)
	switch {
	case !ok:
		return errNoSize
	case now.sealed():
		return r.headSealed(now, resp)
	case r.rule.Sealed == posture.SealedAll:
		return r.x.damaged(r.name, errNotSealed)
	case r.ranged || r.x.req.PartNumber > 0:
		return r.asked()
	}
	return r.x.relay(resp)
}

func (r *sealedRead) headSealed(now found, resp *http.Response) error {
	size, counted, err := now.plain()
	if err != nil {
		return r.x.damaged(r.name, err)
	}
	var layout *seal.Layout
	if !counted || r.x.req.PartNumber > 0 {
		if layout, err = r.layout(now); err != nil {
			return err
		}
		size = layout.Plain()
	}
	hideSealing(resp.Header)
	h := resp.Header
	extent, partial := seal.Extent{Length: size}, false
	switch {
	case r.x.req.PartNumber > 0:
		if extent, err = r.partOf(layout); err != nil {
			return err
		}
		showParts(h, layout)
		partial = extent.Length > 0 // no Content-Range names an empty part
	case r.ranged:
		if extent, partial = r.want.of(size); !partial {
			return r.unsatisfiable(size)
		}
	}
	if partial {
		resp.StatusCode = http.StatusPartialContent
		h.Set("Content-Range", contentRange(extent, size))
	}
	h.Set("Content-Length", itoa(extent.Length))
	r.x.replyHeader(resp)
	r.x.w.WriteHeader(resp.StatusCode)
	return nil
}

// layout is that of the sealed object found, from memory if it is there.
func (r *sealedRead) layout(now found) (*seal.Layout, error) {
	if k, ok := r.x.e.memory.layouts.get(r.at()); ok && k.found == now && k.layout != nil {
		return k.layout, nil
	}
	if kind, ok := now.kind(); ok && kind == seal.Single {
		layout, err := seal.SingleLayout(now.size)
		if err != nil {
			return nil, r.x.damaged(r.name, err)
		}
		return layout, nil
	}
	next, err := r.lookUp(now)
	if err != nil {
		return nil, err
	}
	return next.layout, nil
}

// partOf finds the part a client asks for by number. As S3 does once an upload
// is complete, parts count from 1 without gaps.
func (r *sealedRead) partOf(layout *seal.Layout) (seal.Extent, error) {
	_, extent, err := layout.Part(r.x.req.PartNumber)
	if err != nil {
		return extent, s3.NewError("InvalidPartNumber", http.StatusRequestedRangeNotSatisfiable, "The requested partnumber is not satisfiable").
			With("ActualPartCount", itoa(int64(layout.Parts()))).With("PartNumberRequested", itoa(int64(r.x.req.PartNumber)))
	}
	return extent, nil
}

// showParts says how many parts an object has; of one that was put at once S3
// says nothing.
func showParts(h http.Header, layout *seal.Layout) {
	if layout.Kind() == seal.Multipart {
		h.Set("X-Amz-Mp-Parts-Count", itoa(int64(layout.Parts())))
	}
}

// getPart gives one part of an object. What there is to give takes a HEAD
// request first.
func (r *sealedRead) getPart() error {
	now, answered, err := r.look()
	switch {
	case answered || err != nil:
		return err
	case now.sealed():
	case r.rule.Sealed == posture.SealedAll:
		return r.x.damaged(r.name, errNotSealed)
	default:
		if err := r.startsPlain(now); err != nil {
			return err
		}
		return r.asked()
	}
	layout, err := r.layout(now)
	if err != nil {
		return err
	}
	extent, err := r.partOf(layout)
	if err != nil {
		return err
	}
	call := r.x.pinned(r.name, now)
	switch {
	case extent.Length > 0:
		stored, err := layout.Stored(extent)
		if err != nil {
			return r.x.damaged(r.name, err)
		}
		call.Header.Set("Range", rangeHeader(stored))
	case layout.Plain() > 0: // an empty last part: its header has been read
		call.Method = http.MethodHead
	}
	resp, err := r.x.call(r.x.r.Context(), call)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusPreconditionFailed {
		return errChanged
	}
	if err := r.x.storeError(resp); err != nil {
		return err
	}
	again, ok := foundIn(resp)
	switch {
	case !ok || again != now:
		return errChanged
	case extent.Length > 0:
		return r.opened(now, resp, extent, layout)
	case layout.Plain() > 0:
		return r.emptyPart(resp, layout)
	}
	return r.whole(now, resp)
}

// emptyPart answers with a part that has no bytes of an object that has some.
func (r *sealedRead) emptyPart(resp *http.Response, layout *seal.Layout) error {
	hideSealing(resp.Header)
	showParts(resp.Header, layout)
	resp.Header.Set("Content-Length", "0")
	r.x.replyHeader(resp)
	r.x.w.WriteHeader(http.StatusOK)
	return nil
}
