package policy

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// shelf is a source that a test fills, and a Keeper.
type shelf struct {
	mu            sync.Mutex
	site          Site
	err           error
	kept          *Site
	refused       string
	keepErr       error
	reads, writes int
}

func (s *shelf) Read(context.Context) (Site, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return s.site, s.err
}

func (s *shelf) Keep(_ context.Context, site Site, refused string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keepErr != nil {
		return s.keepErr
	}
	s.writes++
	s.refused = refused
	s.kept = &Site{Files: filesOf(site.Raw), Revision: site.Revision, Raw: site.Raw, Fetched: site.Fetched, Origin: "kept"}
	return nil
}

func (s *shelf) Kept(context.Context) (Site, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		return Site{}, "", fs.ErrNotExist
	}
	return *s.kept, s.refused, nil
}

// put has the source have one file from now on.
func (s *shelf) put(text string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.site = Site{Files: filesOf([]byte(text)), Raw: []byte(text), Revision: "r", Origin: "shelf", Fetched: at}
	s.err = nil
}

// fail has it fail, beside what it has.
func (s *shelf) fail(err error, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.site.Err, s.site.ErrAt = err, at
}

func filesOf(raw []byte) []File { return []File{{Name: "a.rego", Data: raw}} }

// freeze is a site whose rule denies writes below a prefix.
func freeze(prefix string) string { return strings.Replace(goodSite, "frozen/", prefix, 1) }

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	return c.t
}

// gated is an engine on a shelf, with a gate that a test closes.
type gated struct {
	*site
	shelf *shelf
	clock *clock
	mu    sync.Mutex
	shut  map[string]error // step: what it says
	ran   []string
}

func newGated(t *testing.T, change func(*Options)) *gated {
	t.Helper()
	g := &gated{
		site:  &site{t: t, posture: filepath.Join(t.TempDir(), "posture.yaml")},
		shelf: new(shelf), clock: &clock{t: testTime}, shut: map[string]error{},
	}
	g.writePosture(onlyS3)
	g.shelf.put(freeze("frozen/"), testTime)
	g.open(change)
	return g
}

func (g *gated) options() Options {
	step := func(name string) Step {
		return Step{Name: name, Check: func(context.Context, *Candidate) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.ran = append(g.ran, name)
			return g.shut[name]
		}}
	}
	return Options{
		PostureFile: g.posture, Site: g.shelf, Timeout: time.Minute, Now: g.clock.now,
		Gate: []Step{step(StepLint), step(StepTests), step(StepReplay)},
	}
}

func (g *gated) open(change func(*Options)) {
	g.t.Helper()
	o := g.options()
	if change != nil {
		change(&o)
	}
	var err error
	if g.engine, err = New(o); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gated) poll(wantChange bool) error {
	g.t.Helper()
	changed, err := g.engine.poll(g.t.Context())
	if changed != wantChange {
		g.t.Errorf("changed %v, want %v (%v)", changed, wantChange, err)
	}
	return err
}

func (g *gated) frozen(prefix string) {
	g.t.Helper()
	for _, p := range []string{"frozen/", "held/", "third/"} {
		if denied := g.mode(p+"a") == "denied"; denied != (p == prefix) {
			g.t.Errorf("%s: denied %v, want what denies %s", p, denied, prefix)
		}
	}
}

// TestGate: a step that fails or panics keeps the policy in force, and what follows is
// not run.
func TestGate(t *testing.T) {
	t.Parallel()
	g := newGated(t, nil)
	if want := []string{StepLint, StepTests, StepReplay}; !slices.Equal(g.ran, want) {
		t.Errorf("at the start %q were run, want %q", g.ran, want)
	}
	for i, step := range []string{StepLint, StepTests, StepReplay} {
		g.ran, g.shut = nil, map[string]error{step: errors.New("not good enough")}
		before := g.engine.Current()
		g.shelf.put(freeze("held/")+"\n# "+step+"\n", testTime)
		err := g.poll(true)
		var at *StepError
		if !errors.As(err, &at) || at.Step != step || len(g.ran) != i+1 {
			t.Errorf("%s: got %v after %q", step, err, g.ran)
		}
		if s := g.engine.Status(); s.Step != step || s.Err != step+": not good enough" || s.Failures[step] != 1 || g.engine.Current() != before {
			t.Errorf("%s: got %+v", step, s)
		}
		g.frozen("frozen/")
		g.poll(false)
	}
	g.shut = nil
	g.shelf.put(freeze("held/"), testTime)
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	g.frozen("held/")
	if s := g.engine.Status(); s.Err != "" || s.Step != "" || s.Failures[StepLint] != 1 {
		t.Errorf("got %+v", s)
	}
	panics := Step{Name: StepCanaries, Check: func(context.Context, *Candidate) error { panic("oh") }}
	if _, err := New(Options{PostureFile: g.posture, Gate: []Step{panics}}); err == nil || !strings.Contains(err.Error(), "canaries: the check panicked: oh") {
		t.Errorf("got %v", err)
	}
}

