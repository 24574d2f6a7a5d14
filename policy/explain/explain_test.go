package explain_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/explain"
)

const (
	mainKey = "arn:aws:kms:eu-central-1:111122223333:key/main"

	testPosture = `version: 1
buckets:
  data:
    "": {mode: sse-kms, key_id: "` + mainKey + `"}
    "open/": {mode: sse-s3, on_conflict: keep-if-stronger}
    "kept/": {mode: sse-s3, deletes: deny}
rules:
  ACL-001: {action: warn}
grants:
  - {id: app, principals: [app], actions: ["s3:*"], resources: ["data", "data/*"]}
`
	testSite = `package site.rules.names

# METADATA
# title: No drafts
# custom:
#   id: NAM-001
deny contains {
	"id": "NAM-001",
	"msg": concat("", [input.resource.key, " is a draft"]),
} if {
	input.request.class == "write"
	some suffix in [".tmp", ".draft"]
	endswith(input.resource.key, suffix)
}
`
	testRequire = `package site.encryption.names

require contains {"mode": "sse-kms", "key_id": "` + mainKey + `"} if {
	"open/secret/" in input.resource.prefixes
}
`
)

func load(t testing.TB, site map[string]string) *policy.Generation {
	t.Helper()
	dir := t.TempDir()
	write := func(path, text string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "posture.yaml"), testPosture)
	for name, text := range site {
		write(filepath.Join(dir, "policy", name), text)
	}
	o := policy.Options{PostureFile: filepath.Join(dir, "posture.yaml"), Timeout: 5 * time.Second}
	if len(site) > 0 {
		o.SiteDir = filepath.Join(dir, "policy")
	}
	e, err := policy.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e.Current()
}

func put(key string, edit ...func(*policy.Input)) *policy.Input {
	in := &policy.Input{
		Identity:  policy.Identity{AuthMethod: policy.AuthHeader, Verified: true, Principal: "app"},
		Request:   policy.Request{Operation: "PutObject", Action: "s3:PutObject", Class: policy.ClassWrite, Method: "PUT", Payload: policy.PayloadHash},
		Resource:  policy.Resource{Bucket: "data", Key: key},
		Transport: policy.Transport{TLS: true, TLSVersion: "1.3", SourceIP: "192.0.2.7"},
		Time:      policy.TimeAt(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)),
	}
	for _, e := range edit {
		e(in)
	}
	return in
}

func asks(mode policy.Mode, key string) func(*policy.Input) {
	return func(in *policy.Input) {
		in.Encryption = policy.EncryptionFacts{Explicit: true, Requested: policy.Requested{Mode: mode, KeyID: key}}
	}
}

func presigned(seconds int64) func(*policy.Input) {
	return func(in *policy.Input) {
		in.Identity.AuthMethod = policy.AuthPresigned
		in.Request.Presign = policy.Presign{Active: true, ExpiresS: seconds}
	}
}

var site = map[string]string{"names.rego": testSite, "require.rego": testRequire}

func explained(t *testing.T, in *policy.Input) *explain.Explanation {
	t.Helper()
	e, err := explain.Explain(t.Context(), load(t, site), explain.Question{Input: in})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The rule that decided is named with its place, its title and what it read.
func TestDeciding(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in          *policy.Input
		id, file    string
		title, read string // part of what the conditions read
	}{
		"a rule of the library": {put("a", asks(policy.KMS, "evil")), "KEY-001", "rego/rules/keys.rego", "A KMS key a client names must be allowed", `encryption.requested.key_id="evil"`},
		"a rule of the site":    {put("a.tmp"), "NAM-001", "names.rego", "No drafts", `resource.key="a.tmp"`},
		"no grant":              {put("a", func(in *policy.Input) { in.Identity.Principal = "eve" }), "GRT-000", "rego/main/main.rego", "No grant", `grants.missing=["s3:PutObject"]`},
		"a number":              {put("a", presigned(50000)), "PRE-001", "rego/rules/presign.rego", "", `request.presign.expires_s=50000`},
		"a helper's value":      {put("a", presigned(50000)), "PRE-001", "rego/rules/presign.rego", "", `presign.limit=43200`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := explained(t, tc.in)
			i := slices.IndexFunc(e.Deciding, func(r explain.Rule) bool { return r.Finding.ID == tc.id })
			if i < 0 || e.Decision.Allow {
				t.Fatalf("allow %v, deciding %+v", e.Decision.Allow, e.Deciding)
			}
			r := e.Deciding[i]
			if r.Place == nil || !strings.HasSuffix(r.Place.File, tc.file) || r.Place.Line == 0 {
				t.Errorf("place %+v, want %s", r.Place, tc.file)
			}
			if tc.title != "" && r.Title != tc.title {
				t.Errorf("title %q, want %q", r.Title, tc.title)
			}
			var read []string
			for _, c := range r.Conditions {
				for _, v := range c.Values {
					read = append(read, v.Path+"="+string(v.Value))
				}
			}
			if !slices.Contains(read, tc.read) {
				t.Errorf("read %q, want %q among it", read, tc.read)
			}
		})
	}
}

