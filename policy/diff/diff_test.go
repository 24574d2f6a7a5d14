package diff_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/diff"
	"github.com/sealgate/sealgate/policy/replay"
)

const key = "arn:aws:kms:eu-central-1:111122223333:key/main"

// basePosture is what the policies under test vary.
const basePosture = `version: 1
networks:
  office: ["192.0.2.0/24"]
buckets:
  data:
    "": {mode: sse-kms, key_id: "` + key + `", on_conflict: reject}
    reports/: {mode: sse-kms, key_id: "` + key + `", networks: [office], checksum: required, max_delete_keys: 100}
  logs-*:
    "": {mode: sse-s3, on_conflict: keep-if-stronger}
grants:
  - {id: app, principals: [app], actions: ["s3:*"], resources: [data, data/*]}
  - {id: log, groups: [loggers], actions: ["s3:PutObject"], resources: ["logs-*"]}
`

const freeze = `package site.rules.freeze

deny contains {"id": "FRZ-001", "msg": "frozen", "path": "resource.key"} if {
	input.request.class == "write"
	"reports/" in input.resource.prefixes
	input.request.content_length > 1000000
}
`

var operations = []diff.Operation{
	{Name: "PutObject", Action: "s3:PutObject", Class: policy.ClassWrite, Method: "PUT", Bucket: true, Object: true, Encrypts: true},
	{Name: "CreateMultipartUpload", Action: "s3:PutObject", Class: policy.ClassWrite, Method: "POST", Bucket: true, Object: true, Encrypts: true},
	{Name: "UploadPart", Action: "s3:PutObject", Class: policy.ClassWrite, Method: "PUT", Bucket: true, Object: true},
	{Name: "CopyObject", Action: "s3:PutObject", Class: policy.ClassWrite, Method: "PUT", Bucket: true, Object: true, Encrypts: true, Copies: true},
	{Name: "GetObject", Action: "s3:GetObject", Class: policy.ClassRead, Method: "GET", ReadOnly: true, Bucket: true, Object: true},
	{Name: "DeleteObjects", Action: "s3:DeleteObject", Class: policy.ClassDelete, Method: "POST", Bucket: true, Object: true, Document: true},
	{Name: "ListObjectsV2", Action: "s3:ListBucket", Class: policy.ClassList, Method: "GET", ReadOnly: true, Bucket: true},
	{Name: "PutBucketEncryption", Action: "s3:PutEncryptionConfiguration", Class: policy.ClassBucketConfig, Method: "PUT", Bucket: true, Document: true},
	{Name: "ListBuckets", Action: "s3:ListAllMyBuckets", Class: policy.ClassList, Method: "GET", ReadOnly: true},
}

// site is a posture and the files of a policy directory.
type site struct {
	posture string
	rules   map[string]string
}

