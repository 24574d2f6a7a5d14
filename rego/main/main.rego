# METADATA
# title: The decision
# description: >-
#   The one rule the gateway asks. It collects findings and the joined encryption
#   requirements; nothing here is written by a site.
package sealgate.main

import data.sealgate.join

# METADATA
# entrypoint: true
decision := {
	"schema": "sealgate.decision/v1",
	"allow": allow,
	"findings": findings,
	"encryption": join.encryption,
	"on_read": join.on_read,
}

default allow := false

allow if count(findings) == 0

findings contains finding if some finding in data.sealgate.rules[_].deny

findings contains finding if some finding in data.site.rules[_].deny

findings contains finding if some finding in join.conflicts

findings contains {
	"id": "ENC-001",
	"msg": "nothing says how objects here must be encrypted",
	"path": "posture.id",
} if {
	input.request.class == "write"
	count(join.requirements) == 0
}

findings contains {
	"id": "GRT-000",
	"msg": concat("", ["no grant allows ", action]),
	"path": "grants.missing",
} if {
	some action in input.grants.missing
}
