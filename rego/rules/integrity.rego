# METADATA
# title: Integrity of what is written
# description: >-
#   TLS protects a body on its way to the gateway. A checksum that the client made is
#   checked by the gateway, goes on to the store, and can be compared years later.
package sealgate.rules.integrity

# METADATA
# title: A checksum comes with what is written
# description: >-
#   Where the posture asks for checksums, an upload must announce one: an
#   x-amz-checksum header or trailer, or Content-MD5. Copies have none to send.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
# custom:
#   id: INT-001
#   severity: medium
#   remediation: Use an SDK that sends checksums by default, or set request_checksum_calculation to when_supported.
#   controls: ["NIST-800-53:SC-8", "NIST-800-53:SI-7"]
deny contains {
	"id": "INT-001",
	"msg": "a checksum is required here",
	"path": "request.checksum",
} if {
	input.posture.checksum in {"required", "strong"}
	input.request.checksum == ""
	input.request.operation in uploads
}

# METADATA
# title: A strong checksum comes with what is written
# description: >-
#   CRCs find damage and not intent, and for MD5 and SHA-1 two bodies of the same sum
#   can be made. Where the posture asks for strong checksums, only SHA-256 and SHA-512
#   count.
# related_resources:
#   - ref: https://csrc.nist.gov/projects/hash-functions
# custom:
#   id: INT-002
#   severity: medium
#   remediation: Choose SHA256 as checksum algorithm, for example with --checksum-algorithm SHA256.
#   controls: ["NIST-800-53:SC-13", "NIST-800-53:SI-7", "NIST-800-53:SI-7(6)"]
deny contains {
	"id": "INT-002",
	"msg": "the checksum is not strong enough here",
	"path": "request.checksum",
} if {
	input.posture.checksum == "strong"
	input.request.checksum != ""
	not input.request.checksum in strong
	input.request.operation in uploads
}

uploads := {"PutObject", "PostObject", "UploadPart", "PutObjectAnnotation"}

strong := {"sha256", "sha512"}
