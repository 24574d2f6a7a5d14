package policy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultTimeout is how long one evaluation may take before it is a fault.
const DefaultTimeout = 25 * time.Millisecond

// DefaultInterval is how often Watch looks at the files.
const DefaultInterval = 2 * time.Second

// Options configure an Engine.
type Options struct {
	// PostureFile is the path of posture.yaml. Required.
	PostureFile string
	// SiteDir is the directory of the site's Rego. Empty means the shipped library
	// alone; a directory that cannot be read is a load error, so that a misspelt
	// path does not leave a site without its rules.
	SiteDir string
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
	current atomic.Pointer[Generation]

	mu     sync.Mutex // serialises loading and guards what follows
	tried  string     // what the last attempt to load was made on
	failed error      // why it failed, nil when it did not
	at     time.Time  // when it failed
}

// New loads library, site directory and posture. An error means that there is no
// policy to run with.
func New(o Options) (*Engine, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	e := &Engine{options: o}
	if err := e.Reload(context.Background()); err != nil {
		return nil, err
	}
	return e, nil
}

// Current returns the policy in force. The result may be nil, which is a Generation
// that has nothing loaded.
func (e *Engine) Current() *Generation {
	if e == nil {
		return nil
	}
	return e.current.Load()
}

// Reload reads everything anew and puts it into force when it compiles and passes
// its probe. On an error the last good policy stays and Status shows the error.
func (e *Engine) Reload(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := readSources(e.options)
	return e.load(ctx, s, err)
}

// load is called with mu held.
func (e *Engine) load(ctx context.Context, s sources, err error) error {
	e.tried = attempt(s, err)
	var g *Generation
	if err == nil {
		g, err = build(ctx, e.options, s)
	}
	e.failed = err
	var f *Fault
	if errors.As(err, &f) && f.ID == FaultTimeout {
		e.tried = "" // the machine was busy; the content may be good
	}
	if err != nil {
		e.at = e.options.Now()
		return err
	}
	e.current.Store(g)
	return nil
}

// attempt names what a load is tried on: content, or the reason there is none.
func attempt(s sources, err error) string {
	if err != nil {
		return err.Error()
	}
	return s.revision()
}

// Status says what is in force and whether the last attempt to replace it failed.
type Status struct {
	Revision string    // of the policy in force, "" none
	LoadedAt time.Time // when it was loaded
	Files    int       // posture and site files it was loaded from
	Err      string    // why the last attempt to load failed, "" when it did not
	ErrAt    time.Time // when it failed

	// Cached says that a request which differs from an earlier one only in what no
	// rule reads is answered without an evaluation. Uncached says why not, and names
	// the place in the policy where there is one; it is "" when Cached.
	Cached   bool
	Uncached string
}

// Status returns the state of the engine.
func (e *Engine) Status() Status {
	if e == nil {
		return Status{Err: errNotLoaded.Error()}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var s Status
	if g := e.current.Load(); g != nil {
		s = Status{Revision: g.revision, LoadedAt: g.loadedAt, Files: g.files}
		s.Uncached = g.cache.stopped()
		s.Cached = s.Uncached == ""
	}
	if e.failed != nil {
		s.Err, s.ErrAt = e.failed.Error(), e.at
	}
	return s
}

// Watch compares the content of the files with what was last tried, every interval
// (0 means DefaultInterval), and loads what has changed. It blocks until ctx ends.
// After each attempt onChange, which may be nil, gets its error or nil. Content is
// compared, not time stamps, so that mounted and restored files are noticed; content
// that does not load is tried once, unless it ran out of time. A site directory that
// has lost all its rules is not loaded, as one that is gone is not: it looks like that
// when what is mounted there goes. Reload puts it into force.
func (e *Engine) Watch(ctx context.Context, every time.Duration, onChange func(error)) {
	if every <= 0 {
		every = DefaultInterval
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if changed, err := e.poll(ctx); changed && onChange != nil {
				onChange(err)
			}
		}
	}
}

var errEmptied = errors.New("the policy directory has become empty; reload the policy to go on without a site's rules")

// poll makes one attempt if there is anything new.
func (e *Engine) poll(ctx context.Context) (changed bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := readSources(e.options)
	if g := e.current.Load(); err == nil && g != nil && g.files > 1 && len(s.site) == 0 {
		err = errEmptied
	}
	if attempt(s, err) == e.tried {
		return false, nil
	}
	return true, e.load(ctx, s, err)
}
