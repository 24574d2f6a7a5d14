package posture

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Level says how bad a notice is.
type Level string

const (
	// LevelError: the entry cannot do what it was written for.
	LevelError Level = "error"
	// LevelWarning: the entry does nothing, or no longer.
	LevelWarning Level = "warning"
)

// Notice is something about a posture that loads which its author should know.
type Notice struct {
	Place string `json:"place"` // such as buckets[data]["a/"]
	Level Level  `json:"level"`
	Text  string `json:"text"`
}

// Lint looks for entries that have no effect, or none any more at a moment. The notices
// are in the order of the file's sections, and sorted within each; nil when there are
// none.
func Lint(p *Posture, now time.Time) []Notice {
	l := lint{now: now}
	l.add(p.unused...)
	for _, b := range p.buckets() {
		for _, r := range b.rules {
			l.rule(p, b, r)
		}
	}
	for _, a := range p.rules {
		switch {
		case a.then == a.first:
			l.warn(fmt.Sprintf("rules[%s]", a.rule), "then is what action says")
		case a.then != "" && !now.Before(a.on):
			l.warn(fmt.Sprintf("rules[%s]", a.rule), "the action has been %s since %s; write action: %[1]s alone", a.then, a.on.Format(time.DateOnly))
		case a.then == "" && a.first == ActionDeny:
			l.warn(fmt.Sprintf("rules[%s]", a.rule), "deny is what every rule does that is not named here")
		}
	}
	for _, s := range p.waivers.all {
		if now.Before(s.until) {
			continue
		}
		if s.kind == WaiverException {
			l.warn(fmt.Sprintf("exceptions[%s]", s.id), "expired at the end of %s; owner %s, ticket %s", s.until.AddDate(0, 0, -1).Format(time.DateOnly), s.owner, s.ticket)
		} else {
			l.warn(fmt.Sprintf("break_glass[%s]", s.id), "over since %s; owner %s, ticket %s", s.until.Format(time.RFC3339), s.owner, s.ticket)
		}
	}
	return l.found
}

// LintRules gives a notice for every rule id the file names in rules, exceptions and
// break_glass that known does not know. Which rules there are is not known here.
func LintRules(p *Posture, known func(rule string) bool) []Notice {
	var l lint
	for _, a := range p.rules {
		if !known(a.rule) {
			l.warn(fmt.Sprintf("rules[%s]", a.rule), "no rule has this id")
		}
	}
	for _, s := range p.waivers.all {
		list := "exceptions"
		if s.kind == WaiverBreakGlass {
			list = "break_glass"
		}
		for _, rule := range s.rules {
			if !known(rule) {
				l.warn(fmt.Sprintf("%s[%s]", list, s.id), "rules: no rule has the id %s", rule)
			}
		}
	}
	return l.found
}

type lint struct {
	now   time.Time
	found []Notice
}

func (l *lint) add(list ...Notice) { l.found = append(l.found, list...) }

func (l *lint) warn(place, format string, args ...any) {
	l.add(Notice{place, LevelWarning, fmt.Sprintf(format, args...)})
}

// buckets lists all patterns in the order of their names.
func (p *Posture) buckets() []*bucket {
	return slices.SortedFunc(func(yield func(*bucket) bool) {
		for _, b := range p.exact {
			if !yield(b) {
				return
			}
		}
		for _, b := range p.globs {
			if !yield(b) {
				return
			}
		}
	}, func(a, b *bucket) int { return strings.Compare(a.glob.text, b.glob.text) })
}

// rule looks for a prefix that is not reached or makes no difference.
func (l *lint) rule(p *Posture, b *bucket, r *Rule) {
	place := rulePlace(r.BucketGlob, r.Prefix)
	if plain, ok := plainPrefix(r.Prefix); ok {
		// A key below is decided under its plain name, too, and both must agree.
		switch other := b.prefixes.longest(plain); {
		case other == nil:
			l.add(Notice{place, LevelError, fmt.Sprintf("unreachable: some stores take it for %q, which nothing covers, so that every write is refused", plain)})
		case !same(other, r):
			l.add(Notice{place, LevelError, fmt.Sprintf("unreachable: some stores take it for %q, of which something else is demanded by prefix %q, so that every write is refused", plain, other.Prefix)})
		}
	}
	if r.Prefix == "" {
		return
	}
	if parent := b.prefixes.longest(r.Prefix[:len(r.Prefix)-1]); parent != nil && same(parent, r) {
		l.warn(place, "demands the same as prefix %q and makes no difference", parent.Prefix)
	}
}

// same reports whether two rules demand the same.
func same(a, b *Rule) bool {
	x, y := *a, *b
	y.ID, y.BucketGlob, y.Prefix, y.Profile = x.ID, x.BucketGlob, x.Prefix, x.Profile
	return reflect.DeepEqual(x, y)
}

// plainPrefix is a prefix as stores know it that keep objects as files, and whether it
// differs: without empty, "." and ".." parts.
func plainPrefix(prefix string) (plain string, differs bool) {
	i := strings.LastIndexByte(prefix, '/')
	if i < 0 {
		return prefix, false
	}
	plain = path.Clean("/" + prefix[:i+1])[1:]
	if plain != "" {
		plain += "/"
	}
	plain += prefix[i+1:]
	return plain, plain != prefix
}

// unused finds what has a name that nothing uses.
func (f *fileYAML) unused() []Notice {
	used := map[string]bool{}
	note := func(section string, names ...string) {
		for _, name := range names {
			used[section+"["+name+"]"] = true
		}
	}
	entry := func(y entryYAML) {
		note("profiles", or(y.Profile, ""))
		note("classifications", or(y.Classification, ""))
		note("networks", y.Networks...)
		note("keys", append(y.AllowedKeys, or(y.KeyID, ""))...)
		note("keyrings", append(y.Keyrings, or(y.Keyring, DefaultKeyring))...)
	}
	for _, prefixes := range f.Buckets {
		for _, y := range prefixes {
			entry(y)
		}
	}
	var l lint
	unused := func(section, name, id string) {
		if !used[section+"["+id+"]"] {
			l.warn(section+"["+name+"]", "nothing uses it")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Classifications)) {
		unused("classifications", name, name)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Keys)) {
		if f.Keys[name].Tenants == nil { // whose a key is has a meaning by itself
			unused("keys", name, f.Keys[name].ID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Keyrings)) {
		unused("keyrings", name, name)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Networks)) {
		unused("networks", name, name)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Profiles)) {
		unused("profiles", name, name)
	}
	return l.found
}
