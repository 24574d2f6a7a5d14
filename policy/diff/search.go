package diff

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/replay"
)

// search asks both policies about the requests of all bases.
type search struct {
	ctx    context.Context
	o      Options
	bases  []work
	plan   plan
	report *Report
	done   atomic.Int64
	total  int
	over   bool // even one at a time is more than the limit
}

// work is a base and what can be varied in it.
type work struct {
	base
	focus, rest []factor
}

func newSearch(ctx context.Context, o Options, x *rules, bases []base) *search {
	s := &search{ctx: ctx, o: o, report: &Report{A: o.A.Revision(), B: o.B.Revision(), Kinds: map[replay.Kind]int{}}}
	for _, b := range bases {
		w := work{base: b}
		for _, f := range b.factors(o, x) {
			if x.inFocus(f.paths...) || touches(b.paths, f.paths) {
				w.focus = append(w.focus, f)
			} else {
				w.rest = append(w.rest, f)
			}
		}
		s.bases = append(s.bases, w)
	}
	for _, s.plan = range plans {
		if s.total = s.count(); s.total <= o.Limit {
			break
		}
	}
	s.report.Coverage.Limit = o.Limit
	if s.total > o.Limit {
		s.over, s.report.Coverage.Cut = true, true
		s.total = o.Limit
	}
	s.fields()
	return s
}

func touches(have map[string]bool, paths []string) bool {
	for p := range have {
		if slices.ContainsFunc(paths, func(q string) bool { return overlap(p, q) }) {
			return true
		}
	}
	return false
}

// run works through the bases on every processor, and sums up in their order.
func (s *search) run() error {
	found := make([]map[string]*Difference, len(s.bases))
	var next atomic.Int64
	var workers sync.WaitGroup
	var mu sync.Mutex // of Progress
	for range min(runtime.GOMAXPROCS(0), max(1, len(s.bases))) {
		workers.Go(func() {
			for s.ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(s.bases) {
					return
				}
				l := &look{s: s, w: &s.bases[i], found: map[string]*Difference{}, progress: &mu}
				l.run(max(1, s.o.Limit/len(s.bases)))
				found[i] = l.found
			}
		})
	}
	workers.Wait()
	if err := s.ctx.Err(); err != nil {
		return err
	}
	all := map[string]*Difference{}
	for _, one := range found {
		for _, key := range slices.Sorted(maps.Keys(one)) {
			d := one[key]
			s.report.Kinds[d.Kind] += d.Requests
			if have := all[key]; have == nil {
				all[key] = d
			} else if have.Requests += d.Requests; len(d.Differs) < len(have.Differs) {
				have.Example, have.Differs = d.Example, d.Differs
			}
		}
	}
	order := replay.Differences()
	s.report.Differences = []Difference{}
	for _, d := range slices.SortedFunc(maps.Values(all), func(a, b *Difference) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)), cmp.Compare(len(a.Differs), len(b.Differs)),
			cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Example.String(), b.Example.String()))
	}) {
		s.report.Differences = append(s.report.Differences, *d)
	}
	return nil
}

// finish drops the groups there is no room for.
func (s *search) finish() *Report {
	shown := map[replay.Kind]int{}
	r := s.report
	r.Differences = slices.DeleteFunc(r.Differences, func(d Difference) bool {
		shown[d.Kind]++
		if shown[d.Kind] > s.o.Examples {
			r.Unshown++
			return true
		}
		return false
	})
	r.Coverage.Requests = int(s.done.Load())
	return r
}

// look is the work on one base.
type look struct {
	s        *search
	w        *work
	found    map[string]*Difference
	progress *sync.Mutex
	all      []factor // focus, then rest
}

// point is a request: which value each factor has.
type point []int

func (l *look) run(share int) {
	l.all = slices.Concat(l.w.focus, l.w.rest)
	center := l.center()
	made := 0
	for p := range l.points(center) {
		if l.s.ctx.Err() != nil {
			return
		}
		if l.s.over && made >= share {
			break
		}
		made++
		l.note(p, l.ask(p))
	}
}

// center is an ordinary request that one of the policies allows, if a few changes make
// one of the base.
func (l *look) center() point {
	at := make(point, len(l.all))
	best := l.ask(at)
	for range maxSteps {
		if best.Before.Allow || best.After.Allow || l.s.ctx.Err() != nil {
			break
		}
		better := point(nil)
		for i, f := range l.all {
			if at[i] != 0 {
				continue
			}
			for v := range f.values {
				p := slices.Clone(at)
				p[i] = v
				if o := l.ask(p); denials(o) < denials(best) {
					better, best = p, o
					break
				}
			}
		}
		if better == nil {
			break
		}
		at = better
	}
	return at
}

// maxSteps bounds how far an ordinary request may be from what was thought to be one.
const maxSteps = 3

// denials counts what stands against a request, under the policy that has less.
func denials(o replay.Outcome) int {
	count := func(v replay.Verdict) int {
		if v.Allow {
			return 0
		}
		n := 0
		for _, f := range v.Findings {
			if f.Denies() {
				n++
			}
		}
		return n + 1
	}
	return min(count(o.Before), count(o.After))
}

