# METADATA
# title: Reports
package site.rules.example

# METADATA
# title: Reports are written by the finance group
# description: >-
#   Others would change figures that were signed off. Reading them is a matter of
#   grants.
# custom:
#   id: RPT-001
#   severity: high
#   remediation: Ask finance to upload the report.
deny contains {
	"id": "RPT-001",
	"msg": "only the group finance writes reports",
	"path": "identity.groups",
} if {
	input.request.class in {"write", "delete"}
	"reports/" in input.resource.prefixes
	not "finance" in input.identity.groups
}
