// Package recorded reads files of decision records back, for requests to be decided
// again.
package recorded

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/sealgate/sealgate/policy/replay"
)

// MaxRecord bounds a record, in bytes. A longer line is passed over and counted.
const MaxRecord = 4 << 20

// Reader reads records. Its zero value reads all of them. It is for one use at a time.
type Reader struct {
	// Since leaves out the records of requests before a moment.
	Since time.Time
	// Progress, if set, is told how many more bytes of a file were read.
	Progress func(n int64)

	// Early counts records of requests that ended before policy was asked, Unreadable
	// lines that are no records. Neither is given out.
	Early, Unreadable int
}

// File is a file of records, one a line, as it is or compressed (gzip).
type File struct {
	Name string // for errors
	io.Reader
}

// Requests gives the requests that policy was asked about, in the order of the files,
// and an error of reading, which ends it. One line is held at a time.
func (r *Reader) Requests(files ...File) iter.Seq2[replay.Request, error] {
	return func(yield func(replay.Request, error) bool) {
		for _, f := range files {
			lines, err := r.open(f)
			for err == nil {
				var l line
				l, err = nextLine(lines)
				if l.long {
					r.Unreadable++
				}
				if len(l.text) == 0 {
					continue
				}
				if request, ok := r.read(l.text); ok && !yield(request, nil) {
					return
				}
			}
			if !errors.Is(err, io.EOF) {
				yield(replay.Request{}, fmt.Errorf("%s: %w", f.Name, err))
				return
			}
		}
	}
}

// open finds out whether a file is compressed.
func (r *Reader) open(f File) (*bufio.Reader, error) {
	const block = 64 << 10
	raw := bufio.NewReaderSize(counted{f, r.Progress}, block)
	magic, err := raw.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952
		return raw, nil
	}
	unpacked, err := gzip.NewReader(raw)
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(unpacked, block), nil
}

type counted struct {
	io.Reader
	progress func(int64)
}

// Read implements io.Reader.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.progress != nil {
		c.progress(int64(n))
	}
	return n, err
}

// line is a line without its end; long ones have no text.
type line struct {
	text []byte
	long bool
}

// nextLine reads a line. The last one comes with io.EOF.
func nextLine(r *bufio.Reader) (line, error) {
	var l line
	for {
		part, err := r.ReadSlice('\n')
		if len(l.text)+len(part) > MaxRecord {
			l = line{long: true}
		} else if !l.long {
			l.text = append(l.text, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		l.text = bytes.TrimSpace(l.text)
		return l, err
	}
}
