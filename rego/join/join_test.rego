package sealgate.join_test

import data.sealgate.join
import data.sealgate.lib.testing

main := "arn:aws:kms:eu-central-1:111122223333:key/main"

other := "arn:aws:kms:eu-central-1:111122223333:key/other"

kms := object.union(testing.posture("sse-kms"), {
	"key_id": main,
	"allowed_keys": [main],
	"context": {"department": "finance"},
	"bucket_key": "yes",
	"on_conflict": "keep-if-allowed",
	"on_read": "pass-through",
})

site(requirements) := {name: {"require": {r}} | some name, r in requirements}

# What a write gets under a posture and the requirements of a site.
joined(posture, requirements) := found if {
	found := join.encryption with input as testing.with_fields({"posture": posture})
		with data.site.encryption as site(requirements)
}

conflicts(posture, requirements) := found if {
	found := {c.msg | some c in join.conflicts} with input as testing.with_fields({"posture": posture})
		with data.site.encryption as site(requirements)
}

on_read(request, requirements) := found if {
	found := join.on_read with input as request
		with data.site.encryption as site(requirements)
}

expected_kms := {
	"mode": "sse-kms",
	"key_id": main,
	"keyring": "",
	"context": {"department": "finance"},
	"bucket_key": "yes",
	"on_conflict": "keep-if-allowed",
	"allowed_keys": [main],
}

test_posture_alone if joined(kms, {}) == expected_kms

test_weaker_requirement_changes_nothing if joined(kms, {"weak": {"mode": "sse-s3"}}) == expected_kms

test_equal_requirement_without_details_changes_nothing if joined(kms, {"same": {"mode": "sse-kms"}}) == expected_kms

test_stronger_requirement_wins_and_keeps_the_key if {
	joined(kms, {"strong": {"mode": "dsse-kms"}}) == object.union(expected_kms, {"mode": "dsse-kms", "bucket_key": "unset"})
}

test_stronger_requirement_with_a_key_of_its_own if {
	found := joined(kms, {"strong": {"mode": "dsse-kms", "key_id": other, "on_conflict": "replace"}})
	found.key_id == other
	found.allowed_keys == [other]
	found.on_conflict == "replace"
	found.context == {"department": "finance"}
}

test_raised_from_no_key_to_a_key if {
	found := joined(testing.posture("sse-s3"), {"raise": {"mode": "sse-kms", "key_id": main, "allowed_keys": [other]}})
	found.mode == "sse-kms"
	found.key_id == main
	found.allowed_keys == [main, other]
}

test_sealing_takes_its_keyring_and_no_key if {
	found := joined(kms, {"seal": {"mode": "cse", "keyring": "payments"}})
	found.mode == "cse"
	found.keyring == "payments"
	found.key_id == ""
	found.context == {}
}

test_site_alone if joined(testing.uncovered, {"only": {"mode": "sse-kms", "key_id": main}}).key_id == main

test_nothing_required if joined(testing.uncovered, {}).mode == "unchanged"

test_allowed_keys_of_equal_strength_intersect if {
	found := joined(kms, {"same": {"mode": "sse-kms", "allowed_keys": [other]}})
	found.allowed_keys == [main]
}

no_key := {"requirements of equal strength leave no key that all of them allow"}

# With an empty list any key would do, and the store's own would be taken.
test_lists_without_a_common_key_are_a_conflict if {
	conflicts(testing.posture("sse-s3"), {
		"one": {"mode": "sse-kms", "allowed_keys": [main]},
		"two": {"mode": "sse-kms", "allowed_keys": {other}},
	}) == no_key
}

test_required_key_outside_another_list_is_a_conflict if {
	conflicts(kms, {"same": {"mode": "sse-kms", "allowed_keys": [other]}}) == no_key
	conflicts(kms, {"strong": {"mode": "dsse-kms", "allowed_keys": [other]}}) == no_key
}

