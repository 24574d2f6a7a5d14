package engine

import (
	"errors"
	"io"
	"net/http"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
)

// gapReader reads a whole multipart object. Where its part numbers have a gap,
// the headers of all parts are read before one more byte comes out, and then
// the rest in a request of its own: a store that leaves out a part, or moves
// one, is found out before bytes of another place pass for those.
type gapReader struct {
	*seal.Opener
	read   *sealedRead
	object sealedObject
	now    found

	rest *seal.Opener // nil before the gap
	body io.Closer    // of the reply that rest reads
	sent int64
}

// Read implements io.Reader.
func (g *gapReader) Read(p []byte) (int, error) {
	if g.rest == nil {
		n, err := g.Opener.Read(p)
		g.sent += int64(n)
		if !errors.Is(err, seal.ErrGap) {
			return n, err
		}
		if err := g.goOn(); err != nil {
			return 0, err
		}
	}
	return g.rest.Read(p)
}

// goOn opens what is left of the object.
func (g *gapReader) goOn() error {
	r := g.read
	layout, err := r.layout(g.now)
	if err != nil {
		return err
	}
	extent := seal.Extent{Offset: g.sent, Length: layout.Plain() - g.sent}
	stored, err := layout.Stored(extent)
	if err != nil {
		return r.x.damaged(r.name, err)
	}
	call := r.x.pinned(r.name, g.now)
	call.Header.Set("Range", rangeHeader(stored))
	resp, err := r.x.call(r.x.r.Context(), call) //nolint:bodyclose // Close closes it
	if err != nil {
		return err
	}
	g.body = resp.Body
	if again, ok := foundIn(resp); !ok || resp.StatusCode != http.StatusPartialContent || again != g.now {
		return s3.ErrBadGateway.WithMessage("The object was overwritten while it was read.").WithCause(errChanged)
	}
	g.rest, err = g.object.OpenRange(resp.Body, layout, extent)
	if err != nil {
		return r.x.damaged(r.name, err)
	}
	return nil
}

// Close implements io.Closer.
func (g *gapReader) Close() error {
	if g.rest != nil {
		_ = g.rest.Close()
	}
	if g.body != nil {
		_ = g.body.Close()
	}
	return g.Opener.Close()
}
