package cli

import (
	"strings"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var out strings.Builder
	p := newProgress(&out, "opening", 1000)
	p.now, p.next = func() time.Time { return now }, now.Add(progressEvery)
	for _, step := range []struct {
		after time.Duration
		n     int64
	}{
		{0, 100},                      // too early
		{time.Second, 50},             // 15%
		{time.Second / 2, 100},        // too early
		{time.Second, 9},              // 25%
		{time.Second, 0},              // the same percent
		{time.Second, 700},            // 95%
		{time.Second, 1000 - 100 - 9}, // the end says nothing
	} {
		now = now.Add(step.after)
		p.add(step.n)
	}
	if want := "opening: 15%\nopening: 25%\nopening: 95%\n"; out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
}

func TestProgressOfNothing(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := newProgress(&out, "opening", 0)
	p.next = time.Time{}
	p.add(0)
	if out.String() != "" {
		t.Errorf("said %q", out.String())
	}
}
