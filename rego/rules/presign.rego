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
# custom:
#   id: PRE-001
#   severity: medium
deny contains {
	"id": "PRE-001",
	"msg": "the presigned URL is valid for too long",
	"path": "request.presign.expires_s",
} if {
	input.request.presign.active
	input.request.presign.expires_s > limit
}

deny contains {
	"id": "PRE-001",
	"msg": "the presigned URL is too old",
	"path": "request.presign.age_s",
} if {
	input.request.presign.active
	input.request.presign.age_s > limit
}

limit := max_change_s if changing

limit := max_read_s if not changing
