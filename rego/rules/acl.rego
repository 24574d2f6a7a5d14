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
deny contains {
	"id": "ACL-001",
	"msg": "the access control list makes this public",
	"path": "request.acl",
} if {
	input.request.acl.public
}

deny contains {
	"id": "ACL-001",
	"msg": "the access control list makes this public",
	"path": "request.acl",
} if {
	input.request.acl.canned != ""
	input.request.acl.canned in public
}

# Stores have more lists than S3 has, and some read names in any case.
deny contains {
	"id": "ACL-001",
	"msg": "the access control list is not known to be private",
	"path": "request.acl",
} if {
	input.request.acl.canned != ""
	not input.request.acl.canned in private
	not input.request.acl.canned in public
}

public := {"public-read", "public-read-write", "authenticated-read"}

private := {
	"private",
	"aws-exec-read",
	"bucket-owner-read",
	"bucket-owner-full-control",
	"log-delivery-write",
}
