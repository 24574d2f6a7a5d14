# METADATA
# title: Encryption context
package sealgate.rules.context

import data.sealgate.join

# METADATA
# title: A required context entry must not be contradicted
# description: >-
#   Entries the requirement asks for are added to the client's context; a client that
#   gives one of them another value is refused, because key policies rely on them.
# custom:
#   id: CTX-001
#   severity: high
deny contains {
	"id": "CTX-001",
	"msg": concat("", ["the encryption context must not change ", name]),
	"path": "encryption.requested.context",
} if {
	some name, value in input.encryption.requested.context
	join.encryption.on_conflict != "replace"
	join.encryption.context[name] != value
}
