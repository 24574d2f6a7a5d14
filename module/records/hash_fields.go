package records

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// hashesIn finds hashes in a text.
var hashesIn = regexp.MustCompile(regexp.QuoteMeta(hashPrefix) + `[0-9a-f]{64}`)

// value is one that operators may have hashed, and everywhere a record shows it, texts
// for people left out. A path that is here twice shows two values.
type value struct {
	name  string
	paths []string
}

var values = []value{
	{"key", []string{
		"resource.key", "resource.copy_source", "client.path",
		"input.resource.key", "input.resource.prefixes", "input.request.prefix",
		"input.copy_source.resource.key", "input.copy_source.resource.prefixes",
		"input.request.headers.x-amz-copy-source", "input.request.headers.x-amz-rename-source",
	}},
	{"bucket", []string{
		"resource.bucket", "resource.copy_source", "client.path", "client.host",
		"input.resource.bucket", "input.copy_source.resource.bucket", "input.document.destinations",
		"input.transport.sni", "input.posture.bucket_glob", "input.posture.id",
		"input.request.headers.x-amz-copy-source", "input.request.headers.x-amz-rename-source",
	}},
	{"version_id", []string{
		"resource.version_id", "answered.version_id", "input.resource.version_id", "input.copy_source.resource.version_id",
		"input.request.headers.x-amz-copy-source",
	}},
	{"principal", []string{"identity.principal", "input.identity.principal"}},
	{"access_key", []string{"identity.access_key", "input.identity.access_key"}},
	{"groups", []string{"identity.groups", "input.identity.groups"}},
	{"attributes", []string{"input.identity.attributes"}},
	{"source_ip", []string{"client.ip", "input.transport.source_ip"}},
	{"user_agent", []string{"client.user_agent"}},
	{"tags", []string{"input.request.tags", "input.request.headers.x-amz-tagging"}},
	{"metadata", []string{"input.request.headers.x-amz-meta-*"}},
	{"context", []string{
		"input.encryption.requested.context", "input.request.headers.x-amz-server-side-encryption-context",
	}},
}

// HashNames are the words NewHasher knows.
func HashNames() []string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = v.name
	}
	return names
}

// everywhere gives the paths that a name stands for: all of a word; for a path, all of
// the word whose main place it is.
func everywhere(name string) []string {
	for _, v := range values {
		if name == v.name || name == v.paths[0] || strings.HasPrefix(name, "input.") && slices.Contains(v.paths, name) {
			return v.paths
		}
	}
	return []string{name}
}

// field is where a value is.
type field struct {
	path  string
	input bool   // below the record's input
	index []int  // of the Go field
	entry string // of a map; "" all of it
}

// fixed are texts that readers rely on, so that nobody can hash them.
var fixed = []string{
	"id", "revision", "operation", "outcome", "cause", "identity.auth_method", "client.method", "client.proto",
	"input.schema", "input.request.id", "input.request.operation",
}

// fieldAt finds the text, list of texts or map of texts at a path.
func fieldAt(path string) (field, error) {
	f := field{path: path}
	unknown := fmt.Errorf("hash: %q is neither one of %s nor the path of a text in a record", path, strings.Join(HashNames(), ", "))
	t, rest := recordType, path
	if below, ok := strings.CutPrefix(path, "input."); ok {
		f.input, t, rest = true, inputType, below
	}
	for rest != "" {
		switch t.Kind() {
		case reflect.Struct:
			var name string
			name, rest, _ = strings.Cut(rest, ".")
			found, ok := memberOf(t, name)
			if !ok {
				return field{}, unknown
			}
			f.index, t = append(f.index, found.Index...), found.Type
		case reflect.Map: // names of entries may have dots
			f.entry, rest = rest, ""
		default:
			return field{}, unknown
		}
	}
	text := t.Kind() == reflect.String
	switch t.Kind() {
	case reflect.Slice:
		text = t.Elem().Kind() == reflect.String
	case reflect.Map:
		text = t.Elem() == reflect.TypeFor[string]()
	}
	if !text || slices.Contains(fixed, path) || !f.input && strings.HasSuffix(path, ".mode") {
		return field{}, unknown
	}
	return f, nil
}

// memberOf finds a field by its name in JSON.
func memberOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && tag == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}
