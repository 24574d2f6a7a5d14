//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package clients

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// lockDir takes the lock that editors of files in dir hold, and waits for it.
// It is an flock(2) on the folder itself: the file is replaced by each edit, so
// a lock on it would not keep the next editor out, and a lock file would be
// left lying about. The kernel drops the lock with the process. Programs that
// edit the file by other means do not take it.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.Open(dir) //nolint:gosec // the operator names the folder
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

// keepOwner gives f the owner of old, so that an edit by root does not take
// the file away from the gateway.
func keepOwner(f *os.File, old fs.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	was, ok1 := old.Sys().(*syscall.Stat_t)
	is, ok2 := now.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || (was.Uid == is.Uid && was.Gid == is.Gid) {
		return nil
	}
	return f.Chown(int(was.Uid), int(was.Gid))
}

// syncDir makes a rename in dir last.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
