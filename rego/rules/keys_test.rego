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

# Keys of tenants.
blue := "arn:aws:kms:eu-central-1:111122223333:key/blue"

shared := "arn:aws:kms:eu-central-1:111122223333:key/shared"

tenants := {blue: ["blue"], "blue": ["blue"], shared: ["blue", "green"], "shared": ["blue", "green"]}

tenant(name, key) := write(
	object.union(testing.posture("sse-kms"), {"key_id": key, "allowed_keys": [key], "tenant": name, "key_tenants": tenants}),
	{},
)

test_own_key_passes if tenant("blue", blue) == set()

test_shared_key_passes if {
	tenant("blue", shared) == set()
	tenant("green", shared) == set()
}

test_key_of_another_tenant_is_denied[key] if {
	some key in [blue, "blue", "arn:aws:kms:blue"]
	tenant("green", key) == {"KEY-003"}
}

test_key_of_a_tenant_is_denied_where_there_is_none if tenant("", blue) == {"KEY-003"}

test_key_of_nobody_passes if tenant("green", main) == set()

# The client names a key that it may choose.
choosing(on_conflict, asked) := write(
	object.union(testing.posture("sse-kms"), {
		"key_id": main,
		"allowed_keys": [main, blue],
		"on_conflict": on_conflict,
		"tenant": "green",
		"key_tenants": tenants,
	}),
	testing.asks("sse-kms", asked),
)

test_clients_key_of_another_tenant_is_denied if choosing("keep-if-allowed", "blue") == {"KEY-003"}

test_clients_key_that_is_replaced_is_not_judged if choosing("replace", blue) == set()

test_key_of_another_tenant_on_a_read_is_not_judged if {
	request := object.union(
		object.union(testing.get, testing.asks("sse-kms", blue)),
		{"posture": {"key_id": blue, "tenant": "green", "key_tenants": tenants}},
	)
	count(keys.deny) == 0 with input as request
}

test_key_in_a_document_is_judged_by_tenant if {
	request := object.union(
		testing.with_fields({"posture": object.union(kms, {
			"allowed_keys": [main, blue],
			"tenant": "green",
			"key_tenants": tenants,
		})}),
		testing.document("PutBucketEncryption", [testing.setting("sse-kms", blue)]),
	)
	testing.ids(keys.deny) == {"KEY-003"} with input as request
}

test_key_a_default_is_replaced_by_is_judged if {
	request := object.union(
		testing.with_fields({"posture": object.union(testing.posture("sse-kms"), {
			"key_id": blue,
			"on_conflict": "replace",
			"tenant": "green",
			"key_tenants": tenants,
		})}),
		testing.document("PutBucketEncryption", [testing.setting("sse-s3", "")]),
	)
	testing.ids(keys.deny) == {"KEY-003"} with input as request
}

# Regions of keys.
region(regions, key) := write(
	object.union(testing.posture("sse-kms"), {"key_id": key, "allowed_keys": [key], "residency": regions}),
	{},
)

test_key_of_a_listed_region_passes if region(["eu-west-1", "eu-central-1"], main) == set()

test_key_of_another_region_is_denied if region(["eu-west-1"], main) == {"KEY-004"}

test_alias_of_another_region_is_denied if {
	region(["eu-west-1"], "arn:aws:kms:eu-central-1:111122223333:alias/a") == {"KEY-004"}
}

test_key_of_any_region_passes_by_default if region([], main) == set()

test_key_without_a_region_passes[key] if {
	some key in ["main", "alias/main", "arn:aws:kms:main"]
	region(["eu-west-1"], key) == set()
}

test_message_names_the_region if {
	request := testing.with_fields({"posture": object.union(kms, {"residency": ["eu-west-1"]})})
	some finding in keys.deny with input as request
	finding.msg == "the KMS key is in the region eu-central-1, which is not allowed here"
}

test_key_of_replicas_is_judged_by_region if {
	request := object.union(
		testing.with_fields({"posture": {"residency": ["eu-west-1"]}}),
		testing.document("PutBucketReplication", [testing.setting("sse-kms", main)]),
	)
	testing.ids(keys.deny) == {"KEY-004"} with input as request
}

test_clients_key_is_judged_by_region if {
	far := "arn:aws:kms:us-east-1:111122223333:key/far"
	write(
		object.union(kms, {"allowed_keys": [main, far], "residency": ["eu-central-1"]}),
		testing.asks("sse-kms", far),
	) == {"KEY-004"}
}

# Names of keys.
named(tenant_name, key) := write(
	object.union(testing.posture("sse-kms"), {"key_id": key, "allowed_keys": [key], "tenant": tenant_name}),
	{},
)

test_aliases_are_denied_in_a_tenants_prefix[key] if {
	some key in ["alias/blue", "arn:aws:kms:eu-central-1:111122223333:alias/blue"]
	named("blue", key) == {"KEY-006"}
}

test_aliases_pass_by_default if named("", "alias/blue") == set()

test_ids_pass_in_a_tenants_prefix[key] if {
	some key in [main, "main", "my-alias/main", "arn:aws:kms:eu-central-1:111122223333:key/alias"]
	named("blue", key) == set()
}
