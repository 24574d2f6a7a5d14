# METADATA
# title: Copies
# description: >-
#   A copy is encrypted by the destination's requirement, never as its source was, so
#   without these rules copying would be the way to weaken an object.
package sealgate.rules.copy

import data.sealgate.join

# What the copy will have: a client that asks for more keeps it where it may.
strength := max({join.top, input.encryption.requested.rank}) if {
	join.encryption.on_conflict == "keep-if-stronger"
}

strength := join.top if join.encryption.on_conflict != "keep-if-stronger"

# METADATA
# title: A copy may not weaken encryption
# description: >-
#   The store encrypts a copy anew, by default with SSE-S3 whatever its source had.
#   A copy must have at least the strength of its source.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
# custom:
#   id: CPY-001
#   severity: high
#   remediation: Copy to a prefix whose posture is as strong, or ask for the source's encryption where the choice is kept.
#   controls: ["NIST-800-53:AC-4", "NIST-800-53:SC-28", "PCI-DSS:3.5.1"]
deny contains {
	"id": "CPY-001",
	"msg": "the copy would be encrypted less strongly than its source",
	"path": "copy_source.encryption.mode",
} if {
	input.copy_source.present == true
	input.copy_source.encryption.rank > strength
}

# METADATA
# title: The encryption of a copy's source must be known
# description: >-
#   Whether a copy weakens its source can only be judged when the store says how the
#   source is encrypted. Where something is required, an unknown source is refused.
# custom:
#   id: CPY-002
#   severity: medium
#   remediation: Read the object and write it anew, or let the gateway look at the source (HeadObject).
#   controls: ["NIST-800-53:AC-4", "NIST-800-53:SC-28"]
deny contains {
	"id": "CPY-002",
	"msg": "the encryption of the copy source is not known",
	"path": "copy_source.encryption.mode",
} if {
	input.copy_source.present == true
	input.copy_source.encryption.mode == "unknown"
	join.top > 0
}

# METADATA
# title: Copies do not leave a tenant
# description: >-
#   What a tenant's prefix holds may only be copied within that tenant's prefixes: a
#   copy elsewhere hangs on another key, or on none of the tenant's. Into a tenant's
#   prefix anything may be copied that is no other tenant's. Whoever reads an object
#   and writes it anew is not seen; grants keep tenants apart there.
# custom:
#   id: CPY-003
#   severity: high
#   remediation: Copy within the tenant's own prefixes.
#   controls: ["NIST-800-53:AC-4", "NIST-800-53:SC-28(3)"]
deny contains {
	"id": "CPY-003",
	"msg": "the source of the copy is another tenant's",
	"path": "copy_source.tenant",
} if {
	input.copy_source.present == true
	input.copy_source.tenant != ""
	input.copy_source.tenant != input.posture.tenant
}
