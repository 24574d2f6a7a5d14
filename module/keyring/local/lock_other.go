//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package local

import (
	"errors"
	"io/fs"
	"os"
)

// lockDir refuses: without a lock two rotations at once could lose a key.
func lockDir(string) (unlock func(), err error) {
	return nil, errors.New("changing a keyring file is not supported on this system")
}

func keepOwner(*os.File, fs.FileInfo) error { return nil }

func syncDir(string) error { return nil }
