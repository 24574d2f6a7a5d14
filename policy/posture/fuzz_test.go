package posture

import (
	"os"
	"strings"
	"testing"
	"time"
)

// FuzzPosture parses anything and holds what parses to what it promises: the same
// text gives the same answers, and every rule has a mode.
func FuzzPosture(f *testing.F) {
	example, err := os.ReadFile("../testdata/posture.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example, "data", "kms/a")
	f.Add([]byte("version: 1\nbuckets: {\"a*\": {\"\": {mode: cse}}}\n"), "ab", "")
	f.Add([]byte("version: 1\ngrants: [{id: a, principals: [\"*\"], actions: [\"*\"], resources: [\"a*/b\"]}]\n"), "a", "b")
	f.Add([]byte("a: &a [*a]"), "", "")
	f.Add([]byte(readRich(f)), "data-1", "secret/a")
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text []byte, bucket, key string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("parsed once only: %v", err)
		}
		for r := range p.Rules() {
			if r.Mode.Rank() < 0 || r.OnConflict == "" || r.OnRead == "" || !strings.HasSuffix(r.ID, "/"+r.Prefix) {
				t.Errorf("got %+v", r)
			}
			if r.Floor != "" && r.Mode.Rank() < r.Floor.Rank() || r.Enforcement == "" || r.Presign == "" || r.Deletes == "" {
				t.Errorf("got %+v", r)
			}
		}
		for rule, action := range p.Actions(p.Epoch(now)) {
			if Locked(rule) || action == ActionDeny {
				t.Errorf("%s: %s", rule, action)
			}
		}
		for _, w := range p.Waivers(Identity{Verified: true, Principal: "p", Groups: []string{"g"}}, bucket, key, now) {
			if Locked(w.Rule) || kindOrder[w.Kind] == 0 {
				t.Errorf("got %+v", w)
			}
		}
		Lint(p, now)
		a, b := p.Resolve(bucket, key), again.Resolve(bucket, key)
		if (a == nil) != (b == nil) || a != nil && (a.ID != b.ID || a.Mode != b.Mode) {
			t.Errorf("%q/%q: got %+v and %+v", bucket, key, a, b)
		}
		if a != nil && (!strings.HasPrefix(key, a.Prefix) || !newGlob(a.BucketGlob).match(bucket)) {
			t.Errorf("%q/%q is not under %q", bucket, key, a.ID)
		}
		id := Identity{Verified: true, Principal: "p", Groups: []string{"g"}}
		ids, missing := p.Missing(id, []string{"s3:GetObject"}, bucket, key)
		if len(ids)+len(missing) != 1 {
			t.Errorf("got %v and %v", ids, missing)
		}
		if len(missing) == 0 && bucket != "" && !p.Granted(id, []string{"s3:GetObject"}, bucket) {
			t.Errorf("%q/%q: granted, and not on its bucket", bucket, key)
		}
	})
}
