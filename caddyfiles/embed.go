// Package caddyfiles holds the example configurations. They are complete and meant to
// be copied; the first lines of each say what it is for and what it wants to be told.
package caddyfiles

import (
	"embed"
	"io/fs"
)

//go:embed *.Caddyfile *.yaml
var files embed.FS

// FS returns the examples, Caddyfiles and the files that go with them, by name.
func FS() fs.FS { return files }
