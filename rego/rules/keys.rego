# METADATA
# title: Keys clients name
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

permitted(key, allowed) if key in allowed

permitted(key, allowed) if {
	some known in allowed
	endswith(known, concat("", [":key/", key]))
}

# MinIO writes its key names as ARNs without a region and an account.
permitted(key, allowed) if {
	some known in allowed
	concat("", ["arn:aws:kms:", known]) == key
}

# METADATA
# title: SSE-C only where it is wanted
# description: >-
#   With SSE-C the client holds the key: nobody else can read the object, and losing
#   the key loses the data. It is refused unless the requirement is SSE-C itself, or
#   lets clients keep their choice and is no stronger.
# custom:
#   id: KEY-002
#   severity: high
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
	join.top <= modes.rank["sse-c"]
}