// points gives the requests of the plan, around a center.
func (l *look) points(center point) iter.Seq[point] {
	return func(yield func(point) bool) {
		if !yield(slices.Clone(center)) {
			return
		}
		focus := len(l.w.focus)
		with := func(i, v int) point {
			p := slices.Clone(center)
			p[i] = v
			return p
		}
		varied := l.all
		if !l.s.plan.rest {
			varied = l.w.focus
		}
		for i, f := range varied {
			for v := range f.values {
				if v != center[i] && !yield(with(i, v)) {
					return
				}
			}
		}
		switch l.s.plan.focus {
		case combine:
			for p := range l.product(center, focus) {
				if !yield(p) {
					return
				}
			}
		case pairs:
			for i := range focus {
				for j := range i {
					for v := range l.all[i].values {
						for u := range l.all[j].values {
							p := with(i, v)
							p[j] = u
							if v != center[i] && u != center[j] && !yield(p) {
								return
							}
						}
					}
				}
			}
		}
	}
}

// product gives every combination of the first factors, but those in which no more than
// one differs from the center.
func (l *look) product(center point, n int) iter.Seq[point] {
	return func(yield func(point) bool) {
		p := slices.Clone(center)
		for i := range n {
			p[i] = 0
		}
		for {
			differ := 0
			for i := range n {
				if p[i] != center[i] {
					differ++
				}
			}
			if differ > 1 && !yield(slices.Clone(p)) {
				return
			}
			i := 0
			for ; i < n; i++ {
				if p[i]++; p[i] < len(l.all[i].values) {
					break
				}
				p[i] = 0
			}
			if i == n {
				return
			}
		}
	}
}

// request makes the request of a point.
func (l *look) request(p point) *policy.Input {
	in := l.w.in.Clone()
	for i, v := range p {
		if set := l.all[i].values[v].set; set != nil {
			set(in)
		}
	}
	return in
}

// ask asks both policies.
func (l *look) ask(p point) replay.Outcome {
	in := l.request(p)
	o := replay.Outcome{Input: in, Before: l.verdict(l.s.o.A, in), After: l.verdict(l.s.o.B, in)}
	o.Kind = replay.Compare(o.Before, o.After)
	done := int(l.s.done.Add(1))
	if l.s.o.Progress != nil && done%256 == 0 {
		l.progress.Lock()
		l.s.o.Progress(done, max(done, l.s.total))
		l.progress.Unlock()
	}
	return o
}

func (l *look) verdict(g *policy.Generation, in *policy.Input) replay.Verdict {
	in = in.Clone()
	d, err := g.Replay(l.s.ctx, in, policy.Trial{})
	if err == nil && d.Allow && l.s.o.Enforce != nil {
		if no := l.s.o.Enforce(in, d); no != nil {
			d.Allow = false
			d.Findings = append(d.Findings, *no)
		}
	}
	return replay.VerdictOf(d, err)
}

// note files a difference under what changes. The first of its kind is made as small as
// it gets; one that is small already stays.
func (l *look) note(p point, o replay.Outcome) {
	if o.Kind == replay.Same {
		return
	}
	key, gained, lost := group(o)
	d := l.found[key]
	if d == nil {
		p, o = l.shrink(p, o, key)
		d = &Difference{Kind: o.Kind, Gained: gained, Lost: lost}
		d.Example, d.Differs = o, l.differs(p)
		l.s.o.A.Fill(d.Example.Input)
		l.found[key] = d
	}
	d.Requests++
}

// group says what changes, for differences to be counted together.
func group(o replay.Outcome) (key string, gained, lost []string) {
	before, after := effects(o.Before), effects(o.After)
	gained, lost = []string{}, []string{}
	for e := range after {
		if !before[e] {
			gained = append(gained, e)
		}
	}
	for e := range before {
		if !after[e] {
			lost = append(lost, e)
		}
	}
	slices.Sort(gained)
	slices.Sort(lost)
	key = fmt.Sprintf("%s|%s|%s", o.Kind, strings.Join(gained, ","), strings.Join(lost, ","))
	if o.Kind == replay.Weaker || o.Kind == replay.Encryption {
		key += fmt.Sprintf("|%s|%s", o.Before.Encryption.Mode, o.After.Encryption.Mode)
	}
	return key, gained, lost
}

// effects are rules and what comes of their findings where that is no denial.
func effects(v replay.Verdict) map[string]bool {
	out := map[string]bool{}
	for _, f := range v.Findings {
		if f.Denies() {
			out[f.ID] = true
		} else {
			out[f.ID+" "+f.Action] = true
		}
	}
	if v.Fault != "" {
		out[v.Fault] = true
	}
	return out
}

// shrink takes back what a difference does without.
func (l *look) shrink(p point, o replay.Outcome, key string) (point, replay.Outcome) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] == 0 {
			continue
		}
		q := slices.Clone(p)
		q[i] = 0
		if less := l.ask(q); less.Kind == o.Kind {
			if k, _, _ := group(less); k == key {
				p, o = q, less
			}
		}
	}
	return p, o
}

// differs says in words what is not as usual.
func (l *look) differs(p point) []string {
	out := []string{}
	for i, v := range p {
		if v != 0 {
			out = append(out, l.all[i].name+": "+l.all[i].values[v].text)
		}
	}
	return out
}
