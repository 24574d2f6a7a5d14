package policy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// A policy in force outlives the engine it was loaded by in two ways: it is handed to
// the engine that follows, and a Keeper keeps it for the next start.

// follow takes over what is in force in an engine, if it fits this one.
func (e *Engine) follow(last *Engine) {
	if last == nil {
		return
	}
	last.mu.Lock()
	defer last.mu.Unlock()
	g := e.adopt(last.current.Load())
	if g == nil {
		return
	}
	e.previous = e.adopt(last.previous)
	e.refused, e.seen = last.refused, last.seen
	e.live.confirmed.Store(last.live.confirmed.Load())
	e.swap(g)
	e.settle()
}

// adopt gives a generation of another engine the options of this one; nil if its
// posture names what there is not.
func (e *Engine) adopt(g *Generation) *Generation {
	if g == nil || e.options.check(g.posture) != nil {
		return nil
	}
	own := *g
	own.live, own.timeout, own.now = nil, e.options.Timeout, e.options.Now
	return &own
}

// restore puts what was kept into force if that was rolled back to: otherwise a start
// would undo the roll-back. What keeps it from it shows when the source is asked.
func (e *Engine) restore(ctx context.Context) {
	keeper, ok := e.options.site().(Keeper)
	if !ok || e.Current() != nil {
		return
	}
	site, refused, err := keeper.Kept(ctx)
	if err != nil || refused == "" {
		return
	}
	e.refuse(refusals{site: refused})
	if e.loadKept(ctx, site) != nil {
		e.refuse(refusals{})
	}
}

// fallBack puts what was kept into force because there is nothing else, and leaves the
// reason in the status.
func (e *Engine) fallBack(ctx context.Context, reason error) error {
	keeper, ok := e.options.site().(Keeper)
	if !ok {
		return reason
	}
	site, _, err := keeper.Kept(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return reason
	}
	failed, tried := e.failed, e.tried // nobody else has the engine yet
	if err == nil {
		err = e.loadKept(ctx, site)
	}
	if err != nil {
		return fmt.Errorf("%w; and from what was kept: %w", reason, err)
	}
	e.failed, e.tried = failed, tried
	return nil
}

// loadKept takes a site that was kept through the gate.
func (e *Engine) loadKept(ctx context.Context, site Site) error {
	e.loading.Lock()
	defer e.loading.Unlock()
	s, err := e.options.sourcesWith(site)
	return e.load(ctx, s, err)
}

// keep has the source keep what is in force.
func (e *Engine) keep(ctx context.Context) error {
	keeper, ok := e.options.site().(Keeper)
	if !ok {
		return nil
	}
	e.mu.Lock()
	site, refused := e.current.Load().sources.from, e.refused.site
	e.mu.Unlock()
	if site.Raw == nil { // put into force by hand, or kept already
		return nil
	}
	err := failedAt(StepActivate, keeper.Keep(ctx, site, refused))
	if err != nil {
		e.fail(err)
	}
	return err
}
