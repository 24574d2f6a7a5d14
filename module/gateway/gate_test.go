package gateway

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/policy"
)

// gateBed is a gateway with a gate, whose admin API is asked.
func gateBed(t *testing.T, gate object) *bundleBed {
	t.Helper()
	b := &bundleBed{bed: newBed(t)}
	b.handler["gate"] = gate
	b.socket = filepath.Join(b.dir, "admin.sock")
	b.config["admin"] = object{"listen": "unix/" + b.socket, "config": object{"persist": false}}
	return b
}

const narrowPosture = `version: 1
buckets: {"*": {"": {mode: sse-s3}}}
grants: [{id: all, principals: [app], actions: ["s3:*"], resources: ["photos/a*"]}]
`

// TestGateStopsHole: a change that lets a denied request pass is kept out with the
// request that shows it, also by a reload of the configuration, and comes in with a
// reason, which shows.
func TestGateStopsHole(t *testing.T) {
	b := gateBed(t, object{})
	b.file("posture.yaml", narrowPosture)
	b.start()
	if b.put("a") != "" || b.put("secret") != "AccessDenied" {
		t.Fatal("the posture is not in force")
	}
	b.file("posture.yaml", strings.Replace(narrowPosture, "photos/a*", "photos/*", 1))
	check := func() {
		t.Helper()
		p := b.policy()
		if text, _ := p["error"].(string); p["failed_step"] != policy.StepReplay || !strings.Contains(text, "photos/secret") || !strings.Contains(text, "denied would pass") {
			t.Errorf("got %v", p)
		}
		if got := b.put("secret"); got != "AccessDenied" {
			t.Errorf("got %q", got)
		}
	}
	if code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/reload"); code != http.StatusUnprocessableEntity {
		t.Errorf("%d %v", code, answer)
	}
	check()
	b.start() // a reload of the configuration
	check()
	for _, query := range []string{"without=replay", "without=compile&reason=x", "without=lint&reason=x"} {
		if code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/reload?"+query); code < 400 {
			t.Errorf("%s: %d %v", query, code, answer)
		}
	}
	check()
	reason := "TICKET-7: team blue may write"
	if code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/reload?without=replay&reason="+url.QueryEscape(reason)); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	if got := b.put("secret"); got != "" {
		t.Errorf("got %q", got)
	}
	waivers, _ := b.policy()["waivers"].([]any)
	if len(waivers) != 1 || at(waivers[0], "step") != "replay" || at(waivers[0], "reason") != reason {
		t.Errorf("got %v", waivers)
	}
	if code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/rollback"); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	if got := b.put("secret"); got != "AccessDenied" {
		t.Errorf("got %q after a roll-back", got)
	}
	_, text := b.logs()
	contains(t, text, "policy in force without a step of the gate", reason, "policy rolled back")
}

// TestGateCanaries: what must go on working, and what never may.
func TestGateCanaries(t *testing.T) {
	b := gateBed(t, nil)
	b.handler["gate"] = object{"replay": 0, "canaries": b.file("canaries.yaml", `version: 1
base:
  identity: {principal: app}
  request: {operation: PutObject, action: "s3:PutObject", class: write}
  resource: {bucket: photos}
must_deny: [{name: outside, rule: GRT-000, input: {resource: {key: secret}}}]
must_allow: [{name: backup, mode: sse-s3, input: {resource: {key: a}}}]
`)}
	b.file("posture.yaml", narrowPosture)
	b.start()
	for name, test := range map[string]struct{ posture, want string }{
		"opened": {strings.Replace(narrowPosture, "photos/a*", "*", 1), `canary "outside": it must be denied, and is allowed`},
		"closed": {strings.Replace(narrowPosture, "photos/a*", "photos/b*", 1), `canary "backup": it must be allowed, and is denied by [GRT-000`},
		"weaker": {strings.Replace(narrowPosture, "sse-s3", "none", 1), `canary "backup": it must be stored with sse-s3, and is with none`},
	} {
		b.file("posture.yaml", test.posture)
		code, _ := b.ask(http.MethodPost, "/s3_encryption/policy/reload")
		p := b.policy()
		if text, _ := p["error"].(string); code != http.StatusUnprocessableEntity || p["failed_step"] != policy.StepCanaries || !strings.Contains(text, test.want) {
			t.Errorf("%s: %d, %v", name, code, p)
		}
		if b.put("a") != "" || b.put("secret") != "AccessDenied" {
			t.Errorf("%s: the last good policy is not in force", name)
		}
	}
	// A file that cannot be read keeps everything out: nothing is known.
	b.file("posture.yaml", strings.Replace(narrowPosture, "photos/a*", "photos/a/*", 1))
	b.file("canaries.yaml", "version: 1\n")
	if code, answer := b.ask(http.MethodPost, "/s3_encryption/policy/reload"); code != http.StatusUnprocessableEntity {
		t.Errorf("%d %v", code, answer)
	}
}

// TestPolicyMetrics: what kept a policy out is counted, by step.
func TestPolicyMetrics(t *testing.T) {
	b := gateBed(t, object{"replay": 0})
	b.config["apps"].(object)["http"].(object)["servers"].(object)["main"].(object)["routes"] = append(
		[]object{{"match": []object{{"path": []string{"/-/metrics"}}}, "handle": []object{{"handler": "metrics"}}}}, route(b.handler)...)
	b.start()
	b.file("posture.yaml", "version: 2\n")
	for range 2 {
		b.ask(http.MethodPost, "/s3_encryption/policy/reload")
	}
	_, text := b.send(http.MethodGet, "/-/metrics", nil)
	contains(t, text,
		`sealgate_policy_activation_failures_total{step="compile"} 2`,
		`sealgate_policy_source_info{bundle_revision="",source="library"} 1`,
		"sealgate_policy_stale 0", "sealgate_policy_age_seconds ", "sealgate_policy_last_error_timestamp_seconds 1.",
		`sealgate_reload_successful{files="policy"} 0`)
}
