package engine

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func recordSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(RecordSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("record.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("record.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// Records of every outcome fit the schema and hold nothing secret.
func TestRecordsFitTheirSchema(t *testing.T) {
	t.Parallel()
	b := newBed(t, openPosture("mode: sse-kms", "key_id: key-a", "context: {tenant: t-value}"))
	b.store.setReply(silent(func(h http.Header) {
		h.Set(sseHeader, "aws:kms")
		h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "key-a")
	}))
	const customerKey = "pstcSD8XiG4hQ6K6MXfPD4RLAcWdC4VvkP5pXLbFGsE="
	for operation, r := range everyClass(b) {
		if reply := b.do(r); reply.StatusCode >= 500 {
			t.Errorf("%s: %d %s", operation, reply.StatusCode, reply.body)
		}
	}
	requests := []*http.Request{
		b.request(http.MethodPut, "/bucket/denied", "x", sseHeader+": AES256"),
		b.request(http.MethodGet, "/bucket/key?newthing", ""),
		b.request(http.MethodPut, "/bucket/customer", "x", "X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256",
			"X-Amz-Server-Side-Encryption-Customer-Key: "+customerKey, "X-Amz-Server-Side-Encryption-Customer-Key-Md5: x"),
	}
	unsigned, _ := http.NewRequest(http.MethodGet, b.gateway.URL+"/bucket/key?X-Amz-Signature=abcdef0123", nil)
	for _, r := range append(requests, unsigned) {
		b.do(r)
	}
	b.awaitRecord(func(r Record) bool { return r.Client.Path == "/bucket/key" && r.Outcome == OutcomeRefused })

	schema := recordSchema(t)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rec := range b.records {
		text, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		for _, secret := range []string{testSecret, customerKey, "abcdef0123", "gateway-secret"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("a record holds %q: %s", secret, text)
			}
		}
		// Values of an encryption context may be personal data. Only the input has
		// them, which can be left out of records.
		rec.Input = nil
		if text, err := json.Marshal(rec); err != nil || strings.Contains(string(text), "t-value") {
			t.Errorf("a record holds the value of a context: %s, %v", text, err)
		}
	}
}
