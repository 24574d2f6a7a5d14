package sealgate.rules.encryption_test

import data.sealgate.lib.testing
import data.sealgate.rules.encryption

classed(mode, floor) := testing.with_fields({"posture": object.union(
	testing.posture(mode),
	{"classification": "restricted", "floor": floor},
)})

findings(request) := found if {
	found := testing.ids(encryption.deny) with input as request
}

test_no_floor_passes if findings(testing.put("none")) == set()

test_at_the_floor_passes if findings(classed("sse-kms", "sse-kms")) == set()

test_above_the_floor_passes if findings(classed("cse", "sse-kms")) == set()

test_below_the_floor_is_denied if findings(classed("sse-c", "sse-kms")) == {"ENC-002"}

test_nothing_required_is_denied if {
	findings(object.union(classed("none", "sse-s3"), {"posture": {"id": "", "mode": ""}})) == {"ENC-002"}
}

test_floor_of_no_class_is_not_judged if {
	findings(object.union(classed("sse-s3", "cse"), {"posture": {"classification": ""}})) == set()
}

test_reading_is_not_judged if {
	findings(object.union(testing.get, {"posture": classed("sse-s3", "cse").posture})) == set()
}

test_message_names_the_class if {
	some finding in encryption.deny with input as classed("sse-s3", "cse")
	finding.msg == "data of the class restricted must be encrypted more strongly"
}
