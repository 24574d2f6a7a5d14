package policy

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sealgate/sealgate/rego"
)

// schemaDocument reads a schema of the library as plain JSON.
func schemaDocument(t testing.TB, name string) map[string]any {
	t.Helper()
	data, err := fs.ReadFile(rego.FS(), name)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func compileSchema(t testing.TB, name, fragment string) *jsonschema.Schema {
	t.Helper()
	data, err := fs.ReadFile(rego.FS(), name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///schema.json" + fragment)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestInputSchema compares the Go types with the schema, field by field.
func TestInputSchema(t *testing.T) {
	t.Parallel()
	doc := schemaDocument(t, "schemas/input.json")
	compareType(t, "input", reflect.TypeFor[Input](), doc, doc["definitions"].(map[string]any))
}

func compareType(t *testing.T, path string, typ reflect.Type, schema, definitions map[string]any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
	}
	want := map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer",
		reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "object",
	}[typ.Kind()]
	if schema["type"] != want {
		t.Errorf("%s: schema says %v, Go %v", path, schema["type"], typ)
		return
	}
	switch typ.Kind() {
	case reflect.Slice:
		compareType(t, path+"[]", typ.Elem(), schema["items"].(map[string]any), definitions)
	case reflect.Map:
		compareType(t, path+"{}", typ.Elem(), schema["additionalProperties"].(map[string]any), definitions)
	case reflect.Struct:
		if schema["additionalProperties"] != false {
			t.Errorf("%s: the schema is not closed", path)
		}
		properties := schema["properties"].(map[string]any)
		names := []string{}
		for i := range typ.NumField() {
			if !typ.Field(i).IsExported() {
				continue
			}
			name := typ.Field(i).Tag.Get("json")
			names = append(names, name)
			property, ok := properties[name].(map[string]any)
			if !ok {
				t.Errorf("%s.%s: not in the schema", path, name)
				continue
			}
			compareType(t, path+"."+name, typ.Field(i).Type, property, definitions)
		}
		required := []string{}
		for _, name := range schema["required"].([]any) {
			required = append(required, name.(string))
		}
		for name := range properties {
			if !slices.Contains(names, name) {
				t.Errorf("%s.%s: in the schema, not in Go", path, name)
			}
			if !slices.Contains(required, name) {
				t.Errorf("%s.%s: not required", path, name)
			}
		}
	}
}

// fill sets every field below v to something that is not its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1234567890123)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.SetMapIndex(reflect.ValueOf("name"), value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}

// fullInput has a value in every field.
func fullInput() *Input {
	var in Input
	fill(reflect.ValueOf(&in).Elem())
	in.Schema = InputSchema
	in.Request.Class, in.Request.Payload = ClassWrite, PayloadUnsigned
	in.Identity.AuthMethod = AuthPost
	for _, m := range []*Mode{&in.CopySource.Encryption.Mode, &in.Encryption.Requested.Mode, &in.Encryption.BucketDefault.Mode,
		&in.Object.Encryption.Mode, &in.Document.Settings[0].Mode, &in.Document.Settings[1].Mode, &in.Posture.Mode} {
		*m = DSSE
	}
	for _, k := range []*BucketKey{&in.CopySource.Encryption.BucketKey, &in.Encryption.Requested.BucketKey, &in.Encryption.BucketDefault.BucketKey,
		&in.Object.Encryption.BucketKey, &in.Document.Settings[0].BucketKey, &in.Document.Settings[1].BucketKey, &in.Posture.BucketKey} {
		*k = BucketKeyNo
	}
	in.Transport.TLSVersion, in.Time.Weekday = "1.0", "Sunday"
	p := &in.Posture
	p.OnConflict, p.OnRead, p.Floor, p.Enforcement = "keep-if-allowed", "pass-through", CSE, "audit"
	p.Checksum, p.Presign, p.Deletes, p.ClientCert = "strong", "none", "deny", "required"
	p.Actions = Map{"PRE-001": "off"}
	for i := range p.Waivers {
		p.Waivers[i].Kind = WaiverEnded
	}
	return &in
}

// TestInputValue checks that what OPA is given is what the struct says in JSON, and
// that both fit the schema: totally neutral, ordinary and with every field set.
func TestInputValue(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t, "schemas/input.json", "")
	g := newEngine(t, nil).Current()
	copying := put("data", "kms/a/b.txt")
	copying.CopySource = CopySource{Present: true, Resource: Resource{Bucket: "data", Key: "x/y"}, Encryption: Observed{Known: true, Mode: KMS}}
	copying.Encryption = EncryptionFacts{Explicit: true, Requested: Requested{Mode: KMS, KeyID: mainKey, Context: Map{"a": "b"}}}
	for name, in := range map[string]*Input{
		"neutral":   {Request: Request{Class: ClassRead}},
		"write":     put("data", "kms/a/b.txt"),
		"read":      get("data-1", "a"),
		"uncovered": put("elsewhere", "a"),
		"copy":      copying,
		"full":      fullInput(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value := g.complete(in)
			if name == "full" {
				// Take the caller's fields as they are, the filled ones too.
				in = fullInput()
				value = in.value(in.Posture.term())
			}
			text, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte("null")) {
				t.Errorf("the document has a null: %s", text)
			}
			want, err := ast.ValueFromReader(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if want.Compare(value) != 0 {
				t.Errorf("got  %v\nwant %v", value, want)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Errorf("does not fit the schema: %v", err)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	in := put("data", "kms/a//b.txt")
	in.Transport.TLSVersionNum = 99
	in.Encryption.Requested = Requested{Mode: DSSE, Rank: 1}
	in.CopySource = CopySource{Resource: Resource{Bucket: "forged"}, Encryption: Observed{Known: true, Mode: CSE}}
	in.Object.Encryption = Observed{Known: true, Mode: CSE, Rank: 40}
	in.Document.Settings = Settings{{Mode: CSE}}
	in.Posture.Mode, in.Grants.IDs = None, List{"forged"}
	g.complete(in)
	checks := map[string]bool{
		"schema":               in.Schema == InputSchema,
		"prefixes":             slices.Equal(in.Resource.Prefixes, []string{"kms/", "kms/a/", "kms/a//"}),
		"tls number":           in.Transport.TLSVersionNum == 13,
		"requested rank":       in.Encryption.Requested.Rank == 30,
		"absent copy source":   in.CopySource.Resource.Bucket == "" && in.CopySource.Encryption == Observed{Mode: Unknown, BucketKey: BucketKeyUnset, Rank: -1},
		"unknown object":       in.Object.Encryption.Mode == Unknown,
		"absent document":      len(in.Document.Settings) == 0,
		"posture":              in.Posture.ID == "data/kms/" && in.Posture.Rank == 20,
		"key is allowed":       slices.Contains(in.Posture.AllowedKeys, mainKey),
		"grants":               slices.Equal(in.Grants.IDs, []string{"all"}) && len(in.Grants.Missing) == 0,
		"actions":              slices.Equal(in.Request.Actions, []string{"s3:PutObject"}),
		"time":                 in.Time.RFC3339 == "2026-11-23T08:09:10Z" && in.Time.Hour == 8 && in.Time.Weekday == "Monday",
		"revision":             in.Gateway.Revision == g.Revision(),
		"plaintext has no tls": tlsVersionNumber(Transport{TLSVersion: "1.3"}) == 0,
	}
	for name, ok := range checks {
		if !ok {
			t.Errorf("%s: %+v", name, in)
		}
	}
}
