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
