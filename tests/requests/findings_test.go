package requests

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/catalog"
)

// postures are what the recorded requests are judged by.
var postures = []struct{ name, text string }{
	// What every site begins with.
	{"plain", `version: 1
buckets: {data: {"": {mode: sse-s3, on_conflict: keep-if-stronger}}}
` + grants},
	// Everything a prefix can ask for.
	{"strict", `version: 1
classifications: {restricted: {floor: sse-s3}}
networks: {office: ["203.0.113.0/24"]}
buckets:
  data:
    "":
      {mode: sse-s3, classification: restricted, networks: [office], residency: [eu-west-1], checksum: strong, presign: none,
       presign_max_s: 900, deletes: deny, max_delete_keys: 1, min_tls: "1.3", client_cert: required}
` + grants},
	// A tenant with a key of its own; the recorded key is another tenant's.
	{"tenant", `version: 1
keys:
  main: {id: "` + kmsKey + `", tenants: [blue]}
  own: {id: "arn:aws:kms:eu-central-1:111122223333:key/own", tenants: [green]}
networks: {office: ["192.0.2.0/24"]}
buckets:
  data:
    "":
      {mode: sse-kms, key_id: own, tenant: green, networks: [office], residency: [eu-central-1], checksum: required, presign: read,
       context: {tenant: green}, required_context: [tenant, department], max_delete_keys: 2}
` + grants},
}

const grants = `grants:
  - {id: app, principals: [app], actions: ["s3:*"], resources: ["*"]}
`

// findings are the rules that find something in each recorded request, under each
// posture in the order above.
var findings = map[string][3]string{
	"anonymous-get":                    {"GRT-000", "GRT-000 NET-001 TLS-003", "GRT-000"},
	"aws-cli-bucket-encryption":        {"", "NET-001 TLS-003", "BKT-002"},
	"aws-cli-bucket-encryption-delete": {"BKT-001", "BKT-001 NET-001 TLS-003", "BKT-001"},
	"aws-cli-bucket-inventory":         {"", "NET-001 TLS-003", "BKT-006"},
	"aws-cli-bucket-policy":            {"", "BKT-003 NET-001 TLS-003", "BKT-003"},
	"aws-cli-bucket-replication":       {"", "NET-001 RES-002 TLS-003", "RES-002"},
	"aws-cli-bucket-versioning":        {"", "BKT-004 NET-001 TLS-003", ""},
	"aws-cli-copy":                     {"", "NET-001 RES-001 TLS-003", "CTX-003"},
	"aws-cli-delete":                   {"", "DEL-001 NET-001 TLS-003", ""},
	"aws-cli-delete-many":              {"", "DEL-001 DEL-002 NET-001 TLS-003", ""},
	"aws-cli-get":                      {"", "NET-001 TLS-003", ""},
	"aws-cli-legal-hold":               {"", "DEL-003 NET-001 TLS-003", ""},
	"aws-cli-list":                     {"", "NET-001 TLS-003", ""},
	"aws-cli-multipart-abort":          {"", "NET-001 TLS-003", ""},
	"aws-cli-multipart-complete":       {"", "NET-001 RES-001 TLS-003", ""},
	"aws-cli-multipart-create":         {"", "MPU-001 NET-001 RES-001 TLS-003", "CTX-003"},
	"aws-cli-multipart-part":           {"", "AUT-003 INT-002 NET-001 RES-001 TLS-003", ""},
	"aws-cli-put":                      {"", "AUT-003 INT-002 NET-001 RES-001 TLS-003", "CTX-003"},
	"aws-cli-put-kms":                  {"KEY-001", "AUT-003 INT-002 KEY-001 KEY-004 NET-001 RES-001 TLS-003", "CTX-003 KEY-001 KEY-003"},
	"aws-cli-put-public":               {"ACL-001", "ACL-001 ACL-002 AUT-003 INT-002 NET-001 RES-001 TLS-003", "ACL-001 CTX-003"},
	"aws-cli-put-sse-c":                {"", "AUT-003 INT-002 KEY-002 NET-001 RES-001 TLS-003", "CTX-003 KEY-002"},
	"boto3-post-form":                  {"", "AUT-003 INT-001 NET-001 PRE-002 RES-001 TLS-003", "CTX-003 INT-001 PRE-002"},
	"boto3-presigned-get":              {"", "NET-001 PRE-001 PRE-002 TLS-003", ""},
	"boto3-presigned-put":              {"", "AUT-003 INT-001 NET-001 PRE-001 PRE-002 RES-001 TLS-003", "CTX-003 INT-001 PRE-002"},
	"boto3-put":                        {"", "AUT-003 INT-002 NET-001 RES-001 TLS-003", "CTX-003"},
	"boto3-put-context":                {"", "AUT-003 CTX-002 INT-002 NET-001 RES-001 TLS-003", "CTX-001 CTX-003"},
	"boto3-put-sha256":                 {"", "AUT-003 NET-001 RES-001 TLS-003", "CTX-003"},
	"go-sdk-get":                       {"", "NET-001 TLS-003", ""},
	"go-sdk-put":                       {"", "AUT-003 INT-002 NET-001 RES-001 TLS-003", "CTX-003"},
	"js-delete-many":                   {"", "DEL-001 DEL-002 NET-001 TLS-003", ""},
	"js-put":                           {"", "INT-002 NET-001 RES-001 TLS-003", "CTX-003"},
	"minio-go-put":                     {"", "AUT-003 INT-001 NET-001 RES-001 TLS-003", "CTX-003 INT-001"},
	"rclone-head":                      {"", "NET-001 TLS-003", ""},
	"rclone-put":                       {"", "AUT-003 INT-002 NET-001 RES-001 TLS-003", "CTX-003"},
	"restic-list":                      {"", "NET-001 TLS-003", ""},
	"restic-put":                       {"", "AUT-003 INT-002 NET-001 RES-001 TLS-003", "CTX-003"},
	"s3cmd-put":                        {"", "INT-001 NET-001 RES-001 TLS-003", "CTX-003 INT-001"},
}

