# METADATA
# title: Access control lists
package sealgate.rules.acl

# METADATA
# title: Nothing is made public
# description: >-
#   A canned ACL, a grant header or an ACL document that opens an object or a bucket
#   to everyone, or to every AWS account, goes round the gateway: readers would fetch
#   from the store directly.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
# custom:
#   id: ACL-001
#   severity: high
#   remediation: Leave the list out, and share objects by presigned URLs or grants.
#   controls: ["CIS-AWS:2.1.4", "NIST-800-53:AC-3", "NIST-800-53:AC-6", "PCI-DSS:1.4.4"]
deny contains {
	"id": "ACL-001",
	"msg": "the access control list makes this public",
	"path": "request.acl",
} if {
	input.request.acl.public == true
}

deny contains {
	"id": "ACL-001",
	"msg": "the access control list makes this public",
	"path": "request.acl",
} if {
	input.request.acl.canned in {"public-read", "public-read-write", "authenticated-read"}
}

# Stores have more lists than S3 has, and some read names in any case.
deny contains {
	"id": "ACL-001",
	"msg": "the access control list is not known to be private",
	"path": "request.acl",
} if {
	input.request.acl.canned != ""
	not input.request.acl.canned in known
}

# METADATA
# title: Where data is classified, lists give nobody anything
# description: >-
#   Access control lists are a second place where rights are given, which neither the
#   grants of the posture nor its record show. Where the posture names a
#   classification, only the lists that leave an object with its owners are taken.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
# custom:
#   id: ACL-002
#   severity: medium
#   remediation: Leave the list out; give the right as a grant in the posture.
#   controls: ["NIST-800-53:AC-3", "NIST-800-53:AC-6", "PCI-DSS:7.2.1"]
deny contains {
	"id": "ACL-002",
	"msg": "access control lists give no rights here",
	"path": "request.acl",
} if {
	input.posture.classification != ""
	gives
}

gives if {
	input.request.acl.canned != ""
	not input.request.acl.canned in owners_only
}

# A document, or grant headers: whom they name is not known here.
gives if {
	input.request.operation in {"PutObjectAcl", "PutBucketAcl"}
	input.request.acl.canned == ""
}

# Named one by one: a rule that reads all headers reads the date as well, and then no
# decision can be remembered.
gives if input.request.headers["x-amz-grant-full-control"]

gives if input.request.headers["x-amz-grant-read"]

gives if input.request.headers["x-amz-grant-read-acp"]

gives if input.request.headers["x-amz-grant-write"]

gives if input.request.headers["x-amz-grant-write-acp"]

owners_only := {"private", "bucket-owner-read", "bucket-owner-full-control"}

# Lists that open nothing, and those of the rule above.
known := {
	"public-read",
	"public-read-write",
	"authenticated-read",
	"private",
	"aws-exec-read",
	"bucket-owner-read",
	"bucket-owner-full-control",
	"log-delivery-write",
}
