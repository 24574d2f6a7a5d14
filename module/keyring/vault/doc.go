// Package vault is the keyring whose key-encryption key is in the transit engine
// of HashiCorp Vault or OpenBao, and the Caddy module
// s3_encryption.keyrings.vault.
//
// # The key
//
// A data key, made by the gateway, is encrypted by transit with
// associated_data = Binding.AAD ‖ encoded context, so that Vault decrypts it for
// no other object. This needs a key of type aes256-gcm96, aes128-gcm96 or
// chacha20-poly1305, not derived. Other types are refused, and before its first
// use every key has to prove that a changed associated_data makes it fail: a
// server too old to know the field ignores it.
//
// An object stores as KEK id the first 8 bytes of SHA-256("sealgate vault" ‖
// mount ‖ "/" ‖ key ‖ ("#" ‖ id, if one is configured)). The address is not in
// it: the server can move, and any gateway with the same names reads what
// another wrote. The key's versions are in the ciphertext and Vault's own
// business: rotate there; min_decryption_version ends reading.
//
// A policy for the gateway:
//
//	path "transit/encrypt/NAME" { capabilities = ["update"] }
//	path "transit/decrypt/NAME" { capabilities = ["update"] }
//	path "transit/keys/NAME"    { capabilities = ["read"] }   # optional
//
// Without "create", a misspelt name does not make a new key. Both encrypt and
// decrypt are needed, also for a gateway that only reads.
//
// # The token
//
// The session logs in with a token, the token in a file (an agent's sink), or
// AppRole. It begins when the configuration is loaded and does not hold loading
// up. A token that expires is renewed before half of its time is over; a renewal
// that fails is tried again until the token expires, and then a login until one
// succeeds. Files are read again at every login. A token that is near the end of
// what renewals give, or refused, is replaced by a new login.
//
// # Errors
//
// Errors are those of package keyring. ErrDenied: 403, no such mount or key, a
// retired version, a key that does not suit (which is ErrKeyUnsuitable as well).
// ErrUnavailable: 429, 5xx, sealed, time-outs, broken connections, redirects,
// replies that are not Vault's. ErrCorrupt: Vault finds the ciphertext not
// authentic. Their texts repeat nothing of a reply.
//
// # Environment
//
// No variable changes what is called or sent: address, token, namespace, TLS,
// headers, retries, wrapping and proxy come from the configuration alone. The
// client library still looks at its VAULT_ variables, and one that it cannot
// parse (VAULT_CACERT without such a file, say) is an error when the
// configuration is loaded.
package vault
