package policy

import (
	"context"
	"errors"
)

// ErrNoPrevious: there is no policy to roll back to.
var ErrNoPrevious = errors.New("there is no previous policy to roll back to")

// refusals are digests of content that is not put into force although it is what the
// source or the posture file holds: something else was put into force by hand. They
// end when the content changes.
type refusals struct{ site, posture string }

func (r refusals) any() bool { return r != refusals{} }

// Rollback puts the policy into force again that was there before, posture and Rego.
// What is in force now is not loaded again until it changes or Reload is called. The
// policy passed the gate when it was loaded and is not taken through it again.
func (e *Engine) Rollback(ctx context.Context) error {
	e.loading.Lock()
	defer e.loading.Unlock()
	e.mu.Lock()
	to := e.previous
	if to == nil {
		e.mu.Unlock()
		return ErrNoPrevious
	}
	from := e.current.Load()
	if from.sources.siteDigest() != to.sources.siteDigest() {
		e.refused.site = e.seen
	}
	if d := from.sources.postureDigest(); d != to.sources.postureDigest() {
		e.refused.posture = d
	}
	e.previous, e.failed = nil, failure{}
	e.swap(to)
	e.mu.Unlock()
	e.settle()
	return e.keep(ctx)
}

// Activate puts another site into force, with the posture file as it is, if it passes
// what Reload asks of a policy. What the source has now is not loaded again until it
// changes or Reload is called.
func (e *Engine) Activate(ctx context.Context, site Site) error {
	e.loading.Lock()
	defer e.loading.Unlock()
	s, err := e.options.sourcesWith(site)
	if err == nil {
		err = e.loadWithout(ctx, s, nil, Without{})
	} else {
		e.fail(err)
	}
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.refused = refusals{}
	if e.seen != s.siteDigest() {
		e.refused.site = e.seen
	}
	e.mu.Unlock()
	e.settle()
	return nil
}

// Build compiles and probes another site with the posture file as it is, and puts
// nothing into force.
func (e *Engine) Build(ctx context.Context, site Site) (*Generation, error) {
	s, err := e.options.sourcesWith(site)
	if err != nil {
		return nil, err
	}
	return build(ctx, e.options, s)
}

// settle has the watcher take what is in force for what was last tried.
func (e *Engine) settle() { e.tried = e.current.Load().sources.attempt() }

// refuse sets what is not to be put into force. It is called with loading held.
func (e *Engine) refuse(r refusals) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.refused = r
}

// effective is what is to be in force when the source and the posture file hold s: in
// the place of what is refused, the same part of what is in force. A refusal of what
// is not there any more ends. It is called with loading held.
func (e *Engine) effective(s sources) sources {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := e.current.Load()
	if g == nil {
		return s
	}
	if e.refused.site != "" && e.refused.site == s.siteDigest() {
		s.site, s.tests, s.from = g.sources.site, g.sources.tests, g.sources.from
	} else {
		e.refused.site = ""
	}
	if e.refused.posture != "" && e.refused.posture == s.postureDigest() {
		s.posture = g.sources.posture
	} else {
		e.refused.posture = ""
	}
	return s
}
