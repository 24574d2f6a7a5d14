package policy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Bounds of what a site may consist of.
const (
	MaxModule  = 1 << 20 // bytes of one Rego file
	MaxModules = 1000    // Rego files, tests among them
)

// maxEntries bounds the entries of any kind in a site directory.
const maxEntries = 10000

// Site is a site's Rego as a source has it. What it holds is not to be modified.
type Site struct {
	Files    []File    // sorted by name; tests end in _test.rego
	Revision string    // what the source calls it, "" nothing
	Origin   string    // where it is from, to show: a path, or a URL without secrets
	Fetched  time.Time // when the source was last seen to have this and nothing newer
	Raw      []byte    // as it was received, for a Keeper; nil if there is no such form

	// Err says why the source could not be asked for anything newer, or what newer
	// thing it had could not be taken: a *StepError, nil if it could. ErrAt is when.
	Err   error
	ErrAt time.Time
}

// File is one Rego file.
type File struct {
	Name string // relative, with slashes
	Data []byte
}

// SiteSource is where a site's Rego comes from. Read is called often, one call at a
// time, and gives what there is without waiting for more; its error means that there
// is nothing at all.
type SiteSource interface {
	Read(ctx context.Context) (Site, error)
}

// Keeper is a SiteSource that remembers what was put into force for a start at which
// the source is not there.
type Keeper interface {
	SiteSource
	// Keep remembers a site that is in force now. refused is what Site.Digest is of
	// the content that was rolled back from, "" for none: Kept gives it back.
	Keep(ctx context.Context, s Site, refused string) error
	// Kept gives what was kept last, whole. Its error is fs.ErrNotExist if nothing was.
	Kept(ctx context.Context) (s Site, refused string, err error)
}

// Digest identifies the files of a site by their content and names.
func (s Site) Digest() string {
	var of sources
	for _, f := range s.Files {
		if isTest(f.Name) {
			of.tests = append(of.tests, source{name: f.Name, data: f.Data})
		} else {
			of.site = append(of.site, source{name: f.Name, data: f.Data})
		}
	}
	return of.siteDigest()
}

// Directory is a site in a directory; "" is the library alone. A directory that cannot
// be read is an error, so that a misspelt path does not leave a site without its rules.
func Directory(dir string) SiteSource { return directory(dir) }

type directory string

// Read implements SiteSource.
func (d directory) Read(context.Context) (Site, error) {
	site := Site{Origin: string(d), Fetched: time.Now()}
	list, err := selectSite(string(d), func(name string) bool { return filepath.Ext(name) == ".rego" })
	if err != nil {
		return Site{}, fmt.Errorf("reading the policy directory: %w", err)
	}
	for _, f := range list {
		site.Files = append(site.Files, File{Name: f.name, Data: f.data})
	}
	return site, nil
}

// selectSite reads the files below a directory that are wanted, sorted by name. Entries
// whose name begins with a dot are passed over (editors, and mounted config maps, where
// the visible names are links to hidden ones). Data files are refused: what is data
// belongs into the posture.
func selectSite(dir string, wanted func(name string) bool) ([]source, error) {
	if dir == "" {
		return nil, nil
	}
	var list []source
	entries := 0
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("more than %d entries", maxEntries)
		}
		switch {
		case name == ".":
			if !entry.IsDir() {
				return errors.New("it is not a directory")
			}
			return nil
		case strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			if target, err := os.Stat(path); err != nil {
				return err
			} else if target.IsDir() {
				return fmt.Errorf("%s: links to directories are not followed", name)
			}
		case entry.IsDir():
			return nil
		}
		switch filepath.Ext(name) {
		case ".json", ".yaml", ".yml":
			return fmt.Errorf("%s: data files are not allowed in a policy directory", name)
		}
		if !wanted(name) {
			return nil
		}
		if len(list) == MaxModules {
			return fmt.Errorf("more than %d Rego files", MaxModules)
		}
		data, err := readBounded(path, MaxModule)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, source{name: filepath.ToSlash(name), data: data})
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b source) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return data, nil
}
