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
# custom:
#   id: CPY-001
#   severity: high
deny contains {
	"id": "CPY-001",
	"msg": "the copy would be encrypted less strongly than its source",
	"path": "copy_source.encryption.mode",
} if {
	input.copy_source.present
	input.copy_source.encryption.rank > strength
}

# METADATA
# title: The encryption of a copy's source must be known
# custom:
#   id: CPY-002
#   severity: medium
deny contains {
	"id": "CPY-002",
	"msg": "the encryption of the copy source is not known",
	"path": "copy_source.encryption.mode",
} if {
	input.copy_source.present
	input.copy_source.encryption.mode == "unknown"
	join.top > 0
}