test_lists_with_a_common_key_agree if {
	conflicts(kms, {"same": {"mode": "sse-kms", "allowed_keys": [main, other]}}) == set()
	conflicts(kms, {"same": {"mode": "sse-kms", "allowed_keys": []}}) == set()
	conflicts(testing.posture("sse-s3"), {"raise": {"mode": "sse-kms", "key_id": main, "allowed_keys": [other]}}) == set()
}

test_allowed_keys_that_are_no_list_are_malformed[keys] if {
	some keys in [main, {"key": main}, null, 1]
	joined(kms, {"bad": {"mode": "sse-kms", "allowed_keys": keys}}).mode == "malformed"
}

test_strictest_answer_to_a_conflict_wins if {
	joined(kms, {"same": {"mode": "sse-kms", "on_conflict": "keep-if-stronger"}}).on_conflict == "keep-if-allowed"
	joined(kms, {"same": {"mode": "sse-kms", "on_conflict": "replace"}}).on_conflict == "replace"
	joined(kms, {"same": {"mode": "sse-kms", "on_conflict": "reject"}}).on_conflict == "reject"
}

test_contexts_merge if {
	found := joined(kms, {"more": {"mode": "sse-kms", "context": {"project": "x"}}})
	found.context == {"department": "finance", "project": "x"}
	conflicts(kms, {"more": {"mode": "sse-kms", "context": {"project": "x", "department": "finance"}}}) == set()
}

test_context_collision_is_a_conflict[name] if {
	some name, r in {
		"equal strength": {"mode": "sse-kms", "context": {"department": "hr"}},
		"against the posture": {"mode": "dsse-kms", "context": {"department": "hr"}},
	}
	conflicts(kms, {name: r}) == {"requirements of equal strength disagree on the context entry department"}
}

test_other_key_of_equal_strength_is_a_conflict if {
	conflicts(kms, {"other": {"mode": "sse-kms", "key_id": other}}) == {"requirements of equal strength disagree on key_id"}
}

test_other_bucket_key_of_equal_strength_is_a_conflict if {
	conflicts(kms, {"other": {"mode": "sse-kms", "bucket_key": "no"}}) == {"requirements of equal strength disagree on bucket_key"}
}

test_other_keyring_is_a_conflict if {
	sealed := object.union(testing.posture("cse"), {"keyring": "main"})
	conflicts(sealed, {"other": {"mode": "cse", "keyring": "payments"}}) == {"requirements of equal strength disagree on keyring"}
}

test_weaker_requirement_cannot_conflict if conflicts(kms, {"weak": {"mode": "sse-s3", "key_id": other}}) == set()

# A requirement that is none must not get lost among good ones.
test_malformed_requirement_is_no_mode[name] if {
	some name, r in {
		"unknown mode": {"mode": "sse-kmss"},
		"no mode": {"key_id": main},
		"unknown field": {"mode": "sse-s3", "keyid": main},
		"unchanged": {"mode": "unchanged"},
		"not an object": "sse-kms",
		"number": 40,
	}
	joined(kms, {"good": {"mode": "dsse-kms"}, name: r}).mode == "malformed"
}

test_unknown_answer_to_a_conflict_reaches_the_decision if {
	joined(kms, {"typo": {"mode": "sse-kms", "on_conflict": "keep-if-alowed"}}).on_conflict == "keep-if-alowed"
}

test_reads_need_no_encryption if {
	found := join.encryption with input as object.union(testing.get, {"posture": kms})
	found.mode == "unchanged"
}

test_reads_are_answered_by_the_posture if on_read(object.union(testing.get, {"posture": kms}), {}) == "pass-through"

test_strictest_answer_to_a_read_wins if {
	on_read(testing.get, {"a": {"mode": "cse", "on_read": "pass-through"}}) == "pass-through"
	on_read(testing.get, {"a": {"mode": "cse", "on_read": "pass-through"}, "b": {"mode": "sse-s3", "on_read": "reject"}}) == "reject"
	on_read(object.union(testing.get, {"posture": {"on_read": "reject"}}), {"a": {"mode": "cse", "on_read": "decrypt"}}) == "reject"
}

