# METADATA
# title: What tenants may do
package site.rules.tenants

# METADATA
# title: Tenants stay in their own folders
# custom:
#   id: TEN-001
deny contains {
	"id": "TEN-001",
	"msg": "this folder belongs to another tenant",
	"path": "resource.key",
} if {
	startswith(input.resource.key, "tenants/")
	parts := split(input.resource.key, "/")
	owner := parts[1]
	not input.identity.attributes.tenant == owner
}

# METADATA
# title: Large objects go to the archive
# custom:
#   id: TEN-002
deny contains {
	"id": "TEN-002",
	"msg": "objects of more than 5000 bytes belong under archive/",
	"path": "request.content_length",
} if {
	input.request.operation == "PutObject"
	input.request.content_length > 5000
	not startswith(input.resource.key, "archive/")
}
