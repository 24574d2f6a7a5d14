# METADATA
# title: Transport security
package sealgate.rules.tls

# METADATA
# title: TLS 1.2 or later
# description: >-
#   Requests must arrive over TLS 1.2 or later. A connection from this machine itself
#   is exempt, because nothing of it leaves the machine: input.transport.loopback is
#   a fact of the connection, never of a header.
# custom:
#   id: TLS-001
#   severity: high
deny contains {
	"id": "TLS-001",
	"msg": "TLS 1.2 or later is required",
	"path": "transport.tls_version",
} if {
	input.transport.tls_version_num < 12
	not input.transport.loopback
}
