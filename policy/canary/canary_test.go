package canary

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
)

const testPosture = `version: 1
buckets:
  data:
    "": {mode: sse-s3}
    "kms/": {mode: sse-kms, key_id: k}
grants:
  - {id: all, principals: [app], actions: ["s3:*"], resources: ["data/*"]}
`

const testSite = `package site.rules.freeze

deny contains {"id": "FRZ-001", "msg": "frozen"} if "frozen/" in input.resource.prefixes
`

// generation loads a site.
func generation(t *testing.T, site string) *policy.Generation {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"posture.yaml": testPosture, "policy/site.rego": site} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := policy.New(policy.Options{PostureFile: filepath.Join(dir, "posture.yaml"), SiteDir: filepath.Join(dir, "policy"), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return e.Current()
}

const good = `
version: 1
base:
  identity: {principal: app}
  request: {operation: PutObject, action: "s3:PutObject", class: write, method: PUT}
  resource: {bucket: data}
must_deny:
  - name: frozen
    rule: FRZ-001
    input: {resource: {key: frozen/a}}
  - name: plaintext
    input: {transport: {tls: false, tls_version: ""}, resource: {key: a}}
  - name: stranger
    rule: GRT-000
    input: {identity: {principal: stranger}, resource: {key: a}}
must_allow:
  - name: ordinary
    input: {resource: {key: a}}
  - name: kms
    mode: sse-kms
    input: {resource: {key: kms/a}}
`

func TestCheck(t *testing.T) {
	t.Parallel()
	set, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.MustDeny) != 3 || len(set.MustAllow) != 2 {
		t.Fatalf("got %+v", set)
	}
	g := generation(t, testSite)
	if err := set.Check(t.Context(), g); err != nil {
		t.Error(err)
	}
	var none *Set
	if err := none.Check(t.Context(), g); err != nil {
		t.Error(err)
	}
	for name, test := range map[string]struct {
		site string
		want []string
	}{
		"the rule is gone":    {"package site.lib\n\nx := 1\n", []string{`canary "frozen": it must be denied, and is allowed`}},
		"another rule denies": {strings.Replace(testSite, "FRZ-001", "FRZ-002", 1), []string{`canary "frozen"`, "must be denied by FRZ-001, and is denied by [FRZ-002 (frozen)"}},
		"too much is denied":  {strings.Replace(testSite, "frozen/", "kms/", 1), []string{`canary "frozen"`, `canary "kms": it must be allowed, and is denied by [FRZ-001 (frozen)]`}},
		"stronger": {
			"package site.encryption.more\n\nrequire contains {\"mode\": \"dsse-kms\", \"key_id\": \"k\"} if \"kms/\" in input.resource.prefixes\n",
			[]string{`canary "kms": it must be stored with sse-kms, and is with dsse-kms`},
		},
		"it fails": {
			strings.Replace(testSite, `"frozen/" in input.resource.prefixes`, "{\n\tinput.resource.key != \"\"\n\tto_number(input.resource.key) > 7\n}", 1),
			[]string{`canary "frozen": EVL-003`, `canary "ordinary": EVL-003`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := set.Check(t.Context(), generation(t, test.site))
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := set.Check(ctx, g); err == nil {
		t.Error("nothing was asked, and it passed")
	}
	var nothing *policy.Generation
	if err := none.Check(t.Context(), nothing); err == nil || !strings.Contains(err.Error(), "and 2 more") {
		t.Errorf("got %v", err)
	}
}

// TestSecondTime: checking leaves nothing behind in the inputs.
func TestSecondTime(t *testing.T) {
	t.Parallel()
	set, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	first, second := generation(t, testSite), generation(t, "package site.lib\n\nx := 1\n")
	for range 2 {
		if err := set.Check(t.Context(), first); err != nil {
			t.Error(err)
		}
		if err := set.Check(t.Context(), second); err == nil {
			t.Error("the rule is gone, and nothing was found")
		}
	}
}

func TestParseFails(t *testing.T) {
	t.Parallel()
	change := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, text := range map[string]string{
		"empty":                 "",
		"not YAML":              "\t{",
		"version":               change("version: 1", "version: 2"),
		"no canaries":           "version: 1\n",
		"unknown list":          change("must_deny", "must_denie"),
		"unknown field":         change("rule: FRZ-001", "rules: FRZ-001"),
		"unknown input field":   change("key: frozen/a", "keey: frozen/a"),
		"unknown field of base": change("identity: {principal", "identity: {principle"),
		"wrong type":            change("key: frozen/a", "key: [frozen/a]"),
		"null":                  change("{resource: {key: frozen/a}}", "null"),
		"no name":               change("name: frozen", `name: ""`),
		"no input":              change("    input: {resource: {key: kms/a}}\n", ""),
		"unknown mode":          change("mode: sse-kms", "mode: sse-kmss"),
		"mode of a denial":      change("rule: FRZ-001", "mode: sse-kms"),
		"rule of an allow":      change("mode: sse-kms", "rule: FRZ-001"),
		"no class":              change("class: write, ", ""),
		"two documents":         good + "\n---\nversion: 1\n",
		"too large":             good + strings.Repeat("#", MaxSize),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if set, err := Parse([]byte(text)); err == nil {
				t.Errorf("got %+v", set)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("version: 1\nmust_deny: [{name: a, input: {request: {class: write, operation: x}}}]"))
	f.Add([]byte("version: 1\nbase: {identity: 1}\nmust_deny: [{name: a, input: {a: {1: 2}}}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := Parse(text)
		if err != nil {
			return
		}
		for _, r := range append(set.MustDeny, set.MustAllow...) {
			if in, err := policy.ReadInput(r.input); err != nil || in.Request.Class == "" || r.Name == "" {
				t.Errorf("got %+v, %v", r, err)
			}
		}
	})
}
