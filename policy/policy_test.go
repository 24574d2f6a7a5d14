package policy

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy/posture"
)

const mainKey = "arn:aws:kms:eu-central-1:111122223333:key/main"

var testTime = time.Date(2026, 11, 23, 8, 9, 10, 11, time.UTC)

// library is the engine without a site, loaded once: loading takes longer than the
// tests that ask it. Nothing in it changes.
var library = sync.OnceValues(func() (*Engine, error) {
	return New(Options{PostureFile: "testdata/posture.yaml", Timeout: time.Minute, Now: func() time.Time { return testTime }})
})

// newEngine loads the library with the test posture and the given site files.
func newEngine(t testing.TB, site map[string]string) *Engine {
	t.Helper()
	if site == nil {
		e, err := library()
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		return e
	}
	dir := t.TempDir()
	writeFiles(t, dir, site)
	e, err := New(Options{
		PostureFile: "testdata/posture.yaml", SiteDir: dir, Timeout: time.Minute, Now: func() time.Time { return testTime },
	})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return e
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// request is an ordinary request of the principal app over TLS 1.3.
func request(class, operation, bucket, key string) *Input {
	return &Input{
		Identity: Identity{AuthMethod: AuthHeader, Verified: true, AccessKey: "AKIDAPP", Principal: "app", Groups: List{"writers"}},
		Request: Request{
			ID: "4e1f0c9a", Operation: operation, Action: "s3:" + operation, Class: class, Method: "PUT",
			ReadOnly: class == ClassRead || class == ClassList, ContentLength: 11, Payload: PayloadHash,
			Headers: Map{"x-amz-content-sha256": "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9", "x-amz-date": "20261123T080910Z"},
		},
		Resource:  Resource{Bucket: bucket, Key: key},
		Transport: Transport{TLS: true, TLSVersion: "1.3", SourceIP: "192.0.2.7", SNI: "s3.example.com"},
		Gateway:   Gateway{Upstream: "s3.eu-central-1.amazonaws.com", Region: "eu-central-1"},
	}
}

func put(bucket, key string) *Input { return request(ClassWrite, "PutObject", bucket, key) }
func get(bucket, key string) *Input { return request(ClassRead, "GetObject", bucket, key) }

// faultID returns the identifier of a fault, "" for nil, and fails for other errors.
func faultID(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatalf("error is a %T, not a *Fault: %v", err, err)
	}
	return f.ID
}

func ids(d Decision) []string {
	out := []string{}
	for _, f := range d.Findings {
		out = append(out, f.ID)
	}
	return out
}

func mustPosture(t testing.TB, text string) *posture.Posture {
	t.Helper()
	p, err := posture.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
