package policy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	oparego "github.com/open-policy-agent/opa/v1/rego"
)

// TestFaults injects every way of having no answer, for every class of operation.
// The site rules under testdata/faults go wrong for the key "boom" only: the same
// policy must answer other requests, otherwise it would not have loaded.
func TestFaults(t *testing.T) {
	t.Parallel()
	requires := []string{ClassWrite, ClassRead}
	for name, test := range map[string]struct {
		id      string
		classes []string
	}{
		"builtin_deny":          {FaultBuiltin, classes},
		"conflict":              {FaultConflict, classes},
		"endless":               {FaultTimeout, classes},
		"endless_builtin":       {FaultTimeout, classes},
		"finding_text":          {FaultDecision, classes},
		"finding_extra":         {FaultDecision, classes},
		"finding_id":            {FaultDecision, classes},
		"require_mode":          {FaultDecision, requires},
		"require_field":         {FaultDecision, requires},
		"require_text":          {FaultDecision, requires},
		"require_type":          {FaultDecision, []string{ClassWrite}},
		"require_conflict_word": {FaultDecision, []string{ClassWrite}},
		"require_context":       {FaultBuiltin, []string{ClassWrite}},
		"require_on_read":       {FaultDecision, requires},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("testdata", "faults", name+".rego"))
			if err != nil {
				t.Fatal(err)
			}
			g := newEngine(t, map[string]string{"fault.rego": string(text)}).Current()
			if test.id == FaultTimeout {
				g.timeout = 50 * time.Millisecond
			}
			for _, class := range test.classes {
				d, err := g.Decide(context.Background(), request(class, "PutObject", "data", "boom"))
				if got := faultID(t, err); got != test.id {
					t.Errorf("%s: got %+v, %v, want %s", class, d, err, test.id)
				}
				if d.Allow || d.Encryption.Mode != "" {
					t.Errorf("%s: a fault came with the decision %+v", class, d)
				}
			}
			g.timeout = time.Minute
			for _, class := range classes {
				if d, err := g.Decide(context.Background(), request(class, "PutObject", "data", "1")); err != nil || !d.Allow {
					t.Errorf("%s of another key: got %+v, %v", class, d, err)
				}
			}
		})
	}
}

// withLibrary builds a generation whose library has one passage replaced.
func withLibrary(t *testing.T, file, passage, replacement string) (*Generation, error) {
	t.Helper()
	s, err := readSources(t.Context(), Options{PostureFile: "testdata/posture.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range s.library {
		if f.name == file {
			text := strings.Replace(string(f.data), passage, replacement, 1)
			if text == string(f.data) {
				t.Fatalf("%s does not have %q", file, passage)
			}
			s.library[i].data = []byte(text)
			return build(context.Background(), Options{Timeout: time.Second, Now: time.Now}, s)
		}
	}
	t.Fatalf("no file %s", file)
	return nil, nil
}

func TestUndefinedIsAFault(t *testing.T) {
	t.Parallel()
	g, err := withLibrary(t, "main/main.rego", "\t\"on_read\": join.on_read,\n}", "\t\"on_read\": join.on_read,\n} if input.resource.key != \"boom\"")
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range classes {
		if d, err := g.Decide(context.Background(), request(class, "PutObject", "data", "boom")); faultID(t, err) != FaultUndefined {
			t.Errorf("%s: got %+v, %v", class, d, err)
		}
	}
}

// TestProbe breaks the library in ways that must keep it from being loaded.
func TestProbe(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct{ file, passage, replacement, want string }{
		"entrypoint renamed":  {"main/main.rego", "decision := {", "answer := {", FaultUndefined},
		"always allows":       {"main/main.rego", "default allow := false", "default allow := true", "is allowed"},
		"another schema":      {"main/main.rego", "sealgate.decision/v1", "sealgate.decision/v2", FaultDecision},
		"a field less":        {"main/main.rego", "\t\"findings\": findings,\n", "", FaultDecision},
		"denies without word": {"main/main.rego", "\t\"findings\": findings,\n", "\t\"findings\": [],\n", FaultDecision},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := withLibrary(t, change.file, change.passage, change.replacement)
			if err == nil || !strings.Contains(err.Error(), change.want) {
				t.Errorf("got %v, want %q", err, change.want)
			}
		})
	}
}

func TestPanicIsAFault(t *testing.T) {
	t.Parallel()
	g := *newEngine(t, nil).Current()
	g.query, g.cache = oparego.PreparedEvalQuery{}, nil
	for _, class := range classes {
		if d, err := g.Decide(context.Background(), request(class, "PutObject", "data", "a")); faultID(t, err) != FaultPanic {
			t.Errorf("%s: got %+v, %v", class, d, err)
		}
	}
}

func TestNothingLoadedIsAFault(t *testing.T) {
	t.Parallel()
	var none *Engine
	for name, g := range map[string]*Generation{"nil": nil, "nil engine": none.Current(), "zero engine": new(Engine).Current()} {
		for _, class := range classes {
			if d, err := g.Decide(context.Background(), request(class, "PutObject", "data", "a")); faultID(t, err) != FaultNotLoaded {
				t.Errorf("%s, %s: got %+v, %v", name, class, d, err)
			}
		}
		if g.Granted(Identity{Verified: true, Principal: "root"}, []string{"s3:GetObject"}, "data") || g.Revision() != "" {
			t.Errorf("%s: something is granted", name)
		}
	}
}

// TestCancelled covers evaluations too short to notice that nobody waits for them.
func TestCancelled(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, class := range classes {
		d, err := g.Decide(ctx, request(class, "PutObject", "data", "a"))
		if faultID(t, err) != FaultTimeout || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %+v, %v", class, d, err)
		}
	}
}

func TestOddInputIsAFault(t *testing.T) {
	t.Parallel()
	g := newEngine(t, nil).Current()
	long := put("data", strings.Repeat("/", maxKey+1))
	source := put("data", "a")
	source.CopySource = CopySource{Present: true, Resource: Resource{Bucket: "data", Key: long.Resource.Key}}
	for name, in := range map[string]*Input{
		"no class":        request("", "PutObject", "data", "a"),
		"unknown class":   request("Write", "PutObject", "data", "a"),
		"long key":        long,
		"long source key": source,
	} {
		if d, err := g.Decide(context.Background(), in); faultID(t, err) != FaultDecision {
			t.Errorf("%s: got %+v, %v", name, d, err)
		}
	}
	if d, err := g.Decide(context.Background(), put("data", strings.Repeat("/", maxKey))); err != nil || !d.Allow {
		t.Errorf("longest key: got %+v, %v", d, err)
	}
}

// TestWithheld makes sure that a policy cannot reach out or ask for chance.
func TestWithheld(t *testing.T) {
	t.Parallel()
	allowed := capabilities()
	for _, name := range withheld {
		if slices.ContainsFunc(allowed.Builtins, func(b *ast.Builtin) bool { return b.Name == name }) {
			t.Errorf("%s is available", name)
		}
		if !slices.ContainsFunc(ast.Builtins, func(b *ast.Builtin) bool { return b.Name == name }) {
			t.Errorf("%s is not a function of OPA", name)
		}
	}
	for _, b := range allowed.Builtins {
		if b.Nondeterministic {
			t.Errorf("%s is available and nondeterministic", b.Name)
		}
	}
}
