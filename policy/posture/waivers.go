package posture

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of what a file may have of these, so that a request asks few of them.
const (
	maxRules      = 1000
	maxExceptions = 1000
	maxBreakGlass = 100
	maxWindow     = 24 * time.Hour // of break-glass
)

// Waiver is one rule an exception or a break-glass window is about, for one request.
type Waiver struct {
	Rule   string `json:"rule"`
	Kind   string `json:"kind"` // one of the Waiver constants
	ID     string `json:"id"`   // of the entry
	Ticket string `json:"ticket"`
	Until  string `json:"until"` // RFC 3339, exclusive
}

// scope is an exception or a break-glass window.
type scope struct {
	kind       string
	id         string
	ticket     string
	owner      string
	rules      []string // sorted
	resources  []glob
	principals []string
	groups     []string
	from       time.Time // zero = since ever
	until      time.Time
}

// applies reports whether a scope is for an identity. As in grants, groups and the
// principal "*" are for verified ones only, and "anonymous" must be named; unlike a
// grant an exception that names nobody is for everybody.
func (s *scope) applies(id Identity) bool {
	switch {
	case len(s.principals)+len(s.groups) == 0:
		return true
	case id.Verified && !id.Anonymous:
		return slices.Contains(s.principals, everyVerified) ||
			id.Principal != anonymous && slices.Contains(s.principals, id.Principal) ||
			slices.ContainsFunc(id.Groups, func(g string) bool { return slices.Contains(s.groups, g) })
	case id.Anonymous && !id.Verified:
		return slices.Contains(s.principals, anonymous)
	}
	return false
}

func (s *scope) covers(resource string) bool {
	return slices.ContainsFunc(s.resources, func(g glob) bool { return g.match(resource) })
}

// kindAt is the kind of a waiver at a moment, "" when there is none.
func (s *scope) kindAt(t time.Time) string {
	switch {
	case t.Before(s.from):
		return ""
	case t.Before(s.until):
		return s.kind
	case s.kind == WaiverBreakGlass:
		return WaiverEnded
	}
	return ""
}

// waivers are indexed by bucket where every resource of a scope names one.
type waivers struct {
	all      []*scope
	byBucket map[string][]*scope
	other    []*scope
}

func newWaivers(list []*scope) waivers {
	w := waivers{all: list, byBucket: map[string][]*scope{}}
	for _, s := range list {
		buckets, ok := s.buckets()
		if !ok {
			w.other = append(w.other, s)
			continue
		}
		for _, name := range buckets {
			w.byBucket[name] = append(w.byBucket[name], s)
		}
	}
	return w
}

// buckets lists the buckets a scope is about, each once; ok is false if a pattern
// stands for more than one.
func (s *scope) buckets() (list []string, ok bool) {
	for _, g := range s.resources {
		name, _, inside := strings.Cut(g.prefix, "/")
		if !inside && g.stars > 0 {
			return nil, false
		}
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list, true
}

// Waivers returns what lifts findings about a request at a moment: one entry for each
// rule of each exception and break-glass window that is for the identity and the
// resource, as in Missing, and windows that are over with the kind WaiverEnded. They
// are sorted by rule, exceptions first, then by id; the first that has not ended is
// the one that counts. The slice is fresh and nil when empty.
func (p *Posture) Waivers(id Identity, bucket, key string, t time.Time) []Waiver {
	if len(p.waivers.all) == 0 {
		return nil
	}
	resource := bucket
	if key != "" {
		resource = bucket + "/" + key
	}
	var out []Waiver
	for _, list := range [2][]*scope{p.waivers.byBucket[bucket], p.waivers.other} {
		for _, s := range list {
			kind := s.kindAt(t)
			if kind == "" || !s.applies(id) || !s.covers(resource) {
				continue
			}
			for _, rule := range s.rules {
				out = append(out, Waiver{Rule: rule, Kind: kind, ID: s.id, Ticket: s.ticket, Until: s.until.Format(time.RFC3339)})
			}
		}
	}
	slices.SortFunc(out, func(a, b Waiver) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(kindOrder[a.Kind], kindOrder[b.Kind]), cmp.Compare(a.ID, b.ID))
	})
	return out
}

var kindOrder = map[string]int{WaiverException: 1, WaiverBreakGlass: 2, WaiverEnded: 3}

// scopes reads both lists of the file.
func (f *fileYAML) scopes(p *problems) []*scope {
	var out []*scope
	ids := map[string]bool{}
	add := func(list string, i int, y scopeYAML, s *scope) (place string) {
		place = fmt.Sprintf("%s[%d]", list, i)
		if y.ID != "" {
			place = fmt.Sprintf("%s[%s]", list, y.ID)
		}
		if ids[y.ID] {
			p.add(place, "the id is used twice")
		}
		ids[y.ID] = true
		y.validate(place, p)
		s.fill(y)
		out = append(out, s)
		return place
	}
	for i, y := range f.Exceptions {
		s := &scope{kind: WaiverException}
		place := add("exceptions", i, y.scopeYAML, s)
		last, err := day(y.Until)
		if err != nil {
			p.add(place, "until: %w", err)
		}
		s.until = last.AddDate(0, 0, 1)
	}
	for i, y := range f.BreakGlass {
		s := &scope{kind: WaiverBreakGlass}
		place := add("break_glass", i, y.scopeYAML, s)
		if len(y.Principals)+len(y.Groups) == 0 {
			p.add(place, "names neither principals nor groups")
		}
		var from, until error
		s.from, from = moment(y.From)
		s.until, until = moment(y.Until)
		switch {
		case from != nil:
			p.add(place, "from: %w", from)
		case until != nil:
			p.add(place, "until: %w", until)
		case !s.from.Before(s.until):
			p.add(place, "until: is not after from")
		case s.until.Sub(s.from) > maxWindow:
			p.add(place, "until: more than 24 hours after from; an exception is for what lasts longer")
		}
	}
	return out
}

func (s *scope) fill(y scopeYAML) {
	s.id, s.ticket, s.owner = y.ID, y.Ticket, y.Owner
	s.principals, s.groups = y.Principals, y.Groups
	s.rules = slices.Compact(slices.Sorted(slices.Values(y.Rules)))
	for _, resource := range y.Resources {
		s.resources = append(s.resources, newGlob(resource))
	}
}

func (y scopeYAML) validate(place string, p *problems) {
	if y.ID == "" {
		p.add(place, "id: missing")
	} else {
		named(place+": id", p, y.ID)
	}
	if y.Owner == "" {
		p.add(place, "owner: missing")
	}
	if y.Ticket == "" {
		p.add(place, "ticket: missing")
	}
	if len(y.Rules) == 0 {
		p.add(place, "rules: missing")
	}
	for _, rule := range y.Rules {
		if err := ruleID(rule); err != nil {
			p.add(place, "rules: %w", err)
		}
	}
	texts(place, p, y.Owner, y.Ticket)
	identities(place, p, y.Principals, y.Groups)
	resources(place, p, y.Resources)
}
