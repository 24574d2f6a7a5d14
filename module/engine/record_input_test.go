package engine

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/rego"
)

func recording(what RecordInput) bedOption {
	return func(c *Config, _ *policy.Options) { c.RecordInput = what }
}

// The record of a request has the input where it is asked for, and where it explains
// a denial.
func TestRecordInput(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		what            RecordInput
		denied, allowed bool
	}{
		{"", true, false},
		{RecordInputDenied, true, false},
		{RecordInputAll, true, true},
		{RecordInputNone, false, false},
	} {
		t.Run("record "+string(tc.what), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: sse-s3"), recording(tc.what))
			for name, want := range map[string]struct {
				request *http.Request
				outcome Outcome
				has     bool
			}{
				"allowed":              {b.request(http.MethodPut, "/bucket/a", "x"), OutcomeOK, tc.allowed},
				"denied by a rule":     {b.request(http.MethodPut, "/bucket/b", "x", "X-Amz-Acl: public-read"), OutcomeDenied, tc.denied},
				"denied by the engine": {b.request(http.MethodPut, "/bucket/c", "x", sseHeader+": aws:kms"), OutcomeDenied, tc.denied},
				"refused":              {b.request(http.MethodPut, "/bucket/d?newthing", "x"), OutcomeRefused, false},
			} {
				rec := b.recordOf(b.do(want.request))
				if rec.Outcome != want.outcome || (rec.Input != nil) != want.has {
					t.Errorf("%s: outcome %s, input %v, want %s, %v", name, rec.Outcome, rec.Input != nil, want.outcome, want.has)
				}
			}
		})
	}
	b := newBed(t, openPosture("mode: sse-s3"))
	if _, err := New(func() Config { c := b.engine.cfg; c.RecordInput = "some"; return c }()); err == nil {
		t.Error("an unknown word is accepted")
	}
}

// What is recorded is the whole document, as the schema has it, and holds no secrets.
func TestRecordedInputIsWholeAndHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	data, err := fs.ReadFile(rego.FS(), "schemas/input.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("input.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("input.json")
	if err != nil {
		t.Fatal(err)
	}

	b := newBed(t, openPosture("mode: sse-kms", "key_id: key-a"), recording(RecordInputAll)).secure()
	const customerKey = "pstcSD8XiG4hQ6K6MXfPD4RLAcWdC4VvkP5pXLbFGsE="
	const customerMD5 = "S05p1sd8jLWUZlk6XQaYBw=="
	requests := everyClass(b)
	requests["customer key"] = b.request(http.MethodPut, "/bucket/customer", "x", "X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256",
		"X-Amz-Server-Side-Encryption-Customer-Key: "+customerKey, "X-Amz-Server-Side-Encryption-Customer-Key-Md5: "+customerMD5)
	seen := 0
	for name, r := range requests {
		reply := b.do(r)
		rec := b.recordOf(reply)
		if rec.Input == nil {
			continue
		}
		seen++
		text, err := json.Marshal(rec.Input)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		signature := r.Header.Get("Authorization")
		signature = signature[strings.LastIndex(signature, "=")+1:]
		for _, secret := range []string{testSecret, customerKey, customerMD5, signature, "Signature"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s: the input holds %q: %s", name, secret, text)
			}
		}
		if _, err := policy.ReadInput(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if seen < 5 {
		t.Errorf("%d inputs were recorded", seen)
	}
}

// A request for many keys shows the one that was denied.
func TestRecordedInputOfManyKeys(t *testing.T) {
	t.Parallel()
	b := newBed(t, "version: 1\nbuckets: {\"*\": {\"\": {mode: sse-s3}}}\n"+
		"grants:\n  - {id: some, principals: [app], actions: [\"s3:*\"], resources: [\"bucket/open/*\"]}\n")
	body := `<Delete><Object><Key>open/a</Key></Object><Object><Key>shut/b</Key></Object><Object><Key>shut/c</Key></Object></Delete>`
	rec := b.recordOf(b.do(b.request(http.MethodPost, "/bucket?delete", body)))
	if rec.Keys == nil || rec.Keys.Denied != 2 {
		t.Fatalf("keys: %+v", rec.Keys)
	}
	if rec.Input == nil || rec.Input.Resource.Key != "shut/b" {
		t.Errorf("input: %+v", rec.Input)
	}
}

// Enforced foresees what the engine refuses after an allowing decision.
func TestEnforced(t *testing.T) {
	t.Parallel()
	b := newBed(t, openPosture("mode: sse-kms", "key_id: key-a", "on_conflict: reject"), recording(RecordInputAll))
	for name, tc := range map[string]struct {
		header []string
		want   string
	}{
		"nothing asked":    {nil, ""},
		"as decided":       {[]string{sseHeader + ": aws:kms"}, ""},
		"weaker":           {[]string{sseHeader + ": AES256"}, "ENF-003"},
		"another strength": {[]string{sseHeader + ": aws:kms:dsse"}, "ENF-003"},
	} {
		rec := b.recordOf(b.do(b.request(http.MethodPut, "/bucket/"+strings.ReplaceAll(name, " ", "-"), "x", tc.header...)))
		if rec.Input == nil {
			t.Fatalf("%s: no input", name)
		}
		d, err := b.engine.cfg.Policy.Current().Decide(t.Context(), rec.Input)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if f := Enforced(rec.Input, d); f != nil {
			got = f.ID
		}
		recorded := ""
		if len(rec.Findings) > 0 {
			recorded = rec.Findings[0].ID
		}
		if got != tc.want || recorded != tc.want {
			t.Errorf("%s: foreseen %q, recorded %q, want %q", name, got, recorded, tc.want)
		}
	}
}
