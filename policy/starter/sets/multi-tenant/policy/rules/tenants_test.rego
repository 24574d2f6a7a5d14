package site.rules.tenants_test

import data.sealgate.lib.testing
import data.site.rules.tenants

findings(request, attributes) := found if {
	found := testing.ids(tenants.deny) with input as object.union(request, {"identity": {"attributes": attributes}})
}

blue := {"tenant": "blue"}

in_prefix(tenant) := testing.with_fields({
	"resource": {"bucket": "tenants", "key": concat("", [tenant, "/a"]), "prefixes": [concat("", [tenant, "/"])]},
	"posture": {"tenant": tenant},
})

test_own_prefix_passes if findings(in_prefix("blue"), blue) == set()

test_another_tenants_prefix_is_denied if findings(in_prefix("green"), blue) == {"TNT-001"}

test_a_client_without_a_tenant_is_denied if findings(in_prefix("blue"), {}) == {"TNT-001"}

test_prefixes_of_nobody_are_a_matter_of_grants if findings(testing.base, {}) == set()

copying(bucket, key) := object.union(in_prefix("blue"), {"copy_source": {
	"present": true,
	"resource": {"bucket": bucket, "key": key},
}})

test_copy_within_the_tenant_passes if findings(copying("tenants", "blue/old"), blue) == set()

test_copy_from_another_tenant_is_denied if findings(copying("tenants", "green/a"), blue) == {"TNT-002"}

test_copy_from_a_name_that_begins_alike_is_denied if findings(copying("tenants", "blueprints/a"), blue) == {"TNT-002"}

test_copy_from_another_bucket_is_denied if findings(copying("archive", "blue/old"), blue) == {"TNT-002"}

listing(operation, prefix) := object.union(testing.get, {"request": {
	"operation": operation,
	"class": "list",
	"prefix": prefix,
}})

operations := ["ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"]

test_own_prefix_is_listed[operation] if {
	some operation in operations
	findings(listing(operation, "blue/"), blue) == set()
	findings(listing(operation, "blue/2026/"), blue) == set()
}

test_other_listings_are_denied[operation] if {
	some operation in operations
	every prefix in ["", "b", "blue", "green/"] {
		findings(listing(operation, prefix), blue) == {"TNT-003"}
	}
}

test_listing_without_a_tenant_is_denied if findings(listing("ListObjectsV2", "blue/"), {}) == {"TNT-003"}