test_malformed_answer_to_a_read_reaches_the_decision if {
	on_read(testing.get, {"a": {"mode": "cse", "on_read": "rejekt"}}) == "rejekt"
	on_read(testing.get, {"a": {"mode": "cs", "on_read": "reject"}}) == "malformed"
	on_read(testing.get, {"a": {"mode": "cse", "onread": "reject"}}) == "malformed"
}

test_neutral_words_say_nothing if {
	r := {"mode": "sse-kms", "key_id": "", "keyring": "", "bucket_key": "unset"}
	joined(kms, {"neutral": r}) == expected_kms
	conflicts(kms, {"neutral": r}) == set()
}

test_allowed_keys_without_a_required_key if {
	joined(testing.posture("sse-s3"), {"raise": {"mode": "sse-kms", "allowed_keys": [other]}}).allowed_keys == [other]
}

test_empty_lists_of_allowed_keys_say_nothing if {
	joined(testing.posture("sse-kms"), {"same": {"mode": "sse-kms", "allowed_keys": [other]}}).allowed_keys == [other]
}

two := {"a": {"mode": "cse", "keyring": "a"}, "b": {"mode": "cse", "keyring": "b"}}

test_requirements_do_not_matter_where_nothing_is_written[name] if {
	some name, requirements in {"one": {"a": {"mode": "cse"}}, "two": two}
	found := join.encryption with input as testing.get
		with data.site.encryption as site(requirements)
	found.mode == "unchanged"
}

test_conflicts_do_not_matter_where_nothing_is_written if {
	found := join.conflicts with input as testing.get
		with data.site.encryption as site(two)
	count(found) == 0
}

test_other_operations_do_not_ask_the_site[class] if {
	some class in ["delete", "list", "object-config", "bucket-config", "admin"]
	found := join.requirements with input as testing.with_fields({"request": {"class": class}})
		with data.site.encryption as site(two)
	count(found) == 0
}

test_default_of_a_bucket_is_replaced_by_what_it_can_be[mode] if {
	some mode in ["sse-s3", "sse-kms", "dsse-kms"]
	found := join.encryption with input as testing.with_fields({
		"posture": object.union(testing.posture(mode), {"on_conflict": "replace"}),
		"request": {"operation": "PutBucketEncryption", "class": "bucket-config"},
	})
	found.mode == mode
	found.on_conflict == "replace"
}

test_keys_that_two_allow_are_no_conflict_where_none_is_named if {
	conflicts(testing.posture("sse-s3"), {
		"one": {"mode": "sse-kms", "allowed_keys": [main, other]},
		"two": {"mode": "sse-kms", "allowed_keys": [other]},
	}) == set()
}

test_lists_of_keys_are_no_conflict_where_no_key_is_used if {
	conflicts(testing.posture("none"), {
		"one": {"mode": "sse-s3", "allowed_keys": [main]},
		"two": {"mode": "sse-s3", "allowed_keys": [other]},
	}) == set()
}

test_reading_has_no_conflicts if {
	every requirements in [
		{"one": {"mode": "sse-kms", "key_id": main}, "two": {"mode": "sse-kms", "key_id": other}},
		{"one": {"mode": "sse-kms", "allowed_keys": [main]}, "two": {"mode": "sse-kms", "allowed_keys": [other]}},
		{"one": {"mode": "sse-kms", "context": {"a": "x"}}, "two": {"mode": "sse-kms", "context": {"a": "y"}}},
	] {
		count(join.conflicts) == 0 with input as testing.get with data.site.encryption as site(requirements)
	}
}

# The gateway refuses such a decision by its mode; nothing needs to be joined for that.
test_posture_is_taken_as_it_is if {
	request := testing.with_fields({"posture": {"mode": "sse-kmss"}})
	join.encryption.mode == "sse-kmss" with input as request
	join.on_read == "decrypt" with input as request
}
