package records

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/engine"
)

// opaEvent are the members of an event of OPA 1.22's decision logs, EventV1 of its
// package v1/plugins/logs, and the JSON they hold.
var opaEvent = map[string]string{
	"labels": "object", "decision_id": "string", "batch_decision_id": "string", "trace_id": "string", "span_id": "string",
	"revision": "string", "bundles": "object", "path": "string", "query": "string", "input": "any", "result": "any",
	"intermediate_results": "object", "mapped_result": "any", "nd_builtin_cache": "any", "erased": "array", "masked": "array",
	"error": "object", "requested_by": "string", "timestamp": "string", "metrics": "object", "req_id": "number",
	"rule_labels": "array", "request_context": "object", "custom": "object",
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}

func TestEventsAreOPAs(t *testing.T) {
	t.Parallel()
	h, err := NewHasher([]byte(hashKey), "key", "source_ip", "metadata")
	if err != nil {
		t.Fatal(err)
	}
	allowed, refused := sample("allowed"), &engine.Record{ID: "refused", Time: at, Outcome: engine.OutcomeRefused}
	allowed.Outcome, allowed.Findings = engine.OutcomeOK, allowed.Findings[:0]
	s := newService(t, nil)
	token := ""
	q := openCollector(t, s.URL+"/opa/", CollectorConfig{
		BatchRecords: 1, Token: func() (string, error) { token += "x"; return token, nil },
	}, Config{Hasher: h})
	for _, r := range []*engine.Record{sample("denied"), allowed, refused} {
		q.Record(t.Context(), r)
	}
	q.Close()
	for i, e := range s.taken {
		for name, v := range e {
			if want, ok := opaEvent[name]; !ok || want != "any" && want != kind(v) {
				t.Errorf("%s is %s, OPA has %q", name, kind(v), want)
			}
		}
		if e["path"] != "sealgate/main/decision" || e["timestamp"] != "2026-01-02T03:04:05.0000006Z" {
			t.Errorf("path %v at %v", e["path"], e["timestamp"])
		}
		if fmt.Sprint(e["labels"]) != "map[id:gateway-1 version:v1]" {
			t.Errorf("labels %v", e["labels"])
		}
		h := s.headers[i]
		if h.Get("Authorization") != "Bearer "+strings.Repeat("x", i+1) || h.Get("Content-Encoding") != "gzip" || h.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", h)
		}
	}
	denied := s.taken[0]
	sum := hashPrefix + mac(hashKey, "secret/plan.pdf")
	for pointer, want := range map[string]any{
		"/decision_id":                            "denied",
		"/revision":                               "r1",
		"/bundles/sealgate/revision":              "r1",
		"/result/allow":                           false,
		"/result/findings/0/id":                   "KEY-001",
		"/result/encryption/mode":                 "sse-kms",
		"/metrics/timer_rego_query_eval_ns":       40000.,
		"/metrics/timer_server_handler_ns":        900000.,
		"/input/schema":                           "sealgate.input/v1",
		"/input/resource/key":                     sum,
		"/custom/record/resource/key":             sum,
		"/custom/record/outcome":                  "denied",
		"/requested_by":                           hashPrefix + mac(hashKey, "192.0.2.7"),
		"/input/request/headers/x-amz-acl":        "private",
		"/custom/record/answered/status":          403.,
		"/input/request/headers/x-amz-meta-owner": hashPrefix + mac(hashKey, "alice@example.com"),
	} {
		if got := member(denied, pointer); got != want {
			t.Errorf("%s is %v, want %v", pointer, got, want)
		}
	}
	masked := denied["masked"].([]any)
	for _, pointer := range masked {
		if text := fmt.Sprint(member(denied, pointer.(string))); !strings.Contains(text, hashPrefix) && !strings.Contains(text, hashedText) {
			t.Errorf("%s is masked and shows %s", pointer, text)
		}
	}
	if len(masked) < 9 || !slices.Contains(masked, any("/requested_by")) {
		t.Errorf("masked %q", masked)
	}
	if text, _ := json.Marshal(denied); strings.Contains(string(text), "plan.pdf") || strings.Contains(string(text), "192.0.2.7") {
		t.Errorf("what is hashed shows: %s", text)
	}
	if e := s.taken[1]; member(e, "/result/allow") != true || fmt.Sprint(e["erased"]) != "[/input]" || e["input"] != nil {
		t.Errorf("allowed: %v, erased %v", e["result"], e["erased"])
	}
	if e := s.taken[2]; e["result"] != nil || e["erased"] != nil || e["bundles"] != nil {
		t.Errorf("never decided: %v", slices.Sorted(maps.Keys(e)))
	}
}

// member finds what a JSON pointer without escapes points at.
func member(v any, pointer string) any {
	for _, name := range strings.Split(pointer, "/")[1:] {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			i, _ := strconv.Atoi(name)
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

func TestPointers(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"input.resource.key":                     "/input/resource/key",
		"input.request.headers.x-amz-meta-a.b/c": "/input/request/headers/x-amz-meta-a.b~1c",
		"client.ip":                              "/custom/record/client/ip /requested_by",
		"findings":                               "/custom/record/findings /result/findings",
		"cause":                                  "/custom/record/cause",
	} {
		if got := strings.Join(pointers(path), " "); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// What a record had to leave out, its event names where it would be.
func TestEventErased(t *testing.T) {
	t.Parallel()
	r := sample("A")
	r.Input.Request.Tags["large"] = strings.Repeat("v", maxInput)
	r.Cause = strings.Repeat("c", maxText+1)
	q := Queue{cfg: Config{Input: engine.RecordInputAll}}
	e := eventOf(q.view(keep(r)), nil)
	slices.Sort(e.Erased)
	if want := []string{"/custom/record/cause", "/input"}; e.Input != nil || !slices.Equal(e.Erased, want) {
		t.Errorf("erased %q, want %q", e.Erased, want)
	}
}
