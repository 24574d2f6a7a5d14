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
	bucketPattern  = regexp.MustCompile(`^[A-Za-z0-9._*-]{1,255}$`)
	actionPattern  = regexp.MustCompile(`^(\*|s3:[A-Za-z*]+)$`)
	keyringPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

// maxText bounds every name, pattern and key id of the file, in bytes.
const maxText = 2048

// problems collects what is wrong, each with the place in the file.
type problems []error

func (p *problems) add(place, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %w", place, fmt.Errorf(format, args...)))
}

func (f *fileYAML) validate() error {
	if f.Version != 1 {
		return fmt.Errorf("version: must be 1, not %d", f.Version)
	}
	var p problems
	for _, name := range slices.Sorted(maps.Keys(f.Buckets)) {
		prefixes := f.Buckets[name]
		place := bucketPlace(name)
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
			prefixes[prefix].validate(rulePlace(name, prefix), &p)
		}
	}
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
		g.validate(place, &p)
	}
	return errors.Join(p...)
}

func (y ruleYAML) validate(place string, p *problems) {
	if y.Mode.Rank() < 0 {
		p.add(place, "mode: %q is not one of none, sse-s3, sse-c, sse-kms, dsse-kms, cse", y.Mode)
		return
	}
	oneOf := func(field, value string, values ...string) {
		if value != "" && !slices.Contains(values, value) {
			p.add(place, "%s: %q is not one of %s", field, value, strings.Join(values, ", "))
		}
	}
	oneOf("on_conflict", y.OnConflict, OnConflictReject, OnConflictReplace, OnConflictKeepStronger, OnConflictKeepIfAllowed)
	oneOf("on_read", y.OnRead, OnReadDecrypt, OnReadPassThrough, OnReadReject)
	oneOf("sealed", y.Sealed, SealedMixed, SealedAll)

	cse := y.Mode == ModeCSE
	onlyWith := func(field string, given, allowed bool, modes string) {
		if given && !allowed {
			p.add(place, "%s: has no meaning with mode %s, only with %s", field, y.Mode, modes)
		}
	}
	onlyWith("key_id", y.KeyID != "", y.Mode.KMS(), "sse-kms and dsse-kms")
	onlyWith("allowed_keys", y.AllowedKeys != nil, !cse, "modes that leave encryption to the store")
	onlyWith("keyring", y.Keyring != nil, cse, "cse")
	onlyWith("keyrings", y.Keyrings != nil, cse, "cse")
	onlyWith("context", y.Context != nil, y.Mode.KMS() || cse, "sse-kms, dsse-kms and cse")
	onlyWith("bucket_key", y.BucketKey != nil, y.Mode == ModeKMS, "sse-kms")
	onlyWith("sealed", y.Sealed != "", cse, "cse")

	texts(place+": key_id", p, y.KeyID)
	if y.Keyring != nil {
		keyrings(place+": keyring", p, *y.Keyring)
	}
	keyrings(place+": keyrings", p, y.Keyrings...)
	filled(place+": allowed_keys", p, y.AllowedKeys)
	for key, value := range y.Context {
		if key == "" {
			p.add(place, "context: an empty name")
		}
		texts(place+": context", p, key, value)
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
	if len(g.Resources) == 0 {
		p.add(place, "resources: missing")
	}
	texts(place+": id", p, g.ID)
	filled(place+": principals", p, g.Principals)
	filled(place+": groups", p, g.Groups)
	filled(place+": resources", p, g.Resources)
	for _, name := range g.Principals {
		if name != everyVerified && isGlob(name) {
			p.add(place, "principals: %q: a principal is a name or \"*\", not a pattern", name)
		}
	}
	for _, name := range g.Groups {
		if isGlob(name) {
			p.add(place, "groups: %q: a group is a name, not a pattern", name)
		}
	}
	for _, action := range g.Actions {
		if len(action) > maxText || !actionPattern.MatchString(action) {
			p.add(place, "actions: %.100q is not an action such as s3:GetObject or s3:Get*", action)
		}
	}
	for _, resource := range g.Resources {
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

func keyrings(place string, p *problems, names ...string) {
	for _, name := range names {
		if !keyringPattern.MatchString(name) {
			p.add(place, `%.100q is not 1 to 64 letters, digits, "-", "_" and "."`, name)
		}
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
