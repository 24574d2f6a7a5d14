# METADATA
# title: What the posture file requires
package sealgate.encryption.posture

require contains {
	"mode": input.posture.mode,
	"key_id": input.posture.key_id,
	"keyring": input.posture.keyring,
	"context": input.posture.context,
	"bucket_key": input.posture.bucket_key,
	"on_conflict": input.posture.on_conflict,
	"allowed_keys": input.posture.allowed_keys,
} if {
	input.request.class == "write"
	input.posture.id != ""
}
