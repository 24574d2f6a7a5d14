package clients

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile puts data in the place of the file at path, whose state was old
// (nil if there was none), so that a reader sees the one or the other. The new
// file keeps owner and mode; a new one gets 0600. On error the old file stays.
func replaceFile(path string, data []byte, old fs.FileInfo) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if old != nil {
		if err := keepOwner(f, old); err != nil {
			return fmt.Errorf("keeping the owner of %s: %w", path, err)
		}
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}
