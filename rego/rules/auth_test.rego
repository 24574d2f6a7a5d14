package sealgate.rules.auth_test

import data.sealgate.lib.testing
import data.sealgate.rules.auth

anonymous := {"identity": {"auth_method": "anonymous", "verified": false, "access_key": "", "principal": ""}}

findings(request) := found if {
	found := testing.ids(auth.deny) with input as request
}

test_verified_write_passes if findings(testing.base) == set()

test_verified_read_passes if findings(testing.get) == set()

test_unverified_signature_is_denied if {
	findings(testing.with_fields({"identity": {"verified": false}})) == {"AUT-001"}
}

test_unverified_read_is_denied if {
	findings(object.union(testing.get, {"identity": {"verified": false, "auth_method": "sigv4-presigned"}})) == {"AUT-001"}
}

test_anonymous_write_is_denied if findings(testing.with_fields(anonymous)) == {"AUT-002"}

test_anonymous_read_passes if findings(object.union(testing.get, anonymous)) == set()

test_anonymous_listing_passes if {
	listing := object.union(testing.get, {"request": {"operation": "ListObjectsV2", "class": "list"}})
	findings(object.union(listing, anonymous)) == set()
}

test_anonymous_changes_are_denied[class] if {
	some class in ["delete", "object-config", "bucket-config", "admin"]
	findings(object.union(testing.with_fields({"request": {"class": class}}), anonymous)) == {"AUT-002"}
}

test_anonymous_read_that_changes_something_is_denied if {
	findings(object.union(object.union(testing.get, {"request": {"read_only": false}}), anonymous)) == {"AUT-002"}
}

test_anonymous_may_not_read_settings if {
	settings := {"request": {"operation": "GetBucketPolicy", "class": "bucket-config"}}
	findings(object.union(object.union(testing.get, settings), anonymous)) == {"AUT-002"}
}

test_preflight_passes if {
	preflight := {"request": {"operation": "OptionsPreflight", "class": "admin"}}
	findings(object.union(testing.with_fields(preflight), anonymous)) == set()
}

payload(wanted, sent, checksum) := findings(testing.with_fields({
	"request": {"payload": sent, "checksum": checksum},
	"posture": {"checksum": wanted},
}))

test_unsigned_bodies_pass_by_default[sent] if {
	some sent in ["unsigned", "unsigned-trailer"]
	payload("", sent, "") == set()
	payload("required", sent, "") == set()
}

test_unsigned_bodies_are_denied_where_strong_checksums_are_asked_for[checksum] if {
	some checksum in ["", "md5", "crc32", "sha1"]
	payload("strong", "unsigned", checksum) == {"AUT-003"}
}

# The checksum is then in a header, which is signed.
test_unsigned_bodies_with_a_strong_checksum_pass[checksum] if {
	some checksum in ["sha256", "sha512"]
	payload("strong", "unsigned", checksum) == set()
}

test_unsigned_trailers_are_denied_where_strong_checksums_are_asked_for[checksum] if {
	some checksum in ["crc32", "sha256", "sha512"]
	payload("strong", "unsigned-trailer", checksum) == {"AUT-003"}
}

test_signed_bodies_pass[sent] if {
	some sent in ["hash", "signed-chunks", "signed-chunks-trailer", "none"]
	payload("strong", sent, "") == set()
}
