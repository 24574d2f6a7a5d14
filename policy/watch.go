package policy

import (
	"context"
	"errors"
	"time"
)

// DefaultInterval is how often Watch looks at the files.
const DefaultInterval = 2 * time.Second

// Watch compares the content of source and posture with what was last tried, every
// interval (0 means DefaultInterval), and loads what has changed. It blocks until ctx
// ends. After each attempt onChange, which may be nil, gets its error or nil, and so it
// does when a source begins to fail or to work again. Content is compared, not time
// stamps, so that mounted and restored files are noticed; content that does not load is
// tried once, unless it ran out of time. A site that has lost all its rules is not
// loaded, as a directory that is gone is not: it looks like that when what is mounted
// there goes. Reload puts it into force.
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
	e.loading.Lock()
	defer e.loading.Unlock()
	s, err := readSources(ctx, e.options)
	if err == nil {
		changed = e.heard(s.siteDigest(), s.from)
		s = e.effective(s)
	}
	if g := e.current.Load(); err == nil && g != nil && g.sources.files() > 1 && len(s.site) == 0 {
		err = failedAt(StepRead, errEmptied)
	}
	if attempt(s, err) == e.tried && !e.again.due() {
		return changed, e.unheard.err
	}
	return true, e.load(ctx, s, err)
}

// attempt names what a load is tried on: content, or the reason there is none.
func attempt(s sources, err error) string {
	if err != nil {
		return err.Error()
	}
	return s.attempt()
}

// again says when content that ran out of time is tried again: the machine may have
// been busy. It waits longer each time, because content that never ends costs as much.
type again struct{ left, wait int } // polls

// longestWait bounds it: five minutes at the default interval.
const longestWait = 150

func (a *again) due() bool {
	if a.wait == 0 {
		return false
	}
	a.left--
	return a.left < 0
}

// after notes the outcome of an attempt.
func (a *again) after(err error) {
	var f *Fault
	if !errors.As(err, &f) || f.ID != FaultTimeout {
		*a = again{}
		return
	}
	a.left = a.wait
	a.wait = min(2*a.wait+1, longestWait)
}
