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
		if extent, err = r.partOf(layout, h); err != nil {
			return err
		}
		partial = true
	case r.ranged:
		if extent, partial = r.want.of(size); !partial {
			return r.unsatisfiable(size)
		}
	}
	if partial {
		resp.StatusCode = http.StatusPartialContent
		if extent.Length > 0 {
			h.Set("Content-Range", contentRange(extent, size))
		}
	}
	h.Set("Content-Length", itoa(extent.Length))
	r.x.replyHeader(resp)
	r.x.w.WriteHeader(resp.StatusCode)
	return nil
}

// layout is that of an object of which something is known by memory or not.
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
func (r *sealedRead) partOf(layout *seal.Layout, h http.Header) (seal.Extent, error) {
	_, extent, err := layout.Part(r.x.req.PartNumber)
	if err != nil {
		return extent, s3.NewError("InvalidPartNumber", http.StatusRequestedRangeNotSatisfiable, "The requested partnumber is not satisfiable").
			With("ActualPartCount", itoa(int64(layout.Parts()))).With("PartNumberRequested", itoa(int64(r.x.req.PartNumber)))
	}
	if layout.Kind() == seal.Multipart {
		h.Set("X-Amz-Mp-Parts-Count", itoa(int64(layout.Parts())))
	}
	return extent, nil
}

// getPart gives one part of an object. What there is to give takes a HEAD
// request first.
func (r *sealedRead) getPart() error {
	if r.ranged {
		return s3.ErrInvalidRequest.WithMessage("Cannot specify both Range header and partNumber query parameter.")
	}
	now, answered, err := r.look()
	if answered || err != nil {
		return err
	}
	if !now.sealed() {
		if r.rule.Sealed == posture.SealedAll {
			return r.x.damaged(r.name, errNotSealed)
		}
		if err := r.startsPlain(now); err != nil {
			return err
		}
		return r.asked()
	}
	layout, err := r.layout(now)
	if err != nil {
		return err
	}
	shown := make(http.Header)
	extent, err := r.partOf(layout, shown)
	if err != nil {
		return err
	}
	call := r.x.pinned(r.name, now)
	if extent.Length > 0 {
		stored, err := layout.Stored(extent)
		if err != nil {
			return r.x.damaged(r.name, err)
		}
		call.Header.Set("Range", rangeHeader(stored))
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
	if again, ok := foundIn(resp); !ok || again != now {
		return errChanged
	}
	if extent.Length == 0 {
		return r.whole(now, resp) // the only empty part is that of an empty object
	}
	return r.openedPart(now, resp, extent, layout, shown)
}

func (r *sealedRead) openedPart(now found, resp *http.Response, extent seal.Extent, layout *seal.Layout, shown http.Header) error {
	object, err := r.x.unlock(r.x.r.Context(), now.envelope, r.name, r.rule.Keyrings)
	if err != nil {
		return err
	}
	defer object.Wipe()
	opener, err := object.OpenRange(resp.Body, layout, extent)
	if err != nil {
		return r.x.damaged(r.name, err)
	}
	return r.answer(resp, opener, func(h http.Header) {
		h.Set("Content-Range", contentRange(extent, layout.Plain()))
		setAll(h, shown)
	})
}
