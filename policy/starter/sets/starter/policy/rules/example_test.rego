package site.rules.example_test

import data.sealgate.lib.testing
import data.site.rules.example

# What the rules say of a request to a key by somebody in these groups.
findings(request, key, groups) := found if {
	found := testing.ids(example.deny) with input as object.union(request, {
		"resource": {"key": key, "prefixes": [prefix |
			some i
			split(key, "/")[i]
			i > 0
			prefix := concat("", [concat("/", array.slice(split(key, "/"), 0, i)), "/"])
		]},
		"identity": {"groups": groups},
	})
}

deleting := testing.with_fields({"request": {"operation": "DeleteObject", "class": "delete"}})

test_finance_writes_reports if findings(testing.base, "reports/q3.pdf", ["finance"]) == set()

test_others_do_not if findings(testing.base, "reports/q3.pdf", ["applications"]) == {"RPT-001"}

test_folders_of_reports_count if findings(testing.base, "reports/2026/q3.pdf", []) == {"RPT-001"}

test_others_do_not_delete_reports if findings(deleting, "reports/q3.pdf", []) == {"RPT-001"}

test_others_read_reports if findings(testing.get, "reports/q3.pdf", []) == set()

test_other_folders_are_free if {
	findings(testing.base, "drafts/q3.pdf", []) == set()
	findings(testing.base, "reports.pdf", []) == set()
}
