package awskms

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/sealgate/sealgate/module/keyring"
)

// A wrapped data key is
//
//	KMS              be16 length ‖ context ‖ ciphertext blob of kms:Encrypt
//	KMSIntermediate  be16 length ‖ context ‖ be16 length ‖ ciphertext blob of
//	                 the intermediate key ‖ data key sealed under that, 60 bytes
//
// with the policy's context as keyring.EncodeContext writes it.

// Keys of KMS encryption contexts. What KMS sees, CloudTrail shows: names of
// objects go into a hash.
const (
	contextNamespace = "sealgate:ns"
	contextBind      = "sealgate:bind"
	contextUse       = "sealgate:use"
	useIntermediate  = "intermediate"
)

// maxBlob is the longest ciphertext blob that KMS makes, in bytes:
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
const maxBlob = 6144

// reserved are beginnings of context keys that are not the policy's to use:
// ours, and AWS's own.
var reserved = []string{"sealgate:", "aws:"}

// encodeContext checks and encodes the context that policy asks for.
func encodeContext(context map[string]string) ([]byte, error) {
	if name, ok := reservedKey(context); ok {
		return nil, fmt.Errorf("%w: key %q is reserved", keyring.ErrContext, name)
	}
	return keyring.EncodeContext(context)
}

func reservedKey(context map[string]string) (string, bool) {
	for name := range context {
		for _, prefix := range reserved {
			if strings.HasPrefix(strings.ToLower(name), prefix) {
				return name, true
			}
		}
	}
	return "", false
}

// cutContext takes the policy's context off the beginning of wrapped.
func cutContext(wrapped []byte) (context map[string]string, encoded, rest []byte, err error) {
	encoded, rest, ok := cutField(wrapped)
	if !ok {
		return nil, nil, nil, errTruncated
	}
	if context, err = keyring.DecodeContext(encoded); err != nil {
		return nil, nil, nil, err
	}
	if _, ok := reservedKey(context); ok {
		return nil, nil, nil, fmt.Errorf("%w: reserved key in the context", keyring.ErrCorrupt)
	}
	return context, encoded, rest, nil
}

var errTruncated = fmt.Errorf("%w: truncated", keyring.ErrCorrupt)

// objectContext is the KMS encryption context of one object's data key.
func objectContext(policy map[string]string, b keyring.Binding) map[string]string {
	context := scopeContext(policy, b.Namespace)
	bind := sha256.Sum256(b.AAD)
	context[contextBind] = base64.StdEncoding.EncodeToString(bind[:])
	return context
}

// intermediateContext is the KMS encryption context of an intermediate key.
func intermediateContext(policy map[string]string, namespace string) map[string]string {
	context := scopeContext(policy, namespace)
	context[contextUse] = useIntermediate
	return context
}

func scopeContext(policy map[string]string, namespace string) map[string]string {
	context := make(map[string]string, len(policy)+2)
	maps.Copy(context, policy)
	context[contextNamespace] = namespace
	return context
}

// appendField appends a 2-byte length and field, which is no longer than that
// can say.
func appendField(b, field []byte) []byte {
	if len(field) > math.MaxUint16 {
		panic("internal error: field of a wrapped key is too long")
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
	return append(b, field...)
}

// cutField is the inverse of appendField.
func cutField(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; n > len(b) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}
