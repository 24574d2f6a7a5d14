# METADATA
# title: The decision
# description: >-
#   The one rule the gateway asks. It collects findings, gives each the action the
#   posture says, and adds the joined encryption requirements. Nothing here is written
#   by a site, and an action never changes the encryption.
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

allow if {
	every finding in findings {
		finding.action in {"warn", "audit"}
	}
}

# Of nearly every request nothing was found, and there is no more to look at.
findings := set() if count(raised) == 0

else := (judged | malformed) | about_waivers

# METADATA
# title: A break-glass window was used
# description: It lifted a finding that would have refused the request.
# custom:
#   id: BRK-001
#   severity: high
#   remediation: Look into the ticket, and take the entry out of the posture when the emergency is over.
#   controls: ["NIST-800-53:AC-6(9)", "NIST-800-53:AU-2"]
about_waivers contains {
	"id": "BRK-001",
	"msg": concat("", ["break-glass ", waiver.id, " (", waiver.ticket, ") lifted ", waiver.rule]),
	"path": "posture.waivers",
	"action": "audit",
	"waiver": "",
} if {
	some waiver in input.posture.waivers
	waiver.kind == "break-glass"
	some finding in judged
	finding.id == waiver.rule
	finding.waiver == waiver.id
}

# METADATA
# title: A break-glass window did not help
# description: >-
#   It is there for this resource and identity, but is over, or does not name a rule
#   that refused the request.
# custom:
#   id: BRK-002
#   severity: medium
#   remediation: Extend the entry, or name the rule in it, if the emergency goes on.
#   controls: ["NIST-800-53:AU-2"]
about_waivers contains {
	"id": "BRK-002",
	"msg": concat("", ["break-glass ", waiver.id, reason, finding.id]),
	"path": "posture.waivers",
	"action": "audit",
	"waiver": "",
} if {
	some waiver in input.posture.waivers
	reason := {
		"break-glass": " does not lift ",
		"ended": " is over and does not lift ",
	}[waiver.kind]
	some finding in judged
	finding.action == "deny"
	not_lifted(waiver, finding.id)
}

# Of a window that is over only the rules it named are of interest.
not_lifted(waiver, rule) if waiver.rule == rule

not_lifted(waiver, _) if waiver.kind == "break-glass"

# Findings with what comes of them; those of a rule that is off are left out.
judged contains object.union(object.union({"path": ""}, finding), {"action": action, "waiver": waiver}) if {
	some finding in raised
	well_formed(finding)
	[action, waiver] := outcome(finding.id)
	action != "off"
}

# What is no finding has no action here, so that it denies, and makes the gateway refuse
# the decision.
malformed contains {"malformed": finding} if {
	some finding in raised
	not well_formed(finding)
}

# A finding that came with an action of its own would be one that was forged, and so
# would one about break-glass: those are made here.
well_formed(finding) if {
	is_string(finding.id)
	not startswith(finding.id, "BRK-")
	every name, _ in finding {
		name in {"id", "msg", "path"}
	}
}

# The gateway works out the same once more and takes a difference for a fault.
outcome(id) := ["deny", ""] if locked(id)

else := [action, ""] if action := input.posture.actions[id]

else := [input.posture.enforcement, ""] if input.posture.enforcement != "enforce"

else := ["warn", waiver] if waiver := lifting(id)[0]

else := ["deny", ""]

# The ids of the entries that lift a rule, the one to name first.
lifting(rule) := [waiver.id |
	some waiver in input.posture.waivers
	waiver.rule == rule
	waiver.kind != "ended"
]

# No action, exception, break-glass window or enforcement changes these.
locked(id) if id in {"ENC-000", "ENC-001", "GRT-000", "AUT-001", "AUT-002"}

locked(id) if startswith(id, "EVL-")

locked(id) if startswith(id, "ENF-")

# Everything that was found.
raised contains finding if some finding in data.sealgate.rules[_].deny

raised contains finding if some finding in data.site.rules[_].deny

raised contains finding if {
	join.several
	some finding in join.conflicts
}

# METADATA
# title: Nothing says how to encrypt
# description: >-
#   A write must be covered by the posture or by a site's requirement. Without one
#   nobody would know that an object is stored in the clear.
# custom:
#   id: ENC-001
#   severity: critical
#   remediation: Add the bucket and prefix to the posture.
#   controls: ["NIST-800-53:SC-28", "NIST-800-53:SC-28(1)"]
raised contains {
	"id": "ENC-001",
	"msg": "nothing says how objects here must be encrypted",
	"path": "posture.id",
} if {
	input.request.class == "write"
	count(join.requirements) == 0
}

# METADATA
# title: No grant
# description: Every action a request needs must be allowed by a grant of the posture.
# custom:
#   id: GRT-000
#   severity: high
#   remediation: Add a grant with the action, the resource and the principal or one of its groups.
#   controls: ["NIST-800-53:AC-3", "NIST-800-53:AC-6"]
raised contains {
	"id": "GRT-000",
	"msg": concat("", ["no grant allows ", action]),
	"path": "grants.missing",
} if {
	some action in input.grants.missing
}
