package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// manyBuckets is a posture of a thousand buckets with four prefixes each.
func manyBuckets() string {
	var b strings.Builder
	b.WriteString("version: 1\nbuckets:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, "  tenant-%04d:\n    \"\": {mode: sse-s3}\n    \"kms/\": {mode: sse-kms, key_id: %s}\n    \"a/b/\": {mode: sse-s3}\n    \"logs/\": {mode: sse-s3, on_conflict: replace}\n", i, mainKey)
	}
	b.WriteString("grants:\n  - {id: all, principals: [app], actions: [\"s3:*\"], resources: [\"*\"]}\n")
	return b.String()
}

// manyRules are n rules of a site in a number of packages, each for one bucket: what
// OPA's index passes over without looking at it.
func manyRules(n, packages int) map[string]string {
	files := map[string]string{}
	each := n / packages
	for i := range packages {
		var b strings.Builder
		fmt.Fprintf(&b, "package site.rules.team%03d\n\n", i)
		for j := range each {
			fmt.Fprintf(&b, "deny contains {\"id\": \"TST-001\", \"msg\": \"frozen\"} if {\n\tinput.resource.bucket == \"team-%05d\"\n\tinput.request.class == \"write\"\n}\n\n", i*each+j)
		}
		files[fmt.Sprintf("team%03d.rego", i)] = b.String()
	}
	return files
}

// BenchmarkManyRules is a whole decision under the library and a posture of a thousand
// buckets, with five thousand rules of a site and without, one after the other so that
// what else the machine does meets both. It reports the medians, and what the rules
// add. Rules cost next to nothing; every package costs about a microsecond, because its
// findings are asked for.
func BenchmarkManyRules(b *testing.B) {
	load := func(rules, packages int) *Generation {
		dir := b.TempDir()
		files := manyRules(rules, packages)
		files["../posture.yaml"] = manyBuckets()
		writeFiles(b, dir+"/site", files)
		e, err := New(Options{PostureFile: dir + "/posture.yaml", SiteDir: dir + "/site", Timeout: time.Minute})
		if err != nil {
			b.Fatal(err)
		}
		return e.Current().Anew()
	}
	few := load(1, 1) // so that both have a site
	for _, packages := range []int{1, 5, 50} {
		many := load(5000, packages)
		for name, in := range map[string]*Input{
			"put": put("tenant-0999", "kms/a/b.txt"),
			"get": get("tenant-0500", "kms/a/b.txt"),
		} {
			b.Run(fmt.Sprintf("packages=%d/%s", packages, name), func(b *testing.B) {
				var took [2][]time.Duration
				for b.Loop() {
					for i, g := range []*Generation{few, many} {
						begin := time.Now()
						d, err := g.Decide(context.Background(), in)
						took[i] = append(took[i], time.Since(begin))
						if err != nil || !d.Allow {
							b.Fatalf("got %+v, %v", d, err)
						}
					}
				}
				at := func(list []time.Duration, permille int) float64 {
					return float64(list[len(list)*permille/1000].Nanoseconds()) / 1000
				}
				for i, name := range []string{"library", "5000"} {
					slices.Sort(took[i])
					b.ReportMetric(at(took[i], 500), name+"-p50-µs")
					b.ReportMetric(at(took[i], 990), name+"-p99-µs")
				}
				b.ReportMetric(100*(at(took[1], 500)/at(took[0], 500)-1), "added-%")
			})
		}
	}
}
