package policy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"a/freeze.rego":      goodSite,
		"a/freeze_test.rego": "package site.rules.freeze_test\n\nimport data.sealgate.lib.testing\n\ntest_x if testing.base\n",
	})
	s, err := ReadSources(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "a/freeze.rego"), filepath.Join(dir, "a/freeze_test.rego")}
	if got := s.Files(); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if string(s.Text(want[0])) != goodSite || s.Text("rego/main/main.rego") == nil || s.Text("rego/lib/testing_test.rego") == nil || s.Text("none") != nil {
		t.Error("the text of a file is not found")
	}
	for name, n := range map[string]int{"without tests": 0, "with tests": 1} {
		modules, err := s.Modules(n == 1)
		if err != nil {
			t.Fatal(err)
		}
		own, shipped := 0, 0
		for file := range modules {
			switch {
			case !strings.HasSuffix(file, "_test.rego"):
			case strings.HasPrefix(file, "rego/"):
				shipped++
			default:
				own++
			}
		}
		if own != n || (shipped > 5) != (n == 1) {
			t.Errorf("%s: %d tests of the site, %d of the library", name, own, shipped)
		}
		if _, err := CompileModules(modules); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Compile(); err != nil {
		t.Error(err)
	}
}

func TestSourcesAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := ReadSources(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing directory was read")
	}
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.rego": "package sites\n\nx := 1\n"})
	s, err := ReadSources(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Modules(true); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "a.rego:1")) {
		t.Errorf("got %v, want an error that names the file", err)
	}
}

func TestUniqueFields(t *testing.T) {
	t.Parallel()
	if got := UniqueFields(); !slices.Contains(got, "request.id") || slices.Contains(got, "request.class") {
		t.Errorf("got %q", got)
	}
}

// TestMeasuring: what is measured is a decision, each time made anew.
func TestMeasuring(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current().Anew()
	for range 2 {
		if d, err := g.Decide(t.Context(), put("data", "kms/a")); err != nil || !d.Allow {
			t.Fatalf("got %+v, %v", d, err)
		}
	}
	if g.cache.stopped() == "" {
		t.Error("there is a cache")
	}
	bare, err := Bare(t.Context(), "testdata/posture.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if d, err := bare.Decide(t.Context(), put("data", "kms/a")); err != nil || d.Allow || len(d.Findings) == 0 {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := Bare(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	var none *Generation
	if none.Anew() != nil || none.Trace(t.Context(), put("data", "kms/a"), nil) == nil {
		t.Error("nothing was measured")
	}
}
