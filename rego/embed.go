// Package rego holds the policy library every gateway loads, as Rego and JSON Schema
// files. The folder has nothing else in it, so that the stock tool works on it as it
// is: "opa check --strict --schema rego/schemas/input.json rego", "opa test rego".
package rego

import (
	"embed"
	"io/fs"
)

//go:embed encryption join lib main rules schemas
var files embed.FS

// FS returns the library: Rego modules, their tests among them, by their path below
// rego/, and the JSON Schemas of the input and of the decision under schemas/.
func FS() fs.FS { return files }
