package engine

import (
	"context"
	"errors"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/module/upstream"
)

// headersAtOnce is how many part headers are asked for at a time, at most.
const headersAtOnce = 32

// pinned asks for an object in the gateway's own name, and for no other than
// the one found.
func (x *exchange) pinned(name objectName, now found) upstream.Call {
	h := x.headHeader()
	h.Set("If-Match", now.etag)
	call := upstream.Call{Method: http.MethodGet, Bucket: name.bucket, Key: name.key, Header: h, PayloadHash: emptyPayload}
	version := now.version
	if version == "" || version == "null" {
		version = x.askedVersion()
	}
	if version != "" {
		call.Query = s3.Query{{Name: "versionId", Value: version, HasValue: true}}
	}
	return call
}

// askedVersion is the version that the client wants to read, "" for the latest.
func (x *exchange) askedVersion() string {
	if c := x.req.CopySource; c != nil {
		return c.VersionID
	}
	return x.req.VersionID
}

// layoutOf reads the header of every part of a multipart object. Each one says
// where the next begins; most uploads have parts of one size, so those that
// follow are guessed from the last and asked for together: fewer after guesses
// that were wrong, so that parts of many sizes do not cost many times their
// number of requests. A guess counts only if an authentic header is there.
//
// errChanged: the object is another one by now.
func (x *exchange) layoutOf(object sealedObject, name objectName, now found) (*seal.Layout, error) {
	headers := make([]seal.Header, 0, max(1, now.parts))
	offset, ahead := int64(0), headersAtOnce
	for offset < now.size {
		if len(headers) >= seal.MaxParts {
			return nil, x.damaged(name, seal.ErrPart)
		}
		step, count := int64(0), 1
		if n := len(headers); n > 0 {
			step = headers[n-1].Stored()
			count = int(min((now.size-offset+step-1)/step, int64(ahead)))
		}
		batch, err := x.readHeaders(object, name, now, headersAt{offset, step, count})
		if err != nil {
			return nil, err
		}
		for _, h := range batch {
			headers = append(headers, h)
			offset += h.Stored()
		}
		if len(batch) < count {
			ahead = max(1, ahead/4)
		} else {
			ahead = min(2*ahead, headersAtOnce)
		}
	}
	layout, err := seal.NewLayout(now.size, headers)
	if err != nil {
		return nil, x.damaged(name, err)
	}
	return layout, nil
}

// headersAt are places where part headers may be: count of them, step apart.
type headersAt struct {
	offset, step int64
	count        int
}

// readHeaders reads the headers at these places as far as they are authentic
// and follow one another. The first one must be there.
func (x *exchange) readHeaders(object sealedObject, name objectName, now found, at headersAt) ([]seal.Header, error) {
	group, ctx := errgroup.WithContext(x.r.Context())
	raw := make([][]byte, at.count)
	for i := range at.count {
		group.Go(func() error {
			var err error
			raw[i], err = x.readHeader(ctx, name, now, at.offset+int64(i)*at.step)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var out []seal.Header
	for i, bytes := range raw {
		h, err := object.ParseHeader(bytes)
		var damage *seal.Damage
		switch {
		case errors.As(err, &damage) && i > 0:
			return out, nil // not where a part begins
		case errors.As(err, &damage):
			return nil, x.damaged(name, err)
		case err != nil:
			return nil, s3.ErrInternalError.WithCause(err)
		}
		out = append(out, h)
		if h.Stored() != at.step && i+1 < at.count {
			return out, nil // the next ones begin elsewhere
		}
	}
	return out, nil
}

func (x *exchange) readHeader(ctx context.Context, name objectName, now found, offset int64) ([]byte, error) {
	call := x.pinned(name, now)
	call.Header.Set("Range", rangeHeader(seal.Extent{Offset: offset, Length: seal.HeaderSize}))
	resp, err := x.callAside(ctx, call)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusPartialContent:
	case http.StatusPreconditionFailed, http.StatusNotFound:
		return nil, errChanged
	default:
		return nil, s3.ErrBadGateway.WithMessage("The store did not give a part of the object.").
			WithCause(&headError{status: resp.StatusCode})
	}
	header, err := io.ReadAll(io.LimitReader(resp.Body, seal.HeaderSize))
	if err != nil {
		return nil, s3.ErrBadGateway.WithCause(err)
	}
	return header, nil
}
