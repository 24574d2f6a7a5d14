# METADATA
# title: Bucket settings and documents about encryption
# description: >-
#   Encryption choices also stand in XML documents. They are held against the posture
#   of the bucket itself (prefix ""), as far as the document can express it.
package sealgate.rules.bucket

import data.sealgate.join
import data.sealgate.lib.modes

# METADATA
# title: The default encryption of a bucket stays
# description: >-
#   What is written past the gateway gets the default of its bucket. Without one it is
#   encrypted as the store pleases, so the default may not be deleted where anything
#   at all is required.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html
# custom:
#   id: BKT-001
#   severity: high
#   remediation: Put another default in its place with PutBucketEncryption.
#   controls: ["NIST-800-53:CM-3", "NIST-800-53:SC-28", "PCI-DSS:3.5.1"]
deny contains {
	"id": "BKT-001",
	"msg": "the default encryption of this bucket must not be deleted",
	"path": "request.operation",
} if {
	input.request.operation == "DeleteBucketEncryption"
	input.posture.rank >= modes.rank["sse-s3"]
}

# METADATA
# title: The default encryption of a bucket meets its posture
# description: >-
#   A bucket default can be SSE-S3, SSE-KMS or DSSE-KMS. Where the posture asks for
#   SSE-C or sealing, which no default can express, SSE-S3 is enough: the gateway
#   still applies the posture to every object. Where the posture says "replace", the
#   gateway replaces the default and there is nothing to refuse.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html
# custom:
#   id: BKT-002
#   severity: high
#   remediation: >-
#     Ask for the mode the posture requires, or for SSE-S3 where it requires one no
#     default can be; leave SSE-C blocked.
#   controls: ["NIST-800-53:CM-3", "NIST-800-53:SC-28", "NIST-800-53:SC-28(1)", "PCI-DSS:3.5.1"]
deny contains {
	"id": "BKT-002",
	"msg": "the default encryption is weaker than the posture of this bucket",
	"path": setting.path,
} if {
	input.request.operation == "PutBucketEncryption"
	not join.replaces_default
	some setting in input.document.settings
	setting.rank < default_floor
}

deny contains {
	"id": "BKT-002",
	"msg": "customer-provided keys (SSE-C) must stay blocked on this bucket",
	"path": "document.blocked",
} if {
	input.request.operation == "PutBucketEncryption"
	"NONE" in input.document.blocked
	not customer_keys
}

customer_keys if input.posture.mode == "sse-c"

customer_keys if {
	input.posture.on_conflict in modes.keeps
	input.posture.mode in {"none", "sse-s3"}
}

# METADATA
# title: Nothing opens a bucket past the gateway
# description: >-
#   A bucket policy that allows everyone, and a public access block that leaves a
#   protection off or goes away, let readers in at the store itself, where no rule of
#   the gateway is asked. It is refused where the posture of the bucket itself (prefix
#   "") names a classification, a tenant or networks. Lists are ACL-001's matter.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
# custom:
#   id: BKT-003
#   severity: high
#   remediation: Name the principals in the policy, and leave all four protections of the access block on.
#   controls:
#     - CIS-AWS:2.1.4
#     - NIST-800-53:AC-3
#     - NIST-800-53:AC-6
#     - NIST-800-53:SC-7
#     - PCI-DSS:1.4.4
deny contains {
	"id": "BKT-003",
	"msg": "the document opens this bucket past the gateway",
	"path": "document.opens",
} if {
	input.document.opens == true
	kept_closed
}

deny contains {
	"id": "BKT-003",
	"msg": "the public access block of this bucket must not be deleted",
	"path": "request.operation",
} if {
	input.request.operation == "DeletePublicAccessBlock"
	kept_closed
}

kept_closed if input.posture.classification != ""

kept_closed if input.posture.tenant != ""

kept_closed if count(input.posture.networks) > 0

# METADATA
# title: What keeps objects from being lost stays
# description: >-
#   Where the posture denies deletes, versioning may not be suspended, the rule of an
#   object lock may not be taken away, and no lifecycle rule may delete objects: each
#   of them is a delete that is not asked about.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
# custom:
#   id: BKT-004
#   severity: high
#   remediation: Leave versioning and object lock on; let lifecycle rules move objects, not delete them.
#   controls: ["CIS-AWS:2.1.2", "NIST-800-53:CP-9", "NIST-800-53:SI-12", "PCI-DSS:10.3.2"]
deny contains {
	"id": "BKT-004",
	"msg": "the document takes away what keeps objects from being lost",
	"path": "document.suspends",
} if {
	input.posture.deletes == "deny"
	input.request.class == "bucket-config"
	input.document.suspends
}

# METADATA
# title: Replicas meet the posture
# description: >-
#   The store writes replicas by itself, past the gateway. A replication rule that
#   names an encryption may not name a weaker one.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html
# custom:
#   id: BKT-005
#   severity: high
#   remediation: Name a KMS key in ReplicaKmsKeyID of each destination.
#   controls: ["NIST-800-53:SC-28", "NIST-800-53:SC-28(1)", "PCI-DSS:3.5.1"]
deny contains {
	"id": "BKT-005",
	"msg": "replicas would be encrypted less strongly than this bucket requires",
	"path": setting.path,
} if {
	input.request.operation == "PutBucketReplication"
	some setting in input.document.settings
	setting.rank < document_floor
}

# METADATA
# title: What a document writes meets the posture
# description: >-
#   Inventory reports, metadata tables, restored query results and re-encrypted
#   objects. Where more than SSE-S3 is required, a document that writes somewhere
#   without saying how is refused as well.
# custom:
#   id: BKT-006
#   severity: high
#   remediation: Say in the document how what it writes is encrypted, as strongly as the posture requires.
#   controls: ["NIST-800-53:SC-28", "NIST-800-53:SC-28(1)", "PCI-DSS:3.5.1"]
deny contains {
	"id": "BKT-006",
	"msg": "the document asks for weaker encryption than is required here",
	"path": setting.path,
} if {
	input.document.present == true
	some setting in input.document.settings
	setting.rank < document_floor
	not input.request.operation in judged_above
}

deny contains {
	"id": "BKT-006",
	"msg": "the document does not say how what it writes is encrypted",
	"path": "document.destinations",
} if {
	input.document.present == true
	count(input.document.destinations) > 0
	not input.request.operation in judged_above
	count(input.document.settings) == 0
	document_floor > modes.rank["sse-s3"]
}

deny contains {
	"id": "BKT-006",
	"msg": "the object would be encrypted less strongly than is required here",
	"path": setting.path,
} if {
	input.request.operation == "UpdateObjectEncryption"
	some setting in input.document.settings
	setting.rank < input.posture.rank
}

# Documents with a rule of their own.
judged_above := {"PutBucketEncryption", "PutBucketReplication", "UpdateObjectEncryption"}

# The strength a bucket default can have at most, for what the posture asks.
default_floor := modes.rank["sse-s3"] if input.posture.mode in {"sse-c", "cse"}

default_floor := input.posture.rank if not input.posture.mode in {"sse-c", "cse"}

# Other documents know SSE-S3 and SSE-KMS only.
document_floor := min({default_floor, modes.rank["sse-kms"]})
