package posture

import (
	"errors"
	"fmt"
	"slices"
)

// Identity is who asks, for the purpose of grants. Anonymous and Verified are
// never both true; with neither set no grant applies.
type Identity struct {
	Anonymous bool // no signature was given
	Verified  bool // a signature was given and is good
	Principal string
	Groups    []string
}

// Names with a meaning of their own in a grant's principals.
const (
	everyVerified = "*"
	anonymous     = "anonymous"
)

type grant struct {
	id        string
	actions   []glob
	resources []glob
}

func (g *grant) allows(action string) bool {
	return slices.ContainsFunc(g.actions, func(p glob) bool { return p.match(action) })
}

func (g *grant) covers(resource string) bool {
	return slices.ContainsFunc(g.resources, func(p glob) bool { return p.match(resource) })
}

func (g *grant) reaches(bucket string) bool {
	inside := bucket + "/"
	return slices.ContainsFunc(g.resources, func(p glob) bool {
		return p.match(bucket) || p.matchUnder(inside)
	})
}

// grants are indexed by who they are for, each list in the order of the file.
type grants struct {
	all       []*grant
	anonymous []*grant
	verified  []*grant
	principal map[string][]*grant
	group     map[string][]*grant
}

// each calls yield for the grants of an identity until it returns false.
func (g *grants) each(id Identity, yield func(*grant) bool) {
	switch {
	case id.Verified && !id.Anonymous:
		for _, list := range [2][]*grant{g.verified, g.principal[id.Principal]} {
			for _, x := range list {
				if !yield(x) {
					return
				}
			}
		}
		for _, name := range id.Groups {
			for _, x := range g.group[name] {
				if !yield(x) {
					return
				}
			}
		}
	case id.Anonymous && !id.Verified:
		for _, x := range g.anonymous {
			if !yield(x) {
				return
			}
		}
	}
}

// Missing returns the actions no grant allows the identity on a resource, and the
// ids of the grants that allow the others. As in IAM the resource of an operation
// on an object is "bucket/key", of one on a bucket (listing it included) "bucket",
// and of one on neither, such as ListBuckets, only the pattern "*" applies:
//
//	bucket          PutBucketEncryption on bucket
//	bucket/*        every object of bucket, not the bucket itself
//	bucket/logs/*   objects under logs/
//	bucket*         bucket, its objects, and every bucket with a longer name
//	*               everything, ListBuckets too
//
// Both slices are fresh and nil when empty.
func (p *Posture) Missing(id Identity, actions []string, bucket, key string) (ids, missing []string) {
	resource := bucket
	if key != "" {
		resource = bucket + "/" + key
	}
	for _, action := range actions {
		found := ""
		p.grants.each(id, func(g *grant) bool {
			if g.allows(action) && g.covers(resource) {
				found = g.id
			}
			return found == ""
		})
		switch {
		case found == "" || action == "":
			missing = append(missing, action)
		case !slices.Contains(ids, found):
			ids = append(ids, found)
		}
	}
	return ids, missing
}

// CheckActions gives every action of every grant to check, in the order of the file,
// and returns what check refuses, each error with its place. An action may be a
// pattern such as s3:Get*. Which actions there are is not known here.
func (p *Posture) CheckActions(check func(action string) error) error {
	var refused problems
	for _, g := range p.grants.all {
		for _, action := range g.actions {
			if err := check(action.text); err != nil {
				refused.add(fmt.Sprintf("grants[%s]", g.id), "actions: %w", err)
			}
		}
	}
	return errors.Join(refused...)
}

// Granted reports whether any grant could allow one of the actions on the bucket
// or on something in it. It never says no where Missing would say yes.
func (p *Posture) Granted(id Identity, actions []string, bucket string) bool {
	found := false
	p.grants.each(id, func(g *grant) bool {
		found = g.reaches(bucket) && slices.ContainsFunc(actions, g.allows)
		return !found
	})
	return found
}
