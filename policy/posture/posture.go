// Package posture reads posture.yaml: what must be true of the objects under which
// bucket and prefix, and who may do what.
//
// # Buckets
//
//	version: 1
//	buckets:
//	  logs-*:
//	    "": {mode: sse-s3, on_conflict: keep-if-stronger}
//	    audit/: {mode: sse-kms, key_id: arn:aws:kms:eu-central-1:111122223333:key/1234}
//
// One bucket pattern applies to a bucket: the exact name if the file has it,
// otherwise the matching pattern with the most literal characters. Two patterns
// with equally many that can match the same bucket are a load error. Within the
// pattern the longest prefix of the key applies; "" is every key. A key for which
// the pattern has no prefix is not covered: there is no falling back to another
// pattern, so that adding a bucket by name never leaves a looser pattern in force.
// Operations on a bucket itself are covered by the prefix "".
//
// With mode cse, keyring names the keyring that seals ("main" when it is left out),
// and keyrings names more of them whose objects may be read, as when moving from one
// to another:
//
//	vault/: {mode: cse, keyring: kms-2026, keyrings: [main]}
//
// # Grants
//
//	grants:
//	  - id: ingest
//	    principals: [loader]
//	    actions: [s3:PutObject, "s3:AbortMultipartUpload"]
//	    resources: [logs-a/*]
//
// The principal "*" is every verified principal; "anonymous" are requests without
// a signature and must be named. See Missing for how resources match.
//
// The file is read strictly: unknown and repeated fields, null values, anchors and
// a second document are errors. A Posture does not change once parsed and is safe
// for concurrent use.
package posture

import (
	"iter"
	"strings"
)

// Rule is what one prefix of one bucket pattern demands. Rules belong to their
// Posture and must not be modified.
type Rule struct {
	ID          string // BucketGlob + "/" + Prefix
	BucketGlob  string
	Prefix      string
	Mode        Mode
	KeyID       string   // "" = the store's default key
	AllowedKeys []string // KMS keys a client may name; holds KeyID when that is set
	Keyring     string   // seals what is written; set with ModeCSE and only then
	Keyrings    []string // what is read may be sealed under: Keyring first, each name once
	Context     map[string]string
	BucketKey   *bool // nil = not said
	OnConflict  string
	OnRead      string
	Sealed      string // what a reader may find under the prefix: SealedMixed or SealedAll
}

// What objects a prefix with mode cse holds.
const (
	SealedMixed = "mixed" // sealed and other objects; the default
	SealedAll   = "all"   // sealed objects only
)

// DefaultKeyring is the keyring of a rule with mode cse that names none.
const DefaultKeyring = "main"

// Posture is a parsed posture.yaml.
type Posture struct {
	exact  map[string]*bucket
	globs  []*bucket // most literal characters first
	grants grants
}

// bucket holds the rules of one bucket pattern.
type bucket struct {
	glob    glob
	rules   map[string]*Rule // by prefix
	lengths []int            // of the prefixes, longest first, each once
}

func (b *bucket) rule(key string) *Rule {
	for _, n := range b.lengths {
		if n > len(key) {
			continue
		}
		if r, ok := b.rules[key[:n]]; ok {
			return r
		}
	}
	return nil
}

// Resolve returns the rule for an object, or for a bucket when key is empty; nil
// when the posture does not cover it.
func (p *Posture) Resolve(bucket, key string) *Rule {
	if bucket == "" {
		return nil
	}
	if b, ok := p.exact[bucket]; ok {
		return b.rule(key)
	}
	for _, b := range p.globs {
		if b.glob.match(bucket) {
			return b.rule(key)
		}
	}
	return nil
}

// Rules yields every rule, in no particular order.
func (p *Posture) Rules() iter.Seq[*Rule] {
	return func(yield func(*Rule) bool) {
		for _, b := range p.exact {
			for _, r := range b.rules {
				if !yield(r) {
					return
				}
			}
		}
		for _, b := range p.globs {
			for _, r := range b.rules {
				if !yield(r) {
					return
				}
			}
		}
	}
}

func isGlob(name string) bool { return strings.Contains(name, "*") }
