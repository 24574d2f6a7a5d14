package sealgate.rules.copy_test

import data.sealgate.lib.modes
import data.sealgate.lib.testing
import data.sealgate.rules.copy

source(mode) := {"copy_source": {
	"present": true,
	"encryption": {"known": mode != "unknown", "mode": mode, "rank": object.get(modes.rank, mode, -1)},
}}

findings(posture, mode) := found if {
	found := testing.ids(copy.deny) with input as object.union(testing.with_fields({"posture": posture}), source(mode))
}

test_equal_strength_passes if findings(testing.posture("sse-kms"), "sse-kms") == set()

test_stronger_destination_passes if findings(testing.posture("dsse-kms"), "sse-kms") == set()

test_weaker_destination_is_denied if findings(testing.posture("sse-s3"), "sse-kms") == {"CPY-001"}

test_one_step_weaker_is_denied if findings(testing.posture("sse-s3"), "sse-c") == {"CPY-001"}

test_unknown_source_is_denied if findings(testing.posture("sse-s3"), "unknown") == {"CPY-002"}

test_unknown_source_passes_where_nothing_is_required if findings(testing.posture("none"), "unknown") == set()

test_no_copy_passes if count(copy.deny) == 0 with input as testing.base

asking(on_conflict, mode) := found if {
	found := testing.ids(copy.deny) with input as object.union(
		object.union(
			testing.with_fields({"posture": object.union(testing.posture("sse-s3"), {"on_conflict": on_conflict})}),
			source("sse-kms"),
		),
		testing.asks(mode, ""),
	)
}

test_client_may_ask_for_what_it_needs if asking("keep-if-stronger", "sse-kms") == set()

test_client_that_asks_for_less_is_denied if asking("keep-if-stronger", "sse-s3") == {"CPY-001"}

test_asking_does_not_help_where_it_is_not_kept if asking("replace", "sse-kms") == {"CPY-001"}

test_facts_of_an_absent_source_do_not_matter if {
	absent := {"copy_source": {"present": false, "encryption": {"known": true, "mode": "cse", "rank": 40}}}
	count(copy.deny) == 0 with input as object.union(testing.base, absent)
}

between(from, to) := found if {
	found := testing.ids(copy.deny) with input as object.union(
		testing.with_fields({"posture": {"tenant": to}, "copy_source": {"tenant": from}}),
		source("sse-s3"),
	)
}

test_copy_within_a_tenant_passes if between("blue", "blue") == set()

test_copy_into_a_tenant_passes if between("", "blue") == set()

test_copy_from_another_tenant_is_denied if between("blue", "green") == {"CPY-003"}

test_copy_out_of_a_tenant_is_denied if between("blue", "") == {"CPY-003"}

test_copy_among_nobodys_passes if between("", "") == set()

test_no_copy_has_no_tenant if {
	count(copy.deny) == 0 with input as testing.with_fields({
		"posture": {"tenant": "blue"},
		"copy_source": {"present": false, "tenant": "green"},
	})
}
