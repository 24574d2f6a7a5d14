package sigv4

import (
	"fmt"
	"strings"
	"time"
)

const (
	algorithm    = "AWS4-HMAC-SHA256"
	algorithmV4A = "AWS4-ECDSA-P256-SHA256"
	service      = "s3"
	terminator   = "aws4_request"

	dateLayout      = "20060102"
	timestampLayout = "20060102T150405Z"
)

// Credential is the scope a signature was made for: whose key, derived for
// which day (yyyymmdd), region and service.
type Credential struct{ AccessKey, Date, Region, Service string }

// scope is the part of the credential that enters the string to sign.
func (c Credential) scope() string {
	return c.Date + "/" + c.Region + "/" + c.Service + "/" + terminator
}

// maxAccessKey bounds what is looked up and logged as an access key; IAM's
// longest is 128.
const maxAccessKey = 128

// parseCredential reads KEY/yyyymmdd/region/s3/aws4_request. Errors are worded
// as S3 words them for a claim of kind k.
func parseCredential(k Kind, value string) (Credential, error) {
	parts := strings.Split(value, "/")
	if len(parts) != 5 || !isVisible(parts[0]) || len(parts[0]) > maxAccessKey || !isVisible(parts[2]) {
		return Credential{}, k.malformedCredential(`the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`)
	}
	c := Credential{AccessKey: parts[0], Date: parts[1], Region: parts[2], Service: parts[3]}
	if _, err := time.Parse(dateLayout, c.Date); err != nil {
		return Credential{}, k.malformedCredential(fmt.Sprintf(`incorrect date format %q. This date in the credential must be in the format "yyyyMMdd".`, c.Date))
	}
	if c.Service != service {
		return Credential{}, k.malformedCredential(fmt.Sprintf(`incorrect service %q. This endpoint belongs to %q.`, c.Service, service))
	}
	if parts[4] != terminator {
		return Credential{}, k.malformedCredential(fmt.Sprintf(`incorrect terminal %q. This endpoint uses %q.`, parts[4], terminator))
	}
	return c, nil
}

// checkDate makes sure that the key was derived for the day of the request.
func (c Claim) checkDate() error {
	if day := c.Time.Format(dateLayout); c.Credential.Date != day {
		return c.Kind.malformedCredential(fmt.Sprintf(`Invalid credential date %q. This date is not the same as X-Amz-Date: %q.`, c.Credential.Date, day))
	}
	return nil
}

// isVisible reports whether s is visible ASCII, at least one character.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// parseTimestamp reads 20130524T000000Z. time.Parse alone would also accept
// fractions of a second, which are not part of the string to sign.
func parseTimestamp(s string) (time.Time, bool) {
	if len(s) != len(timestampLayout) {
		return time.Time{}, false
	}
	t, err := time.Parse(timestampLayout, s)
	return t, err == nil
}
