package policy

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const goodDecision = `{"schema": "sealgate.decision/v1", "allow": true, "findings": [],
	"encryption": {"mode": "sse-kms", "key_id": "k", "keyring": "", "context": {"a": "b"}, "bucket_key": "yes",
		"on_conflict": "reject", "allowed_keys": ["k"]}, "on_read": "decrypt"}`

func value(t testing.TB, text string) ast.Value {
	t.Helper()
	v, err := ast.ValueFromReader(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func TestDecode(t *testing.T) {
	t.Parallel()
	d, err := decode(value(t, goodDecision))
	if err != nil {
		t.Fatal(err)
	}
	e := d.Encryption
	if !d.Allow || len(d.Findings) != 0 || d.OnRead != "decrypt" || e.Mode != KMS || e.KeyID != "k" || e.Context["a"] != "b" ||
		e.BucketKey == nil || !*e.BucketKey || e.OnConflict != "reject" || !slices.Equal(e.AllowedKeys, []string{"k"}) {
		t.Errorf("got %+v", d)
	}
}

// TestDecodeRefuses changes the good decision in one place each.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][2]string{
		"other schema":            {`decision/v1`, `decision/v2`},
		"no allow":                {`"allow": true,`, ``},
		"allow as text":           {`"allow": true`, `"allow": "true"`},
		"allow null":              {`"allow": true`, `"allow": null`},
		"no findings":             {`"findings": [],`, ``},
		"findings as object":      {`"findings": []`, `"findings": {}`},
		"finding as text":         {`[],`, `["no"],`},
		"finding without id":      {`[],`, `[{"msg": "no", "path": "", "action": "warn", "waiver": ""}],`},
		"finding without message": {`[],`, `[{"id": "ABC-001", "path": "", "action": "warn", "waiver": ""}],`},
		"finding with more":       {`[],`, `[{"id": "ABC-001", "msg": "m", "path": "", "action": "warn", "waiver": "", "severity": "low"}],`},
		"finding with odd id":     {`[],`, `[{"id": "ABC-01", "msg": "m", "path": "", "action": "warn", "waiver": ""}],`},
		"finding with odd path":   {`[],`, `[{"id": "ABC-001", "msg": "m", "path": 1, "action": "warn", "waiver": ""}],`},
		"finding without path":    {`[],`, `[{"id": "ABC-001", "msg": "m", "action": "warn", "waiver": ""}],`},
		"finding without action":  {`[],`, `[{"id": "ABC-001", "msg": "m", "path": "", "waiver": ""}],`},
		"finding that is off":     {`[],`, `[{"id": "ABC-001", "msg": "m", "path": "", "action": "off", "waiver": ""}],`},
		"finding of odd action":   {`[],`, `[{"id": "ABC-001", "msg": "m", "path": "", "action": "Warn", "waiver": ""}],`},
		"finding without waiver":  {`[],`, `[{"id": "ABC-001", "msg": "m", "path": "", "action": "warn"}],`},
		"finding of odd waiver":   {`[],`, `[{"id": "ABC-001", "msg": "m", "path": "", "action": "warn", "waiver": []}],`},
		"no encryption":           {`"encryption"`, `"encription"`},
		"encryption as text":      {`"encryption": {`, `"encryption": "sse-kms", "x": {`},
		"unknown mode":            {`sse-kms`, `sse-kmss`},
		"mode of a fact":          {`sse-kms`, `unknown`},
		"empty mode":              {`sse-kms`, ``},
		"no mode":                 {`"mode": "sse-kms",`, ``},
		"no key":                  {`"key_id": "k",`, ``},
		"key as number":           {`"key_id": "k"`, `"key_id": 7`},
		"no keyring":              {`"keyring": "",`, ``},
		"context as list":         {`{"a": "b"}`, `[]`},
		"context of numbers":      {`{"a": "b"}`, `{"a": 1}`},
		"bucket key as boolean":   {`"yes"`, `true`},
		"unknown bucket key":      {`"yes"`, `"maybe"`},
		"unknown conflict":        {`reject`, `ignore`},
		"no allowed keys":         {`, "allowed_keys": ["k"]`, ``},
		"allowed keys as text":    {`["k"]`, `"k"`},
		"allowed keys of numbers": {`["k"]`, `[1]`},
		"unknown on_read":         {`decrypt`, `maybe`},
		"further field":           {`"allow": true`, `"allow": true, "warnings": []`},
		"further obligation":      {`"mode"`, `"suite": "x", "mode"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(goodDecision, change[0], change[1], 1)
			if text == goodDecision {
				t.Fatal("the change changes nothing")
			}
			d, err := decode(value(t, text))
			if faultID(t, err) != FaultDecision {
				t.Errorf("got %+v, %v", d, err)
			}
		})
	}
	for _, text := range []string{`true`, `{}`, `[]`, `null`, `"allow"`} {
		if d, err := decode(value(t, text)); faultID(t, err) != FaultDecision {
			t.Errorf("%s: got %+v, %v", text, d, err)
		}
	}
}

// FuzzDecode holds the decoder against the schema: it accepts exactly what fits.
func FuzzDecode(f *testing.F) {
	f.Add(goodDecision)
	f.Add(strings.Replace(goodDecision, `[],`, `[{"id": "ABC-001", "msg": "m", "path": "p", "action": "audit", "waiver": "w"}],`, 1))
	f.Add(strings.Replace(goodDecision, `sse-kms`, `unchanged`, 1))
	f.Add(`{"schema": 1}`)
	f.Add(`[[], {}]`)
	schema := compileSchema(f, "schemas/decision.json", "#/definitions/decision")
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || hasDuplicates(text) {
			return
		}
		v, err := ast.ValueFromReader(strings.NewReader(text))
		if err != nil {
			return
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
		if err != nil {
			return
		}
		_, got := decode(v)
		if want := schema.Validate(doc); (got == nil) != (want == nil) {
			t.Errorf("decode: %v, schema: %v, in %s", got, want, text)
		}
	})
}

// hasDuplicates says whether an object gives a name twice, where two parsers may
// take different values.
func hasDuplicates(text string) bool {
	decoder := json.NewDecoder(strings.NewReader(text))
	names := []map[string]bool{}
	key := []bool{}
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				flip(key)
				names, key = append(names, map[string]bool{}), append(key, true)
			case '[':
				flip(key)
				names, key = append(names, nil), append(key, false)
			default:
				names, key = names[:len(names)-1], key[:len(key)-1]
			}
			continue
		case string:
			if n := len(names); n > 0 && names[n-1] != nil && key[n-1] {
				if names[n-1][v] {
					return true
				}
				names[n-1][v] = true
			}
		}
		flip(key)
	}
}

// flip turns from name to value and back in the innermost object.
func flip(key []bool) {
	if n := len(key); n > 0 {
		key[n-1] = !key[n-1]
	}
}
