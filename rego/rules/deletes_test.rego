package sealgate.rules.deletes_test

import data.sealgate.lib.testing
import data.sealgate.rules.deletes

findings(request, posture) := found if {
	found := testing.ids(deletes.deny) with input as testing.with_fields({"request": request, "posture": posture})
}

denying := {"deletes": "deny"}

delete(operation) := {"operation": operation, "class": "delete", "method": "DELETE"}

test_deletes_pass_by_default if findings(delete("DeleteObject"), {}) == set()

test_deletes_are_denied[operation] if {
	some operation in ["DeleteObject", "DeleteObjects", "DeleteObjectAnnotation"]
	findings(delete(operation), denying) == {"DEL-001"}
}

test_an_upload_may_be_given_up if findings(delete("AbortMultipartUpload"), denying) == set()

test_writing_passes if findings({}, denying) == set()

bucket := {"operation": "DeleteBucket", "class": "bucket-config"}

test_the_bucket_stays if findings(bucket, denying) == {"DEL-001"}

test_the_bucket_may_go_by_default if findings(bucket, {}) == set()

test_other_settings_may_be_deleted if {
	findings({"operation": "DeleteBucketCors", "class": "bucket-config"}, denying) == set()
}

at_once(keys, most) := findings(object.union(delete("DeleteObjects"), {"key_count": keys}), {"max_delete_keys": most})

test_any_number_passes_by_default if at_once(1000, 0) == set()

test_as_many_as_said_pass if at_once(100, 100) == set()

test_one_more_is_denied if at_once(101, 100) == {"DEL-002"}

unlocking(class, posture) := found if {
	found := testing.ids(deletes.deny) with input as testing.with_fields({
		"request": {"operation": "PutObjectLegalHold", "class": class},
		"document": {"present": true, "suspends": true},
		"posture": posture,
	})
}

test_lifting_a_lock_is_denied if unlocking("object-config", denying) == {"DEL-003"}

test_lifting_a_lock_passes_by_default if unlocking("object-config", {}) == set()

test_settings_of_the_bucket_are_judged_elsewhere if unlocking("bucket-config", denying) == set()

test_setting_a_lock_passes if {
	findings({"operation": "PutObjectLegalHold", "class": "object-config"}, denying) == set()
}

bypassing(value, posture) := findings(
	{"operation": "PutObjectRetention", "class": "object-config", "headers": {"x-amz-bypass-governance-retention": value}},
	posture,
)

test_bypassing_is_denied[value] if {
	some value in ["true", "True", "1", ""]
	bypassing(value, denying) == {"DEL-003"}
}

test_not_bypassing_passes[value] if {
	some value in ["false", "False"]
	bypassing(value, denying) == set()
}

test_bypassing_passes_by_default if bypassing("true", {}) == set()

test_only_bulk_deletes_are_counted if {
	findings(object.union(delete("DeleteObject"), {"key_count": 101}), {"max_delete_keys": 100}) == set()
}
