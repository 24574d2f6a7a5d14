package policy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The store carries out what a restore says about its output in the gateway's
// name: without a grant for it, restoring in one bucket would write to all.
func TestRestoreWritesOnlyWhereItMay(t *testing.T) {
	t.Parallel()
	restore := func(destinations ...string) *Input {
		in := request(ClassObjectConfig, "RestoreObject", "data", "a")
		in.Document = Document{Present: true, Kind: "RestoreRequest", Destinations: destinations}
		for range destinations {
			in.Document.Settings = append(in.Document.Settings, Setting{Path: "OutputLocation/S3/Encryption", Mode: KMS})
		}
		return in
	}
	for name, test := range map[string]struct {
		in   *Input
		want []string
	}{
		"nowhere":                   {restore(), nil},
		"to a bucket of its own":    {restore("partial"), nil},
		"to another's bucket":       {restore("secret"), []string{"GRT-000"}},
		"to one of both":            {restore("partial", "secret"), []string{"GRT-000"}},
		"to a bucket by its ARN":    {restore("arn:aws:s3tables:eu-central-1:1:bucket/x"), []string{"GRT-000"}},
		"somewhere in its own only": {change(restore("data"), func(in *Input) { in.Identity.Principal, in.Identity.Groups = "x", List{"readers"} }), []string{"GRT-000", "GRT-000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := newEngine(t, nil).Current().Decide(t.Context(), test.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(d); !slices.Equal(got, test.want) && len(got)+len(test.want) > 0 {
				t.Errorf("findings %v, want %v", d.Findings, test.want)
			}
		})
	}
}

// Whatever way a rule takes to a field, the decision is remembered under it.
func TestReadsInUnusualPlacesAreFound(t *testing.T) {
	t.Parallel()
	const head = "package site.rules.unusual\n\ndeny contains {\"id\": \"SIT-001\", \"msg\": \"x\", \"path\": \"x\"} if "
	for name, rule := range map[string]string{
		"template string":        head + `$"{input.resource.key}" == "kms/x"`,
		"message of a template":  "package site.rules.unusual\n\ndeny contains {\"id\": \"SIT-001\", \"msg\": $\"no {input.resource.key}\", \"path\": \"x\"} if true",
		"comprehension":          head + `count([1 | input.resource.key == "kms/x"]) > 0`,
		"every":                  head + `every p in ["kms/x"] { input.resource.key == p }`,
		"with":                   head + "other\n\nother if { inner with data.x as input.resource.key }\n\ninner if data.x == \"kms/x\"",
		"default and else":       head + `v == 2` + "\n\ndefault v := 3\n\nv := 1 if { input.resource.bucket == \"no\" } else := 2 if { input.resource.key == \"kms/x\" }",
		"function":               head + `f(input.resource) == "kms/x"` + "\n\nf(r) := r.key",
		"default function":       head + `f(input) == "kms/x"` + "\n\nf(i) := i.resource.key",
		"object.get":             head + `object.get(input, ["resource", "key"], "") == "kms/x"`,
		"walk":                   head + `{ some p, v; walk(input, [p, v]); v == "kms/x" }`,
		"a name from a variable": head + `{ some n in ["key"]; input.resource[n] == "kms/x" }`,
		"partial object key":     head + `m["kms/x"]` + "\n\nm[input.resource.key] := true",
		"the key of a reference": head + `{"kms/x": true}[input.resource.key]`,
		"json.filter":            head + `json.filter(input, ["resource/key"]).resource.key == "kms/x"`,
		"input as a whole":       head + `{i | i := input}[_].resource.key == "kms/x"`,
		"import":                 "package site.rules.unusual\n\nimport input.resource.key as k\n\ndeny contains {\"id\": \"SIT-001\", \"msg\": \"x\", \"path\": \"x\"} if k == \"kms/x\"",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"site.rego": rule})
			e, err := New(Options{PostureFile: "testdata/posture.yaml", SiteDir: dir, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			g := e.Current()
			for range 2 {
				for key, denied := range map[string]bool{"kms/x": true, "kms/y": strings.Contains(name, "message")} {
					d, err := g.Decide(t.Context(), get("data", key))
					if err != nil {
						t.Fatal(err)
					}
					if d.Allow == denied {
						t.Errorf("%s: allow %v, cached %q", key, d.Allow, e.Status().Uncached)
					}
					if denied && strings.Contains(name, "message") && !strings.Contains(d.Findings[0].Message, key) {
						t.Errorf("%s: %v", key, d.Findings)
					}
				}
			}
		})
	}
}

// A mount that goes away leaves an empty directory, which must not lift its rules.
func TestEmptiedDirectoryKeepsItsRules(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := s.engine.Current()
	if err := os.Remove(filepath.Join(s.dir, "freeze.rego")); err != nil {
		t.Fatal(err)
	}
	if changed, err := s.engine.poll(t.Context()); !changed || !errors.Is(err, errEmptied) {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if changed, err := s.engine.poll(t.Context()); changed || err != nil {
		t.Errorf("the same is tried again: changed %v, %v", changed, err)
	}
	if s.engine.Current() != before || s.mode("frozen/a") != "denied" || s.engine.Status().Err == "" {
		t.Errorf("the rules are gone: %+v", s.engine.Status())
	}
	if err := s.engine.Reload(t.Context()); err != nil || s.mode("frozen/a") != SSES3 || s.engine.Status().Err != "" {
		t.Errorf("not by hand either: %v, %+v", err, s.engine.Status())
	}
	if changed, err := s.engine.poll(t.Context()); changed || err != nil {
		t.Errorf("after that: changed %v, %v", changed, err)
	}
}
