# METADATA
# title: Joining encryption requirements by strength
# description: >-
#   Any package under data.sealgate.encryption or data.site.encryption may require an
#   encryption. The strongest mode wins. Requirements of that strength must agree on
#   key, keyring and bucket key, and their contexts must not contradict each other;
#   otherwise ENC-000 denies. What the strongest leave open is taken from the posture.
package sealgate.join

import data.sealgate.lib.modes

requirements contains r if some r in data.sealgate.encryption[_].require

requirements contains r if {
	input.request.class in {"write", "read"}
	some r in data.site.encryption[_].require
}

# Nearly every write: the posture is all there is, and nothing needs joining.
posture_alone if {
	input.request.class == "write"
	input.posture.id != ""
	count(requirements) == 1
}

several if {
	input.request.class == "write"
	not posture_alone
}

# What an operation that writes nothing gets, and a write nothing is required of.
default encryption := {
	"mode": "unchanged",
	"key_id": "",
	"keyring": "",
	"context": {},
	"bucket_key": "unset",
	"on_conflict": "reject",
	"allowed_keys": [],
}

encryption := {
	"mode": input.posture.mode,
	"key_id": input.posture.key_id,
	"keyring": input.posture.keyring,
	"context": input.posture.context,
	"bucket_key": input.posture.bucket_key,
	"on_conflict": input.posture.on_conflict,
	"allowed_keys": input.posture.allowed_keys,
} if {
	posture_alone
}

# The default of a bucket, where the posture says that what conflicts is replaced.
encryption := {
	"mode": input.posture.mode,
	"key_id": input.posture.key_id,
	"keyring": "",
	"context": {},
	"bucket_key": input.posture.bucket_key,
	"on_conflict": "replace",
	"allowed_keys": input.posture.allowed_keys,
} if {
	replaces_default
}

replaces_default if {
	input.request.operation == "PutBucketEncryption"
	input.posture.on_conflict == "replace"
	input.posture.mode in {"sse-s3", "sse-kms", "dsse-kms"}
}

encryption := {
	"mode": mode,
	"key_id": key_id,
	"keyring": keyring,
	"context": context,
	"bucket_key": bucket_key,
	"on_conflict": on_conflict,
	"allowed_keys": allowed_keys,
} if {
	several
}

# The rank a write is required to have; -1 when nothing is required.
default top := -1

top := max({rank(r) | some r in requirements})

# What is not a requirement ranks above all that are, so that it cannot be lost.
rank(r) := modes.rank[r.mode] if well_formed(r)

rank(r) := 99 if not well_formed(r)

well_formed(r) if {
	modes.rank[r.mode]
	every name, _ in r {
		name in fields
	}
	keys := object.get(r, "allowed_keys", [])
	true in {is_array(keys), is_set(keys)}
}

fields := {
	"mode",
	"key_id",
	"keyring",
	"context",
	"bucket_key",
	"on_conflict",
	"allowed_keys",
	"on_read",
}

strongest contains r if {
	some r in requirements
	rank(r) == top
}

# "malformed" is no mode: the gateway refuses the decision as a fault.
mode := "malformed" if top == 99

mode := m if {
	top != 99
	some m in {r.mode | some r in strongest}
}

# The values the strongest requirements give a field; neutral ones say nothing.
said(field) := {v |
	some r in strongest
	v := r[field]
	not v in {"", "unset"}
}

# With several values there is a finding, so which one is shown does not matter.
one(values, otherwise) := otherwise if count(values) == 0

else := min(values)

# A stronger requirement that names no key keeps the posture's. Only a posture of a
# KMS mode has one.
default inherited_key := ""

inherited_key := input.posture.key_id if mode in modes.kms

default inherited_context := {}

inherited_context := input.posture.context if mode in modes.kms

key_id := one(said("key_id"), inherited_key)

keyring := one(said("keyring"), "")

bucket_key := one(said("bucket_key"), "unset")

contexts := array.concat([inherited_context], [c |
	some r in strongest
	c := r.context
])

context := object.union_n(contexts)

# The strictest of what is said, else the posture's. An unknown word counts as the
# strictest, reaches the decision, and is refused there.
on_conflict := strictest(said("on_conflict"), conflict_order, input.posture.on_conflict)

conflict_order := {"reject": 1, "replace": 2, "keep-if-allowed": 3, "keep-if-stronger": 4}

read_order := {"reject": 1, "pass-through": 2, "decrypt": 3}

strictest(words, order, otherwise) := one(
	{word |
		some word in words
		object.get(order, word, 0) == min({object.get(order, w, 0) | some w in words})
	},
	otherwise,
)

# Lists of equal strength intersect; the key that is required is always allowed.
allowed_keys := sort(keys | {key_id | key_id != ""}) if {
	count(lists) > 0
	keys := intersection(lists)
}

allowed_keys := [key_id] if {
	count(lists) == 0
	count(said("key_id")) > 0
}

allowed_keys := input.posture.allowed_keys if {
	count(lists) == 0
	count(said("key_id")) == 0
}

lists := {list |
	some r in strongest
	list := {key | some key in r.allowed_keys}
	count(list) > 0
}

# The keys each of the strongest accepts, if it says which. A key must be left to all.
accepted := {keys |
	some r in strongest
	list := {key | some key in r.allowed_keys}
	count(list) > 0
	keys := list | {key | key := object.get(r, "key_id", ""); key != ""}
}

no_key_left if {
	count(accepted) > 0
	count(intersection(accepted)) == 0
}

no_key_left if {
	count(accepted) > 0
	key_id != ""
	not key_id in intersection(accepted)
}

# Unlike the encryption, what readers are given may come from any requirement.
on_read := "malformed" if malformed

else := input.posture.on_read if count(read_words) == 0

else := strictest(read_words | {input.posture.on_read}, read_order, "decrypt")

# The posture's own requirement is well formed; looking at it would cost every write.
malformed if {
	not posture_alone
	top == 99
}

read_words contains word if {
	some r in requirements
	word := object.get(r, "on_read", "")
	word != ""
}

# METADATA
# title: Requirements agree
# description: >-
#   Where two requirements of the same strength name different keys, keyrings, bucket
#   keys or values of a context entry, either answer would be wrong for one of them,
#   so there is none.
# custom:
#   id: ENC-000
#   severity: critical
#   remediation: Let one of the requirements leave the field out, or make it the stronger one.
#   controls: ["NIST-800-53:SC-12", "NIST-800-53:SC-28"]
conflicts contains {
	"id": "ENC-000",
	"msg": concat("", ["requirements of equal strength disagree on ", field]),
	"path": "encryption",
} if {
	several
	some field in ["key_id", "keyring", "bucket_key"]
	count(said(field)) > 1
}

conflicts contains {
	"id": "ENC-000",
	"msg": "requirements of equal strength leave no key that all of them allow",
	"path": "encryption",
} if {
	several
	mode in modes.kms
	no_key_left
}

conflicts contains {
	"id": "ENC-000",
	"msg": concat("", ["requirements of equal strength disagree on the context entry ", name]),
	"path": "encryption",
} if {
	several
	some i, j
	value := contexts[i][name]
	contexts[j][name] != value
}
