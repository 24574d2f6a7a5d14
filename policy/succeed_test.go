package policy

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestAfter: an engine goes on with what is in force in the one before it.
func TestAfter(t *testing.T) {
	t.Parallel()
	after := func(g *gated, change func(*Options)) {
		g.t.Helper()
		last := g.engine
		g.open(func(o *Options) {
			o.After = last
			if change != nil {
				change(o)
			}
		})
	}
	t.Run("the same", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.ran = nil
		before := g.engine.Current().Revision()
		after(g, nil)
		if g.ran != nil || g.engine.Current().Revision() != before || g.engine.Status().Err != "" {
			t.Errorf("ran %q, %+v", g.ran, g.engine.Status())
		}
		g.poll(false)
	})
	t.Run("a change the gate keeps out", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.shelf.put(freeze("held/"), testTime)
		g.shut = map[string]error{StepReplay: errors.New("a hole")}
		after(g, nil)
		g.frozen("frozen/")
		if s := g.engine.Status(); s.Step != StepReplay {
			t.Errorf("got %+v", s)
		}
		g.poll(false)
	})
	t.Run("a change", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		first := g.engine.Current().Revision()
		g.shelf.put(freeze("held/"), testTime)
		after(g, nil)
		g.frozen("held/")
		if s := g.engine.Status(); s.Previous != first {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("rolled back", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.shelf.put(freeze("held/"), testTime)
		g.poll(true)
		if err := g.engine.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		after(g, nil)
		g.frozen("frozen/")
		g.poll(false)
		after(g, nil)
		g.frozen("frozen/")
		if s := g.engine.Status(); !s.RolledBack {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("the source is gone", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, func(o *Options) { o.MaxStaleness = time.Hour })
		g.shelf.err = errors.New("gone")
		g.clock.pass(2 * time.Hour)
		after(g, func(o *Options) { o.MaxStaleness = time.Hour })
		if s := g.engine.Status(); s.Revision == "" || s.Err == "" || !s.Source.Stale {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("without its keyring", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.writePosture(strings.Replace(onlyS3, "mode: sse-s3", "mode: cse, keyring: main", 1))
		g.poll(true)
		o := g.options()
		o.After, o.CheckKeyring = g.engine, func(string) error { return errors.New("no such keyring") }
		if e, err := New(o); err == nil {
			t.Errorf("it goes on with a keyring that is not there: %+v", e.Status())
		}
	})
}

// TestKept: a start without the source, and one after a roll-back.
func TestKept(t *testing.T) {
	t.Parallel()
	t.Run("the source is gone", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.shelf.put(freeze("held/"), testTime)
		g.poll(true)
		g.shelf.err = &StepError{Step: StepDownload, Err: errors.New("gone")}
		g.open(nil)
		g.frozen("held/")
		if s := g.engine.Status(); s.Step != StepDownload || s.Source.Origin != "kept" {
			t.Errorf("got %+v", s)
		}
		g.poll(false)
		g.shelf.put(freeze("third/"), testTime)
		if err := g.poll(true); err != nil {
			t.Fatal(err)
		}
		g.frozen("third/")
	})
	t.Run("what the source has does not pass", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.shelf.put("package site.rules.freeze\n\ndeny := 1\n", testTime)
		g.open(nil)
		g.frozen("frozen/")
		if s := g.engine.Status(); s.Step != StepCompile {
			t.Errorf("got %+v", s)
		}
		g.poll(false)
	})
	t.Run("nothing is kept", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.shelf.kept, g.shelf.err = nil, errors.New("gone")
		if _, err := New(g.options()); err == nil || !strings.Contains(err.Error(), "gone") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("what is kept does not pass either", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.shelf.kept.Files[0].Data, g.shelf.err = []byte("package other\n"), errors.New("gone")
		if _, err := New(g.options()); err == nil || !strings.Contains(err.Error(), "gone") || !strings.Contains(err.Error(), "package other") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("rolled back", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.shelf.put(freeze("held/"), testTime)
		g.poll(true)
		if err := g.engine.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			g.open(nil)
			g.frozen("frozen/")
			g.poll(false)
		}
		g.shelf.put(freeze("third/"), testTime)
		if err := g.poll(true); err != nil {
			t.Fatal(err)
		}
		g.open(nil)
		g.frozen("third/")
	})
	t.Run("it cannot be kept", func(t *testing.T) {
		t.Parallel()
		g := newGated(t, nil)
		g.shelf.keepErr = errors.New("disk full")
		g.shelf.put(freeze("held/"), testTime)
		g.poll(true)
		g.frozen("held/")
		if s := g.engine.Status(); s.Step != StepActivate || s.Err != "activate: disk full" {
			t.Errorf("got %+v", s)
		}
	})
}

// TestTightens finds changes that can only deny more, and no others.
func TestTightens(t *testing.T) {
	t.Parallel()
	before := map[string]string{
		"freeze.rego": goodSite,
		"lib.rego":    "package site.lib\n\nopen if not data.site.rules.later.shut\n",
	}
	more := "package site.rules.more\n\ndeny contains {\"id\": \"MOR-001\", \"msg\": \"\"} if input.request.class == \"admin\"\n"
	in := func(pkg string) string { return strings.Replace(more, "site.rules.more", pkg, 1) }
	for name, test := range map[string]struct {
		change func(*site)
		want   bool
	}{
		"a package of denials": {func(s *site) { writeFiles(t, s.dir, map[string]string{"more.rego": more}) }, true},
		"nothing":              {func(*site) {}, true},
		"a test": {func(s *site) {
			writeFiles(t, s.dir, map[string]string{"a_test.rego": "package site.x\n\ntest_a if true\n"})
		}, true},
		"more of a package": {func(s *site) {
			writeFiles(t, s.dir, map[string]string{"more.rego": in("site.rules.freeze")})
		}, false},
		"what others read": {func(s *site) {
			writeFiles(t, s.dir, map[string]string{"more.rego": in("site.rules.later") + "\nshut := true\n"})
		}, false},
		"a requirement": {func(s *site) {
			writeFiles(t, s.dir, map[string]string{"more.rego": "package site.encryption.more\n\nrequire contains {\"mode\": \"sse-kms\", \"key_id\": \"k\"} if input.request.class == \"write\"\n"})
		}, false},
		"a library":   {func(s *site) { writeFiles(t, s.dir, map[string]string{"more.rego": "package site.more\n\nx := 1\n"}) }, false},
		"a posture":   {func(s *site) { s.writePosture(onlyKMS) }, false},
		"a rule less": {func(s *site) { writeFiles(t, s.dir, map[string]string{"freeze.rego": freeze("x/")}) }, false},
		"a rule changed": {func(s *site) {
			writeFiles(t, s.dir, map[string]string{"freeze.rego": goodSite + "\n", "more.rego": more})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			writeFiles(t, s.dir, before)
			var last *Candidate
			var err error
			s.engine, err = New(Options{PostureFile: s.posture, SiteDir: s.dir, Timeout: time.Minute, Gate: []Step{{
				Name: StepReplay, Check: func(_ context.Context, c *Candidate) error {
					last = c
					return nil
				},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			if last.Tightens() {
				t.Error("the first policy tightens nothing")
			}
			test.change(s)
			if err := s.engine.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := last.Tightens(); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
