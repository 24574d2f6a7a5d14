package policy

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// Recorded is an input document out of a decision record, which may be one of an
// earlier version, or have values that are not those of the request.
type Recorded struct {
	Input *Input
	// Lacks are the fields, below input, that the record does not tell: those it does
	// not have and those it shows hashed. Fields that Decide fills in are none of them.
	Lacks []string
}

// ReadRecorded reads the input document of a record, as ReadInput does. hashed are the
// paths, below input, whose values stand for others.
func ReadRecorded(document []byte, hashed []string) (Recorded, error) {
	in, err := ReadInput(document)
	if err != nil {
		return Recorded{}, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		return Recorded{}, err
	}
	lacks := absent(nil, "", reflect.TypeFor[Input](), fields)
	for _, path := range hashed {
		lacks = append(lacks, strings.TrimPrefix(path, "input."))
	}
	slices.Sort(lacks)
	return Recorded{Input: in, Lacks: slices.Compact(lacks)}, nil
}

// filledIn are the fields a Generation fills in itself, whatever a document says.
var filledIn = []string{"schema", "posture", "grants", "gateway.revision", "resource.prefixes", "copy_source.resource.prefixes", "copy_source.tenant",
	"transport.networks", "transport.tls_version_num", "encryption.requested.rank", "encryption.bucket_default.rank",
	"copy_source.encryption.rank", "object.encryption.rank"}

// absent lists what of a structure a document does not have, each at its highest place.
func absent(list []string, path string, t reflect.Type, fields map[string]json.RawMessage) []string {
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" {
			continue
		}
		value, there := fields[name]
		if path != "" {
			name = path + "." + name
		}
		if slices.Contains(filledIn, name) {
			continue
		}
		if !there {
			list = append(list, name)
			continue
		}
		if t.Field(i).Type.Kind() == reflect.Struct {
			var below map[string]json.RawMessage
			if json.Unmarshal(value, &below) == nil { // it was read as that structure before
				list = absent(list, name, t.Field(i).Type, below)
			}
		}
	}
	return list
}

// Reads is what a decision depends on in an input document.
type Reads struct{ paths []string }

// always is what is read beside the rules: by grants, posture, floors and dates.
var always = []string{
	"identity.auth_method", "identity.verified", "identity.principal", "identity.groups",
	"request.operation", "request.action", "request.actions", "request.source_actions", "request.class",
	"resource.bucket", "resource.key", "copy_source.present", "copy_source.resource.bucket", "copy_source.resource.key",
	"document.present", "document.destinations", "time.ns",
}

// readFor are the fields a derived one is made from, and those that say whether a part
// of the document is there at all.
var readFor = map[string][]string{
	"resource.prefixes":             {"resource.key"},
	"copy_source.resource.prefixes": {"copy_source.resource.key"},
	"transport.tls_version_num":     {"transport.tls", "transport.tls_version"},
	"transport.client_cert":         {"transport.client_cert.present"},
	"encryption.requested.rank":     {"encryption.requested.mode"},
	"encryption.bucket_default":     {"encryption.bucket_default.known", "encryption.bucket_default.mode"},
	"copy_source.encryption":        {"copy_source.encryption.known", "copy_source.encryption.mode"},
	"object.encryption":             {"object.known", "object.encryption.known", "object.encryption.mode"},
	"object":                        {"object.known"},
}

// Reads finds what decisions depend on: every field that a rule mentions, asked or not,
// and those that grants, posture and dates go by.
func (g *Generation) Reads() Reads {
	r := Reads{paths: slices.Clone(always)}
	if g == nil {
		return r
	}
	for _, ref := range reads(g.compiler.Modules) {
		path := strings.Join(inputPath(ref), ".")
		r.add(path)
		for derived, from := range readFor {
			if related(path, derived) {
				for _, p := range from {
					r.add(p)
				}
			}
		}
		if related(path, "transport.networks") && g.posture.NamesNetworks() {
			r.add("transport.source_ip")
		}
	}
	return r
}

func (r *Reads) add(path string) {
	if !slices.Contains(r.paths, path) {
		r.paths = append(r.paths, path)
	}
}

// Paths are the fields that are read, sorted; "" is the whole document.
func (r Reads) Paths() []string { return slices.Sorted(slices.Values(r.paths)) }

// Of returns those of some fields that a decision depends on. What is not among them
// may have any value.
func (r Reads) Of(fields []string) []string {
	var out []string
	for _, f := range fields {
		if slices.ContainsFunc(r.paths, func(p string) bool { return related(f, p) }) {
			out = append(out, f)
		}
	}
	return out
}

// related reports whether one of two paths is the other or above it.
func related(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return a == "" || a == b || strings.HasPrefix(b, a) && b[len(a)] == '.'
}
