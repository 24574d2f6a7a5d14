# METADATA
# title: Presigned URLs
# description: >-
#   A presigned URL is a password in a link. Reading ones may live as long as the
#   protocol allows, changing ones half a day; SDKs sign for 15 minutes to an hour
#   unless told otherwise.
package sealgate.rules.presign

# Seven days, the longest life signature version 4 knows.
max_read_s := 604800

# Twelve hours, the longest session of a role: no URL outlives its signer by much.
max_change_s := 43200

changing if not input.request.class in {"read", "list"}

# METADATA
# title: Presigned URLs must not live long
# description: >-
#   Whoever holds the link has what it allows, and it cannot be called back. Reading
#   ones may live seven days, changing ones twelve hours, and neither longer than the
#   presign_max_s of the posture.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
# custom:
#   id: PRE-001
#   severity: medium
#   remediation: Sign the URL anew, for a shorter time.
#   controls: ["NIST-800-53:AC-17", "NIST-800-53:IA-5", "PCI-DSS:7.2.1"]
deny contains {
	"id": "PRE-001",
	"msg": "the presigned URL is valid for too long",
	"path": "request.presign.expires_s",
} if {
	input.request.presign.active == true
	input.request.presign.expires_s > limit
}

deny contains {
	"id": "PRE-001",
	"msg": "the presigned URL is too old",
	"path": "request.presign.age_s",
} if {
	input.request.presign.active == true
	input.request.presign.age_s > limit
}

longest := max_change_s if changing

longest := max_read_s if not changing

limit := min({longest, input.posture.presign_max_s}) if input.posture.presign_max_s > 0

limit := longest if input.posture.presign_max_s == 0

# METADATA
# title: Links may do no more than the posture says
# description: >-
#   With presign "read" a presigned URL may read and list; with "none" there are no
#   presigned URLs. A signed form counts as one: it, too, is handed to whoever uses it.
# custom:
#   id: PRE-002
#   severity: high
#   remediation: Send the request signed by the client's own key, not as a link or a form.
#   controls: ["NIST-800-53:AC-3", "NIST-800-53:AC-17", "PCI-DSS:7.2.1"]
deny contains {
	"id": "PRE-002",
	"msg": "presigned requests are not allowed here",
	"path": "identity.auth_method",
} if {
	input.posture.presign == "none"
	input.identity.auth_method in handed_on
}

deny contains {
	"id": "PRE-002",
	"msg": "presigned requests may only read here",
	"path": "identity.auth_method",
} if {
	input.posture.presign == "read"
	input.identity.auth_method in handed_on
	changing
}

handed_on := {"sigv4-presigned", "sigv4-post"}
