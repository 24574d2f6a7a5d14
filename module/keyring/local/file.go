package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// maxFile is the greatest size of a keyring file, in bytes.
const maxFile = 1 << 20

// ErrExposed: the file can be reached by others than its owner, or is not a
// regular file.
var ErrExposed = errors.New("keyring file is not private")

// ErrExists: there is a file already where one was to be made.
var ErrExists = errors.New("keyring file exists already")

// readPrivate reads the file at path. What it opened is what it checks, so the
// file cannot be swapped in between.
func readPrivate(path string) ([]byte, fs.FileInfo, error) {
	// Opening a pipe would wait for a writer.
	if info, err := os.Stat(path); err != nil {
		return nil, nil, err
	} else if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: %w: not a regular file", path, ErrExposed)
	}
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: %w: not a regular file", path, ErrExposed)
	}
	if p := info.Mode().Perm(); p&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, nil, fmt.Errorf("%s: %w: mode is %04o; its group and others must have no access (chmod 600)", path, ErrExposed, p)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(data) > maxFile {
		return nil, nil, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	return data, info, nil
}

// createFile makes the file at path, mode 0600, with data in it. If there is
// anything at path already, it stays as it is and the error is [ErrExists]. A
// reader never sees half of the file.
func createFile(path string, data []byte) error {
	written, err := writeBeside(path, data, nil)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(written) }()
	// A link, because a rename would overwrite.
	if err := os.Link(written, path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w; nothing was changed", path, ErrExists)
	} else if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replaceFile puts data in the place of the file at path, whose state was old,
// so that a reader sees the one or the other. The new file keeps owner and
// mode. On error the old file stays.
func replaceFile(path string, data []byte, old fs.FileInfo) error {
	written, err := writeBeside(path, data, old)
	if err != nil {
		return err
	}
	if err := os.Rename(written, path); err != nil {
		_ = os.Remove(written)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeBeside writes data to a new file in the folder of path, with the owner
// and mode of like, or 0600 if that is nil, and returns its name. The data is
// on the disk when it returns; on error there is no file.
func writeBeside(path string, data []byte, like fs.FileInfo) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if like != nil {
		if err := keepOwner(f, like); err != nil {
			return "", fmt.Errorf("keeping the owner of %s: %w", path, err)
		}
		if err := f.Chmod(like.Mode().Perm()); err != nil {
			return "", err
		}
	}
	if _, err := f.Write(data); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}
