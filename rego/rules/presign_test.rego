package sealgate.rules.presign_test

import data.sealgate.lib.testing
import data.sealgate.rules.presign

presigned(age, expires) := {
	"identity": {"auth_method": "sigv4-presigned"},
	"request": {"presign": {"active": true, "age_s": age, "expires_s": expires}},
}

read(age, expires) := found if {
	found := testing.ids(presign.deny) with input as object.union(testing.get, presigned(age, expires))
}

write(age, expires) := found if {
	found := testing.ids(presign.deny) with input as testing.with_fields(presigned(age, expires))
}

test_default_life_passes if {
	read(10, 900) == set()
	write(10, 900) == set()
}

test_read_of_seven_days_passes if read(604800, 604800) == set()

test_read_of_more_is_denied if read(0, 604801) == {"PRE-001"}

test_old_read_is_denied if read(604801, 604800) == {"PRE-001"}

test_write_of_twelve_hours_passes if write(43200, 43200) == set()

test_write_of_more_is_denied if write(0, 43201) == {"PRE-001"}

test_old_write_is_denied if write(43201, 43200) == {"PRE-001"}

test_signed_in_the_future_passes if write(-60, 900) == set()

test_not_presigned_passes if {
	request := testing.with_fields({"request": {"presign": {"active": false, "age_s": 999999, "expires_s": 999999}}})
	count(presign.deny) == 0 with input as request
}

short(most, seconds) := found if {
	found := testing.ids(presign.deny) with input as object.union(
		object.union(testing.get, presigned(10, seconds)),
		{"posture": {"presign_max_s": most}},
	)
}

test_life_of_the_posture_passes if short(900, 900) == set()

test_more_than_the_posture_is_denied if short(900, 901) == {"PRE-001"}

test_older_than_the_posture_is_denied if {
	request := object.union(object.union(testing.get, presigned(901, 900)), {"posture": {"presign_max_s": 900}})
	testing.ids(presign.deny) == {"PRE-001"} with input as request
}

test_posture_does_not_lengthen if {
	short(700000, 604800) == set()
	short(700000, 604801) == {"PRE-001"}
}

# What one may do with a link.
linked(request, method, allowed) := found if {
	found := testing.ids(presign.deny) with input as object.union(request, {
		"identity": {"auth_method": method},
		"posture": {"presign": allowed},
	})
}

listing := object.union(testing.get, {"request": {"operation": "ListObjectsV2", "class": "list"}})

test_all_links_pass_by_default if {
	linked(testing.base, "sigv4-presigned", "all") == set()
	linked(testing.base, "sigv4-post", "all") == set()
}

test_links_may_read if {
	linked(testing.get, "sigv4-presigned", "read") == set()
	linked(listing, "sigv4-presigned", "read") == set()
}

test_links_that_change_are_denied[method] if {
	some method in ["sigv4-presigned", "sigv4-post"]
	linked(testing.base, method, "read") == {"PRE-002"}
}

test_links_that_delete_are_denied if {
	request := testing.with_fields({"request": {"operation": "DeleteObject", "class": "delete"}})
	linked(request, "sigv4-presigned", "read") == {"PRE-002"}
}

test_all_links_are_denied if {
	linked(testing.get, "sigv4-presigned", "none") == {"PRE-002"}
	linked(testing.base, "sigv4-post", "none") == {"PRE-002"}
}

test_what_is_no_link_passes[allowed] if {
	some allowed in ["read", "none"]
	linked(testing.base, "sigv4-header", allowed) == set()
	linked(testing.get, "anonymous", allowed) == set()
}
