package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnnouncement(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		writes []string
		heard  bool
	}{
		{"the line", []string{"ready\n"}, true},
		{"in pieces", []string{"re", "ady", "\n"}, true},
		{"twice", []string{"ready\nready\n"}, true},
		{"after others", []string{"using a folder\nready\n"}, true},
		{"unfinished", []string{"ready"}, false},
		{"part of a line", []string{"ready or not\nnot ready\n"}, false},
		{"a long line", []string{strings.Repeat("x", 1<<16) + "\n"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := &announcement{heard: make(chan struct{})}
			for _, w := range tc.writes {
				if n, err := a.Write([]byte(w)); n != len(w) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
			}
			heard := false
			select {
			case <-a.heard:
				heard = true
			default:
			}
			if heard != tc.heard {
				t.Errorf("heard is %t, want %t", heard, tc.heard)
			}
			if cap(a.line) > 64 {
				t.Errorf("keeps %d bytes of a line", cap(a.line))
			}
		})
	}
}

// What a child says before it fails is part of the error.
func TestStartFailure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spec := childSpec{
		name: "serve-gateway", dir: dir, log: filepath.Join(dir, "gateway.log"),
		env: []string{envProgram + "=1", envCaddyfile + "=" + filepath.Join(dir, "missing")},
	}
	_, err := startChild(t.Context(), spec)
	if err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(spec.log); err != nil {
		t.Error(err)
	}
}

func TestStartCancelled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := startChild(ctx, childSpec{name: "serve-gateway", dir: dir, log: filepath.Join(dir, "log"), env: []string{envProgram + "=1"}})
	if err == nil {
		t.Error("a cancelled start succeeded")
	}
}
