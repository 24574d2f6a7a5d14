package policy

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultTimeout is how long one evaluation may take before it is a fault.
const DefaultTimeout = 25 * time.Millisecond

// Options configure an Engine.
type Options struct {
	// PostureFile is the path of posture.yaml. Required.
	PostureFile string
	// Site is where the site's Rego comes from. Nil means Directory(SiteDir).
	Site SiteSource
	// SiteDir is the directory of the site's Rego where there is no Site. Empty means
	// the shipped library alone.
	SiteDir string
	// Gate is what a policy has to pass before it is put into force, after it was
	// compiled and probed. The steps are run in order, one policy at a time.
	Gate []Step
	// Waived are steps that are not in Gate and whose absence is to be shown.
	Waived []Waived
	// After is an engine that this one follows, with the same source and posture file
	// and perhaps other keyrings: what is in force there is what new content is held
	// against, and stays in force if that does not pass. May be nil.
	After *Engine
	// Observe is told of every decision on a request, and of what could not be
	// decided. It is called from many goroutines and must return at once; of the input
	// and the decision it may keep copies only. Replay does not tell it. May be nil.
	Observe func(*Input, Decision, error)
	// MaxStaleness is how long requests are decided without knowing that the policy
	// in force is the newest there is; 0 means for ever.
	MaxStaleness time.Duration
	// Stale is what happens then; "" means StaleDenyWrites.
	Stale StaleAction
	// CheckAction says whether requests can need an action that a grant names, which
	// may be a pattern such as s3:Get*. Its error keeps the posture from being
	// loaded, so that a misspelt action does not leave somebody without a grant.
	// Nil accepts every action. It must be safe for concurrent use.
	CheckAction func(action string) error
	// CheckKeyring says whether there is a keyring of this name, for every keyring
	// that a rule names or has by default. Its error keeps the posture from being
	// loaded, so that what cannot be sealed or opened is known before the first
	// request. Nil accepts every name. It must be safe for concurrent use.
	CheckKeyring func(name string) error
	// Timeout bounds one evaluation; 0 means DefaultTimeout.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Engine holds the policy in force and replaces it as a whole. It is safe for
// concurrent use. A nil Engine has nothing loaded.
type Engine struct {
	options Options
	live    *live
	current atomic.Pointer[Generation]

	loading sync.Mutex // one policy at a time; guards tried and again
	tried   string     // what the last attempt to load was made on
	again   again

	mu       sync.Mutex  // guards what follows
	previous *Generation // what Rollback puts into force
	refused  refusals
	seen     string // Site.Digest of what the source had last
	failed   failure
	unheard  failure // of the source
	failures map[string]uint64
}

// New loads library, site and posture. An error means that there is no policy to run
// with: where Options.After has one, or the source kept one, that one is run with, and
// Status shows the error.
func New(o Options) (*Engine, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Stale == "" {
		o.Stale = StaleDenyWrites
	}
	after := o.After
	o.After = nil // not to be kept alive
	e := &Engine{options: o, failures: make(map[string]uint64)}
	e.live = &live{observe: o.Observe, limit: o.MaxStaleness, action: o.Stale, now: o.Now}
	ctx := context.Background()
	e.follow(after)
	e.restore(ctx)
	err := e.start(ctx)
	if err != nil && e.Current() == nil {
		err = e.fallBack(ctx, err)
	}
	if e.Current() == nil {
		return nil, err
	}
	return e, nil
}

// site is where the site's Rego comes from.
func (o Options) site() SiteSource {
	if o.Site != nil {
		return o.Site
	}
	return Directory(o.SiteDir)
}

// Current returns the policy in force. The result may be nil, which is a Generation
// that has nothing loaded.
func (e *Engine) Current() *Generation {
	if e == nil {
		return nil
	}
	return e.current.Load()
}

// Reload reads everything anew and puts it into force when it compiles and passes its
// probe and the gate. It does so although the content was tried or rolled back from.
// On an error the last good policy stays and Status shows the error.
func (e *Engine) Reload(ctx context.Context) error { return e.ReloadWithout(ctx, Without{}) }

// ReloadWithout is Reload without some steps of the gate.
func (e *Engine) ReloadWithout(ctx context.Context, w Without) error {
	if err := w.check(e.options.Gate); err != nil {
		return err
	}
	e.loading.Lock()
	defer e.loading.Unlock()
	s, err := readSources(ctx, e.options)
	if err == nil {
		e.heard(s.siteDigest(), s.from)
		e.refuse(refusals{})
	}
	return e.loadWithout(ctx, s, err, w)
}

// start loads what there is at first; where a policy is in force already, if it is
// something else.
func (e *Engine) start(ctx context.Context) error {
	e.loading.Lock()
	defer e.loading.Unlock()
	s, err := readSources(ctx, e.options)
	if err == nil {
		e.heard(s.siteDigest(), s.from)
		s = e.effective(s)
	}
	if e.current.Load() != nil && attempt(s, err) == e.tried {
		return nil
	}
	return e.load(ctx, s, err)
}

// load is called with loading held.
func (e *Engine) load(ctx context.Context, s sources, err error) error {
	return e.loadWithout(ctx, s, err, Without{})
}

func (e *Engine) loadWithout(ctx context.Context, s sources, err error, w Without) error {
	e.tried = attempt(s, err)
	var g *Generation
	if err == nil {
		g, err = e.admit(ctx, s, w)
	}
	if ctx.Err() != nil && err != nil {
		e.tried = "" // given up by the caller; nothing is known of the content
	}
	e.again.after(err)
	if err != nil {
		e.fail(err)
		return err
	}
	e.activate(ctx, g)
	return nil
}

// fail notes why a policy was not put into force.
func (e *Engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failed = failure{err, e.options.Now()}
	e.failures[e.failed.step()]++
}

// activate puts a policy into force, in one step for requests, and has its source keep
// it. What was in force before is kept to be rolled back to.
func (e *Engine) activate(ctx context.Context, g *Generation) {
	e.mu.Lock()
	e.failed = failure{}
	if old := e.current.Load(); old != nil && old.revision != g.revision {
		e.previous = old
	}
	e.swap(g)
	e.mu.Unlock()
	_ = e.keep(ctx) // it is in force; that it is not kept shows in the status
}

// swap is called with mu held.
func (e *Engine) swap(g *Generation) {
	active := *g
	active.live = e.live
	e.current.Store(&active)
	e.live.confirm(active.sources.from.Fetched)
}

// heard notes what the source said, and reports whether it began or ceased to fail, or
// fails in another way.
func (e *Engine) heard(site string, from Site) (changed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = site
	if g := e.current.Load(); g != nil && (site == g.sources.siteDigest() || site == e.refused.site) {
		e.live.confirm(from.Fetched)
	}
	before := e.unheard
	e.unheard = failure{from.Err, from.ErrAt}
	if from.Err != nil && from.ErrAt != before.at {
		e.failures[e.unheard.step()]++
	}
	return errorText(before.err) != errorText(from.Err)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
