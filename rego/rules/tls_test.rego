package sealgate.rules.tls_test

import data.sealgate.lib.testing
import data.sealgate.rules.tls

findings(version, number, loopback) := found if {
	found := testing.ids(tls.deny) with input as testing.with_fields({"transport": {
		"tls": number > 0,
		"tls_version": version,
		"tls_version_num": number,
		"loopback": loopback,
	}})
}

test_plaintext_is_denied if findings("", 0, false) == {"TLS-001"}

test_tls_1_1_is_denied if findings("1.1", 11, false) == {"TLS-001"}

test_tls_1_2_passes if findings("1.2", 12, false) == set()

test_tls_1_3_passes if findings("1.3", 13, false) == set()

test_loopback_is_exempt if findings("", 0, true) == set()

test_loopback_address_from_a_header_is_not_exempt if {
	request := testing.with_fields({"transport": {"tls_version_num": 0, "source_ip": "127.0.0.1"}})
	testing.ids(tls.deny) == {"TLS-001"} with input as request
}

asked(version, number, loopback) := found if {
	found := testing.ids(tls.deny) with input as testing.with_fields({
		"transport": {"tls": number > 0, "tls_version": version, "tls_version_num": number, "loopback": loopback},
		"posture": {"tls_min": 13},
	})
}

test_version_of_the_posture_passes if asked("1.3", 13, false) == set()

test_version_below_the_posture_is_denied if asked("1.2", 12, false) == {"TLS-002"}

test_no_tls_misses_both_versions if asked("", 0, false) == {"TLS-001", "TLS-002"}

test_loopback_is_exempt_from_the_posture_too if asked("1.2", 12, true) == set()

certificate(wanted, present, loopback) := found if {
	found := testing.ids(tls.deny) with input as testing.with_fields({
		"transport": {"loopback": loopback, "client_cert": {"present": present, "subject": "CN=app"}},
		"posture": {"client_cert": wanted},
	})
}

test_no_certificate_is_needed_by_default if certificate("", false, false) == set()

test_certificate_passes if certificate("required", true, false) == set()

test_missing_certificate_is_denied if certificate("required", false, false) == {"TLS-003"}

test_loopback_needs_a_certificate_too if certificate("required", false, true) == {"TLS-003"}
