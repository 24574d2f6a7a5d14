package policy

import (
	"context"
	"slices"
	"testing"
)

// TestCopySourceTenant: whose prefix a copy's source is under comes from the posture,
// not from the caller, and is part of what a decision is remembered by.
func TestCopySourceTenant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"posture.yaml": `version: 1
buckets:
  data:
    "": {mode: sse-s3}
    blue/: {mode: sse-s3, tenant: blue}
    green/: {mode: sse-s3, tenant: green}
grants:
  - {id: all, principals: [app], actions: ["s3:*"], resources: ["*"]}
`})
	e, err := New(Options{PostureFile: dir + "/posture.yaml", Timeout: DefaultTimeout * 1000})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from memory
		for _, tt := range []struct {
			from, to string
			denied   bool
		}{
			{"blue/a", "blue/b", false},
			{"blue/a", "green/a", true},
			{"blue/a", "a", true},
			{"a", "blue/a", false},
			{"elsewhere", "a", false},
			{"blue", "green/a", false},
		} {
			in := put("data", tt.to)
			in.CopySource = CopySource{
				Present: true, Resource: Resource{Bucket: "data", Key: tt.from}, Tenant: "forged",
				Encryption: Observed{Known: true, Mode: SSES3},
			}
			in.Request.SourceActions = List{"s3:GetObject"}
			d, err := e.Current().Decide(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			if d.Allow == tt.denied || slices.Contains(ids(d), "CPY-003") != tt.denied {
				t.Errorf("copy from %s to %s: allowed %v, findings %v", tt.from, tt.to, d.Allow, ids(d))
			}
		}
	}
}
