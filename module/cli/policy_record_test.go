package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Lines are found from the end of a file and from its beginning, whatever their length.
func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200<<10) // more than is read at a time
	for name, text := range map[string]string{
		"empty":                   "",
		"one line":                "a\n",
		"no end":                  "a\nb",
		"blank lines":             "\n\na\n\nb\n\n",
		"long lines":              long + "a\n" + long + "b\n" + "c\n",
		"a line of the next":      strings.Repeat("y", 64<<10) + "\n" + strings.Repeat("z", 64<<10-1) + "\n",
		"a line that is too long": "a\n" + strings.Repeat("x", maxRecord+1) + "\nb\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want []string
			for line := range strings.SplitSeq(text, "\n") {
				if line != "" && len(line) <= maxRecord {
					want = append(want, line)
				}
			}
			collect := func(into *[]string) func([]byte) bool {
				return func(line []byte) bool {
					*into = append(*into, string(line))
					return false
				}
			}
			var back, forth []string
			if err := backwards(strings.NewReader(text), int64(len(text)), collect(&back)); err != nil {
				t.Fatal(err)
			}
			if err := forwards(strings.NewReader(text), collect(&forth)); err != nil {
				t.Fatal(err)
			}
			slices.Reverse(back)
			if !slices.Equal(back, want) {
				t.Errorf("backwards: %d lines of %d bytes, want %d", len(back), len(strings.Join(back, "")), len(want))
			}
			if !slices.Equal(forth, want) {
				t.Errorf("forwards: %d lines of %d bytes, want %d", len(forth), len(strings.Join(forth, "")), len(want))
			}
		})
	}
}

// Of a large file no more is read than it takes to find the record.
func TestFindRecordReadsFromTheEnd(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	for i := range 20000 {
		fmt.Fprintf(&text, `{"id":"A%07d","outcome":"ok","operation":"GetObject"}`+"\n", i)
	}
	path := filepath.Join(t.TempDir(), "records.jsonl")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"A0000000", "A0010000", "A0019999"} {
		r, err := findRecord(path, id)
		if err != nil || r.ID != id {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
	}
	counted := &countingReader{data: text.Bytes()}
	if err := backwards(counted, int64(text.Len()), func(line []byte) bool { return bytes.Contains(line, []byte("A0019990")) }); err != nil || counted.read > 128<<10 {
		t.Errorf("%d bytes were read of %d, %v", counted.read, text.Len(), err)
	}
}

type countingReader struct {
	data []byte
	read int
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, c.data[off:])
	c.read += n
	return n, nil
}

func FuzzParseRecord(f *testing.F) {
	f.Add(`{"id":"A","outcome":"denied","findings":[{"id":"X"}],"input":{"schema":"sealgate.input/v1"}}`)
	f.Add(`{"schema":"sealgate.input/v1"}`)
	f.Add(`{"id":1}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRecord([]byte(text))
		if err == nil && r.ID == "" && r.Input == nil {
			t.Errorf("%q is a record of nothing", text)
		}
	})
}
