package records

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/sealgate/sealgate/module/engine"
)

// Each is a Writer that has every record written by a function, one after the other,
// from one goroutine.
type Each func(*engine.Record) error

func (write Each) run(ctx context.Context, q *Queue) {
	for it := range q.items {
		q.took(it)
		if ctx.Err() != nil {
			q.drop(1, "not written in time")
			continue
		}
		if err := write(q.view(it)); err != nil {
			q.fail(1, err)
			continue
		}
		q.wrote(1)
	}
}

// Lines is a Writer of one JSON object per line. A line is one call of w.Write. If w
// is an io.Closer it is closed after the last line.
func Lines(w io.Writer) Writer { return lines{w} }

type lines struct{ w io.Writer }

func (l lines) run(ctx context.Context, q *Queue) {
	if c, ok := l.w.(io.Closer); ok {
		defer func() {
			if err := c.Close(); err != nil {
				q.report.failed(err)
			}
		}()
	}
	var line bytes.Buffer
	Each(func(r *engine.Record) error {
		if err := encode(&line, r, recordItself); err != nil {
			return err
		}
		_, err := l.w.Write(line.Bytes())
		return err
	}).run(ctx, q)
}

func recordItself(r *engine.Record) any { return r }

// maxEncoded bounds the JSON of a record, in which a byte of text may take six. It is
// less than the megabyte that is the smallest size of rotated files.
const maxEncoded = 512 << 10

// encode replaces what is in line by the JSON of a record in some form, a newline at
// its end and nowhere else. A record that gets too large that way loses its input,
// then its findings. r is the caller's own.
func encode(line *bytes.Buffer, r *engine.Record, form func(*engine.Record) any) error {
	line.Reset()
	if line.Cap() > maxEncoded {
		*line = bytes.Buffer{}
	}
	e := json.NewEncoder(line)
	e.SetEscapeHTML(false)
	if err := e.Encode(form(r)); err != nil || line.Len() <= maxEncoded {
		return err
	}
	switch {
	case r.Input != nil:
		r.Input = nil
		r.Erased = append(r.Erased[:len(r.Erased):len(r.Erased)], "input")
	case len(r.Findings) > 0:
		r.Findings = r.Findings[:0]
		r.Erased = append(r.Erased[:len(r.Erased):len(r.Erased)], "findings")
	default:
		return nil
	}
	return encode(line, r, form)
}
