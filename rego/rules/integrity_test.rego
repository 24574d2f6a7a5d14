package sealgate.rules.integrity_test

import data.sealgate.lib.testing
import data.sealgate.rules.integrity

findings(operation, wanted, announced) := found if {
	found := testing.ids(integrity.deny) with input as testing.with_fields({
		"request": {"operation": operation, "checksum": announced},
		"posture": {"checksum": wanted},
	})
}

test_nothing_is_asked_for_by_default if {
	findings("PutObject", "", "") == set()
	findings("PutObject", "", "md5") == set()
}

test_uploads_without_a_checksum_are_denied[operation] if {
	some operation in ["PutObject", "PostObject", "UploadPart", "PutObjectAnnotation"]
	every wanted in ["required", "strong"] {
		findings(operation, wanted, "") == {"INT-001"}
	}
}

test_weak_checksums_pass_where_any_will_do[announced] if {
	some announced in ["md5", "crc32", "crc64nvme", "sha1", "sha256"]
	findings("PutObject", "required", announced) == set()
}

test_weak_checksums_are_denied_where_strong_ones_are_asked_for[announced] if {
	some announced in ["md5", "crc32", "crc32c", "crc64nvme", "sha1", "xxhash64", "sha25"]
	every operation in ["PutObject", "PostObject", "UploadPart", "PutObjectAnnotation"] {
		findings(operation, "strong", announced) == {"INT-002"}
	}
}

test_strong_checksums_pass[announced] if {
	some announced in ["sha256", "sha512"]
	findings("PutObject", "strong", announced) == set()
}

test_what_has_no_body_passes[operation] if {
	some operation in ["CopyObject", "UploadPartCopy", "CreateMultipartUpload", "CompleteMultipartUpload", "GetObject"]
	findings(operation, "strong", "") == set()
	findings(operation, "strong", "md5") == set()
}
