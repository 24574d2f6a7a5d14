package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/policy/replay"
)

const freezeReports = `package site.rules.freeze

deny contains {"id": "FRZ-001", "msg": "frozen", "path": "resource.key"} if {
	input.request.class == "write"
	"reports/" in input.resource.prefixes
}
`

// shadowBed is a gateway with a policy directory, a gate and an admin API.
type shadowBed struct {
	*bed
	socket string
}

func newShadowBed(t *testing.T, rules map[string]string) *shadowBed {
	t.Helper()
	b := &shadowBed{bed: newBed(t)}
	b.socket = filepath.Join(b.dir, "admin.sock")
	b.config["admin"] = object{"listen": "unix/" + b.socket, "config": object{"persist": false}}
	b.handler["policy"] = b.rules("policy", rules)
	b.handler["gate"] = object{"replay": 100}
	b.config["apps"] = object{"http": httpApp(object{"routes": []object{
		{"match": []object{{"path": []string{"/-/metrics"}}}, "handle": []object{{"handler": "metrics"}}},
		{"handle": []object{b.handler}},
	}})}
	return b
}

// rules writes a directory of Rego and gives its path.
func (b *shadowBed) rules(dir string, files map[string]string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, dir)
	if err := os.MkdirAll(path, 0o700); err != nil {
		b.t.Fatal(err)
	}
	for name, text := range files {
		b.file(filepath.Join(dir, name), text)
	}
	return path
}

// ask asks the admin API about shadows.
func (b *shadowBed) ask(method, path, body string) (int, string) {
	b.t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", b.socket)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(b.t.Context(), method, "http://127.0.0.1/s3_encryption/policy/shadow"+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// must is ask for what has to succeed.
func (b *shadowBed) must(method, path, body string) string {
	b.t.Helper()
	code, answer := b.ask(method, path, body)
	if code != http.StatusOK {
		b.t.Fatalf("%s %s: %d %s", method, path, code, answer)
	}
	return answer
}

func (b *shadowBed) try(path string) string {
	b.t.Helper()
	return b.must(http.MethodPost, "/start", fmt.Sprintf(`{"path": %q}`, path))
}

// judged waits until the shadow, if there is one, has judged so many requests.
func (b *shadowBed) judged(n int) PolicyShadow {
	b.t.Helper()
	for {
		var status ShadowStatus
		if err := json.Unmarshal([]byte(b.must(http.MethodGet, "", "")), &status); err != nil {
			b.t.Fatal(err)
		}
		if p := status.Policies[0]; p.Report == nil || p.Report.Requests >= n {
			return p
		}
	}
}

func (b *shadowBed) put(key string) error {
	_, err := b.client().PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: aws.String("data"), Key: &key, Body: strings.NewReader("x")})
	return err
}

// TestShadow: a candidate judges live requests, over a reload of the configuration, and
// changes none; it comes into force by being promoted, and ends with the app.
func TestShadow(t *testing.T) {
	b := newShadowBed(t, nil)
	b.start()
	if code, _ := b.ask(http.MethodPost, "/promote", ""); code != http.StatusConflict {
		t.Errorf("promoting nothing: %d", code)
	}
	candidate := b.rules("candidate", map[string]string{"freeze.rego": freezeReports})
	b.try(candidate)
	for _, key := range []string{"reports/q3", "other", "reports/q4"} {
		if err := b.put(key); err != nil {
			t.Fatalf("a candidate refuses: %v", err)
		}
	}
	p := b.judged(3)
	if !p.Running || p.Origin != candidate || p.Report.Kinds[replay.AllowToDeny] != 2 || p.Report.Same != 1 || len(p.Upstreams) != 1 {
		t.Errorf("status %+v %+v", p, p.Report)
	}
	if e := p.Report.Examples(); len(e) != 2 || e[0].Input.Resource.Key != "reports/q3" || e[0].After.Findings[0].ID != "FRZ-001" {
		t.Errorf("examples %v", e)
	}
	_, text := b.send(http.MethodGet, "/-/metrics", nil)
	contains(t, text, `sealgate_shadow_decisions_total{result="allow_to_deny"} 2`, `sealgate_shadow_decisions_total{result="same"} 1`,
		`sealgate_shadow_decisions_total{result="deny_to_allow"} 0`, "sealgate_shadow_dropped_total 0")

	// Another configuration: its handler has the same policy.
	b.handler["region"] = "eu-central-1"
	b.start()
	b.must(http.MethodGet, "", "")
	_, _ = b.send(http.MethodGet, "/data/reports/q3", nil) // without a signature, denied by both
	if p = b.judged(4); !p.Running || p.Report.Requests != 4 || p.Report.Same != 2 {
		t.Errorf("after a reload: %+v %+v", p, p.Report)
	}
	_, text = b.send(http.MethodGet, "/-/metrics", nil)
	contains(t, text, `sealgate_shadow_decisions_total{result="allow_to_deny"} 2`)

	// Two of four requests would be refused: the gate says no, and the shadow goes on.
	code, answer := b.ask(http.MethodPost, "/promote", "")
	if code != http.StatusUnprocessableEntity || !strings.Contains(answer, "replay") || !strings.Contains(answer, "data/reports/q") {
		t.Errorf("promoted through the gate: %d %s", code, answer)
	}
	if !b.judged(4).Running {
		t.Error("the shadow ended with the refusal")
	}
	if last := b.must(http.MethodPost, "/stop", ""); !strings.Contains(last, `"running":false`) || !strings.Contains(last, `"allow_to_deny":2`) {
		t.Errorf("stopped with %s", last)
	}
	if code, _ := b.ask(http.MethodPost, "/stop", ""); code != http.StatusConflict {
		t.Errorf("stopped again: %d", code)
	}
	b.try(b.rules("fine", map[string]string{"f.rego": strings.ReplaceAll(freezeReports, "reports/", "unheard/")}))
	b.must(http.MethodPost, "/promote", "")
	if p := b.judged(0); p.Running {
		t.Errorf("it is promoted, and still in the shadow: %+v", p)
	}
	b.handler["region"] = "us-east-1"
	b.start() // which must not bring the old policy back
	if err := b.put("unheard/a"); err == nil || !strings.Contains(err.Error(), "FRZ-001") {
		t.Errorf("the promoted policy is not in force: %v", err)
	}
	if err := b.put("reports/q3"); err != nil {
		t.Error(err)
	}
	b.try(candidate)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	sharedPolicies.Range(func(key, value any) bool {
		t.Errorf("policy %v is kept: %+v", key, value)
		return true
	})
}

