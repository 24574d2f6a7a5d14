package sealgate.rules.multipart_test

import data.sealgate.lib.testing
import data.sealgate.rules.multipart

findings(operation, wanted, announced) := found if {
	found := testing.ids(multipart.deny) with input as testing.with_fields({
		"request": {"operation": operation, "checksum": announced},
		"posture": {"checksum": wanted},
	})
}

begin(wanted, announced) := findings("CreateMultipartUpload", wanted, announced)

test_nothing_is_asked_for_by_default if {
	begin("", "") == set()
	begin("", "crc32") == set()
}

test_beginning_without_an_algorithm_is_denied if {
	begin("required", "") == {"MPU-001"}
	begin("strong", "") == {"MPU-001"}
}

test_any_algorithm_passes_where_any_will_do if begin("required", "crc32") == set()

test_weak_algorithms_are_denied_where_strong_ones_are_asked_for[announced] if {
	some announced in ["crc32", "crc64nvme", "sha1", "md5"]
	begin("strong", announced) == {"MPU-001"}
}

test_strong_algorithms_pass[announced] if {
	some announced in ["sha256", "sha512"]
	begin("strong", announced) == set()
}

test_one_reason_is_given if {
	count(multipart.deny) == 1 with input as testing.with_fields({
		"request": {"operation": "CreateMultipartUpload"},
		"posture": {"checksum": "strong"},
	})
}

test_other_operations_pass[operation] if {
	some operation in ["PutObject", "UploadPart", "CompleteMultipartUpload"]
	findings(operation, "strong", "") == set()
	findings(operation, "strong", "crc32") == set()
}
