package policy

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// field is a part of an input that is drawn as a whole.
type field struct {
	path  string
	value reflect.Value
}

// fieldsOf lists what a caller fills in: the structure of Input, taken apart.
func fieldsOf(in *Input) []field {
	var out []field
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		if v.Kind() != reflect.Struct {
			out = append(out, field{path, v})
			return
		}
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			name := v.Type().Field(i).Tag.Get("json")
			if path != "" {
				name = path + "." + name
			}
			walk(name, v.Field(i))
		}
	}
	walk("", reflect.ValueOf(in).Elem())
	return out
}

// pools hold the texts that are drawn for a field. Few values make requests that agree
// in what is read, and ordinary ones are drawn more often.
var pools = map[string][]string{
	"identity.auth_method":        {AuthHeader, AuthHeader, AuthPresigned, AuthAnonymous, ""},
	"identity.principal":          {"app", "app", "app", "stranger", "root"},
	"request.operation":           {"PutObject", "GetObject", "PutBucketEncryption", "DeleteBucketEncryption", "UpdateObjectEncryption", "OptionsPreflight"},
	"request.action":              {"s3:PutObject", "s3:GetObject", "s3:PutObject", ""},
	"request.class":               {ClassWrite, ClassWrite, ClassRead, ClassRead, ClassList, ClassDelete, ClassBucketConfig},
	"resource.bucket":             {"data", "data", "data-1", "partial", "elsewhere", ""},
	"resource.key":                {"", "a", "kms/a", "kms/default/a/b", "own/a", "open/a", "sealed/a/b", "in/a"},
	"copy_source.resource.bucket": {"", "data", "data", "data-1"},
	"copy_source.resource.key":    {"", "a", "kms/a", "dsse/a", "in/a"},
	"encryption.requested.mode":   {"", string(None), string(SSES3), string(SSEC), string(KMS), string(DSSE)},
	"encryption.requested.key_id": {"", "", mainKey, "other"},
	"transport.source_ip":         {"", "192.0.2.7", "198.51.100.1"},
	"transport.tls_version":       {"1.3", "1.3", "1.2", "1.1", ""},
	"time.weekday":                {"Monday", "Sunday"},
}

func (f field) draw(t *rapid.T) {
	text := func(pool []string) string { return rapid.SampledFrom(pool).Draw(t, f.path) }
	pool, ok := pools[f.path]
	switch {
	case ok:
	case strings.HasSuffix(f.path, ".mode"):
		pool = []string{"", string(None), string(SSES3), string(KMS), string(CSE)}
	case strings.HasSuffix(f.path, ".bucket_key"):
		pool = []string{"", string(BucketKeyYes), string(BucketKeyNo), string(BucketKeyUnset)}
	default:
		pool = []string{"", "a", "b"}
	}
	switch v := f.value; v.Interface().(type) {
	case List:
		v.Set(reflect.ValueOf(List(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "s3:PutObject", "NONE"}), 0, 2).Draw(t, f.path))))
	case Map:
		m := rapid.MapOfN(rapid.SampledFrom([]string{"x-amz-acl", "x-amz-date", "tenant", "department"}), rapid.SampledFrom(pool), 0, 3).Draw(t, f.path)
		v.Set(reflect.ValueOf(Map(m)))
	case Lists:
		v.Set(reflect.ValueOf(Lists(nil))) // derived, as waivers are
	case Waivers:
		v.Set(reflect.ValueOf(Waivers(nil)))
	case Settings:
		settings := make(Settings, rapid.IntRange(0, 2).Draw(t, f.path))
		for i := range settings {
			settings[i] = Setting{
				Path: text(pool), KeyID: text([]string{"", mainKey}),
				Mode: Mode(text([]string{"", string(SSES3), string(KMS)})), BucketKey: BucketKey(text([]string{"", "yes"})),
			}
		}
		v.Set(reflect.ValueOf(settings))
	default:
		switch v.Kind() {
		case reflect.String:
			v.SetString(text(pool))
		case reflect.Bool:
			v.SetBool(rapid.Bool().Draw(t, f.path))
		default:
			v.SetInt(rapid.SampledFrom([]int64{0, 1, 2, 50000, 700000}).Draw(t, f.path))
		}
	}
}

// drawInput draws a request as callers make them.
func drawInput(t *rapid.T) *Input {
	in := &Input{}
	for _, f := range fieldsOf(in) {
		f.draw(t)
	}
	// Mostly a request that gets as far as the rules.
	in.Transport.TLS = in.Transport.TLSVersion != ""
	in.Identity.Verified = in.Identity.AuthMethod != AuthAnonymous && in.Identity.AuthMethod != ""
	return in
}

// vary returns a request that differs from another one in a few fields.
func vary(t *rapid.T, in *Input) *Input {
	out := *in
	fields := fieldsOf(&out)
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		fields[rapid.IntRange(0, len(fields)-1).Draw(t, "field")].draw(t)
	}
	return &out
}

// TestSample makes sure that the fields are all there.
func TestSample(t *testing.T) {
	t.Parallel()
	in := &Input{}
	fields := fieldsOf(in)
	if len(fields) < 80 {
		t.Errorf("only %d fields", len(fields))
	}
	known := map[string]bool{}
	for _, f := range fields {
		known[f.path] = true
	}
	for path := range pools {
		if !known[path] {
			t.Errorf("%s is no field", path)
		}
	}
}
