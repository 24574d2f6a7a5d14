package lint

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/sealgate/sealgate/rego"
)

// schema is the part of JSON Schema that the documents of rego/schemas use.
type schema struct {
	Ref         string             `json:"$ref"`
	Type        string             `json:"type"`
	Enum        []any              `json:"enum"`
	Const       any                `json:"const"`
	Properties  map[string]*schema `json:"properties"`
	Required    []string           `json:"required"`
	Additional  json.RawMessage    `json:"additionalProperties"`
	Items       *schema            `json:"items"`
	Definitions map[string]*schema `json:"definitions"`
}

func readSchema(name string) (*schema, error) {
	data, err := fs.ReadFile(rego.FS(), "schemas/"+name)
	if err != nil {
		return nil, err
	}
	s := new(schema)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("schemas/%s: %w", name, err)
	}
	return s, nil
}

// shapes makes shapes of the parts of a document. Known adds values to what the schema
// lists: field paths, without brackets, to everything a string there can be.
type shapes struct {
	root  *schema
	known map[string][]string
}

var schemaKinds = map[string]kind{
	"string": kindString, "integer": kindNumber, "number": kindNumber, "boolean": kindBoolean,
	"array": kindArray, "object": kindObject, "null": kindNull,
}

// shape is the shape of the value at path, of which schema s is.
func (b *shapes) shape(s *schema, path string, always bool) *shape {
	if name, ok := strings.CutPrefix(s.Ref, "#/definitions/"); ok {
		s = b.root.Definitions[name]
	}
	if s == nil || schemaKinds[s.Type] == 0 {
		return unknown
	}
	out := &shape{kinds: schemaKinds[s.Type], path: path, always: always}
	switch out.kinds {
	case kindString:
		if values := b.values(s, path); values != nil {
			out.words = &words{lists: []*list{{of: path, values: values}}}
		}
	case kindArray:
		out.elem = unknown
		if s.Items != nil {
			out.elem = b.shape(s.Items, path+"[_]", false)
		}
	case kindObject:
		b.object(out, s)
	}
	return out
}

func (b *shapes) object(out *shape, s *schema) {
	out.fields = map[string]*field{}
	required := map[string]bool{}
	for _, name := range s.Required {
		required[name] = true
	}
	for name, property := range s.Properties {
		out.fields[name] = &field{shape: b.shape(property, out.path+"."+name, out.always && required[name])}
	}
	switch additional := strings.TrimSpace(string(s.Additional)); additional {
	case "false":
	case "", "true":
		out.rest = unknown
	default:
		sub := new(schema)
		out.rest = unknown
		if json.Unmarshal(s.Additional, sub) == nil {
			out.rest = b.shape(sub, out.path+"[_]", false)
		}
	}
}

// values are the strings that a field can have, nil if it can have any.
func (b *shapes) values(s *schema, path string) []string {
	if known, ok := b.known[path]; ok {
		return known
	}
	enum := s.Enum
	if s.Const != nil {
		enum = []any{s.Const}
	}
	var values []string
	for _, v := range enum {
		if text, ok := v.(string); ok {
			values = append(values, text)
		}
	}
	return values
}
