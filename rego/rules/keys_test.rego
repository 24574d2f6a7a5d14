package sealgate.rules.keys_test

import data.sealgate.lib.testing
import data.sealgate.rules.keys

main := "arn:aws:kms:eu-central-1:111122223333:key/main"

other := "arn:aws:kms:eu-central-1:111122223333:key/other"

kms := object.union(testing.posture("sse-kms"), {"key_id": main, "allowed_keys": [main, other]})

write(posture, asks) := found if {
	found := testing.ids(keys.deny) with input as object.union(testing.with_fields({"posture": posture}), asks)
}

test_no_key_named_passes if write(kms, {}) == set()

test_mode_without_key_passes if write(kms, testing.asks("sse-kms", "")) == set()

test_required_key_passes if write(kms, testing.asks("sse-kms", main)) == set()

test_allowed_key_passes if write(kms, testing.asks("sse-kms", other)) == set()

test_bare_id_of_an_allowed_key_passes if write(kms, testing.asks("sse-kms", "other")) == set()

test_other_keys_are_denied[key] if {
	some key in [
		"evil",
		"arn:aws:kms:eu-central-1:999999999999:key/main",
		"arn:aws:kms:us-east-1:111122223333:key/main",
		"alias/main",
		"key/main",
		"ain",
		"/main",
	]
	write(kms, testing.asks("sse-kms", key)) == {"KEY-001"}
}

test_any_key_is_denied_where_none_is_allowed if {
	write(testing.posture("sse-kms"), testing.asks("sse-kms", main)) == {"KEY-001"}
}

test_replaced_key_is_not_judged if {
	write(object.union(kms, {"on_conflict": "replace"}), testing.asks("sse-kms", "evil")) == set()
}

test_allowed_name_in_the_short_arn_form_passes if {
	named := object.union(testing.posture("sse-kms"), {"key_id": "main", "allowed_keys": ["main"]})
	write(named, testing.asks("sse-kms", "arn:aws:kms:main")) == set()
	write(named, testing.asks("sse-kms", "arn:aws:kms:evil")) == {"KEY-001"}
}

test_key_on_a_read_is_not_judged if {
	request := object.union(testing.get, testing.asks("sse-kms", "evil"))
	count(keys.deny) == 0 with input as request
}

# Documents that name a key.
documents(operation, key) := found if {
	found := testing.ids(keys.deny) with input as object.union(
		testing.with_fields({"posture": kms}),
		testing.document(operation, [testing.setting("sse-kms", main), testing.setting("sse-kms", key)]),
	)
}

test_document_keys_are_judged[operation] if {
	some operation in ["PutBucketEncryption", "UpdateObjectEncryption"]
	documents(operation, "evil") == {"KEY-001"}
	documents(operation, other) == set()
	documents(operation, "") == set()
}

# Keys of other regions belong to the destination's posture.
test_replication_keys_are_not_judged if documents("PutBucketReplication", "evil") == set()

customer(mode, on_conflict) := write(
	object.union(testing.posture(mode), {"on_conflict": on_conflict}),
	testing.asks("sse-c", ""),
)

test_sse_c_passes_where_required if customer("sse-c", "reject") == set()

test_sse_c_is_denied_elsewhere[name] if {
	some name, [mode, on_conflict] in {
		"rejecting": ["sse-s3", "reject"],
		"replacing": ["sse-s3", "replace"],
		"none": ["none", "reject"],
		"stronger": ["sse-kms", "keep-if-stronger"],
		"stronger, allowed keys": ["sse-kms", "keep-if-allowed"],
		"sealed": ["cse", "keep-if-stronger"],
	}
	customer(mode, on_conflict) == {"KEY-002"}
}

test_sse_c_passes_where_left_to_clients if {
	customer("sse-s3", "keep-if-stronger") == set()
	customer("none", "keep-if-allowed") == set()
}

test_sse_c_on_a_read_passes if {
	request := object.union(testing.get, testing.asks("sse-c", ""))
	count(keys.deny) == 0 with input as request
}
