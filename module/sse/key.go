package sse

import "strings"

// keyName is a KMS key id taken apart.
type keyName struct {
	scope string // "arn:aws:kms:eu-central-1:111122223333" of a full ARN, else ""
	alias bool
	name  string // key id or alias name
}

// SameKey reports whether two ids are known to name the same KMS key without
// asking KMS. It knows these forms:
//
//	1234abcd-…, mrk-…, NAME                      id, or the key name of another store
//	arn:aws:kms:REGION:ACCOUNT:key/ID            ARN
//	alias/NAME, arn:aws:kms:REGION:ACCOUNT:alias/NAME
//	arn:aws:kms:NAME                             MinIO's way of writing NAME
//
// Two full ARNs are the same only if they are equal; an id is the same as an
// ARN that ends in it, whatever region and account the ARN names; likewise for
// aliases among themselves. MinIO's form is the same as the NAME in it and as
// nothing else. Comparison is by byte. Everything else is false: an alias and a
// key may well belong together, but only KMS can tell. The empty id names no
// key and is the same as none.
func SameKey(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	if a == b {
		return true
	}
	x, y := parseKey(a), parseKey(b)
	if x.alias != y.alias || x.name != y.name {
		return false
	}
	return x.scope == y.scope || isPlain(a, x) || isPlain(b, y)
}

// isPlain reports whether id is a bare id or alias, which fits any scope.
// MinIO's form has no scope either but belongs to a store without accounts.
func isPlain(id string, k keyName) bool { return k.scope == "" && !strings.HasPrefix(id, "arn:") }

func isAlias(id string) bool { return parseKey(id).alias }

func parseKey(id string) keyName {
	k := keyName{name: id}
	if rest, ok := strings.CutPrefix(id, "arn:"); ok {
		parts := strings.SplitN(rest, ":", 5) // partition, service, region, account, resource
		resource := parts[len(parts)-1]
		switch {
		case len(parts) == 3 && parts[0] == "aws" && parts[1] == "kms":
			k.name = resource
		case len(parts) == 5 && parts[1] == "kms" && strings.HasPrefix(resource, "key/"):
			k.scope, k.name = strings.TrimSuffix(id, ":"+resource), strings.TrimPrefix(resource, "key/")
			return k
		case len(parts) == 5 && parts[1] == "kms" && strings.HasPrefix(resource, "alias/"):
			k.scope, k.name = strings.TrimSuffix(id, ":"+resource), resource
		default:
			return k // no form we know: the same as itself only
		}
	}
	if name, ok := strings.CutPrefix(k.name, "alias/"); ok {
		k.alias, k.name = true, name
	}
	return k
}