// TestShadowHole: a candidate that lets more pass is kept out, with the request that
// shows it.
func TestShadowHole(t *testing.T) {
	b := newShadowBed(t, map[string]string{"freeze.rego": freezeReports})
	b.start()
	if err := b.put("reports/q3"); err == nil {
		t.Fatal("not denied")
	}
	b.try(b.rules("candidate", map[string]string{"other.rego": strings.ReplaceAll(freezeReports, "reports/", "unheard/")}))
	if err := b.put("reports/q4"); err == nil {
		t.Fatal("the candidate lets pass what is denied")
	}
	if p := b.judged(1); p.Report.Kinds[replay.DenyToAllow] != 1 {
		t.Errorf("%+v", p.Report)
	}
	code, answer := b.ask(http.MethodPost, "/promote", "")
	if code != http.StatusUnprocessableEntity || !strings.Contains(answer, "denied by FRZ-001, now allowed") || !strings.Contains(answer, "data/reports/q3") {
		t.Errorf("promoted: %d %s", code, answer)
	}
	if err := b.put("reports/q5"); err == nil {
		t.Error("the hole is in force")
	}
}

// TestShadowRefuses: what cannot be tried is said, and nothing runs.
func TestShadowRefuses(t *testing.T) {
	b := newShadowBed(t, nil)
	b.start()
	broken := b.rules("broken", map[string]string{"a.rego": strings.Replace(freezeReports, "class", "klass", 1)})
	for name, c := range map[string]struct {
		method, path, body string
		code               int
		says               string
	}{
		"does not compile": {http.MethodPost, "/start", fmt.Sprintf(`{"path": %q}`, broken), http.StatusUnprocessableEntity, "klass"},
		"relative":         {http.MethodPost, "/start", `{"path": "policy"}`, http.StatusUnprocessableEntity, "absolute"},
		"not there":        {http.MethodPost, "/start", `{"path": "/nowhere/at/all"}`, http.StatusUnprocessableEntity, "no such file"},
		"no bundle":        {http.MethodPost, "/start", fmt.Sprintf(`{"path": %q}`, b.file("b.tar.gz", "x")), http.StatusUnprocessableEntity, ""},
		"unknown field":    {http.MethodPost, "/start", `{"path": "/", "force": true}`, http.StatusBadRequest, "force"},
		"no body":          {http.MethodPost, "/start", "", http.StatusBadRequest, ""},
		"get":              {http.MethodGet, "/start", "", http.StatusMethodNotAllowed, ""},
		"get promote":      {http.MethodGet, "/promote", "", http.StatusMethodNotAllowed, ""},
		"get stop":         {http.MethodGet, "/stop", "", http.StatusMethodNotAllowed, ""},
		"post status":      {http.MethodPost, "", "", http.StatusMethodNotAllowed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, answer := b.ask(c.method, c.path, c.body)
			if code != c.code || !strings.Contains(answer, c.says) {
				t.Errorf("%d %s", code, answer)
			}
		})
	}
	if p := b.judged(-1); p.Running {
		t.Errorf("%+v", p)
	}
}
