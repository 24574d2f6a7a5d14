package sealgate.encryption.posture_test

import data.sealgate.encryption.posture
import data.sealgate.lib.testing

modes_of(request) := found if {
	found := {r.mode | some r in posture.require} with input as request
}

test_write_is_required_what_the_posture_says if modes_of(testing.put("dsse-kms")) == {"dsse-kms"}

test_none_is_a_requirement_too if modes_of(testing.put("none")) == {"none"}

test_uncovered_write_is_required_nothing if modes_of(testing.with_fields({"posture": testing.uncovered})) == set()

test_read_is_required_nothing if modes_of(testing.get) == set()
