# METADATA
# title: Tenants
# description: >-
#   Whose a prefix is stands in the posture, whose a client is in its attribute
#   "tenant". Grants keep tenants apart as well; these rules hold when one is written
#   too widely.
package site.rules.tenants

# METADATA
# title: Tenants stay in their own prefixes
# custom:
#   id: TNT-001
#   severity: critical
#   remediation: Use the prefix of your own tenant.
deny contains {
	"id": "TNT-001",
	"msg": "this prefix is another tenant's",
	"path": "posture.tenant",
} if {
	input.posture.tenant != ""
	not own_prefix
}

# A client without the attribute has no tenant: comparing with "!=" would let it pass.
own_prefix if input.identity.attributes.tenant == input.posture.tenant

# METADATA
# title: Copies stay within a tenant
# description: The posture is that of the destination, so the source is judged by its key.
# custom:
#   id: TNT-002
#   severity: critical
#   remediation: Copy within the prefix of your own tenant.
deny contains {
	"id": "TNT-002",
	"msg": "the source of the copy is another tenant's",
	"path": "copy_source.resource.key",
} if {
	input.copy_source.present
	not own_source
}

own_source if {
	input.copy_source.resource.bucket == input.resource.bucket
	startswith(input.copy_source.resource.key, root)
}

# METADATA
# title: Tenants list their own prefix
# description: A listing names keys, and keys tell things. It must ask for the tenant's prefix.
# custom:
#   id: TNT-003
#   severity: high
#   remediation: List with the prefix of your own tenant, for example "blue/".
deny contains {
	"id": "TNT-003",
	"msg": "a listing must ask for your own prefix",
	"path": "request.prefix",
} if {
	input.request.operation in {"ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"}
	not own_listing
}

own_listing if startswith(input.request.prefix, root)

# The prefix of the tenant who asks; undefined for a client that has none.
root := concat("", [input.identity.attributes.tenant, "/"])
