package policy

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkDecide is a whole decision that is not remembered, BenchmarkRemembered
// one that is.
func BenchmarkDecide(b *testing.B) {
	g := *newEngine(b, nil).Current()
	g.cache = nil
	benchmarkDecide(b, &g)
}

func BenchmarkRemembered(b *testing.B) { benchmarkDecide(b, newEngine(b, nil).Current()) }

func benchmarkDecide(b *testing.B, g *Generation) {
	denied := put("data", "kms/a/b.txt")
	denied.Identity.Principal = "stranger"
	for name, in := range map[string]*Input{
		"put":    put("data", "kms/a/b.txt"),
		"get":    get("data", "kms/a/b.txt"),
		"denied": denied,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			took := make([]time.Duration, 0, b.N)
			for b.Loop() {
				begin := time.Now()
				d, err := g.Decide(context.Background(), in)
				took = append(took, time.Since(begin))
				if err != nil || d.Allow == (name == "denied") {
					b.Fatalf("got %+v, %v", d, err)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkMissed is a decision that could be remembered and is not yet: each request
// has another age.
func BenchmarkMissed(b *testing.B) {
	g := newEngine(b, nil).Current()
	in := put("data", "kms/a/b.txt")
	b.ReportAllocs()
	for b.Loop() {
		in.Request.Presign.AgeS++
		if d, err := g.Decide(context.Background(), in); err != nil || !d.Allow {
			b.Fatalf("got %+v, %v", d, err)
		}
	}
}

// BenchmarkRememberedParallel shows what asking from many sides costs.
func BenchmarkRememberedParallel(b *testing.B) {
	g := newEngine(b, nil).Current()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		in := put("data", "kms/a/b.txt")
		for pb.Next() {
			if d, err := g.Decide(context.Background(), in); err != nil || !d.Allow {
				b.Errorf("got %+v, %v", d, err)
				return
			}
		}
	})
}

// BenchmarkInput is the part of a decision that is spent on building the input.
func BenchmarkInput(b *testing.B) {
	g := newEngine(b, nil).Current()
	in := put("data", "kms/a/b.txt")
	b.ReportAllocs()
	for b.Loop() {
		g.complete(in)
	}
}

// BenchmarkResolve shows that a large posture costs a request little.
func BenchmarkResolve(b *testing.B) {
	text := "version: 1\nbuckets:\n"
	for i := range 1000 {
		text += fmt.Sprintf("  tenant-%04d-*:\n", i)
		for j := range 10 {
			text += fmt.Sprintf("    \"p%d/\": {mode: sse-s3}\n", j)
		}
	}
	p := mustPosture(b, text)
	b.ReportAllocs()
	for b.Loop() {
		if p.Resolve("tenant-0999-x", "p9/a/b") == nil {
			b.Fatal("not covered")
		}
	}
}
