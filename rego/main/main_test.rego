package sealgate.main_test

import data.sealgate.lib.testing
import data.sealgate.main

neutral := {
	"mode": "unchanged",
	"key_id": "",
	"keyring": "",
	"context": {},
	"bucket_key": "unset",
	"on_conflict": "reject",
	"allowed_keys": [],
}

test_ordinary_write_is_allowed if {
	main.decision == {
		"schema": "sealgate.decision/v1",
		"allow": true,
		"findings": set(),
		"encryption": object.union(neutral, {"mode": "sse-s3"}),
		"on_read": "decrypt",
	} with input as testing.base
}

test_operations_that_write_nothing_leave_encryption_alone[class] if {
	some class in ["read", "list", "delete", "object-config", "bucket-config", "admin"]
	decision := main.decision with input as testing.with_fields({"request": {"class": class}})
	decision.allow
	decision.encryption == neutral
}

test_uncovered_write_is_denied if {
	decision := main.decision with input as testing.with_fields({"posture": testing.uncovered})
	not decision.allow
	testing.ids(decision.findings) == {"ENC-001"}
}

test_uncovered_read_is_allowed if {
	decision := main.decision with input as object.union(testing.get, {"posture": testing.uncovered})
	decision.allow
}

test_missing_grant_is_denied if {
	decision := main.decision with input as testing.with_fields({"grants": {"missing": ["s3:PutObject", "s3:PutObjectTagging"]}})
	not decision.allow
	{f.msg | some f in decision.findings} == {"no grant allows s3:PutObject", "no grant allows s3:PutObjectTagging"}
	testing.ids(decision.findings) == {"GRT-000"}
}

test_conflict_is_denied if {
	decision := main.decision with input as testing.put("cse")
		with data.site.encryption as {"a": {"require": {{"mode": "cse", "keyring": "a"}, {"mode": "cse", "keyring": "b"}}}}
	not decision.allow
	testing.ids(decision.findings) == {"ENC-000"}
}

test_site_can_deny if {
	decision := main.decision with input as testing.base
		with data.site.rules as {"freeze": {"deny": {{"id": "FRZ-001", "msg": "frozen"}}}}
	not decision.allow
	testing.ids(decision.findings) == {"FRZ-001"}
}

test_site_can_raise if {
	decision := main.decision with input as testing.base
		with data.site.encryption as {"raise": {"require": {{"mode": "dsse-kms"}}}}
	decision.allow
	decision.encryption.mode == "dsse-kms"
}

test_site_cannot_lower if {
	decision := main.decision with input as testing.put("sse-kms")
		with data.site.encryption as {"lower": {"require": {{"mode": "none"}}}}
	decision.encryption.mode == "sse-kms"
}

test_library_rules_are_asked if {
	decision := main.decision with input as testing.with_fields({
		"transport": {"tls_version_num": 0},
		"request": {"acl": {"public": true}},
	})
	testing.ids(decision.findings) == {"TLS-001", "ACL-001"}
}
