# METADATA
# title: Deleting
# description: >-
#   Overwriting is no deleting here: in a bucket with versions, which BKT-004 protects,
#   the object of before stays.
package sealgate.rules.deletes

# METADATA
# title: No deleting where the posture denies it
# description: >-
#   Objects, their versions and annotations, and the bucket itself stay where the
#   posture says deletes: deny. Giving up an unfinished upload is no deleting.
# custom:
#   id: DEL-001
#   severity: high
#   remediation: Ask for a dated exception, with a ticket, in the posture.
#   controls: ["NIST-800-53:AC-3", "NIST-800-53:CP-9", "NIST-800-53:SI-12", "PCI-DSS:10.3.2"]
deny contains {
	"id": "DEL-001",
	"msg": "nothing may be deleted here",
	"path": "request.operation",
} if {
	input.posture.deletes == "deny"
	input.request.class == "delete"
	input.request.operation != "AbortMultipartUpload"
}

deny contains {
	"id": "DEL-001",
	"msg": "this bucket may not be deleted",
	"path": "request.operation",
} if {
	input.posture.deletes == "deny"
	input.request.operation == "DeleteBucket"
}

# METADATA
# title: Not too much is deleted at once
# description: >-
#   One DeleteObjects can name a thousand keys. Where the posture gives a number, a
#   request that names more is refused, key by key, and what a mistake or a stolen key
#   destroys in one go has a bound.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
# custom:
#   id: DEL-002
#   severity: medium
#   remediation: Name fewer keys in one request.
#   controls: ["NIST-800-53:AC-6", "NIST-800-53:SI-12"]
deny contains {
	"id": "DEL-002",
	"msg": "the request deletes too many objects at once",
	"path": "request.key_count",
} if {
	input.request.operation == "DeleteObjects"
	input.posture.max_delete_keys > 0
	input.request.key_count > input.posture.max_delete_keys
}

# METADATA
# title: Locks on objects stay
# description: >-
#   Where the posture denies deletes, a legal hold may not be lifted, a retention may
#   not be emptied, and governance may not be bypassed: what is locked today would be
#   deleted tomorrow.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
# custom:
#   id: DEL-003
#   severity: high
#   remediation: Ask for a dated exception, with a ticket, in the posture.
#   controls: ["NIST-800-53:AU-9", "NIST-800-53:SI-12", "PCI-DSS:10.3.2"]
deny contains {
	"id": "DEL-003",
	"msg": "the lock of this object must not be lifted",
	"path": "document.suspends",
} if {
	input.posture.deletes == "deny"
	input.request.class == "object-config"
	input.document.suspends
}

deny contains {
	"id": "DEL-003",
	"msg": "governance must not be bypassed here",
	"path": "request.headers",
} if {
	input.posture.deletes == "deny"
	lower(input.request.headers["x-amz-bypass-governance-retention"]) != "false"
}
