package seal

import (
	"errors"
	"io"
)

// maxEmptyReads is how often in a row a source may return nothing.
const maxEmptyReads = 100

// readFull fills p from src. It returns io.EOF when src ended before, which
// io.ReadFull cannot tell from a source that itself failed with
// io.ErrUnexpectedEOF. Other errors are those of src, also where they come with
// the last bytes.
func readFull(src io.Reader, p []byte) error {
	for empty := 0; len(p) > 0; {
		n, err := src.Read(p)
		p = p[n:]
		ended := errors.Is(err, io.EOF)
		if err != nil && (len(p) > 0 || !ended) {
			return err
		}
		if empty++; n > 0 {
			empty = 0
		}
		if empty == maxEmptyReads {
			return io.ErrNoProgress
		}
	}
	return nil
}

// atEnd reports whether src has ended. An error is that of src.
func atEnd(src io.Reader) (bool, error) {
	var one [1]byte
	err := readFull(src, one[:])
	if errors.Is(err, io.EOF) {
		return true, nil
	}
	return false, err
}
