package site.encryption.tenants

require contains {"mode": "sse-kms", "key_id": "arn:aws:kms:eu-central-1:111122223333:key/main"} if {
	input.request.class == "write"
	"tenants/" in input.resource.prefixes
}
