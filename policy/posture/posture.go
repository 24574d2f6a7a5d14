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
// # Names, classes and profiles
//
//	classifications:
//	  restricted: {floor: cse}
//	keys:
//	  eu: {id: "arn:aws:kms:eu-central-1:111122223333:key/1234", tenants: [blue]}
//	keyrings: {vault-a: {tenants: [blue]}}
//	networks:
//	  office: ["192.0.2.0/24", "2001:db8::/32"]
//	profiles:
//	  kms: {mode: sse-kms, key_id: eu, context: {department: x}}
//	buckets:
//	  blue:
//	    "": {profile: kms, tenant: blue}
//	    secret/: {mode: cse, classification: restricted, keyring: vault-a, networks: [office]}
//
// A prefix of a class has a mode no weaker than the class's floor, or the file does not
// load. Once the file has the section, key_id and allowed_keys are a name of keys or
// what KMS takes for a key, and keyrings are those that are listed. An entry that names a
// profile takes from it every field it does not have itself.
//
// Further fields of an entry are facts for rules, which the library's rules act upon:
// tenant, residency (regions), networks, checksum (required, strong), presign (all,
// read, none), presign_max_s, deletes (allow, deny), max_delete_keys, required_context,
// min_tls ("1.2", "1.3"), client_cert (required).
//
// # What comes of findings
//
// A finding denies, unless the file says otherwise:
//
//	enforcement: warn        # for everything; an entry or profile may have its own
//	rules:
//	  PRE-001: {action: warn, then: deny, on: 2027-02-01}
//	exceptions:
//	  - {id: import, rules: [KEY-001], resources: ["blue/import/*"], until: 2027-01-31,
//	     owner: team-x, ticket: SEC-1234}
//	break_glass:
//	  - {id: inc-77, rules: [NET-001], resources: ["*"], groups: [sec-oncall],
//	     from: 2026-11-23T10:00:00Z, until: 2026-11-23T14:00:00Z, owner: soc, ticket: INC-77}
//
// Actions are deny, warn, audit and off; then counts from the beginning of a day in UTC.
// Enforcement turns what would deny into a warning or an entry in the record. An
// exception turns what would deny into a warning until the end of a day in UTC, for the
// resources and, if it names some, the principals and groups it is for, which match as
// in grants. A break-glass window does the same for at most 24 hours and is a finding
// of its own, BRK-001. Nothing here changes how an object is encrypted, and the rules
// of Locked always deny.
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

	Profile         string // the profile that filled what the entry left out, "" none
	Classification  string
	Floor           Mode // weakest mode of the class, "" none
	Tenant          string
	Enforcement     string   // of the entry, or of the file
	Residency       []string // regions, empty = everywhere
	Networks        []string // names of networks, empty = from everywhere
	Checksum        string   // "", Required or ChecksumStrong
	Presign         string
	PresignMaxS     int // seconds, 0 = not said
	Deletes         string
	MaxDeleteKeys   int // 0 = not said
	RequiredContext []string
	TLSMin          int    // 12 or 13, 0 = not said
	ClientCert      string // "" or Required
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
	exact    map[string]*bucket
	globs    []*bucket       // most literal characters first
	patterns tree[[]*bucket] // the same, by what stands before the first '*'
	grants   grants

	enforcement string
	keyTenants  map[string][]string
	networks    networks
	rules       []ruleAction
	waivers     waivers
	epochs      epochs
	actions     []map[string]string // by epoch
	unused      []Notice
}

// bucket holds the rules of one bucket pattern.
type bucket struct {
	glob     glob
	rules    []*Rule // sorted by prefix
	prefixes tree[Rule]
}

// bucket returns the pattern that applies to a bucket, nil when there is none.
func (p *Posture) bucket(name string) *bucket {
	if name == "" {
		return nil
	}
	if b, ok := p.exact[name]; ok {
		return b
	}
	var best *bucket
	for n, rest := &p.patterns.root, name; n != nil; n, rest = n.next(rest) {
		if n.value == nil {
			continue
		}
		for _, b := range *n.value { // most literal first
			if best != nil && best.glob.literal() >= b.glob.literal() {
				break
			}
			if b.glob.match(name) {
				best = b
				break
			}
		}
	}
	return best
}

// Resolve returns the rule for an object, or for a bucket when key is empty; nil
// when the posture does not cover it.
func (p *Posture) Resolve(bucket, key string) *Rule {
	b := p.bucket(bucket)
	if b == nil {
		return nil
	}
	return b.prefixes.longest(key)
}

// Enforcement is what the file says for everything that has no enforcement of its own.
func (p *Posture) Enforcement() string { return p.enforcement }

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
