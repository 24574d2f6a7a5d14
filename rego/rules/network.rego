# METADATA
# title: Where requests come from
package sealgate.rules.network

# METADATA
# title: Only from the networks of the posture
# description: >-
#   A stolen access key is worth less where it only works from known networks. The
#   address is that of the connection, or what a trusted proxy of the server names; an
#   address in no named network, or none at all, is outside.
# custom:
#   id: NET-001
#   severity: high
#   remediation: Come from one of the networks the posture names for this prefix.
#   controls: ["NIST-800-53:AC-3", "NIST-800-53:AC-17", "NIST-800-53:SC-7", "PCI-DSS:1.4.4"]
deny contains {
	"id": "NET-001",
	"msg": "requests from this network are not allowed here",
	"path": "transport.networks",
} if {
	input.posture.networks[0]
	not inside
}

inside if {
	some network in input.transport.networks
	network in input.posture.networks
}
