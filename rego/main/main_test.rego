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

# What the posture makes of findings.
posture(changes) := testing.with_fields({"posture": changes})

site(findings) := {"tagged": {"deny": findings}}

finding(id) := {"id": id, "msg": "m", "path": "p"}

waiver(rule, kind, id) := {"rule": rule, "kind": kind, "id": id, "ticket": "T-1", "until": "2027-02-01T00:00:00Z"}

# The action and waiver of each finding, by its rule.
outcomes(decision) := {f.id: [f.action, f.waiver] | some f in decision.findings}

test_finding_denies if {
	decision := main.decision with input as testing.base with data.site.rules as site({finding("ABC-001")})
	not decision.allow
	decision.findings == {{"id": "ABC-001", "msg": "m", "path": "p", "action": "deny", "waiver": ""}}
}

test_path_may_be_left_out if {
	decision := main.decision with input as testing.base with data.site.rules as site({{"id": "ABC-001", "msg": "m"}})
	decision.findings == {{"id": "ABC-001", "msg": "m", "path": "", "action": "deny", "waiver": ""}}
}

test_actions_of_the_posture if {
	decision := main.decision with input as posture({"actions": {"ABC-001": "warn", "ABC-002": "audit", "ABC-003": "off"}})
		with data.site.rules as site({finding("ABC-001"), finding("ABC-002"), finding("ABC-003")})
	decision.allow
	outcomes(decision) == {"ABC-001": ["warn", ""], "ABC-002": ["audit", ""]}
}

test_one_finding_denies if {
	decision := main.decision with input as posture({"actions": {"ABC-001": "warn"}})
		with data.site.rules as site({finding("ABC-001"), finding("ABC-002")})
	not decision.allow
	outcomes(decision) == {"ABC-001": ["warn", ""], "ABC-002": ["deny", ""]}
}

test_enforcement_caps[word] if {
	some word in ["warn", "audit"]
	decision := main.decision with input as posture({"enforcement": word, "actions": {"ABC-002": "off"}})
		with data.site.rules as site({finding("ABC-001"), finding("ABC-002")})
	decision.allow
	outcomes(decision) == {"ABC-001": [word, ""]}
	decision.encryption.mode == "sse-s3"
}

test_action_counts_before_enforcement if {
	decision := main.decision with input as posture({"enforcement": "audit", "actions": {"ABC-001": "warn"}})
		with data.site.rules as site({finding("ABC-001")})
	outcomes(decision) == {"ABC-001": ["warn", ""]}
}

test_locked_rules_deny[id] if {
	some id in ["ENC-000", "ENC-001", "GRT-000", "AUT-001", "AUT-002", "EVL-004", "ENF-001"]
	decision := main.decision with input as posture({
		"enforcement": "audit",
		"actions": {id: "off"},
		"waivers": [waiver(id, "exception", "ex")],
	})
		with data.site.rules as site({finding(id)})
	not decision.allow
	outcomes(decision) == {id: ["deny", ""]}
}

test_rules_like_locked_ones_do_not[id] if {
	some id in ["ENC-002", "GRT-001", "AUT-003", "XEV-001", "XEN-001"]
	decision := main.decision with input as posture({"actions": {id: "warn"}})
		with data.site.rules as site({finding(id)})
	decision.allow
}

test_exception_lifts if {
	decision := main.decision with input as posture({"waivers": [
		waiver("ABC-001", "exception", "ex"),
		waiver("ABC-001", "break-glass", "inc"),
	]})
		with data.site.rules as site({finding("ABC-001")})
	decision.allow
	outcomes(decision) == {"ABC-001": ["warn", "ex"]}
}

test_exception_to_another_rule_does_not if {
	decision := main.decision with input as posture({"waivers": [waiver("ABC-002", "exception", "ex")]})
		with data.site.rules as site({finding("ABC-001")})
	not decision.allow
	outcomes(decision) == {"ABC-001": ["deny", ""]}
}

test_exception_changes_nothing_that_warns if {
	decision := main.decision with input as posture({
		"actions": {"ABC-001": "audit"},
		"waivers": [waiver("ABC-001", "exception", "ex")],
	})
		with data.site.rules as site({finding("ABC-001")})
	outcomes(decision) == {"ABC-001": ["audit", ""]}
}

