# METADATA
# title: Where data rests
# description: >-
#   The region of the store is what the gateway is configured with; that of a key is in
#   its ARN and judged by KEY-004.
package sealgate.rules.residency

# METADATA
# title: The store is in a region of the posture
# description: >-
#   Where the posture lists regions, nothing is written through a gateway whose store
#   is in another one. Reading from there stays possible, so that data can be moved.
# custom:
#   id: RES-001
#   severity: high
#   remediation: Write through a gateway in a region that the posture's residency lists.
#   controls: ["NIST-800-53:AC-4", "NIST-800-53:SA-9(5)"]
deny contains {
	"id": "RES-001",
	"msg": concat("", ["the region ", input.gateway.region, " is not allowed here"]),
	"path": "gateway.region",
} if {
	input.request.class == "write"
	input.posture.residency[0]
	not input.gateway.region in input.posture.residency
}

# METADATA
# title: Nothing is replicated where regions are limited
# description: >-
#   A replication rule names a bucket and not where that bucket is, so it cannot be
#   shown to stay in the regions of the posture. Where the posture of the bucket itself
#   (prefix "") lists regions, replication needs an exception.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html
# custom:
#   id: RES-002
#   severity: high
#   remediation: Make a dated exception for the bucket once its destination's region was checked.
#   controls: ["NIST-800-53:AC-4", "NIST-800-53:SA-9(5)"]
deny contains {
	"id": "RES-002",
	"msg": "replicas cannot be shown to stay in the regions allowed here",
	"path": "document.destinations",
} if {
	input.request.operation == "PutBucketReplication"
	input.posture.residency[0]
}
