package engine

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
)

// withSite adds a site policy module.
func withSite(t *testing.T, timeout time.Duration, module string) bedOption {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "site.rego"), []byte(module), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(_ *Config, o *policy.Options) { o.SiteDir, o.Timeout = dir, timeout }
}

// everyClass is one request of each family of operations.
func everyClass(b *bed) map[string]*http.Request {
	const part = `<CompleteMultipartUpload><Part><ETag>"e"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`
	return map[string]*http.Request{
		"GetObject":               b.request(http.MethodGet, "/bucket/key", ""),
		"PutObject":               b.request(http.MethodPut, "/bucket/key", "secret text"),
		"DeleteObject":            b.request(http.MethodDelete, "/bucket/key", ""),
		"DeleteObjects":           b.request(http.MethodPost, "/bucket?delete", "<Delete><Object><Key>k</Key></Object></Delete>"),
		"ListObjectsV2":           b.request(http.MethodGet, "/bucket?list-type=2", ""),
		"ListBuckets":             b.request(http.MethodGet, "/", ""),
		"PutObjectTagging":        b.request(http.MethodPut, "/bucket/key?tagging", "<Tagging><TagSet/></Tagging>"),
		"PutBucketVersioning":     b.request(http.MethodPut, "/bucket?versioning", "<VersioningConfiguration/>"),
		"CopyObject":              b.request(http.MethodPut, "/bucket/key", "", "X-Amz-Copy-Source: /bucket/from"),
		"CreateMultipartUpload":   b.request(http.MethodPost, "/bucket/key?uploads", ""),
		"UploadPart":              b.request(http.MethodPut, "/bucket/key?partNumber=1&uploadId=u", "secret text"),
		"CompleteMultipartUpload": b.request(http.MethodPost, "/bucket/key?uploadId=u", part),
	}
}

// The modules below answer the probe at load well and fail on real requests,
// which have an id.
//
// No fault of the policy engine lets anything of any operation out: the table
// of design section 5.
func TestPolicyFaultsLetNothingOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		id, name, module string
		timeout          time.Duration
	}{
		{"EVL-002", "conflict", "package site.rules.x\nf(_) := 1\nf(_) := 2\ndeny contains {\"id\": \"SIT-001\", \"msg\": \"m\", \"path\": \"\"} if {\n\tinput.request.id != \"\"\n\tf(input.request.id) == 3\n}\n", 5 * time.Second},
		{"EVL-003", "built-in error", "package site.rules.x\ndeny contains {\"id\": \"SIT-001\", \"msg\": \"m\", \"path\": \"\"} if {\n\tinput.request.id != \"\"\n\tto_number(input.request.id) > 3\n}\n", 5 * time.Second},
		{"EVL-004", "no finding", "package site.rules.x\ndeny contains {\"id\": 5, \"surprise\": true} if input.request.id != \"\"\n", 5 * time.Second},
		{"EVL-005", "endless", "package site.rules.x\ndeny contains {\"id\": \"SIT-001\", \"msg\": \"m\", \"path\": \"\"} if {\n\tinput.request.id != \"\"\n\tsome i in numbers.range(1, 100000)\n\tsome j in numbers.range(1, 100000)\n\ti * j == 0\n}\n", 25 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: sse-s3"), withSite(t, tt.timeout, tt.module))
			for operation, r := range everyClass(b) {
				reply := b.do(r)
				if reply.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("%s: status %d, want 503: %s", operation, reply.StatusCode, reply.body)
				}
				rec := b.recordOf(reply)
				if rec.Operation != operation || rec.Outcome != OutcomeFault || len(rec.Findings) == 0 || rec.Findings[0].ID != tt.id {
					t.Errorf("%s: record %s %s %v, want a fault %s", operation, rec.Operation, rec.Outcome, rec.Findings, tt.id)
				}
			}
			form := b.post(append(signedForm(), [2]string{"key", "up/a"}), "f", []byte("secret text"))
			if form.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("PostObject: status %d, want 503: %s", form.StatusCode, form.body)
			}
			for _, got := range b.store.seen() {
				// The one look at a copy's source comes before its decision.
				if got.method != http.MethodHead || got.uri != "/bucket/from" {
					t.Errorf("the store was touched: %s %s", got.method, got.uri)
				}
			}
		})
	}
}

func TestNoPolicyLoadedLetsNothingOut(t *testing.T) {
	t.Parallel()
	b := newBed(t, openPosture("mode: sse-s3"), func(c *Config, _ *policy.Options) {})
	b.engine.cfg.Policy = new(policy.Engine)
	for operation, r := range everyClass(b) {
		reply := b.do(r)
		switch {
		case operation == "DeleteObjects", operation == "PutObjectTagging", operation == "PutBucketVersioning", operation == "CompleteMultipartUpload":
			// No grant is known, so no document is read.
			if reply.StatusCode != http.StatusForbidden && reply.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: status %d", operation, reply.StatusCode)
			}
		case reply.StatusCode != http.StatusServiceUnavailable:
			t.Errorf("%s: status %d, want 503: %s", operation, reply.StatusCode, reply.body)
		}
	}
	b.store.untouched(t)
}
