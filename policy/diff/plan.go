package diff

import (
	"maps"
	"slices"
)

// plan is how thoroughly fields are varied: how those in focus are combined, and whether
// the rest is varied at all.
type plan struct {
	focus combining
	rest  bool
}

type combining int

const (
	combine combining = iota // in every combination
	pairs                    // in pairs
	singles                  // one at a time
)

// plans are in the order in which they are preferred.
var plans = []plan{{combine, true}, {pairs, true}, {combine, false}, {pairs, false}, {singles, true}, {singles, false}}

// count is how many requests a plan makes, at most a little beyond the limit.
func (s *search) count() int {
	n := 0
	for i := range s.bases {
		if n += s.bases[i].count(s.plan, s.o.Limit); n > 2*s.o.Limit {
			return n
		}
	}
	return n
}

func (w *work) count(p plan, limit int) int {
	n := 1
	if p.rest {
		for _, f := range w.rest {
			n += len(f.values) - 1
		}
	}
	switch p.focus {
	case combine:
		product := 1
		for _, f := range w.focus {
			if product *= len(f.values); product > limit {
				return product
			}
		}
		return n + product - 1
	case pairs:
		ones, twos := 0, 0
		for _, f := range w.focus {
			twos += ones * (len(f.values) - 1)
			ones += len(f.values) - 1
		}
		return n + ones + twos
	}
	for _, f := range w.focus {
		n += len(f.values) - 1
	}
	return n
}

// fields says which fields were varied in which way.
func (s *search) fields() {
	focus, rest := map[string]int{}, map[string]int{}
	for i := range s.bases {
		for _, f := range s.bases[i].focus {
			focus[f.name] = max(focus[f.name], len(f.values))
		}
		for _, f := range s.bases[i].rest {
			rest[f.name] = max(rest[f.name], len(f.values))
		}
	}
	list := func(of map[string]int) []Field {
		out := []Field{}
		for _, name := range slices.Sorted(maps.Keys(of)) {
			out = append(out, Field{name, of[name]})
		}
		return out
	}
	c := &s.report.Coverage
	c.Combined, c.Paired, c.Single, c.Kept = []Field{}, []Field{}, []Field{}, []Field{}
	for name := range focus {
		delete(rest, name)
	}
	if !s.plan.rest {
		c.Kept, rest = list(rest), map[string]int{}
	}
	switch s.plan.focus {
	case combine:
		c.Combined = list(focus)
	case pairs:
		c.Paired = list(focus)
	default:
		maps.Copy(rest, focus)
	}
	c.Single = list(rest)
}
