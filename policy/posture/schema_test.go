package posture

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml "go.yaml.in/yaml/v3"
)

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("posture.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("posture.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valueOf is a file as a YAML 1.2 editor gives it to the schema: dates are texts.
func valueOf(t testing.TB, text []byte) any {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		t.Fatal(err)
	}
	return plainValue(t, &n)
}

func plainValue(t testing.TB, n *yaml.Node) any {
	switch n.Kind {
	case yaml.DocumentNode:
		return plainValue(t, n.Content[0])
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			out[n.Content[i].Value] = plainValue(t, n.Content[i+1])
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for _, child := range n.Content {
			out = append(out, plainValue(t, child))
		}
		return out
	}
	if tag := n.ShortTag(); tag == "!!timestamp" || tag == "!!str" {
		return n.Value
	}
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchemaTakesTheFilesOfTheTree(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	for _, file := range exampleFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(valueOf(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestSchemaHasEveryField compares the Go types with the schema, field by field.
func TestSchemaHasEveryField(t *testing.T) {
	t.Parallel()
	var document map[string]any
	if err := json.Unmarshal(Schema(), &document); err != nil {
		t.Fatal(err)
	}
	definitions := document["definitions"].(map[string]any)
	var compare func(path string, typ reflect.Type, schema map[string]any)
	compare = func(path string, typ reflect.Type, schema map[string]any) {
		if all, ok := schema["allOf"].([]any); ok {
			schema = all[0].(map[string]any)
		}
		if ref, ok := schema["$ref"].(string); ok {
			schema = definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
		}
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		want := map[reflect.Kind]string{
			reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer",
			reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "object",
		}[typ.Kind()]
		if _, words := schema["enum"]; schema["type"] != want && (!words || want != "string") {
			t.Errorf("%s: the schema says %v, Go %v", path, schema["type"], typ)
			return
		}
		switch typ.Kind() {
		case reflect.Slice:
			compare(path+"[]", typ.Elem(), schema["items"].(map[string]any))
		case reflect.Map:
			compare(path+"{}", typ.Elem(), schema["additionalProperties"].(map[string]any))
		case reflect.Struct:
			if schema["additionalProperties"] != false {
				t.Errorf("%s: the schema is not closed", path)
			}
			properties := schema["properties"].(map[string]any)
			for _, field := range reflect.VisibleFields(typ) {
				if field.Anonymous {
					continue
				}
				name := field.Tag.Get("yaml")
				property, ok := properties[name].(map[string]any)
				if !ok {
					t.Errorf("%s.%s: not in the schema", path, name)
					continue
				}
				delete(properties, name)
				if _, said := property["description"]; !said && property["$ref"] == nil {
					t.Errorf("%s.%s: has no description", path, name)
				}
				compare(path+"."+name, field.Type, property)
			}
			for name := range properties {
				t.Errorf("%s.%s: in the schema, not in Go", path, name)
			}
		}
	}
	// The definition of entries is used twice, and used up.
	entry := func() map[string]any {
		var copied map[string]any
		text, _ := json.Marshal(definitions["entry"])
		_ = json.Unmarshal(text, &copied)
		return copied
	}
	profiles := entry()
	properties := document["properties"].(map[string]any)
	properties["profiles"].(map[string]any)["additionalProperties"] = profiles
	compare("", reflect.TypeFor[fileYAML](), document)
}

// TestSchemaAgreesWithParse changes every value of the rich file in every way below.
// What Parse refuses by itself in a value the schema refuses, too, and it refuses
// nothing that Parse takes.
func TestSchemaAgreesWithParse(t *testing.T) {
	t.Parallel()
	s := compiledSchema(t)
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(readRich(t)), &document); err != nil {
		t.Fatal(err)
	}
	tried, refused := 0, 0
	for _, node := range valueNodes(&document) {
		was := *node
		for name, value := range map[string]yaml.Node{
			"in capitals":    {Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: strings.ToUpper(was.Value)},
			"misspelt":       {Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: was.Value + "*x"},
			"empty":          {Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle},
			"huge":           {Kind: yaml.ScalarNode, Tag: "!!int", Value: "99999999"},
			"negative":       {Kind: yaml.ScalarNode, Tag: "!!int", Value: "-1"},
			"a list":         {Kind: yaml.SequenceNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "x"}}},
			"an empty list":  {Kind: yaml.SequenceNode},
			"a map":          {Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: "x"}, {Kind: yaml.ScalarNode, Tag: "!!str", Value: "y"}}},
			"an empty map":   {Kind: yaml.MappingNode},
			"too long":       {Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.Repeat("x", maxText+1)},
			"another action": {Kind: yaml.ScalarNode, Tag: "!!str", Value: "audit"},
		} {
			if was.Kind == yaml.ScalarNode && was.Value == strings.ToUpper(was.Value) && name == "in capitals" {
				continue
			}
			*node = value
			text, err := yaml.Marshal(&document)
			*node = was
			if err != nil {
				t.Fatal(err)
			}
			_, parseErr := Parse(text)
			schemaErr := s.Validate(valueOf(t, text))
			tried++
			if parseErr != nil {
				refused++
			}
			switch {
			case parseErr == nil && schemaErr != nil:
				if value.Tag == "!!int" {
					continue // a number where a text belongs is a text to Parse
				}
				t.Errorf("%q %s: Parse takes it, the schema does not: %v", was.Value, name, schemaErr)
			case parseErr != nil && schemaErr == nil && !crossReference(parseErr):
				t.Errorf("%q %s: the schema takes it, Parse does not: %v", was.Value, name, parseErr)
			}
		}
	}
	if tried < 500 || refused < 300 {
		t.Errorf("%d files tried, %d refused", tried, refused)
	}
}

// crossReference reports whether each complaint is about what one part of the file
// says of another, about which a schema knows nothing.
func crossReference(err error) bool {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !slices.ContainsFunc([]string{
			"is none of", "neither a name of keys", "belongs to", "weaker than", "is used twice", "has no meaning with mode",
			"residency does not name", "is not after from", "more than 24 hours", "it is that of keys", "is not a network", "mode: \"\"",
			"longer than 2048 bytes", "bits beyond",
		}, func(s string) bool { return strings.Contains(line, s) }) {
			return false
		}
	}
	return true
}

// valueNodes lists every value of a document, lists and maps among them.
func valueNodes(n *yaml.Node) []*yaml.Node {
	var out []*yaml.Node
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue
		}
		out = append(append(out, child), valueNodes(child)...)
	}
	return out
}