// TestCandidate: what a step gets is the candidate, what is in force, and all files.
func TestCandidate(t *testing.T) {
	t.Parallel()
	var got []*Candidate
	look := Step{Name: StepTests, Check: func(_ context.Context, c *Candidate) error {
		got = append(got, c)
		return nil
	}}
	g := newGated(t, func(o *Options) { o.Gate = []Step{look} })
	g.shelf.put(freeze("held/"), testTime)
	g.shelf.site.Files = append(g.shelf.site.Files, File{Name: "a_test.rego", Data: []byte("package site.rules.freeze_test\n\ntest_x if true\n")})
	before := g.engine.Current()
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Current != nil || got[1].Current != before || got[1].Generation.Revision() != g.engine.Current().Revision() {
		t.Fatalf("got %+v", got)
	}
	if files := got[1].Sources.Files(); !slices.Equal(files, []string{"a.rego", "a_test.rego"}) {
		t.Errorf("files %q", files)
	}
	if modules, err := got[1].Sources.Modules(true); err != nil || modules["a_test.rego"] == nil || modules["rego/lib/testing_test.rego"] == nil {
		t.Errorf("modules: %v", err)
	}
	// A changed test is a change, too: it may be what kept a policy out.
	g.shelf.site.Files[1].Data = []byte("package site.rules.freeze_test\n\ntest_y if true\n")
	if err := g.poll(true); err != nil {
		t.Fatal(err)
	}
	g.poll(false)
}

// TestWithout: a step is left out with a reason, which shows.
func TestWithout(t *testing.T) {
	t.Parallel()
	off := Waived{Step: StepCanaries, Reason: "off", At: testTime}
	g := newGated(t, func(o *Options) { o.Waived = []Waived{off} })
	g.shut = map[string]error{StepReplay: errors.New("too many")}
	g.shelf.put(freeze("held/"), testTime)
	for name, w := range map[string]Without{
		"no reason":    {Steps: []string{StepReplay}},
		"not a step":   {Steps: []string{"reply"}, Reason: "x"},
		"always there": {Steps: []string{StepCompile}, Reason: "x"},
		"another":      {Steps: []string{StepTests}, Reason: "x"},
		"none":         {},
	} {
		if err := g.engine.ReloadWithout(t.Context(), w); err == nil {
			t.Errorf("%s: it was loaded", name)
		}
	}
	g.frozen("frozen/")
	if err := g.engine.ReloadWithout(t.Context(), Without{Steps: []string{StepReplay}, Reason: "INC-7"}); err != nil {
		t.Fatal(err)
	}
	g.frozen("held/")
	want := []Waived{off, {Step: StepReplay, Reason: "INC-7", At: testTime}}
	if s := g.engine.Status(); !slices.Equal(s.Waivers, want) {
		t.Errorf("got %+v, want %+v", s.Waivers, want)
	}
}

// TestStatusDoesNotWait: a policy that is being looked at holds up nobody.
func TestStatusDoesNotWait(t *testing.T) {
	t.Parallel()
	g := newGated(t, nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	g.engine.options.Gate = []Step{{Name: StepTests, Check: func(context.Context, *Candidate) error {
		close(entered)
		<-leave
		return nil
	}}}
	g.shelf.put(freeze("held/"), testTime)
	done := make(chan error)
	go func() { done <- g.engine.Reload(context.Background()) }()
	<-entered
	if s := g.engine.Status(); s.Revision == "" {
		t.Error("no status")
	}
	g.frozen("frozen/")
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	g.frozen("held/")
}

// TestAgain: what runs out of time is tried again, less and less often.
func TestAgain(t *testing.T) {
	t.Parallel()
	var a again
	late := faultf(FaultTimeout, "late")
	if a.due() {
		t.Error("due without a failure")
	}
	var waits []int
	for range 9 {
		a.after(failedAt(StepProbe, late))
		n := 0
		for !a.due() {
			n++
		}
		waits = append(waits, n)
	}
	if want := []int{0, 1, 3, 7, 15, 31, 63, 127, 150}; !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
	a.after(errors.New("another"))
	if a.due() {
		t.Error("due after what will not go away")
	}
}
