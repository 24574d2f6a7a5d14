package sse

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

// maxKeyID is the longest key id that KMS takes (KMS API reference, KeyId).
const maxKeyID = 2048

// S3's sentences (as AWS answers them; the last two as its documentation and
// clients quote them).
const (
	msgConflict      = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
	msgNoAlgorithm   = "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm."
	msgNoKey         = "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key."
	msgKeyMD5        = "The calculated MD5 hash of the key did not match the hash that was provided."
	msgKeySize       = "The secret key was invalid for the specified algorithm."
	msgUnsupported   = "The encryption method specified is not supported"
	msgKeyWithoutKMS = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
	msgContext       = "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map"
)

// absent is how S3 shows the value of an argument that is not there.
const absent = "null"

// invalid is an InvalidArgument as S3 answers it to encryption headers: the
// argument is x-amz-server-side-encryption even where another header is wrong.
func invalid(message, value string) *s3.Error {
	return invalidHeader(message, argumentEncryption, value)
}

func invalidHeader(message, name, value string) *s3.Error {
	return s3.ErrInvalidArgument.WithMessage(message).With("ArgumentName", name).With("ArgumentValue", value)
}

// Asked reads what a request asks for in h, its effective header. Errors are
// S3's own and come in S3's order: both kinds of encryption at once, then
// SSE-C's algorithm, key, MD5 and length, then mode, key id, context and bucket
// key. A header that is present and empty, or present twice, is an error;
// whether a mode may be used in an operation is not looked at.
//
// Stricter than S3 may be: a header below x-amz-server-side-encryption that is
// none of the seven is refused.
func Asked(h http.Header) (Choice, error) {
	if err := onlyKnown(h); err != nil {
		return Choice{}, err
	}
	mode, hasMode := h[headerMode]
	if hasMode && hasCustomer(h, headerPrefix) {
		return Choice{}, invalid(msgConflict, mode[0])
	}
	customer, err := customerKey(h, headerPrefix)
	if err != nil {
		return Choice{}, err
	}
	c := Choice{Customer: customer}
	if customer != nil {
		c.Mode = C
	}
	if hasMode {
		var ok bool
		switch c.Mode, ok = modeOf(mode[0]); {
		case foreign(mode[0]):
			return Choice{}, s3.ErrNotImplemented.WithMessage(msgUnsupported).
				With("ArgumentName", argumentEncryption).With("ArgumentValue", mode[0])
		case !ok:
			return Choice{}, invalid(msgUnsupported, mode[0])
		}
	}
	if err := c.readKMS(h); err != nil {
		return Choice{}, err
	}
	return c, nil
}

// AskedCopySource reads the key that opens the source of a copy; nil if the
// request brings none. Errors are those of [Asked].
func AskedCopySource(h http.Header) (*CustomerKey, error) {
	for _, suffix := range []string{suffixAlgorithm, suffixKey, suffixKeyMD5} {
		if err := once(h, copySourcePrefix+suffix); err != nil {
			return nil, err
		}
	}
	return customerKey(h, copySourcePrefix)
}

// readKMS reads the three headers that qualify a mode.
func (c *Choice) readKMS(h http.Header) error {
	value := absent
	if v := h[headerMode]; v != nil {
		value = v[0]
	}
	if v, ok := h[headerKeyID]; ok {
		if !c.Mode.usesKMS() {
			return invalid(msgKeyWithoutKMS, value)
		}
		if !validKeyID(v[0]) {
			return invalidHeader("The value is not a KMS key id, ARN or alias.", strings.ToLower(headerKeyID), v[0])
		}
		c.KeyID = v[0]
	}
	if v, ok := h[headerContext]; ok {
		if !c.Mode.usesKMS() {
			return invalid(msgKeyWithoutKMS, value)
		}
		var err error
		if c.Context, err = decodeContext(v[0]); err != nil {
			// The value may be sensitive and is not shown.
			return invalidHeader(msgContext, strings.ToLower(headerContext), absent).WithCause(err)
		}
	}
	if v, ok := h[headerBucketKey]; ok {
		on := v[0] == "true"
		switch {
		case !on && v[0] != "false":
			return invalidHeader("The value must be true or false.", strings.ToLower(headerBucketKey), v[0])
		case on && c.Mode == DSSE:
			return invalidHeader(msgBucketKeyDSSE, strings.ToLower(headerBucketKey), v[0])
		}
		c.BucketKey = &on
	}
	return nil
}

// msgBucketKeyDSSE is the rule of the S3 user guide, "Using dual-layer
// server-side encryption with AWS KMS keys"; the wording is ours.
const msgBucketKeyDSSE = "S3 Bucket Keys are not supported for dual-layer server-side encryption (aws:kms:dsse)."

func validKeyID(id string) bool {
	if id == "" || len(id) > maxKeyID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// onlyKnown refuses headers of the family that are repeated or not known.
func onlyKnown(h http.Header) error {
	for name := range h {
		if !inFamily(name) {
			continue
		}
		switch name {
		case headerMode, headerKeyID, headerContext, headerBucketKey,
			headerPrefix + suffixAlgorithm, headerPrefix + suffixKey, headerPrefix + suffixKeyMD5:
			if err := once(h, name); err != nil {
				return err
			}
		default:
			return invalidHeader("The header is not supported.", strings.ToLower(name), absent)
		}
	}
	return nil
}

// once refuses a header that has several values: stores differ in which one
// they take.
func once(h http.Header, name string) error {
	if v, ok := h[name]; ok && len(v) != 1 {
		return invalidHeader("The header must be given once.", strings.ToLower(name), absent)
	}
	return nil
}

// inFamily reports whether name is x-amz-server-side-encryption or begins with
// it, in any case.
func inFamily(name string) bool {
	return len(name) >= len(headerPrefix) && strings.EqualFold(name[:len(headerPrefix)], headerPrefix)
}

func hasCustomer(h http.Header, prefix string) bool {
	return h[prefix+suffixAlgorithm] != nil || h[prefix+suffixKey] != nil || h[prefix+suffixKeyMD5] != nil
}

// customerKey reads the three SSE-C headers under prefix, nil if there are
// none. The MD5 may be missing, as on AWS; it is computed then, since some
// stores demand it.
func customerKey(h http.Header, prefix string) (*CustomerKey, error) {
	if !hasCustomer(h, prefix) {
		return nil, nil
	}
	algorithm, key, sum := h[prefix+suffixAlgorithm], h[prefix+suffixKey], h[prefix+suffixKeyMD5]
	switch {
	case algorithm == nil:
		return nil, invalid(msgNoAlgorithm, absent)
	case algorithm[0] != customerAlgorithm:
		return nil, s3.ErrInvalidEncryptionAlgorithmError.
			With("ArgumentName", argumentEncryption).With("ArgumentValue", algorithm[0])
	case key == nil || key[0] == "":
		return nil, invalid(msgNoKey, absent)
	}
	plain, ok := decodeBase64(key[0])
	if !ok {
		return nil, invalid(msgKeySize, absent)
	}
	if sum != nil && sum[0] != keyMD5(plain) {
		return nil, invalid(msgKeyMD5, absent)
	}
	k, err := NewCustomerKey(plain)
	if err != nil {
		return nil, invalid(msgKeySize, absent)
	}
	return k, nil
}

// decodeBase64 is strict: padded, no line breaks, one spelling a value.
func decodeBase64(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return b, err == nil
}