// A rule that one condition kept from applying is near, and the closer ones come first.
func TestNear(t *testing.T) {
	t.Parallel()
	e := explained(t, put("a", presigned(40000)))
	if !e.Decision.Allow {
		t.Fatalf("denied: %+v", e.Decision.Findings)
	}
	i := slices.IndexFunc(e.Near, func(n explain.NearMiss) bool { return n.ID == "PRE-001" })
	if i < 0 {
		t.Fatalf("near: %+v", e.Near)
	}
	n := e.Near[i]
	if n.Absent || !strings.Contains(n.Failed.Text, "expires_s >") && !strings.Contains(n.Failed.Text, "age_s >") || n.Failed.Place.Line == 0 {
		t.Errorf("near miss %+v", n)
	}
	for i := 1; i < len(e.Near); i++ {
		if e.Near[i-1].Absent && !e.Near[i].Absent {
			t.Errorf("%s is before %s, which is about something that is there", e.Near[i-1].ID, e.Near[i].ID)
		}
	}
}

// The first change is one a client can make, and every change does flip the decision.
func TestChanges(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   *policy.Input
		by   string
		path string
		to   string // JSON; "" any
	}{
		"a key that is not allowed":       {put("a", asks(policy.KMS, "evil")), explain.ByClient, "encryption.requested.key_id", `""`},
		"a link that lives too long":      {put("a", presigned(50000)), explain.ByClient, "request.presign.expires_s", "43200"},
		"an old TLS version":              {put("a", func(in *policy.Input) { in.Transport.TLSVersion = "1.1" }), explain.ByConnection, "transport.tls_version", `"1.2"`},
		"a name a rule of the site hates": {put("a.tmp"), explain.ByClient, "resource.key", `"a"`},
		"no grant":                        {put("a", func(in *policy.Input) { in.Identity.Principal = "eve" }), explain.ByOperator, "grants.missing", "[]"},
		"a delete where none is allowed": {put("kept/a", func(in *policy.Input) {
			in.Request = policy.Request{Operation: "DeleteObject", Action: "s3:DeleteObject", Class: policy.ClassDelete, Method: "DELETE"}
		}), explain.ByOperator, "posture.deletes", `"allow"`},
		"nothing wrong, a link about as long as can be": {put("a", presigned(43200)), explain.ByClient, "request.presign.expires_s", "43201"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := explained(t, tc.in)
			if len(e.Changes) == 0 {
				t.Fatalf("no change is found; findings %+v", e.Decision.Findings)
			}
			i := slices.IndexFunc(e.Changes, func(c explain.Change) bool {
				return slices.ContainsFunc(c.Set, func(s explain.Set) bool {
					to, _ := json.Marshal(s.To)
					return s.Path == tc.path && (tc.to == "" || string(to) == tc.to)
				})
			})
			if i < 0 || e.Changes[i].By != tc.by {
				t.Errorf("want %s to set %s to %s, got %+v", tc.by, tc.path, tc.to, e.Changes)
			}
		})
	}
}

// Where two rules deny, no single change helps, and two together do.
func TestTogether(t *testing.T) {
	t.Parallel()
	e := explained(t, put("a.tmp", asks(policy.KMS, "evil")))
	if len(e.Changes) != 0 || len(e.Together) != 2 {
		t.Errorf("changes %+v, together %+v", e.Changes, e.Together)
	}
}

