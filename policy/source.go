package policy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"strings"

	"github.com/sealgate/sealgate/policy/posture"
	"github.com/sealgate/sealgate/rego"
)

// source is one file of a policy.
type source struct {
	name string // shown in errors: path below rego/ or the site directory, or the posture file
	data []byte
}

// sources is everything one generation is made of, read at one time.
type sources struct {
	library []source
	site    []source // what takes part in decisions
	tests   []source // of the site
	posture source
	from    Site // what site and tests were read from, without its files
}

// readSources reads library, site and posture file. Each error is a *StepError.
func readSources(ctx context.Context, o Options) (sources, error) {
	site, err := o.site().Read(ctx)
	if err != nil {
		return sources{}, failedAt(StepRead, err)
	}
	return o.sourcesWith(site)
}

// sourcesWith reads the rest of what a site's files are used with.
func (o Options) sourcesWith(site Site) (sources, error) {
	s := sources{from: site}
	s.from.Files = nil
	var err error
	if s.library, err = readLibrary(); err != nil {
		return sources{}, failedAt(StepRead, fmt.Errorf("reading the policy library: %w", err))
	}
	for _, f := range site.Files {
		switch {
		case isTest(f.Name):
			s.tests = append(s.tests, source{name: f.Name, data: f.Data})
		case served(f.Name):
			s.site = append(s.site, source{name: f.Name, data: f.Data})
		default:
			return sources{}, failedAt(StepRead, fmt.Errorf("%s: only Rego files are allowed in a policy", f.Name))
		}
	}
	if o.PostureFile == "" {
		return sources{}, failedAt(StepRead, errors.New("no posture file is configured"))
	}
	data, err := readBounded(o.PostureFile, posture.MaxSize)
	if err != nil {
		return sources{}, failedAt(StepRead, fmt.Errorf("reading the posture: %w", err))
	}
	s.posture = source{name: o.PostureFile, data: data}
	return s, nil
}

// revision identifies the content that decides: twelve hexadecimal digits of a SHA-256
// over every file but tests. The name of the posture file is no part of it.
func (s sources) revision() string {
	d := newDigest()
	d.add("library", s.library...)
	d.add("site", s.site...)
	d.add("posture", source{data: s.posture.data})
	return d.String()[:12]
}

// attempt identifies all that activating this depends on, tests too.
func (s sources) attempt() string { return s.revision() + s.siteDigest() }

// siteDigest identifies what the site's source gave.
func (s sources) siteDigest() string {
	d := newDigest()
	d.add("site", s.site...)
	d.add("test", s.tests...)
	return d.String()
}

// postureDigest identifies the posture.
func (s sources) postureDigest() string {
	d := newDigest()
	d.add("posture", source{data: s.posture.data})
	return d.String()
}

// digest is a SHA-256 over files, in which nothing of one can pass for another's.
type digest struct{ hash.Hash }

func newDigest() digest { return digest{sha256.New()} }

func (d digest) add(kind string, files ...source) {
	for _, f := range files {
		for _, part := range [][]byte{[]byte(kind), []byte(f.name), f.data} {
			var n [8]byte
			binary.BigEndian.PutUint64(n[:], uint64(len(part)))
			d.Write(n[:])
			d.Write(part)
		}
	}
}

func (d digest) String() string { return hex.EncodeToString(d.Sum(nil)) }

// files counts what a site wrote: its Rego files and the posture.
func (s sources) files() int { return len(s.site) + 1 }

// served reports whether a file takes part in decisions.
func served(name string) bool {
	return strings.HasSuffix(name, ".rego") && !strings.HasSuffix(name, "_test.rego")
}

func readLibrary() ([]source, error) { return selectLibrary(served) }

// selectLibrary reads the files of the library that are wanted.
func selectLibrary(wanted func(name string) bool) ([]source, error) {
	var list []source
	library := rego.FS()
	err := fs.WalkDir(library, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !wanted(path) {
			return err
		}
		data, err := fs.ReadFile(library, path)
		list = append(list, source{name: path, data: data})
		return err
	})
	return list, err
}