// unseen are the rules that no recorded request runs into under these postures: what
// they are about is in their own tests.
var unseen = map[string]string{
	"AUT-001": "a bad signature is refused before policy is asked",
	"AUT-002": "client libraries sign what they write",
	"BKT-005": "a replication document can ask for nothing weaker than KMS",
	"BRK-001": "no posture here has a window",
	"BRK-002": "no posture here has a window",
	"CPY-001": "it depends on what the source is stored with",
	"CPY-002": "it depends on what the source is stored with",
	"CPY-003": "both ends of the recorded copy are in one prefix",
	"ENC-000": "requests cannot make requirements disagree",
	"ENC-001": "every posture here covers the bucket",
	"ENC-002": "a posture below its floor does not load",
	"KEY-006": "it is about keys the posture names",
	"TLS-001": "everything was recorded over TLS 1.3",
	"TLS-002": "everything was recorded over TLS 1.3",
}

// TestFindings judges every recorded request under every posture. Whatever rule is
// not named has found nothing.
func TestFindings(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	got := map[string][3]string{}
	for i, p := range postures {
		path := filepath.Join(t.TempDir(), "posture.yaml")
		if err := os.WriteFile(path, []byte(p.text), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := policy.New(policy.Options{PostureFile: path, Timeout: time.Minute, Now: clock})
		if err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		for _, s := range shapes {
			ids := judge(t, e.Current(), s.name)
			for _, id := range ids {
				found[id] = true
			}
			all := got[s.name]
			all[i] = strings.Join(ids, " ")
			got[s.name] = all
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want, ok := findings[name]; !ok || want != got[name] {
			t.Errorf("%q: {%q, %q, %q},\n\twant %q", name, got[name][0], got[name][1], got[name][2], want)
		}
	}
	if len(findings) != len(shapes) {
		t.Errorf("findings are pinned for %d requests, there are %d", len(findings), len(shapes))
	}
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if found[r.ID] == (unseen[r.ID] != "") {
			t.Errorf("%s: seen is %v, and the reason not to be is %q", r.ID, found[r.ID], unseen[r.ID])
		}
	}
}

func judge(t *testing.T, g *policy.Generation, name string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	in, err := policy.ReadInput(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	d, err := g.Decide(t.Context(), in)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var ids []string
	for _, f := range d.Findings {
		if !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
