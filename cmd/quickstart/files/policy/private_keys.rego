# METADATA
# title: No private keys in object storage
# description: A rule of this site, beside the library that every gateway has.
package site.rules.private_keys

deny contains {
	"id": "PEM-001",
	"msg": "private keys do not belong in object storage",
	"path": "resource.key",
} if {
	input.request.class == "write"
	endswith(input.resource.key, ".pem")
}