func (s site) load(t testing.TB) *policy.Generation {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("posture.yaml", s.posture)
	write("policy/.keep", "")
	for name, text := range s.rules {
		write("policy/"+name, text)
	}
	e, err := policy.New(policy.Options{PostureFile: filepath.Join(dir, "posture.yaml"), SiteDir: filepath.Join(dir, "policy"), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return e.Current()
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func run(t testing.TB, a, b site) *diff.Report {
	t.Helper()
	r, err := diff.Run(t.Context(), diff.Options{A: a.load(t), B: b.load(t), Operations: operations, Now: now, Limit: 1500})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func replaced(old, new string) string {
	if !strings.Contains(basePosture, old) {
		panic("the posture has no " + old)
	}
	return strings.Replace(basePosture, old, new, 1)
}

// TestChanges: what a change lets pass, or refuses, is found, and only that.
func TestChanges(t *testing.T) {
	t.Parallel()
	with := func(text string) map[string]string { return map[string]string{"freeze.rego": text} }
	for name, c := range map[string]struct {
		a, b    site
		kind    replay.Kind
		lost    string // a rule, if any, that A alone has
		gained  string
		example func(replay.Outcome) bool
		never   []replay.Kind
	}{
		"deleted deny": {
			a: site{basePosture, with(freeze)}, b: site{basePosture, nil},
			kind: replay.DenyToAllow, lost: "FRZ-001", never: []replay.Kind{replay.AllowToDeny, replay.Weaker, replay.Encryption},
			example: func(o replay.Outcome) bool {
				return o.Input.Request.ContentLength == 1000001 && strings.HasPrefix(o.Input.Resource.Key, "reports/")
			},
		},
		"moved border": {
			a: site{basePosture, with(freeze)}, b: site{basePosture, with(strings.Replace(freeze, "> 1000000", ">= 1000000", 1))},
			kind: replay.AllowToDeny, gained: "FRZ-001", never: []replay.Kind{replay.DenyToAllow},
			example: func(o replay.Outcome) bool { return o.Input.Request.ContentLength == 1000000 },
		},
		"widened grant": {
			a: site{basePosture, nil}, b: site{replaced(`actions: ["s3:PutObject"]`, `actions: ["s3:PutObject", "s3:GetObject"]`), nil},
			kind: replay.DenyToAllow, lost: "GRT-000", never: []replay.Kind{replay.AllowToDeny, replay.Weaker},
			example: func(o replay.Outcome) bool {
				return o.Input.Request.Operation == "GetObject" && slices.Contains(o.Input.Identity.Groups, "loggers")
			},
		},
		"grant to everybody": {
			a: site{basePosture, nil}, b: site{replaced(`principals: [app]`, `principals: [app, "*"]`), nil},
			kind: replay.DenyToAllow, lost: "GRT-000", never: []replay.Kind{replay.AllowToDeny},
			example: func(o replay.Outcome) bool { return o.Input.Identity.Principal != "app" },
		},
		"lowered mode": {
			a: site{basePosture, nil}, b: site{replaced(`"": {mode: sse-kms, key_id: "`+key+`", on_conflict: reject}`, `"": {mode: sse-s3, on_conflict: reject}`), nil},
			kind: replay.Weaker,
			example: func(o replay.Outcome) bool {
				return o.Input.Request.Class == policy.ClassWrite && o.Input.Resource.Bucket == "data"
			},
		},
		"another key": {
			a: site{basePosture, nil}, b: site{strings.ReplaceAll(basePosture, key, key+"2"), nil},
			kind: replay.Encryption, never: []replay.Kind{replay.Weaker},
			example: func(o replay.Outcome) bool { return o.After.Encryption.KeyID == key+"2" },
		},
		"network taken away": {
			a: site{basePosture, nil}, b: site{replaced("networks: [office], ", ""), nil},
			kind: replay.DenyToAllow, never: []replay.Kind{replay.AllowToDeny, replay.Weaker, replay.Encryption},
			example: func(o replay.Outcome) bool { return !strings.HasPrefix(o.Input.Transport.SourceIP, "192.0.2.") },
		},
		"checksum no longer required": {
			a: site{basePosture, nil}, b: site{replaced("checksum: required, ", ""), nil},
			kind: replay.DenyToAllow, never: []replay.Kind{replay.AllowToDeny},
			example: func(o replay.Outcome) bool { return o.Input.Request.Checksum == "" },
		},
		"more keys in a delete": {
			a: site{basePosture, nil}, b: site{replaced("max_delete_keys: 100", "max_delete_keys: 200"), nil},
			kind: replay.DenyToAllow, never: []replay.Kind{replay.AllowToDeny},
			example: func(o replay.Outcome) bool {
				n := o.Input.Request.KeyCount
				return o.Input.Request.Operation == "DeleteObjects" && n > 100 && n <= 200
			},
		},
		"exception": {
			a: site{basePosture, with(freeze)},
			b: site{basePosture + `exceptions:
  - {id: legacy, rules: [FRZ-001], resources: ["data/reports/old/*"], until: 2027-01-31, owner: team, ticket: SEC-1}
`, with(freeze)},
			kind: replay.DenyToAllow, lost: "FRZ-001", gained: "FRZ-001 warn", never: []replay.Kind{replay.AllowToDeny, replay.Weaker},
			example: func(o replay.Outcome) bool { return strings.HasPrefix(o.Input.Resource.Key, "reports/old/") },
		},
		"rule only warns later": {
			a:    site{basePosture, with(freeze)},
			b:    site{basePosture + "rules:\n  FRZ-001: {action: deny, then: warn, on: 2027-02-01}\n", with(freeze)},
			kind: replay.DenyToAllow, never: []replay.Kind{replay.AllowToDeny},
			example: func(o replay.Outcome) bool { return o.Input.Time.Date >= "2027-02-01" },
		},
		"requirement": {
			a: site{basePosture, nil},
			b: site{basePosture, map[string]string{"e.rego": `package site.encryption.tenants

require contains {"mode": "dsse-kms", "key_id": "alias/blue"} if input.identity.attributes.tenant == "blue"
`}},
			kind: replay.Encryption, never: []replay.Kind{replay.Weaker},
			example: func(o replay.Outcome) bool {
				return o.Input.Identity.Attributes["tenant"] == "blue" && o.After.Encryption.Mode == policy.DSSE
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, c.a, c.b)
			i := slices.IndexFunc(r.Differences, func(d diff.Difference) bool {
				return d.Kind == c.kind && (c.lost == "" || slices.Contains(d.Lost, c.lost)) && (c.gained == "" || slices.Contains(d.Gained, c.gained))
			})
			t.Logf("%+v", r.Coverage)
			for _, d := range r.Differences {
				t.Logf("%s +%v -%v %d %v: %s", d.Kind, d.Gained, d.Lost, d.Requests, d.Differs, d.Example)
			}
			if i < 0 {
				t.Fatalf("no %s with -%s +%s", c.kind, c.lost, c.gained)
			}
			if d := r.Differences[i]; !c.example(d.Example) {
				t.Errorf("the example is %s, %v", d.Example, d.Differs)
			}
			for _, k := range c.never {
				if r.Kinds[k] > 0 {
					t.Errorf("%d requests are %s", r.Kinds[k], k)
				}
			}
			if passes := r.Kinds[replay.DenyToAllow]+r.Kinds[replay.Weaker] > 0; r.Passes() != passes || !r.Any() {
				t.Errorf("Passes is %t, Any %t", r.Passes(), r.Any())
			}
		})
	}
}

// TestEqual: a policy does not differ from itself, written otherwise.
func TestEqual(t *testing.T) {
	t.Parallel()
	a := site{basePosture, map[string]string{"freeze.rego": freeze}}
	b := site{"# again\n" + basePosture, map[string]string{"other/name.rego": strings.Replace(freeze, "> 1000000", ">= 1000001", 1)}}
	r := run(t, a, b)
	if r.Any() || len(r.Differences) > 0 {
		t.Errorf("differences: %+v", r.Differences)
	}
	if r.Coverage.Requests == 0 || r.Coverage.Bases == 0 {
		t.Errorf("nothing was asked: %+v", r.Coverage)
	}
}

// TestLimit: what was not tried for the limit is said, and what counts most is tried
// first.
func TestLimit(t *testing.T) {
	t.Parallel()
	a, b := site{basePosture, map[string]string{"freeze.rego": freeze}}.load(t), site{basePosture, nil}.load(t)
	for limit, want := range map[int]func(diff.Coverage) bool{
		diff.DefaultLimit: func(c diff.Coverage) bool {
			return len(c.Combined) > 0 && len(c.Single) > 0 && len(c.Kept) == 0 && !c.Cut
		},
		500: func(c diff.Coverage) bool {
			return len(c.Combined) > 0 && len(c.Single) == 0 && len(c.Kept) > 0 && !c.Cut
		},
		1: func(c diff.Coverage) bool { return len(c.Combined) == 0 && c.Cut },
	} {
		r, err := diff.Run(t.Context(), diff.Options{A: a, B: b, Operations: operations[:2], Now: now, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		if c := r.Coverage; !want(c) || c.Limit != limit {
			t.Errorf("limit %d: %+v", limit, c)
		}
		if limit > 1 && !r.Passes() {
			t.Errorf("limit %d: the hole is not found", limit)
		}
	}
	if _, err := diff.Run(t.Context(), diff.Options{A: a, B: b}); err == nil {
		t.Error("without operations there is nothing to say")
	}
}
