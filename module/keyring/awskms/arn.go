package awskms

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/sealgate/sealgate/module/keyring"
)

// arn is the ARN of one KMS key.
type arn struct {
	text   string // as written
	region string
	id     string // after "key/"
}

// keyARN is the form of a key's ARN:
// https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-ARN
var keyARN = regexp.MustCompile(`^arn:aws(?:-[a-z]+)*:kms:([a-z]{2,}(?:-[a-z0-9]+)+):[0-9]{12}:key/([A-Za-z0-9-]{1,128})$`)

var errAlias = errors.New("an alias can be moved to another key, which could not read what was written with the first; " +
	"write the ARN of the key behind it, which `aws kms describe-key --key-id <alias> --query KeyMetadata.Arn` shows")

// parseARN reads the ARN of a key. Key ids alone and aliases are refused: what
// an object stores of its key is derived from the whole ARN.
func parseARN(text string) (arn, error) {
	if strings.HasPrefix(text, "alias/") || strings.Contains(text, ":alias/") {
		return arn{}, fmt.Errorf("kms key %q: %w", text, errAlias)
	}
	m := keyARN.FindStringSubmatch(text)
	if m == nil {
		return arn{}, fmt.Errorf("kms key %q is not the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID", text)
	}
	return arn{text: text, region: m[1], id: m[2]}, nil
}

// multiRegion reports whether the key has replicas, with the same id and
// material, in other regions.
func (a arn) multiRegion() bool { return strings.HasPrefix(a.id, "mrk-") }

// in is the ARN of the same multi-Region key's replica in region.
func (a arn) in(region string) string {
	return strings.Replace(a.text, ":kms:"+a.region+":", ":kms:"+region+":", 1)
}

// kek is the name that objects store for this key. It depends on nothing but
// the ARN, so every gateway with the same configuration finds it.
func (a arn) kek(kind keyring.Kind) keyring.KEK {
	sum := sha256.Sum256([]byte("sealgate kms" + a.text))
	return keyring.KEK{Kind: kind, ID: [8]byte(sum[:8])}
}
