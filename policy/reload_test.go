package policy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy/posture"
)

const (
	onlyS3  = "version: 1\nbuckets: {data: {\"\": {mode: sse-s3}}}\ngrants: [{id: all, principals: [app], actions: [\"s3:*\"], resources: [data/*]}]\n"
	onlyKMS = "version: 1\nbuckets: {data: {\"\": {mode: sse-kms, key_id: k}}}\ngrants: [{id: all, principals: [app], actions: [\"s3:*\"], resources: [data/*]}]\n"
)

// site is a directory with a posture and rules that a test changes.
type site struct {
	t       testing.TB
	dir     string
	posture string
	engine  *Engine
}

// knownAction is what newSite takes for an action.
func knownAction(action string) error {
	if action == "s3:Ptu" {
		return errors.New("no such action")
	}
	return nil
}

// knownKeyring is what newSite takes for a keyring.
func knownKeyring(name string) error {
	if name == "lost" {
		return errors.New("no such keyring")
	}
	return nil
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, dir: filepath.Join(t.TempDir(), "policy"), posture: filepath.Join(t.TempDir(), "posture.yaml")}
	writeFiles(t, s.dir, map[string]string{"freeze.rego": goodSite})
	s.writePosture(onlyS3)
	var err error
	if s.engine, err = New(Options{
		PostureFile: s.posture, SiteDir: s.dir, CheckAction: knownAction, CheckKeyring: knownKeyring, Timeout: time.Minute,
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) writePosture(text string) {
	s.t.Helper()
	// Replaced as a whole, so that nobody reads half a file.
	if err := os.WriteFile(s.posture+".new", []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(s.posture+".new", s.posture); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) mode(key string) Mode {
	s.t.Helper()
	d, err := s.engine.Current().Decide(context.Background(), put("data", key))
	if err != nil {
		s.t.Fatal(err)
	}
	if !d.Allow {
		return "denied"
	}
	return d.Encryption.Mode
}

func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.engine.Status()
	if first.Revision == "" || first.Revision != s.engine.Current().Revision() || first.Err != "" || first.Files != 2 || first.LoadedAt.IsZero() {
		t.Errorf("got %+v", first)
	}
	s.writePosture(onlyKMS)
	if err := s.engine.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.mode("a"); got != KMS {
		t.Errorf("got %s after the posture was changed", got)
	}
	second := s.engine.Status()
	if second.Revision == first.Revision {
		t.Error("the revision did not change")
	}
	writeFiles(t, s.dir, map[string]string{"freeze.rego": strings.Replace(goodSite, "frozen/", "a", 1)})
	if err := s.engine.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.mode("a"); got != "denied" {
		t.Errorf("got %s after a rule was changed", got)
	}
	writeFiles(t, s.dir, map[string]string{"freeze.rego": goodSite})
	s.writePosture(onlyS3)
	if err := s.engine.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.engine.Status().Revision; got != first.Revision {
		t.Errorf("the same content has revision %s and %s", got, first.Revision)
	}
}

// TestLastGood breaks everything that is loaded, one after the other.
func TestLastGood(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*site){
		"posture syntax": func(s *site) { s.writePosture("version: [") },
		"posture value":  func(s *site) { s.writePosture(strings.Replace(onlyS3, "sse-s3", "sse-s4", 1)) },
		"posture action": func(s *site) {
			s.writePosture(strings.Replace(onlyS3, `["s3:*"]`, `["s3:*", "s3:Ptu"]`, 1))
		},
		"posture keyring": func(s *site) {
			s.writePosture(strings.Replace(onlyS3, "sse-s3", "cse, keyring: lost", 1))
		},
		"posture keyring to read with": func(s *site) {
			s.writePosture(strings.Replace(onlyS3, "sse-s3", "cse, keyrings: [lost]", 1))
		},
		"posture emptied": func(s *site) { s.writePosture("") },
		"posture gone":    func(s *site) { os.Remove(s.posture) },
		"rule syntax":     func(s *site) { writeFiles(s.t, s.dir, map[string]string{"freeze.rego": "package"}) },
		"rule type": func(s *site) {
			writeFiles(s.t, s.dir, map[string]string{"b.rego": "package site.lib\n\nx := input.nope\n"})
		},
		"data file":      func(s *site) { writeFiles(s.t, s.dir, map[string]string{"data.json": "{}"}) },
		"directory gone": func(s *site) { os.RemoveAll(s.dir) },
		"fails when asked": func(s *site) {
			writeFiles(s.t, s.dir, map[string]string{"b.rego": "package site.rules.b\n\ndeny contains {\"id\": \"TST-001\", \"msg\": \"\"} if to_number(input.resource.key) == 1\n"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			before := s.engine.Current()
			spoil(s)
			err := s.engine.Reload(t.Context())
			if err == nil {
				t.Fatal("it was loaded")
			}
			status := s.engine.Status()
			if s.engine.Current() != before || status.Revision != before.Revision() || status.Err != err.Error() || status.ErrAt.IsZero() {
				t.Errorf("got %+v after %v", status, err)
			}
			if s.mode("a") != SSES3 || s.mode("frozen/a") != "denied" {
				t.Error("the last good policy is not in force")
			}
			writeFiles(t, s.dir, map[string]string{"freeze.rego": goodSite})
			os.Remove(filepath.Join(s.dir, "b.rego"))
			os.Remove(filepath.Join(s.dir, "data.json"))
			s.writePosture(onlyKMS)
			if err := s.engine.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if status := s.engine.Status(); status.Err != "" || s.mode("a") != KMS {
				t.Errorf("not mended: %+v", status)
			}
		})
	}
}

// TestCheckKeyring: the names that a posture gives or implies are checked at load, and
// not at all where nobody checks.
func TestCheckKeyring(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posture.yaml")
	writeFiles(t, filepath.Dir(path), map[string]string{"posture.yaml": "version: 1\nbuckets: {data: {vault/: {mode: cse}, \"\": {mode: sse-s3}}}\ngrants: [{id: a, principals: [app], actions: [\"s3:Ptu\"], resources: [\"*\"]}]\n"})
	refuse := func(name string) error { return errors.New("no keyring " + name) }
	_, err := New(Options{PostureFile: path, CheckKeyring: refuse, CheckAction: knownAction})
	for _, want := range []string{path, "buckets[data][\"vault/\"]: keyring: no keyring main", "grants[a]: actions: no such action"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	e, err := New(Options{PostureFile: path, Timeout: time.Minute})
	if err != nil {
		t.Fatalf("without a check: %v", err)
	}
	g := e.Current()
	if r := g.Rule("data", "vault/a"); r == nil || r.Keyring != "main" || r.Prefix != "vault/" {
		t.Errorf("got rule %+v", r)
	}
	if r := g.Rule("data", ""); r == nil || r.Mode != posture.ModeS3 {
		t.Errorf("got rule %+v of the bucket", r)
	}
	if r := g.Rule("elsewhere", "vault/a"); r != nil {
		t.Errorf("got rule %+v where there is none", r)
	}
	var none *Generation
	if r := none.Rule("data", "vault/a"); r != nil {
		t.Errorf("got rule %+v of nothing", r)
	}
}

func TestRuleAllocatesNothing(t *testing.T) {
	g := newEngine(t, nil).Current()
	if n := testing.AllocsPerRun(100, func() { g.Rule("data", "sealed/a/b/c") }); n != 0 {
		t.Errorf("a look-up allocates %v times", n)
	}
}

func TestNewFails(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"no posture":      {},
		"posture missing": {PostureFile: "testdata/none.yaml"},
		"posture is dir":  {PostureFile: "testdata"},
	} {
		if e, err := New(o); err == nil || e != nil {
			t.Errorf("%s: got %v, %v", name, e, err)
		}
	}
}

// TestDecideDuringReload decides while the policy changes under the requests. Every
// answer must be one of the two policies, whole.
func TestDecideDuringReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	revisions := map[string]Mode{s.engine.Current().Revision(): SSES3}
	s.writePosture(onlyKMS)
	if err := s.engine.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	revisions[s.engine.Current().Revision()] = KMS
	done := make(chan struct{})
	var deciders sync.WaitGroup
	for range 4 {
		deciders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				d, err := s.engine.Current().Decide(context.Background(), put("data", "a/b"))
				if err != nil || !d.Allow || revisions[d.Revision] != d.Encryption.Mode {
					t.Errorf("got %+v, %v", d, err)
					return
				}
				s.engine.Status()
			}
		})
	}
	for i := range 12 {
		s.writePosture([]string{onlyS3, onlyKMS, "version: ["}[i%3])
		if err := s.engine.Reload(t.Context()); (err != nil) != (i%3 == 2) {
			t.Errorf("reload %d: %v", i, err)
		}
	}
	close(done)
	deciders.Wait()
}

