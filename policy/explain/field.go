package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"sync"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/rego"
)

// fieldOf finds the field of an input at a path in dots. rest is what of the path goes
// on into a map.
func fieldOf(in *policy.Input, path string) (v reflect.Value, rest string, ok bool) {
	v = reflect.ValueOf(in).Elem()
	for rest = path; rest != ""; {
		if v.Kind() != reflect.Struct {
			return v, rest, v.Kind() == reflect.Map
		}
		var name string
		name, rest, _ = strings.Cut(rest, ".")
		next := reflect.Value{}
		for i := range v.NumField() {
			if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == name && tag != "" {
				next = v.Field(i)
			}
		}
		if !next.IsValid() {
			return v, rest, false
		}
		v = next
	}
	return v, "", true
}

var errNoField = errors.New("the input has no such field")

// set gives the field at a path a value, of which JSON is what counts.
func set(in *policy.Input, path string, value any) error {
	v, rest, ok := fieldOf(in, path)
	if !ok {
		return fmt.Errorf("%s: %w", path, errNoField)
	}
	if rest == "" {
		document, err := json.Marshal(value)
		if err != nil {
			return err
		}
		fresh := reflect.New(v.Type())
		if err := json.Unmarshal(document, fresh.Interface()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		v.Set(fresh.Elem())
		return nil
	}
	if v.Type().Elem().Kind() != reflect.String {
		return fmt.Errorf("%s: %w", path, errNoField)
	}
	entries := reflect.MakeMap(v.Type())
	for _, key := range v.MapKeys() {
		entries.SetMapIndex(key, v.MapIndex(key))
	}
	text, isText := value.(string)
	if value != nil && !isText {
		return fmt.Errorf("%s: %w", path, errNoField)
	}
	entry := reflect.Value{} // takes the entry out
	if isText {
		entry = reflect.ValueOf(text).Convert(v.Type().Elem())
	}
	entries.SetMapIndex(reflect.ValueOf(rest), entry)
	v.Set(entries)
	return nil
}

// get is the value of the field at a path; nil where a map has no such entry.
func get(in *policy.Input, path string) any {
	v, rest, ok := fieldOf(in, path)
	switch {
	case !ok:
		return nil
	case rest == "":
		return v.Interface()
	}
	if entry := v.MapIndex(reflect.ValueOf(rest)); entry.IsValid() {
		return entry.Interface()
	}
	return nil
}

// words are the values that the input schema lists for texts, by path.
var words = sync.OnceValue(func() map[string][]string {
	data, err := fs.ReadFile(rego.FS(), "schemas/input.json")
	if err != nil {
		panic("internal error: " + err.Error()) // it is embedded
	}
	var root node
	if err := json.Unmarshal(data, &root); err != nil {
		panic("internal error: input schema: " + err.Error())
	}
	out := map[string][]string{}
	var walk func(path string, n node)
	walk = func(path string, n node) {
		if name, ok := strings.CutPrefix(n.Ref, "#/definitions/"); ok {
			n = root.Definitions[name]
		}
		for _, v := range n.Enum {
			if s, ok := v.(string); ok {
				out[path] = append(out[path], s)
			}
		}
		for name, child := range n.Properties {
			if path != "" {
				name = path + "." + name
			}
			walk(name, child)
		}
	}
	walk("", root)
	return out
})

// node is a part of a JSON Schema, as far as it is of interest here.
type node struct {
	Ref         string          `json:"$ref"`
	Enum        []any           `json:"enum"`
	Properties  map[string]node `json:"properties"`
	Definitions map[string]node `json:"definitions"`
}

func marshal(v any) ([]byte, error) { return json.Marshal(v) }
