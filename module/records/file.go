package records

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// File is an io.WriteCloser of lines that keeps a file whole: a line that a killed
// process or a full disk left torn at its end is cut off before the next one is
// written. Open opens what writes to the file at Path, such as a writer that rotates
// it; that must write a line as a whole into one file.
//
// The end of the file is looked at when the first line is written, not before: until
// then the file may be another process's.
type File struct {
	Path string
	Open func() (io.WriteCloser, error)

	mu    sync.Mutex
	out   io.WriteCloser // nil when closed
	whole bool           // the file is known to end with a line
}

// OpenNow opens the file, so that one that cannot be opened shows early.
func (f *File) OpenNow() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open()
}

func (f *File) open() (err error) {
	if f.out == nil {
		f.out, err = f.Open()
	}
	return err
}

// Write writes one line, which ends with a newline.
func (f *File) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.whole {
		if err := mend(f.Path); err != nil {
			return 0, fmt.Errorf("mending %s: %w", f.Path, err)
		}
		f.whole = true
	}
	if err := f.open(); err != nil {
		return 0, err
	}
	n, err := f.out.Write(line)
	if err != nil || n < len(line) {
		// What is left of the line goes when the next one comes.
		f.whole = false
		err = errors.Join(cmp.Or(err, io.ErrShortWrite), f.out.Close())
		f.out = nil
	}
	return n, err
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out == nil {
		return nil
	}
	err := f.out.Close()
	f.out = nil
	return err
}

// mend makes a file end with a line: one that lacks only its newline gets it, the
// beginning of a record is cut off, and anything else is not ours and gets a newline.
// A file that is not there, or not a regular one, is left alone.
func mend(path string) (err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Size() == 0) {
		return nil
	}
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	tail := make([]byte, min(info.Size(), maxEncoded+1))
	begin := info.Size() - int64(len(tail))
	if _, err := file.ReadAt(tail, begin); err != nil {
		return err
	}
	last := bytes.LastIndexByte(tail, '\n') + 1 // 0: there is none
	torn := tail[last:]
	switch {
	case len(torn) == 0:
		return nil
	case torn[0] != '{', last == 0 && begin > 0, json.Valid(torn):
		_, err = file.WriteAt([]byte{'\n'}, info.Size())
		return err
	}
	return file.Truncate(begin + int64(last))
}
