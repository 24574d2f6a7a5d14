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
