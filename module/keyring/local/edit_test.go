package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
)

// only checks what files there are in the folder of path: it alone.
func only(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("files %v, want %s alone", entries, filepath.Base(path))
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestInit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "main.keyring")
	k, err := Init(path)
	if err != nil {
		t.Fatal(err)
	}
	if k.State != Current || k.KEK.Kind != keyring.Local || k.KEK.ID == [8]byte{} || time.Since(k.Created) > time.Hour {
		t.Errorf("key %+v", k)
	}
	if m := mode(t, path); m != 0o600 {
		t.Errorf("mode %s", m)
	}
	only(t, path)
	list, err := List(path)
	if err != nil || !slices.Equal(list, []Key{k}) {
		t.Errorf("List = %v, %v", list, err)
	}
	if f := open(t, path); !slices.Equal(f.KEKs(), []keyring.KEK{k.KEK}) {
		t.Errorf("KEKs = %v", f.KEKs())
	}
}

func TestInitNeverOverwrites(t *testing.T) {
	t.Parallel()
	for name, occupy := range map[string]func(t *testing.T, path string) error{
		"keyring":       func(_ *testing.T, path string) error { _, err := Init(path); return err },
		"empty file":    func(_ *testing.T, path string) error { return os.WriteFile(path, nil, 0o600) },
		"folder":        func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) },
		"link to none":  func(_ *testing.T, path string) error { return os.Symlink("nowhere", path) },
		"link to other": func(t *testing.T, path string) error { return os.Symlink(newFile(t), path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "main.keyring")
			if err := occupy(t, path); err != nil {
				t.Fatal(err)
			}
			before, errBefore := os.ReadFile(path) //nolint:gosec // a test's own file
			if _, err := Init(path); !errors.Is(err, ErrExists) {
				t.Errorf("error = %v", err)
			}
			after, errAfter := os.ReadFile(path) //nolint:gosec // a test's own file
			if !bytes.Equal(before, after) || (errBefore == nil) != (errAfter == nil) {
				t.Error("what was there was changed")
			}
			only(t, path)
		})
	}
	t.Run("at the same time", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "main.keyring")
		var made [8]Key
		var errs [8]error
		var group sync.WaitGroup
		for i := range made {
			group.Go(func() { made[i], errs[i] = Init(path) })
		}
		group.Wait()
		list, err := List(path)
		if err != nil || len(list) != 1 {
			t.Fatalf("List = %v, %v", list, err)
		}
		won := 0
		for i, err := range errs {
			switch {
			case err == nil && made[i] == list[0]:
				won++
			case !errors.Is(err, ErrExists):
				t.Errorf("Init = %v, %v", made[i], err)
			}
		}
		if won != 1 {
			t.Errorf("%d of them made the file, want 1", won)
		}
		only(t, path)
	})
}

func TestRotate(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	before, err := List(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	k := rotate(t, path)
	if m := mode(t, path); m != 0o400 {
		t.Errorf("mode %s, want that of before", m)
	}
	only(t, path)
	old := before[0]
	old.State = Old
	if list, err := List(path); err != nil || !slices.Equal(list, []Key{old, k}) || k.State != Current {
		t.Errorf("List = %v, %v; want %v, %v", list, err, old, k)
	}
}

func TestRotateThroughALink(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	rotate(t, link)
	if list, err := List(path); err != nil || len(list) != 2 {
		t.Errorf("List = %v, %v", list, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
}

func TestRotateAtTheSameTime(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	var group sync.WaitGroup
	var made [8][6]Key // enough that some would be lost if they were not kept apart
	begin := make(chan struct{})
	for i := range made {
		group.Go(func() {
			<-begin
			for j := range made[i] {
				var err error
				if made[i][j], err = Rotate(path); err != nil {
					t.Error(err)
				}
			}
		})
	}
	close(begin)
	group.Wait()
	list, err := List(path)
	if want := 1 + len(made)*len(made[0]); err != nil || len(list) != want {
		t.Fatalf("%d keys, %v; want %d", len(list), err, want)
	}
	for _, k := range slices.Concat(made[0][:], made[7][:]) {
		if !slices.ContainsFunc(list, func(l Key) bool { return l.KEK == k.KEK }) {
			t.Errorf("key %s is lost", k.KEK)
		}
	}
	only(t, path)
}

func TestRotateRefuses(t *testing.T) {
	t.Parallel()
	t.Run("missing file", func(t *testing.T) {
		t.Parallel()
		if _, err := Rotate(filepath.Join(t.TempDir(), "no.keyring")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("invalid file", func(t *testing.T) {
		t.Parallel()
		path := newFile(t)
		broken := append(read(t, path), "key: mistake\n"...)
		write(t, path, broken)
		if _, err := Rotate(path); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("error = %v", err)
		}
		if !bytes.Equal(read(t, path), broken) {
			t.Error("the file was changed")
		}
		only(t, path)
	})
	t.Run("full file", func(t *testing.T) {
		t.Parallel()
		path := newFile(t)
		keys, err := parse(read(t, path))
		if err != nil {
			t.Fatal(err)
		}
		for i := range maxKeys - 1 {
			k := key{state: Old, secret: new([keySize]byte)}
			copy(k.id[:], fmt.Sprintf("%08d", i))
			copy(k.secret[:], fmt.Sprintf("%032d", i))
			keys = append(keys, k)
		}
		full := render(keys)
		write(t, path, full)
		if _, err := Rotate(path); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("error = %v", err)
		}
		if !bytes.Equal(read(t, path), full) {
			t.Error("the file was changed")
		}
	})
}

// TestReplaceFails: a disk that is full, or a folder that cannot be written,
// costs no key.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	before := read(t, path)
	_, info, err := readPrivate(path)
	if err != nil {
		t.Fatal(err)
	}
	occupied := filepath.Join(filepath.Dir(path), "folder")
	if err := os.MkdirAll(filepath.Join(occupied, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(occupied, []byte("x"), info); err == nil {
		t.Error("a folder was replaced")
	}
	if err := os.RemoveAll(occupied); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("the file was changed")
	}
	only(t, path) // no temporary file is left
}
