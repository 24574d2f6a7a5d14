# METADATA
# title: Transport security
# description: Facts of the connection the request came on, never of a header.
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
#   remediation: Use https, and a client that speaks TLS 1.2 or later.
#   controls:
#     - CIS-AWS:2.1.1
#     - NIST-800-53:AC-17(2)
#     - NIST-800-53:SC-8
#     - NIST-800-53:SC-8(1)
#     - PCI-DSS:4.2.1
deny contains {
	"id": "TLS-001",
	"msg": "TLS 1.2 or later is required",
	"path": "transport.tls_version",
} if {
	input.transport.tls_version_num < 12
	not input.transport.loopback
}

# METADATA
# title: The TLS version of the posture
# description: >-
#   A posture may ask for more than TLS 1.2. A connection from this machine itself is
#   exempt, as in TLS-001.
# custom:
#   id: TLS-002
#   severity: high
#   remediation: Use a client that speaks the version the posture names.
#   controls: ["NIST-800-53:SC-8", "NIST-800-53:SC-8(1)", "NIST-800-53:SC-13", "PCI-DSS:4.2.1"]
deny contains {
	"id": "TLS-002",
	"msg": "a later version of TLS is required here",
	"path": "transport.tls_version",
} if {
	input.transport.tls_version_num < input.posture.tls_min
	not input.transport.loopback
}

# METADATA
# title: Client certificates where the posture asks for them
# description: >-
#   A signature shows who holds a secret, a certificate also where it is held. The
#   server has checked the certificate; one that is not sent, or not asked for, is not
#   there. A connection from this machine is not exempt: who is behind it is the point.
# custom:
#   id: TLS-003
#   severity: high
#   remediation: Configure client_auth in the site's tls block, and the client with its certificate.
#   controls: ["NIST-800-53:IA-3", "NIST-800-53:SC-8", "NIST-800-53:SC-23"]
deny contains {
	"id": "TLS-003",
	"msg": "a client certificate is required here",
	"path": "transport.client_cert.present",
} if {
	input.posture.client_cert == "required"
	not input.transport.client_cert.present
}
