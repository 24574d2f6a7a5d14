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
# custom:
#   id: BKT-001
#   severity: high
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
	input.posture.rank <= modes.rank["sse-c"]
}

# METADATA
# title: Replicas meet the posture
# description: A replication rule that names an encryption may not name a weaker one.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html
# custom:
#   id: BKT-005
#   severity: high
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
deny contains {
	"id": "BKT-006",
	"msg": "the document asks for weaker encryption than is required here",
	"path": setting.path,
} if {
	some setting in input.document.settings
	setting.rank < document_floor
	not input.request.operation in judged_above
}

deny contains {
	"id": "BKT-006",
	"msg": "the document does not say how what it writes is encrypted",
	"path": "document.destinations",
} if {
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
