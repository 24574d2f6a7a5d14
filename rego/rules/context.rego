# METADATA
# title: Encryption context
# description: >-
#   Names and values that KMS binds to a data key, that key policies can ask for, and
#   that CloudTrail shows in the clear.
package sealgate.rules.context

import data.sealgate.join
import data.sealgate.lib.modes

# METADATA
# title: A required context entry must not be contradicted
# description: >-
#   Entries the requirement asks for are added to the client's context; a client that
#   gives one of them another value is refused, because key policies rely on them.
# related_resources:
#   - ref: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
# custom:
#   id: CTX-001
#   severity: high
#   remediation: Leave the entry out, or give it the value the posture gives it.
#   controls: ["NIST-800-53:AC-3", "NIST-800-53:SC-12"]
deny contains {
	"id": "CTX-001",
	"msg": concat("", ["the encryption context must not change ", name]),
	"path": "encryption.requested.context",
} if {
	some name, value in input.encryption.requested.context
	join.encryption.on_conflict != "replace"
	join.encryption.context[name] != value
}

# METADATA
# title: No personal data in the encryption context
# description: >-
#   The context is no secret: it stands in the clear in the log of the key service and
#   in every copy of that log. Where the posture names a classification, an e-mail
#   address in it is refused, whether the client or a requirement put it there.
# related_resources:
#   - ref: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
# custom:
#   id: CTX-002
#   severity: medium
#   remediation: Use a number or a name that only your own systems can resolve.
#   controls: ["NIST-800-53:SI-12(1)"]
deny contains {
	"id": "CTX-002",
	"msg": "the encryption context holds an e-mail address",
	"path": "encryption.requested.context",
} if {
	input.posture.classification != ""
	some name, value in given
	regex.match(address, concat(" ", [name, value]))
}

address := `[^@\s]+@[^@\s]+\.[^@\s]`

# METADATA
# title: The context entries the posture asks for are there
# description: >-
#   Key policies and audits go by entries of the context. The posture says which must
#   be there; their values come from the client, or from a requirement of the site.
#   Parts and completions of an upload take the context it was begun with.
# custom:
#   id: CTX-003
#   severity: medium
#   remediation: Send the entry in x-amz-server-side-encryption-context, or give it in the posture's context.
#   controls: ["NIST-800-53:AU-3", "NIST-800-53:SC-12"]
deny contains {
	"id": "CTX-003",
	"msg": concat("", ["the encryption context lacks ", name]),
	"path": "encryption.requested.context",
} if {
	some name in input.posture.required_context
	input.request.class == "write"
	by_key_service
	not input.request.multipart.active
	not given[name]
}

# The context a write would get.
given := join.encryption.context if join.encryption.on_conflict == "replace"

given := object.union(input.encryption.requested.context, join.encryption.context) if {
	join.encryption.on_conflict != "replace"
}

# Only KMS knows a context: where it is required, or where the client may choose it.
by_key_service if join.encryption.mode in modes.kms

by_key_service if {
	join.encryption.on_conflict in modes.keeps
	input.encryption.requested.mode in modes.kms
	join.encryption.mode != "cse"
}
