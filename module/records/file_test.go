package records

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// appending opens a file as a log writer does.
func appending(path string) func() (io.WriteCloser, error) {
	return func() (io.WriteCloser, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	}
}

func TestFileMends(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", maxEncoded+100)
	for name, tt := range map[string]struct{ before, want string }{
		"nothing":                    {"", ""},
		"whole lines":                {"{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}\n{\"b\":2}\n"},
		"a torn line":                {"{\"a\":1}\n{\"b\":", "{\"a\":1}\n"},
		"nothing but a torn line":    {"{\"b\":", ""},
		"a line without its newline": {"{\"a\":1}\n{\"b\":2}", "{\"a\":1}\n{\"b\":2}\n"},
		"one byte of a line":         {"{\"a\":1}\n{", "{\"a\":1}\n"},
		"what is no record":          {"{\"a\":1}\nhello", "{\"a\":1}\nhello\n"},
		"no line at all":             {"{" + large, "{" + large + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "records.jsonl")
			if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
				t.Fatal(err)
			}
			f := &File{Path: path, Open: appending(path)}
			if err := f.OpenNow(); err != nil {
				t.Fatal(err)
			}
			if got := read(t, path); got != tt.before {
				t.Errorf("opening alone changed the file to %.100q", got)
			}
			for _, line := range []string{"{\"c\":3}\n", "{\"d\":4}\n"} {
				if _, err := f.Write([]byte(line)); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if got, want := read(t, path), tt.want+"{\"c\":3}\n{\"d\":4}\n"; got != want {
				t.Errorf("got %.200q, want %.200q", got, want)
			}
		})
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shortWriter writes part of a line where the disk is full.
type shortWriter struct {
	io.WriteCloser
	full *int // writes until it is
}

func (s shortWriter) Write(p []byte) (int, error) {
	if *s.full--; *s.full == 0 {
		n, _ := s.WriteCloser.Write(p[:len(p)/2])
		return n, errors.New("no space left on device")
	}
	return s.WriteCloser.Write(p)
}

// What a full disk leaves of a line is gone once there is room again.
func TestFileFullDisk(t *testing.T) {
	t.Parallel()
	path, full := filepath.Join(t.TempDir(), "records.jsonl"), 2
	f := &File{Path: path, Open: func() (io.WriteCloser, error) {
		w, err := appending(path)()
		return shortWriter{w, &full}, err
	}}
	q := Open(Config{}, Lines(f))
	for _, id := range []string{"A", "B", "C"} {
		q.Record(t.Context(), sample(id))
	}
	q.Close()
	if s := q.Status(); s.Written != 2 || s.Dropped != 1 {
		t.Errorf("status %+v", s)
	}
	lines := decodeAll(t, []byte(read(t, path)))
	if len(lines) != 2 || lines[0].ID != "A" || lines[1].ID != "C" {
		t.Errorf("got %+v", lines)
	}
}

// Of lines that are cut anywhere, every whole one is kept.
func FuzzMend(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n{\"b\":2}\n{\"c\":3}"), 5)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		if cut < 0 || cut > len(text) {
			return
		}
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := mend(path); err != nil {
			t.Fatal(err)
		}
		got := []byte(read(t, path))
		whole := text[:bytes.LastIndexByte(text[:cut], '\n')+1]
		if !bytes.HasPrefix(got, whole) || len(got) > 0 && got[len(got)-1] != '\n' || len(got) > cut+1 {
			t.Errorf("%q became %q", text[:cut], got)
		}
	})
}
