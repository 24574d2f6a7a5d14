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
