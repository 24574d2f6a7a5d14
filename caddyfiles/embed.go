// Package caddyfiles holds the example configurations. They are complete, adapted and
// validated by tests, and meant to be copied.
package caddyfiles

import (
	"embed"
	"io/fs"
)

//go:embed *.Caddyfile *.yaml
var files embed.FS

// FS returns the examples by file name.
func FS() fs.FS { return files }
