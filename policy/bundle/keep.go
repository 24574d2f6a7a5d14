package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealgate/sealgate/policy"
)

// Of each URL a directory has two files:
//
//	<hash of the URL>.tar.gz   the bundle that was put into force last, as it was sent;
//	                           changed at the time it was last known to be the newest
//	<hash of the URL>.refused  the digest of what was rolled back from, if it was
//
// A file is written beside its place and renamed, so that there is a whole one at any
// moment. The second is written first: if only that was done when the power went, the
// bundle in force is the one rolled back from, and refused at the next start when the
// server has it, which is what was asked for.
const (
	keptSuffix    = ".tar.gz"
	refusedSuffix = ".refused"
	unfinished    = ".new-*"
)

// prepare makes the directory and cleans up what an earlier process did not finish.
func (s *Source) prepare() error {
	if s.options.Directory == "" {
		return nil
	}
	if err := os.MkdirAll(s.options.Directory, 0o700); err != nil {
		return err
	}
	leftover, err := filepath.Glob(s.place("") + unfinished)
	if err != nil {
		return err
	}
	for _, name := range leftover {
		// Another process with the same directory may be writing at this moment.
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > time.Minute {
			_ = os.Remove(name)
		}
	}
	return nil
}

func (s *Source) place(suffix string) string {
	sum := sha256.Sum256([]byte(s.options.URL.String()))
	return filepath.Join(s.options.Directory, hex.EncodeToString(sum[:8])+suffix)
}

// Keep implements policy.Keeper.
func (s *Source) Keep(_ context.Context, site policy.Site, refused string) error {
	if s.options.Directory == "" {
		return nil
	}
	if err := replace(s.place(refusedSuffix), []byte(refused), s.options.Now()); err != nil {
		return fmt.Errorf("keeping the bundle: %w", err)
	}
	if err := replace(s.place(keptSuffix), site.Raw, site.Fetched); err != nil {
		return fmt.Errorf("keeping the bundle: %w", err)
	}
	s.know(site.Raw, refused)
	return nil
}

// know notes what is kept.
func (s *Source) know(kept []byte, refused string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept, s.refused = kept, refused
}

// Kept implements policy.Keeper.
func (s *Source) Kept(context.Context) (policy.Site, string, error) {
	if s.options.Directory == "" {
		return policy.Site{}, "", fs.ErrNotExist
	}
	site, err := readFile(s.place(keptSuffix), s.options.SizeLimit, s.config)
	if err != nil {
		return policy.Site{}, "", fmt.Errorf("reading the bundle that was kept: %w", err)
	}
	refused, err := os.ReadFile(s.place(refusedSuffix))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return policy.Site{}, "", fmt.Errorf("reading the bundle that was kept: %w", err)
	}
	site.Origin = s.origin + " (kept)"
	s.know(site.Raw, string(refused))
	return site, string(refused), nil
}

// touch notes that what is kept is the newest, or that what was rolled back from still
// is. It is called with mu held. A failure makes the bundle look older at the next
// start, which is the safe side.
func (s *Source) touch(at time.Time) {
	if s.kept != nil && (s.refused == s.digest || bytes.Equal(s.kept, s.site.Raw)) {
		_ = os.Chtimes(s.place(keptSuffix), at, at)
	}
}

// replace writes a file as a whole and puts it into its place.
func replace(name string, data []byte, changed time.Time) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), strings.TrimSuffix(strings.TrimSuffix(filepath.Base(name), keptSuffix), refusedSuffix)+unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Chtimes(f.Name(), changed, changed); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(name))
}

// syncDirectory makes a rename survive a power failure.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
