package posture

import (
	_ "embed"
	"slices"
)

//go:embed posture.schema.json
var schema []byte

// Schema is the JSON Schema (draft-07) of posture.yaml, for editors: everything it
// refuses of types, words and fields Parse refuses, and the other way round. What one
// entry says of another only Parse knows. The slice is the caller's.
func Schema() []byte { return slices.Clone(schema) }