test_break_glass_is_recorded if {
	decision := main.decision with input as posture({"waivers": [
		waiver("ABC-001", "break-glass", "inc"),
		waiver("ABC-002", "break-glass", "inc"),
		waiver("ABC-002", "break-glass", "other"),
	]})
		with data.site.rules as site({finding("ABC-001"), finding("ABC-002")})
	decision.allow
	outcomes(decision) == {"ABC-001": ["warn", "inc"], "ABC-002": ["warn", "inc"], "BRK-001": ["audit", ""]}
	{f.msg | some f in decision.findings; f.id == "BRK-001"} == {
		"break-glass inc (T-1) lifted ABC-001",
		"break-glass inc (T-1) lifted ABC-002",
	}
	{f.path | some f in decision.findings; f.id == "BRK-001"} == {"posture.waivers"}
}

test_break_glass_is_recorded_for_what_it_lifted if {
	decision := main.decision with input as posture({"waivers": [
		waiver("ABC-001", "break-glass", "inc"),
		waiver("ABC-002", "break-glass", "inc"),
	]})
		with data.site.rules as site({finding("ABC-001")})
	{f.msg | some f in decision.findings; f.id == "BRK-001"} == {"break-glass inc (T-1) lifted ABC-001"}
}

test_exception_is_no_break_glass if {
	decision := main.decision with input as posture({"waivers": [waiver("ABC-001", "exception", "ex")]})
		with data.site.rules as site({finding("ABC-001")})
	testing.ids(decision.findings) == {"ABC-001"}
}

test_break_glass_that_is_not_needed_is_not_shown if {
	decision := main.decision with input as posture({
		"actions": {"ABC-001": "warn"},
		"waivers": [waiver("ABC-001", "break-glass", "inc")],
	})
		with data.site.rules as site({finding("ABC-001")})
	outcomes(decision) == {"ABC-001": ["warn", ""]}
}

test_break_glass_does_not_cover if {
	decision := main.decision with input as posture({"waivers": [waiver("ABC-001", "break-glass", "inc")]})
		with data.site.rules as site({finding("ABC-002")})
	not decision.allow
	outcomes(decision) == {"ABC-002": ["deny", ""], "BRK-002": ["audit", ""]}
	"break-glass inc does not lift ABC-002" in {f.msg | some f in decision.findings}
}

test_break_glass_is_over if {
	decision := main.decision with input as posture({"waivers": [waiver("ABC-001", "ended", "inc")]})
		with data.site.rules as site({finding("ABC-001"), finding("ABC-002")})
	not decision.allow
	outcomes(decision) == {"ABC-001": ["deny", ""], "ABC-002": ["deny", ""], "BRK-002": ["audit", ""]}
	{f.msg | some f in decision.findings; f.id == "BRK-002"} == {"break-glass inc is over and does not lift ABC-001"}
}

test_exception_that_does_not_cover_is_not_shown if {
	decision := main.decision with input as posture({"waivers": [waiver("ABC-001", "exception", "ex")]})
		with data.site.rules as site({finding("ABC-002")})
	outcomes(decision) == {"ABC-002": ["deny", ""]}
}

test_window_that_is_over_is_not_shown_when_nothing_denies if {
	decision := main.decision with input as posture({
		"enforcement": "warn",
		"waivers": [waiver("ABC-001", "ended", "inc")],
	})
		with data.site.rules as site({finding("ABC-001")})
	outcomes(decision) == {"ABC-001": ["warn", ""]}
}

# A finding that is none, or comes with an action of its own, denies and is shown in a
# form the gateway takes for a fault.
test_malformed_findings[malformed] if {
	some malformed in [
		"text",
		{"msg": "m"},
		{"id": 1, "msg": "m"},
		{"id": "ABC-001", "msg": "m", "action": "audit"},
		{"id": "ABC-001", "msg": "m", "path": "", "action": "warn", "waiver": ""},
		{"id": "ABC-001", "msg": "m", "waiver": "ex"},
		{"id": "BRK-001", "msg": "m"},
		{"id": "BRK-002", "msg": "m", "path": ""},
	]
	decision := main.decision with input as posture({"enforcement": "audit"})
		with data.site.rules as site({malformed})
	not decision.allow
	decision.findings == {{"malformed": malformed}}
}
