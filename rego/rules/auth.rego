# METADATA
# title: Who asks
package sealgate.rules.auth

# METADATA
# title: A signature must have been checked
# description: >-
#   A request that carries a signature is refused unless that signature is good:
#   otherwise anyone could name another's access key.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
# custom:
#   id: AUT-001
#   severity: critical
#   remediation: Sign the request with the client's current secret.
#   controls: ["NIST-800-53:IA-2", "NIST-800-53:SC-23", "PCI-DSS:8.3.1"]
deny contains {
	"id": "AUT-001",
	"msg": "the signature was not verified",
	"path": "identity.verified",
} if {
	not input.identity.verified
	input.identity.auth_method != "anonymous"
}

# METADATA
# title: Without a signature only reading
# description: >-
#   Requests without a signature may read and list, as far as a grant names
#   "anonymous"; they may change nothing.
# custom:
#   id: AUT-002
#   severity: critical
#   remediation: Sign the request.
#   controls: ["NIST-800-53:AC-3", "NIST-800-53:AC-14", "PCI-DSS:7.2.1"]
deny contains {
	"id": "AUT-002",
	"msg": "requests without a signature may only read",
	"path": "identity.auth_method",
} if {
	input.identity.auth_method == "anonymous"
	not reading
}

reading if {
	input.request.class in {"read", "list"}
	input.request.read_only
}

# Browsers sign no preflight. It is granted like reading the bucket's CORS rules.
reading if input.request.operation == "OptionsPreflight"

# METADATA
# title: What is written is covered by the signature
# description: >-
#   Where the posture asks for strong checksums, the signature must cover the body: by
#   its hash, chunk by chunk, or by a strong checksum in a header, which is signed. A
#   checksum that follows the body unsigned, as SDKs send it by default over TLS, is
#   protected by the connection alone. Where that is enough, the posture may set this
#   rule to warn.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
# custom:
#   id: AUT-003
#   severity: medium
#   remediation: Send the body's SHA-256 in x-amz-checksum-sha256, or let the client sign payloads.
#   controls: ["NIST-800-53:SC-8(1)", "NIST-800-53:SI-7"]
deny contains {
	"id": "AUT-003",
	"msg": "the body must be covered by the signature",
	"path": "request.payload",
} if {
	input.request.payload == "unsigned-trailer"
	input.posture.checksum == "strong"
}

deny contains {
	"id": "AUT-003",
	"msg": "the body must be covered by the signature",
	"path": "request.payload",
} if {
	input.request.payload == "unsigned"
	input.posture.checksum == "strong"
	not input.request.checksum in {"sha256", "sha512"}
}
