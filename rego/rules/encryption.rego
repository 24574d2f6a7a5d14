# METADATA
# title: Strength of encryption
# description: >-
#   That requirements agree (ENC-000) and that there is one (ENC-001) is judged where
#   they are joined; here is what a classification adds.
package sealgate.rules.encryption

import data.sealgate.join
import data.sealgate.lib.modes

# METADATA
# title: A write meets the floor of its classification
# description: >-
#   A classification says how strongly its data must be encrypted at least. The loader
#   refuses a prefix below it; this rule holds whatever becomes of the loader, and also
#   where the floor of a prefix was changed by a requirement.
# custom:
#   id: ENC-002
#   severity: critical
#   remediation: Raise the mode of the prefix to the floor of its classification.
#   controls: ["NIST-800-53:SC-13", "NIST-800-53:SC-28", "NIST-800-53:SC-28(1)", "PCI-DSS:3.5.1"]
deny contains {
	"id": "ENC-002",
	"msg": concat("", ["data of the class ", input.posture.classification, " must be encrypted more strongly"]),
	"path": "posture.floor",
} if {
	input.posture.classification != ""
	input.request.class == "write"
	join.top < modes.rank[input.posture.floor]
}
