package sealgate.rules.bucket_test

import data.sealgate.lib.testing
import data.sealgate.rules.bucket

findings(posture, changes) := found if {
	found := testing.ids(bucket.deny) with input as object.union(testing.with_fields({"posture": posture}), changes)
}

deletes := {"request": {"operation": "DeleteBucketEncryption", "class": "bucket-config"}}

test_delete_is_denied[mode] if {
	some mode in ["sse-s3", "sse-c", "sse-kms", "dsse-kms", "cse"]
	findings(testing.posture(mode), deletes) == {"BKT-001"}
}

test_delete_passes_where_nothing_is_required if {
	findings(testing.posture("none"), deletes) == set()
	findings(testing.uncovered, deletes) == set()
}

test_other_operations_pass if findings(testing.posture("sse-kms"), {}) == set()

default_encryption(mode, asked) := findings(
	testing.posture(mode),
	testing.document("PutBucketEncryption", [testing.setting(asked, "")]),
)

test_default_as_strong_passes if default_encryption("sse-kms", "sse-kms") == set()

test_stronger_default_passes if default_encryption("sse-s3", "dsse-kms") == set()

test_weaker_default_is_denied if default_encryption("sse-kms", "sse-s3") == {"BKT-002"}

test_unknown_default_is_denied if default_encryption("sse-s3", "unknown") == {"BKT-002"}

test_one_weak_rule_among_others_is_denied if {
	rules := [testing.setting("dsse-kms", ""), testing.setting("sse-s3", "")]
	findings(testing.posture("sse-kms"), testing.document("PutBucketEncryption", rules)) == {"BKT-002"}
}

test_default_that_cannot_be_expressed_needs_sse_s3 if {
	default_encryption("cse", "sse-s3") == set()
	default_encryption("sse-c", "sse-s3") == set()
	default_encryption("cse", "none") == {"BKT-002"}
	default_encryption("sse-c", "none") == {"BKT-002"}
}

blocking(posture, types) := findings(posture, {
	"request": {"operation": "PutBucketEncryption", "class": "bucket-config"},
	"document": {"present": true, "blocked": types},
})

test_unblocking_sse_c_is_denied if blocking(testing.posture("sse-kms"), ["NONE"]) == {"BKT-002"}

test_unblocking_sse_c_on_an_uncovered_bucket_is_denied if blocking(testing.uncovered, ["NONE"]) == {"BKT-002"}

test_blocking_sse_c_passes if blocking(testing.posture("sse-kms"), ["SSE-C"]) == set()

test_unblocking_sse_c_passes_where_it_is_required if blocking(testing.posture("sse-c"), ["NONE"]) == set()

test_unblocking_sse_c_passes_where_clients_may_choose if {
	keeping := {"on_conflict": "keep-if-stronger"}
	blocking(object.union(testing.posture("sse-s3"), keeping), ["NONE"]) == set()
	blocking(object.union(testing.posture("none"), keeping), ["NONE"]) == set()
	blocking(object.union(testing.posture("sse-kms"), keeping), ["NONE"]) == {"BKT-002"}
}

replication(mode, settings) := findings(testing.posture(mode), testing.document("PutBucketReplication", settings))

test_replicas_as_strong_pass if replication("sse-kms", [testing.setting("sse-kms", "")]) == set()

test_weaker_replicas_are_denied if replication("sse-kms", [testing.setting("sse-s3", "")]) == {"BKT-005"}

test_replicas_need_no_more_than_the_document_can_say if {
	replication("dsse-kms", [testing.setting("sse-kms", "")]) == set()
}

test_replicas_without_a_setting_pass if replication("sse-kms", []) == set()

inventory(mode, settings) := findings(testing.posture(mode), object.union(
	testing.document("PutBucketInventoryConfiguration", settings),
	{"document": {"destinations": ["reports"]}},
))

test_weak_reports_are_denied if inventory("sse-kms", [testing.setting("sse-s3", "")]) == {"BKT-006"}

test_reports_as_strong_pass if inventory("sse-kms", [testing.setting("sse-kms", "")]) == set()

test_reports_that_do_not_say_are_denied if inventory("sse-kms", []) == {"BKT-006"}

test_reports_that_do_not_say_pass_where_sse_s3_is_enough if inventory("sse-s3", []) == set()

