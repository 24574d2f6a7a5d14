package cli

import (
	"io"
	"os"
	"time"

	recordfile "github.com/sealgate/sealgate/module/recorded"
)

// recordFiles are files of decision records that are read one after the other.
type recordFiles struct {
	recordfile.Reader
	files []recordfile.File
	open  []*os.File
}

// openRecordFiles opens all files before the first one is read, so that a misspelt name
// does not show late.
func openRecordFiles(names []string, since time.Time, w io.Writer) (*recordFiles, error) {
	in := &recordFiles{Reader: recordfile.Reader{Since: since}}
	var total int64
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			in.close()
			return nil, missing(err)
		}
		in.open = append(in.open, f)
		in.files = append(in.files, recordfile.File{Name: name, Reader: f})
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	in.Progress = newProgress(w, "replaying", total).add
	return in, nil
}

func (in *recordFiles) close() {
	for _, f := range in.open {
		_ = f.Close()
	}
}
