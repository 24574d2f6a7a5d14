package awscli

import (
	"crypto/md5" //nolint:gosec // S3 asks for it beside a customer's key
	"encoding/base64"

	"github.com/sealgate/sealgate/module/cli/trial"
)

// customerKey sets the headers of a key that the client brings (SSE-C), from options
// that begin with name; without --<name>-key a key of zeros stands in.
func (a *arguments) customerKey(r *trial.Request, name, prefix string) error {
	algorithm, ok := a.values[name]
	if !ok {
		return nil
	}
	if algorithm == "" {
		algorithm = "AES256"
	}
	key := make([]byte, 32)
	if v, given := a.values[name+"-key"]; given {
		if len(v) != len(key) {
			return usagef("%s: --%s-key: a key is 32 bytes long", a.name, name)
		}
		copy(key, v)
	}
	sum := md5.Sum(key) //nolint:gosec // see above
	r.Header.Set(prefix+"Algorithm", algorithm)
	r.Header.Set(prefix+"Key", base64.StdEncoding.EncodeToString(key))
	r.Header.Set(prefix+"Key-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	return nil
}
