package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sealgate/sealgate/policy/posture"
	"github.com/sealgate/sealgate/rego"
)

// Bounds of what is read from a site directory.
const (
	maxModule  = 1 << 20 // bytes of one Rego file
	maxModules = 1000    // Rego files
	maxEntries = 10000   // directory entries of any kind
)

// source is one file of a policy.
type source struct {
	name string // shown in errors: path below rego/ or the site directory, or the posture file
	data []byte
}

// sources is everything one generation is made of, read at one time.
type sources struct {
	library []source
	site    []source
	posture source
}

// readSources reads library, site directory and posture file.
func readSources(o Options) (sources, error) {
	var s sources
	var err error
	if s.library, err = readLibrary(); err != nil {
		return sources{}, fmt.Errorf("reading the policy library: %w", err)
	}
	if s.site, err = readSite(o.SiteDir); err != nil {
		return sources{}, fmt.Errorf("reading the policy directory: %w", err)
	}
	if o.PostureFile == "" {
		return sources{}, errors.New("no posture file is configured")
	}
	data, err := readBounded(o.PostureFile, posture.MaxSize)
	if err != nil {
		return sources{}, fmt.Errorf("reading the posture: %w", err)
	}
	s.posture = source{name: o.PostureFile, data: data}
	return s, nil
}

// revision identifies the content: twelve hexadecimal digits of a SHA-256 over
// every file. The name of the posture file is no part of it.
func (s sources) revision() string {
	h := sha256.New()
	add := func(kind, name string, data []byte) {
		for _, part := range [][]byte{[]byte(kind), []byte(name), data} {
			var n [8]byte
			binary.BigEndian.PutUint64(n[:], uint64(len(part)))
			h.Write(n[:])
			h.Write(part)
		}
	}
	for _, f := range s.library {
		add("library", f.name, f.data)
	}
	for _, f := range s.site {
		add("site", f.name, f.data)
	}
	add("posture", "", s.posture.data)
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// files counts what a site wrote: its Rego files and the posture.
func (s sources) files() int { return len(s.site) + 1 }

// served reports whether a file takes part in decisions.
func served(name string) bool {
	return strings.HasSuffix(name, ".rego") && !strings.HasSuffix(name, "_test.rego")
}

func readLibrary() ([]source, error) {
	var list []source
	library := rego.FS()
	err := fs.WalkDir(library, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !served(path) {
			return err
		}
		data, err := fs.ReadFile(library, path)
		list = append(list, source{name: path, data: data})
		return err
	})
	return list, err
}

// readSite reads the Rego files below a directory, sorted by name. Entries whose
// name begins with a dot are passed over (editors, and mounted config maps, where
// the visible names are links to hidden ones). Data files are refused: what is data
// belongs into the posture.
func readSite(dir string) ([]source, error) {
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
		if !served(name) {
			return nil
		}
		if len(list) == maxModules {
			return fmt.Errorf("more than %d Rego files", maxModules)
		}
		data, err := readBounded(path, maxModule)
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
