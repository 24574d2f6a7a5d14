package sigv4

import (
	"strconv"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

// maxPresigned is the longest validity of a presigned URL, a week:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
const maxPresigned = 604800

// parseQuery reads a request signed in its query.
func parseQuery(q s3.Query) (Claim, error) {
	values := make(map[string]string, len(presignedParameters))
	for _, p := range q {
		for _, name := range presignedParameters {
			if !strings.EqualFold(p.Name, name) {
				continue
			}
			if _, repeated := values[name]; repeated || p.Name != name {
				return Claim{}, Presigned.malformed(name + " must be given once and spelt exactly so.")
			}
			values[name] = p.Value
		}
	}
	switch values[queryAlgorithm] {
	case algorithm, "":
	case algorithmV4A:
		return Claim{}, errSigV4A
	default:
		return Claim{}, Presigned.malformed(`X-Amz-Algorithm only supports "` + algorithm + `"`)
	}
	for _, name := range presignedParameters {
		if values[name] == "" {
			return Claim{}, Presigned.malformed("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}

	c := Claim{Kind: Presigned, Signature: values[querySignature]}
	var err error
	if c.Credential, err = parseCredential(Presigned, values[queryCredential]); err != nil {
		return Claim{}, err
	}
	var ok bool
	if c.Time, ok = parseTimestamp(values[queryDate]); !ok {
		return Claim{}, Presigned.malformed(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	if err := c.checkDate(); err != nil {
		return Claim{}, err
	}
	if c.Expires, err = parseExpires(values[queryExpires]); err != nil {
		return Claim{}, err
	}
	if c.SignedHeaders, err = parseSignedHeaders(Presigned, values[querySignedHeaders]); err != nil {
		return Claim{}, err
	}
	return c, nil
}

// parseExpires reads a validity in seconds, 1 to maxPresigned, digits only.
func parseExpires(s string) (time.Duration, error) {
	digits, negative := strings.CutPrefix(s, "-")
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, Presigned.malformed("X-Amz-Expires should be a number")
		}
	}
	if digits == "" {
		return 0, Presigned.malformed("X-Amz-Expires should be a number")
	}
	if negative {
		return 0, Presigned.malformed("X-Amz-Expires must be non-negative")
	}
	seconds, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil || seconds > maxPresigned: // digits only: the error can but be one of range
		return 0, Presigned.malformed("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	case seconds == 0:
		return 0, Presigned.malformed("X-Amz-Expires must be at least one second")
	}
	return time.Duration(seconds) * time.Second, nil
}
