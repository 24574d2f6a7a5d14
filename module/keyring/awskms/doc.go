// Package awskms is the keyring whose key-encryption keys are in AWS KMS, and
// the Caddy module s3_encryption.keyrings.aws_kms.
//
// # Keys
//
// A key is configured by its full ARN. An object stores the first 8 bytes of
// SHA-256("sealgate kms" ‖ ARN) as KEK id, so all gateways that are configured
// with the same ARN can read it, and nothing needs to be shared or kept. An
// alias is refused: it can be moved to another key. To change keys, make the
// new ARN the key and list the former one as old; KMS's own rotation of key
// material changes nothing here.
//
// A multi-Region key is written with the same ARN everywhere, and region says
// which replica is called.
//
// # What KMS is asked
//
// Data keys are made by the gateway. Kind [keyring.KMS] has each one encrypted
// by kms:Encrypt under the policy's encryption context and
//
//	sealgate:ns     the namespace, usually the bucket
//	sealgate:bind   base64(SHA-256(Binding.AAD)), which stands for the object's name
//
// Kind [keyring.KMSIntermediate], where reuse is configured, has KMS encrypt an
// intermediate key of the gateway's under the policy's context, sealgate:ns and
// sealgate:use = "intermediate". Under it data keys are sealed in the gateway,
// bound to the whole Binding and to the intermediate key's ciphertext. One
// intermediate key serves one namespace and context, wraps for a bounded time a
// bounded number of data keys, and is kept in memory for reading as long. The
// price: a key that KMS disables, or a grant that it takes back, still works
// for that time, and the audit log shows intermediate keys, not objects.
//
// kms:Decrypt always names the key. Context keys that begin with "sealgate:" or
// "aws:" are not the policy's to use. The role needs kms:Encrypt and kms:Decrypt
// and nothing else.
//
// # Errors
//
// Errors are those of package keyring. ErrDenied: KMS refuses, or the key is
// disabled, awaits deletion or does not exist; a person has to act.
// ErrUnavailable: throttling, 5xx, time-outs, broken connections, unreadable
// replies, no credentials to be had. ErrCorrupt: the ciphertext is not KMS's,
// or was made by another key or for another context. Their texts name
// operation, key, error code and request id, and repeat nothing of a reply.
//
// # Environment
//
// The default credential chain reads what every AWS SDK reads. HTTPS_PROXY and
// NO_PROXY are honoured. Region and endpoint come from the configuration alone:
// AWS_REGION, AWS_ENDPOINT_URL and the like do not move the calls of KMS.
package awskms