func TestWatch(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		s.engine.Watch(ctx, time.Millisecond, func(err error) { changes <- err })
	}()
	s.writePosture(onlyKMS)
	if err := <-changes; err != nil || s.mode("a") != KMS {
		t.Errorf("after a change: %v", err)
	}
	s.writePosture("version: [")
	if err := <-changes; err == nil || s.mode("a") != KMS {
		t.Errorf("after a bad change: %v", err)
	}
	// What does not load is tried once: the next thing reported is the next change.
	s.writePosture(onlyS3)
	if err := <-changes; err != nil || s.mode("a") != SSES3 {
		t.Errorf("after mending: %v", err)
	}
	cancel()
	<-ended
}

// TestPoll checks that only content counts.
func TestPoll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if changed, err := s.engine.poll(t.Context()); changed || err != nil {
		t.Errorf("nothing changed, got %v, %v", changed, err)
	}
	s.writePosture(onlyS3)
	if changed, err := s.engine.poll(t.Context()); changed || err != nil {
		t.Errorf("written with the same content, got %v, %v", changed, err)
	}
	os.Remove(s.posture)
	if changed, err := s.engine.poll(t.Context()); !changed || err == nil {
		t.Errorf("removed, got %v, %v", changed, err)
	}
	if changed, err := s.engine.poll(t.Context()); changed || err != nil {
		t.Errorf("still removed, got %v, %v", changed, err)
	}
	// Back to what is in force: the error must go away.
	s.writePosture(onlyS3)
	if changed, err := s.engine.poll(t.Context()); !changed || err != nil || s.engine.Status().Err != "" {
		t.Errorf("restored, got %v, %v, %+v", changed, err, s.engine.Status())
	}
}
