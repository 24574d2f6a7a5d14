// Package local is the keyring driver whose key-encryption keys are in one
// file of the gateway's own: no service to run, no call to make, and nothing to
// get the keys back from but a backup of that file.
//
// # The file
//
//	# comment
//	version: 1
//	key: 0123456789abcdef 2026-01-02T03:04:05Z old     <secret in base64>
//	key: 89abcdef01234567 2026-11-23T12:00:00Z current <secret in base64>
//
// Each key has an id of 8 random bytes, which envelopes name, the time it was
// made, a state and a secret of 32 random bytes. Exactly one is current and
// wraps new data keys; the old ones unwrap. An id or a secret that is there
// twice is refused, as is an id whose secret is another than before.
//
// It must be a regular file that neither its group nor others can reach (mode
// 0600 or 0400). Windows has no such modes; there the file's access-control
// list is the operator's business.
//
// [File] is the reading side, which follows the file while the gateway runs.
// [Init], [Rotate] and [List] are the editing side, used by the command line.
// They replace the file in one step, so a gateway never sees half of an edit;
// comments other than the first lines do not survive a rotation.
//
// # A wrapped data key
//
//	nonce 12 ‖ AES-256-GCM(data key) 32 ‖ tag 16 ‖ encoded context
//
//	key of the GCM   HKDF-SHA-256(secret, salt = OID, info = "sealgate/1 wrap")
//	nonce            random
//	additional data  the binding's AAD ‖ encoded context
//
// That is 60 bytes without a context. As the GCM key is another one for each
// object, the number of random nonces under one key does not count. Unwrapping
// takes microseconds, so a keyring.Cache in front gains little.
//
// # In Caddy
//
// [Keyring] is the guest module s3_encryption.keyrings.local:
//
//	s3_encryption {
//		keyring main local /etc/sealgate/main.keyring
//	}
package local