// Of an allowed write is told which grant was used, and which requirement won.
func TestAllowed(t *testing.T) {
	t.Parallel()
	e := explained(t, put("open/secret/a"))
	if !e.Decision.Allow || !slices.Equal(e.Grants, []string{"app"}) {
		t.Fatalf("%+v, grants %v", e.Decision, e.Grants)
	}
	if len(e.Required) != 2 || !e.Required[0].Won || e.Required[1].Won || e.Required[0].Mode != policy.KMS || e.Required[1].Mode != policy.SSES3 {
		t.Errorf("required %+v", e.Required)
	}
	if !strings.HasSuffix(e.Required[0].Place.File, "require.rego") {
		t.Errorf("the winner is in %s", e.Required[0].Place.File)
	}
}

// A finding that only warns is explained and no reason for changes.
func TestWarned(t *testing.T) {
	t.Parallel()
	e := explained(t, put("a", func(in *policy.Input) { in.Request.ACL.Canned = "public-read" }))
	if !e.Decision.Allow || len(e.Deciding) != 1 || e.Deciding[0].Finding.Action != policy.ActionWarn {
		t.Errorf("%+v", e.Deciding)
	}
}

// A key that some stores take for another one is explained under both names.
func TestOtherName(t *testing.T) {
	t.Parallel()
	e := explained(t, put("kept//a", func(in *policy.Input) {
		in.Request = policy.Request{Operation: "DeleteObject", Action: "s3:DeleteObject", Class: policy.ClassDelete, Method: "DELETE"}
	}))
	if e.Decision.Allow || len(e.Deciding) == 0 {
		t.Fatalf("%+v", e.Decision)
	}
	e = explained(t, put("a/../kept/a", func(in *policy.Input) {
		in.Request = policy.Request{Operation: "DeleteObject", Action: "s3:DeleteObject", Class: policy.ClassDelete, Method: "DELETE"}
	}))
	if e.Decision.Allow || len(e.Deciding) != 1 || e.Deciding[0].Name != "kept/a" {
		t.Errorf("%+v", e.Deciding)
	}
}

// The gateway's own finding counts: of what is proposed, and of what is explained.
func TestEnforce(t *testing.T) {
	t.Parallel()
	q := explain.Question{Input: put("a", asks(policy.SSES3, "")), Enforce: func(in *policy.Input, _ policy.Decision) *policy.Finding {
		if in.Encryption.Explicit && in.Encryption.Requested.Mode != policy.KMS {
			return &policy.Finding{ID: "ENF-003", Message: "no", Action: policy.ActionDeny}
		}
		return nil
	}}
	e, err := explain.Explain(t.Context(), load(t, nil), q)
	if err != nil {
		t.Fatal(err)
	}
	if e.Decision.Allow || len(e.Deciding) != 1 || e.Deciding[0].Place != nil {
		t.Fatalf("%+v, %+v", e.Decision, e.Deciding)
	}
	if len(e.Changes) == 0 || e.Changes[0].By != explain.ByClient {
		t.Errorf("changes %+v", e.Changes)
	}
}

// The input is not written to, and a policy that has nothing loaded is a fault.
func TestExplainLeavesTheInput(t *testing.T) {
	t.Parallel()
	in := put("a.tmp", asks(policy.KMS, "evil"))
	before, _ := json.Marshal(in)
	explained(t, in)
	if after, _ := json.Marshal(in); string(after) != string(before) {
		t.Errorf("the input became\n%s\nfrom\n%s", after, before)
	}
	var none *policy.Generation
	var fault *policy.Fault
	if _, err := explain.Explain(t.Context(), none, explain.Question{Input: in}); !errors.As(err, &fault) || fault.ID != policy.FaultNotLoaded {
		t.Errorf("error %v", err)
	}
}

// A context that has ended gives a fault, not a half explanation.
func TestExplainEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := explain.Explain(ctx, load(t, nil), explain.Question{Input: put("a")}); err == nil {
		t.Error("explained after the end")
	}
}

func BenchmarkExplain(b *testing.B) {
	g := load(b, site)
	in := put("a", asks(policy.KMS, "evil"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := explain.Explain(b.Context(), g, explain.Question{Input: in}); err != nil {
			b.Fatal(err)
		}
	}
}
