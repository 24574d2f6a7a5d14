# METADATA
# title: What does not belong in object storage
package site.rules.hygiene

# METADATA
# title: No private keys
# custom:
#   id: HYG-001
deny contains {
	"id": "HYG-001",
	"msg": "private keys do not belong in object storage",
	"path": "resource.key",
} if {
	input.request.class == "write"
	some suffix in [".pem", ".key"]
	endswith(input.resource.key, suffix)
}

# METADATA
# title: Objects are tagged
# custom:
#   id: HYG-002
deny contains {
	"id": "HYG-002",
	"msg": concat("", ["the tag owner is ", object.get(input.request.tags, "owner", "missing"), ", not a team"]),
	"path": "request.tags",
} if {
	input.request.operation in {"PutObject", "CreateMultipartUpload"}
	startswith(input.resource.key, "tagged/")
	not startswith(object.get(input.request.tags, "owner", ""), "team-")
}

# METADATA
# title: Not at night
# custom:
#   id: HYG-003
deny contains {
	"id": "HYG-003",
	"msg": "nothing is deleted between 22 and 5 o'clock",
	"path": "time.hour",
} if {
	input.request.class == "delete"
	night
}

night if input.time.hour >= 22

night if input.time.hour < 5
