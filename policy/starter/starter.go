// Package starter holds the sets of files a new site begins with.
package starter

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"

	"github.com/sealgate/sealgate/policy/posture"
	"github.com/sealgate/sealgate/rego"
)

//go:embed all:sets
var sets embed.FS

// Default is the set for whoever does not ask for another.
const Default = "starter"

// FS returns the sets, each in a folder of its name: a posture, rules with tests,
// settings of editors, a file for continuous integration and a README.
func FS() fs.FS {
	below, err := fs.Sub(sets, "sets")
	if err != nil {
		panic(err) // the name is a constant that is valid
	}
	return below
}

// Sets lists the names of the sets, sorted.
func Sets() ([]string, error) {
	entries, err := fs.ReadDir(FS(), ".")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// Folder is where tools find what is not the site's own: the library with its tests and
// schemas in rego/, and posture.schema.json. The gateway does not read it.
const Folder = ".sealgate"

// Files gives every file of a new site by its path below the site's folder, with
// slashes: those of the set, and those of [Folder] by which editors and the stock opa
// work on the site. The caller owns the result.
func Files(set string) (map[string][]byte, error) {
	names, err := Sets()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, set) {
		return nil, fmt.Errorf("starter: there is no set %q; there are %q", set, names)
	}
	files := map[string][]byte{Folder + "/posture.schema.json": posture.Schema()}
	if err := collect(files, FS(), set, ""); err != nil {
		return nil, err
	}
	return files, collect(files, rego.FS(), ".", Folder+"/rego/")
}

// collect adds the files below root, by their path there after prefix.
func collect(files map[string][]byte, from fs.FS, root, prefix string) error {
	below, err := fs.Sub(from, root)
	if err != nil {
		return err
	}
	return fs.WalkDir(below, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(below, name)
		files[prefix+name] = data
		return err
	})
}
