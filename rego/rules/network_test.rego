package sealgate.rules.network_test

import data.sealgate.lib.testing
import data.sealgate.rules.network

findings(allowed, from) := found if {
	found := testing.ids(network.deny) with input as testing.with_fields({
		"posture": {"networks": allowed},
		"transport": {"networks": from},
	})
}

test_everywhere_passes_by_default if {
	findings([], []) == set()
	findings([], ["office"]) == set()
}

test_inside_passes if findings(["office"], ["office"]) == set()

test_one_of_several_is_enough if findings(["office", "vpn"], ["lab", "vpn"]) == set()

test_outside_is_denied if findings(["office"], ["lab"]) == {"NET-001"}

test_no_network_is_denied if findings(["office"], []) == {"NET-001"}

test_reading_is_judged_too if {
	request := object.union(testing.get, {"posture": {"networks": ["office"]}})
	testing.ids(network.deny) == {"NET-001"} with input as request
}
