# METADATA
# title: Keys of KMS
package sealgate.rules.keys

import data.sealgate.join
import data.sealgate.lib.modes

# METADATA
# title: A KMS key a client names must be allowed
# description: >-
#   The key a write, a bucket default or a re-encryption names must be the required
#   one or in allowed_keys. A bare key id also names the key of that id in an allowed
#   ARN: the store looks it up in the gateway's own account. Where the requirement
#   replaces the client's choice (on_conflict replace) the named key of a write is
#   never used and not judged.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
# custom:
#   id: KEY-001
#   severity: high
#   remediation: Name the key of the posture, or none; or add the key to allowed_keys.
#   controls: ["NIST-800-53:SC-12", "NIST-800-53:SC-28(3)", "PCI-DSS:3.6.1"]
deny contains {
	"id": "KEY-001",
	"msg": "the KMS key is not allowed here",
	"path": "encryption.requested.key_id",
} if {
	input.encryption.requested.key_id != ""
	input.request.class == "write"
	join.encryption.on_conflict != "replace"
	not permitted(input.encryption.requested.key_id, join.encryption.allowed_keys)
}

deny contains {
	"id": "KEY-001",
	"msg": "the KMS key in the document is not allowed here",
	"path": setting.path,
} if {
	input.request.operation in {"PutBucketEncryption", "UpdateObjectEncryption"}
	some setting in input.document.settings
	setting.key_id != ""
	not permitted(setting.key_id, input.posture.allowed_keys)
}

permitted(key, allowed) if {
	some known in allowed
	same(known, key)
}

# Whether a request that names a key means a known one.
same(known, key) if known == key

same(known, key) if endswith(known, concat("", [":key/", key]))

same(known, key) if concat("", [short_arn, known]) == key

# MinIO writes its key names as ARNs without a region and an account.
short_arn := "arn:aws:kms:"

# METADATA
# title: SSE-C only where it is wanted
# description: >-
#   With SSE-C the client holds the key: nobody else can read the object, and losing
#   the key loses the data. It is refused unless the requirement is SSE-C itself, or
#   lets clients keep their choice and is no stronger.
# custom:
#   id: KEY-002
#   severity: high
#   remediation: Leave the customer key out; the gateway applies what the posture requires.
#   controls: ["NIST-800-53:CP-9", "NIST-800-53:SC-12", "PCI-DSS:3.7.1"]
deny contains {
	"id": "KEY-002",
	"msg": "customer-provided keys (SSE-C) are not allowed here",
	"path": "encryption.requested.mode",
} if {
	input.encryption.requested.mode == "sse-c"
	input.request.class == "write"
	join.encryption.mode != "sse-c"
	not left_to_client
}

left_to_client if {
	join.encryption.on_conflict in modes.keeps
	join.encryption.mode in {"none", "sse-s3"}
}

# METADATA
# title: A tenant's key is for that tenant
# description: >-
#   A key that the posture names with tenants may only be used in prefixes of one of
#   them, so that no tenant's data hangs on another's key. A prefix without a tenant
#   is none of them.
# custom:
#   id: KEY-003
#   severity: high
#   remediation: Use a key of the prefix's own tenant, or add the tenant to the key in the posture.
#   controls: ["NIST-800-53:AC-4", "NIST-800-53:SC-12", "NIST-800-53:SC-28(3)", "PCI-DSS:3.6.1"]
deny contains {
	"id": "KEY-003",
	"msg": "the KMS key belongs to another tenant",
	"path": "posture.tenant",
} if {
	count(input.posture.key_tenants) > 0
	some key in used
	some name in {key, trim_prefix(key, short_arn)}
	tenants := input.posture.key_tenants[name]
	not input.posture.tenant in tenants
}

# METADATA
# title: Keys stay in the regions of the posture
# description: >-
#   What a key of another region encrypts can be read there, and not without it. The
#   region is taken from the key's ARN; a key without one is of the store's own region,
#   which RES-001 judges. Keys of replicas count: they say where the replicas are read.
# related_resources:
#   - ref: https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html
# custom:
#   id: KEY-004
#   severity: high
#   remediation: Use a key in a region that the posture's residency lists.
#   controls: ["NIST-800-53:SC-12", "NIST-800-53:SA-9(5)"]
deny contains {
	"id": "KEY-004",
	"msg": concat("", ["the KMS key is in the region ", region, ", which is not allowed here"]),
	"path": "posture.residency",
} if {
	input.posture.residency[0]
	some key in used
	[_, _, _, region, _, _] := split(key, ":")
	not region in input.posture.residency
}

# METADATA
# title: Tenants' keys are named by id
# description: >-
#   An alias can be pointed at another key at any time, by people who cannot change
#   the posture. Where the posture names a tenant, whose key it is must not depend on
#   that.
# related_resources:
#   - ref: https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html
# custom:
#   id: KEY-006
#   severity: medium
#   remediation: Name the key by its ARN.
#   controls: ["NIST-800-53:CM-3", "NIST-800-53:SC-12"]
deny contains {
	"id": "KEY-006",
	"msg": "the KMS key must be named by its id here, not by an alias",
	"path": "posture.key_id",
} if {
	input.posture.tenant != ""
	some key in used
	alias(key)
}

alias(key) if startswith(key, "alias/")

alias(key) if contains(key, ":alias/")

# The keys the request would use: what is required of it, what the client names and
# may keep, and what documents name.
used contains join.encryption.key_id

used contains input.encryption.requested.key_id if {
	input.request.class == "write"
	join.encryption.on_conflict != "replace"
}

used contains setting.key_id if some setting in input.document.settings
