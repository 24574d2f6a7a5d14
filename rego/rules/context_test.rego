package sealgate.rules.context_test

import data.sealgate.lib.testing
import data.sealgate.rules.context

findings(on_conflict, asked) := found if {
	found := testing.ids(context.deny) with input as testing.with_fields({
		"posture": object.union(testing.posture("sse-kms"), {"context": {"department": "finance"}, "on_conflict": on_conflict}),
		"encryption": {"requested": {"mode": "sse-kms", "rank": 20, "context": asked}},
	})
}

test_no_context_passes if findings("reject", {}) == set()

test_same_value_passes if findings("reject", {"department": "finance"}) == set()

test_further_entries_pass if findings("reject", {"project": "x"}) == set()

test_other_value_is_denied if findings("reject", {"department": "hr", "project": "x"}) == {"CTX-001"}

test_empty_value_is_denied if findings("keep-if-stronger", {"department": ""}) == {"CTX-001"}

test_replaced_context_is_not_judged if findings("replace", {"department": "hr"}) == set()

# Personal data.
told(classification, posture, asked) := found if {
	found := testing.ids(context.deny) with input as testing.with_fields({
		"posture": object.union(
			object.union(testing.posture("sse-kms"), {"on_conflict": "keep-if-stronger", "classification": classification}),
			posture,
		),
		"encryption": {"requested": {"mode": "sse-kms", "rank": 20, "context": asked}},
	})
}

test_address_in_a_value_is_denied if told("restricted", {}, {"user": "ann@example.com"}) == {"CTX-002"}

test_address_in_a_name_is_denied if told("restricted", {}, {"ann@example.com": "x"}) == {"CTX-002"}

test_address_within_a_text_is_denied if told("restricted", {}, {"for": "to <ann@mail.example.org>"}) == {"CTX-002"}

test_address_of_a_requirement_is_denied if told("restricted", {"context": {"owner": "ann@example.com"}}, {}) == {"CTX-002"}

test_address_passes_where_nothing_is_classified if told("", {}, {"user": "ann@example.com"}) == set()

test_what_is_no_address_passes[value] if {
	some value in ["ann", "ann@host", "@example.com", "a @ b.c", "x.y"]
	told("restricted", {}, {"user": value}) == set()
}

test_replaced_address_is_not_judged if {
	told("restricted", {"on_conflict": "replace"}, {"user": "ann@example.com"}) == set()
}

test_address_of_a_requirement_is_denied_where_it_replaces if {
	posture := {"on_conflict": "replace", "context": {"owner": "ann@example.com"}}
	told("restricted", posture, {}) == {"CTX-002"}
}

# Entries that must be there.
required := {"required_context": ["dept"]}

test_required_entry_of_the_client_passes if told("", required, {"dept": "x"}) == set()

test_required_entry_of_the_posture_passes if told("", object.union(required, {"context": {"dept": "x"}}), {}) == set()

test_missing_entry_is_denied if told("", required, {"department": "x"}) == {"CTX-003"}

test_each_missing_entry_is_named if {
	request := testing.with_fields({"posture": object.union(
		testing.posture("sse-kms"),
		{"required_context": ["dept", "project"]},
	)})
	{finding.msg | some finding in context.deny} == {
		"the encryption context lacks dept",
		"the encryption context lacks project",
	} with input as request
}

test_empty_entry_is_there if told("", required, {"dept": ""}) == set()

test_entry_of_the_posture_passes_where_it_replaces if {
	told("", object.union(required, {"on_conflict": "replace", "context": {"dept": "x"}}), {}) == set()
}

test_entry_of_a_replaced_context_is_missing if {
	told("", object.union(required, {"on_conflict": "replace"}), {"dept": "x"}) == {"CTX-003"}
}

lacking(changes) := found if {
	found := testing.ids(context.deny) with input as object.union(
		testing.with_fields({"posture": object.union(testing.posture("sse-kms"), required)}),
		changes,
	)
}

test_parts_take_the_context_of_their_upload if {
	lacking({"request": {"operation": "UploadPart", "multipart": {"active": true, "upload_id": "u", "part_number": 1}}}) == set()
}

test_default_of_a_bucket_has_no_context if {
	lacking({
		"request": {"operation": "PutBucketEncryption", "class": "bucket-config"},
		"posture": {"on_conflict": "replace"},
	}) == set()
}

test_modes_without_a_context_pass[mode] if {
	some mode in ["none", "sse-s3", "sse-c", "cse"]
	lacking({"posture": {"mode": mode}}) == set()
}

test_dsse_needs_the_entry_too if lacking({"posture": {"mode": "dsse-kms", "rank": 30}}) == {"CTX-003"}

# A client that chooses more than is required.
chosen(on_conflict, mode) := lacking(object.union(
	testing.asks(mode, ""),
	{"posture": {"mode": "sse-s3", "rank": 10, "on_conflict": on_conflict}},
))

test_chosen_kms_needs_the_entry if {
	chosen("keep-if-stronger", "sse-kms") == {"CTX-003"}
	chosen("keep-if-allowed", "dsse-kms") == {"CTX-003"}
}

test_refused_choice_is_not_judged if chosen("reject", "sse-kms") == set()

test_chosen_mode_without_a_context_passes if chosen("keep-if-stronger", "sse-c") == set()

test_weaker_choice_is_not_kept if {
	lacking(object.union(
		testing.asks("sse-kms", ""),
		{"posture": {"mode": "cse", "rank": 40, "on_conflict": "keep-if-stronger"}},
	)) == set()
}
