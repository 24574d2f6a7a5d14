package posture

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var (
	bucketPattern = regexp.MustCompile(`^[A-Za-z0-9._*-]{1,255}$`)
	actionPattern = regexp.MustCompile(`^(\*|s3:[A-Za-z*]+)$`)
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

// maxText bounds every name, pattern and key id of the file, in bytes.
const maxText = 2048

// problems collects what is wrong, each with the place in the file.
type problems []error

func (p *problems) add(place, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %w", place, fmt.Errorf(format, args...)))
}

// validate checks everything that is checked before the file is put to use, and makes
// the entries of its buckets whole.
func (f *fileYAML) validate() (parts, error) {
	if f.Version != 1 {
		return parts{}, fmt.Errorf("version: must be 1, not %d", f.Version)
	}
	var p problems
	oneOf("enforcement", &p, f.Enforcement, EnforcementEnforce, EnforcementWarn, EnforcementAudit)
	n := f.names(&p)
	out := parts{networks: newNetworks(f.Networks, &p)}
	for _, name := range slices.Sorted(maps.Keys(f.Profiles)) {
		n.profile(name, f.Profiles[name], &p)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Buckets)) {
		f.validateBucket(name, &n, &p)
	}
	bounded("rules", &p, len(f.Rules), maxRules)
	bounded("exceptions", &p, len(f.Exceptions), maxExceptions)
	bounded("break_glass", &p, len(f.BreakGlass), maxBreakGlass)
	out.actions = newActions(f.Rules, &p)
	out.scopes = f.scopes(&p)
	f.validateGrants(&p)
	return out, errors.Join(p...)
}

// parts are what validation makes of the sections it reads.
type parts struct {
	networks networks
	actions  []ruleAction
	scopes   []*scope
}

func (f *fileYAML) validateBucket(name string, n *names, p *problems) {
	place, prefixes := bucketPlace(name), f.Buckets[name]
	if !bucketPattern.MatchString(name) {
		p.add("buckets", "%q is neither a bucket name nor a pattern of one", name)
	}
	if len(prefixes) == 0 {
		p.add(place, "no prefix; use \"\" for every key")
	}
	for _, prefix := range slices.Sorted(maps.Keys(prefixes)) {
		if len(prefix) > 1024 {
			p.add(place, "a prefix is longer than any key (1024 bytes)")
		}
		prefixes[prefix] = n.entry(rulePlace(name, prefix), prefixes[prefix], p)
	}
}

func (f *fileYAML) validateGrants(p *problems) {
	ids := map[string]bool{}
	for i, g := range f.Grants {
		place := fmt.Sprintf("grants[%d]", i)
		if g.ID != "" {
			place = fmt.Sprintf("grants[%s]", g.ID)
		}
		if ids[g.ID] {
			p.add(place, "the id is used twice")
		}
		ids[g.ID] = true
		g.validate(place, p)
	}
}

func (g grantYAML) validate(place string, p *problems) {
	if g.ID == "" {
		p.add(place, "id: missing")
	}
	if len(g.Principals)+len(g.Groups) == 0 {
		p.add(place, "names neither principals nor groups")
	}
	if len(g.Actions) == 0 {
		p.add(place, "actions: missing")
	}
	texts(place+": id", p, g.ID)
	identities(place, p, g.Principals, g.Groups)
	for _, action := range g.Actions {
		if len(action) > maxText || !actionPattern.MatchString(action) {
			p.add(place, "actions: %.100q is not an action such as s3:GetObject or s3:Get*", action)
		}
	}
	resources(place, p, g.Resources)
}

func identities(place string, p *problems, principals, groups []string) {
	filled(place+": principals", p, principals)
	filled(place+": groups", p, groups)
	for _, name := range principals {
		if name != everyVerified && isGlob(name) {
			p.add(place, "principals: %q: a principal is a name or \"*\", not a pattern", name)
		}
	}
	for _, name := range groups {
		if isGlob(name) {
			p.add(place, "groups: %q: a group is a name, not a pattern", name)
		}
	}
}

func resources(place string, p *problems, list []string) {
	if len(list) == 0 {
		p.add(place, "resources: missing")
	}
	filled(place+": resources", p, list)
	for _, resource := range list {
		name, _, _ := strings.Cut(resource, "/")
		if resource != "" && !bucketPattern.MatchString(name) {
			p.add(place, "resources: %.100q does not begin with a bucket name or a pattern of one", resource)
		}
	}
}

func bucketPlace(name string) string { return fmt.Sprintf("buckets[%s]", name) }

func rulePlace(bucket, prefix string) string {
	return fmt.Sprintf("%s[%q]", bucketPlace(bucket), prefix)
}

// CheckKeyrings gives the keyrings of every rule to check, rules in the order of their
// places, and returns what check refuses, each error with its place. Which keyrings
// there are is not known here.
func (p *Posture) CheckKeyrings(check func(name string) error) error {
	rules := slices.SortedFunc(p.Rules(), func(a, b *Rule) int {
		return cmp.Or(strings.Compare(a.BucketGlob, b.BucketGlob), strings.Compare(a.Prefix, b.Prefix))
	})
	var refused problems
	for _, r := range rules {
		field := "keyring" // the first; the others are of the list
		for _, name := range r.Keyrings {
			if err := check(name); err != nil {
				refused.add(rulePlace(r.BucketGlob, r.Prefix), "%s: %w", field, err)
			}
			field = "keyrings"
		}
	}
	return errors.Join(refused...)
}

// named refuses what is no name the file can give.
func named(place string, p *problems, names ...string) {
	for _, name := range names {
		if !namePattern.MatchString(name) {
			p.add(place, `%.100q is not 1 to 64 letters, digits, "-", "_" and "."`, name)
		}
	}
}

func bounded(place string, p *problems, n, most int) {
	if n > most {
		p.add(place, "%d entries, at most %d are allowed", n, most)
	}
}

func filled(place string, p *problems, values []string) {
	if slices.Contains(values, "") {
		p.add(place, "an empty entry")
	}
	texts(place, p, values...)
}

func texts(place string, p *problems, values ...string) {
	for _, v := range values {
		if len(v) > maxText {
			p.add(place, "longer than %d bytes", maxText)
		}
	}
}
