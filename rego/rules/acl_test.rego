package sealgate.rules.acl_test

import data.sealgate.lib.testing
import data.sealgate.rules.acl

findings(lists) := found if {
	found := testing.ids(acl.deny) with input as testing.with_fields({"request": {"acl": lists}})
}

test_no_list_passes if findings({}) == set()

test_private_lists_pass[canned] if {
	some canned in ["private", "bucket-owner-full-control", "bucket-owner-read", "aws-exec-read", "log-delivery-write"]
	findings({"canned": canned}) == set()
}

test_public_lists_are_denied[canned] if {
	some canned in ["public-read", "public-read-write", "authenticated-read"]
	findings({"canned": canned}) == {"ACL-001"}
}

test_unknown_lists_are_denied[canned] if {
	some canned in ["PUBLIC-READ", "public-read ", "public-read-delivered", "x"]
	findings({"canned": canned}) == {"ACL-001"}
}

test_public_grant_is_denied if findings({"public": true}) == {"ACL-001"}
