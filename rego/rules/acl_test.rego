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

test_message_says_what_is_known if {
	{finding.msg | some finding in acl.deny} == {"the access control list is not known to be private"} with input as testing.with_fields({"request": {"acl": {"canned": "x"}}})
}

test_message_says_what_is_public[canned] if {
	some canned in ["public-read", "public-read-write", "authenticated-read"]
	{finding.msg | some finding in acl.deny} == {"the access control list makes this public"} with input as testing.with_fields({"request": {"acl": {"canned": canned}}})
}

test_unknown_lists_are_denied[canned] if {
	some canned in ["PUBLIC-READ", "public-read ", "public-read-delivered", "x"]
	findings({"canned": canned}) == {"ACL-001"}
}

test_public_grant_is_denied if findings({"public": true}) == {"ACL-001"}

classified(request) := found if {
	found := testing.ids(acl.deny) with input as testing.with_fields({
		"request": request,
		"posture": {"classification": "restricted"},
	})
}

test_no_list_passes_where_data_is_classified if classified({}) == set()

test_lists_for_owners_pass_where_data_is_classified[canned] if {
	some canned in ["private", "bucket-owner-read", "bucket-owner-full-control"]
	classified({"acl": {"canned": canned}}) == set()
}

test_other_lists_are_denied_where_data_is_classified[canned] if {
	some canned in ["aws-exec-read", "log-delivery-write"]
	classified({"acl": {"canned": canned}}) == {"ACL-002"}
}

test_public_lists_are_denied_twice_where_data_is_classified if {
	classified({"acl": {"canned": "public-read"}}) == {"ACL-001", "ACL-002"}
}

test_documents_are_denied_where_data_is_classified[operation] if {
	some operation in ["PutObjectAcl", "PutBucketAcl"]
	classified({"operation": operation}) == {"ACL-002"}
}

test_canned_lists_for_owners_may_be_set_where_data_is_classified[operation] if {
	some operation in ["PutObjectAcl", "PutBucketAcl"]
	classified({"operation": operation, "acl": {"canned": "private"}}) == set()
}

test_grant_headers_are_denied_where_data_is_classified[header] if {
	some right in ["full-control", "read", "read-acp", "write", "write-acp"]
	header := concat("", ["x-amz-grant-", right])
	classified({"headers": {header: "id=\"1\""}}) == {"ACL-002"}
}

test_rights_are_given_by_default if {
	every request in [
		{"operation": "PutObjectAcl"},
		{"acl": {"canned": "aws-exec-read"}},
		{"headers": {"x-amz-grant-read": "id=\"1\""}},
	] {
		count(acl.deny) == 0 with input as testing.with_fields({"request": request})
	}
}