update(mode, asked) := findings(testing.posture(mode), {
	"request": {"operation": "UpdateObjectEncryption", "class": "write"},
	"document": {"present": true, "settings": [testing.setting(asked, "")]},
})

test_reencryption_as_strong_passes if update("sse-kms", "sse-kms") == set()

test_weaker_reencryption_is_denied if {
	update("dsse-kms", "sse-kms") == {"BKT-006"}
	update("cse", "sse-kms") == {"BKT-006"}
}

test_weaker_reencryption_has_one_reason if {
	count(bucket.deny) == 1 with input as testing.with_fields({
		"posture": testing.posture("sse-kms"),
		"request": {"operation": "UpdateObjectEncryption", "class": "write"},
		"document": {"present": true, "settings": [testing.setting("sse-s3", "")]},
	})
}

test_blocked_types_of_other_operations_are_not_judged if {
	findings(testing.posture("sse-kms"), {"document": {"present": true, "blocked": ["NONE"]}}) == set()
}

test_unblocking_sse_c_is_denied_where_clients_may_not_choose if {
	blocking(testing.posture("sse-s3"), ["NONE"]) == {"BKT-002"}
}

test_replicas_that_do_not_say_pass if {
	rules := object.union(testing.document("PutBucketReplication", []), {"document": {"destinations": ["mirror"]}})
	findings(testing.posture("sse-kms"), rules) == set()
}

test_documents_that_write_nothing_pass if {
	findings(testing.posture("sse-kms"), testing.document("RestoreObject", [])) == set()
}

replacing(mode) := object.union(testing.posture(mode), {"on_conflict": "replace"})

test_weaker_default_passes_where_it_is_replaced if {
	findings(replacing("sse-kms"), testing.document("PutBucketEncryption", [testing.setting("sse-s3", "")])) == set()
}

test_weaker_default_is_denied_where_no_default_can_replace_it if {
	findings(replacing("cse"), testing.document("PutBucketEncryption", [testing.setting("unknown", "")])) == {"BKT-002"}
}

# What lets readers in past the gateway.
opening(posture) := findings(object.union(testing.posture("sse-s3"), posture), {
	"request": {"operation": "PutBucketPolicy", "class": "bucket-config"},
	"document": {"present": true, "opens": true},
})

unblocking_all(posture) := findings(object.union(testing.posture("sse-s3"), posture), {"request": {
	"operation": "DeletePublicAccessBlock",
	"class": "bucket-config",
}})

closed := [{"classification": "restricted"}, {"tenant": "blue"}, {"networks": ["office"]}]

test_opening_is_denied[posture] if {
	some posture in closed
	opening(posture) == {"BKT-003"}
	unblocking_all(posture) == {"BKT-003"}
}

test_opening_passes_by_default if {
	opening({}) == set()
	unblocking_all({}) == set()
}

test_documents_that_open_nothing_pass[posture] if {
	some posture in closed
	findings(object.union(testing.posture("sse-s3"), posture), {
		"request": {"operation": "PutBucketPolicy", "class": "bucket-config"},
		"document": {"present": true},
	}) == set()
}

# What keeps objects from being lost.
suspending(class, posture) := findings(object.union(testing.posture("sse-s3"), posture), {
	"request": {"operation": "PutBucketVersioning", "class": class},
	"document": {"present": true, "suspends": true},
})

test_suspending_is_denied_where_deletes_are if suspending("bucket-config", {"deletes": "deny"}) == {"BKT-004"}

test_suspending_passes_by_default if suspending("bucket-config", {}) == set()

test_locks_on_objects_are_judged_elsewhere if suspending("object-config", {"deletes": "deny"}) == set()

test_enabling_passes_where_deletes_are_denied if {
	findings(object.union(testing.posture("sse-s3"), {"deletes": "deny"}), {
		"request": {"operation": "PutBucketVersioning", "class": "bucket-config"},
		"document": {"present": true},
	}) == set()
}

# What is left of a document that was not sent says nothing.
test_no_document_asks_for_nothing if {
	count(bucket.deny) == 0 with input as object.union(
		testing.with_fields({"posture": testing.posture("sse-kms")}),
		{"document": {"present": false, "settings": [testing.setting("sse-s3", "")]}},
	)
	count(bucket.deny) == 0 with input as object.union(
		testing.with_fields({"posture": testing.posture("sse-kms")}),
		{"document": {"present": false, "destinations": ["elsewhere"]}},
	)
}
