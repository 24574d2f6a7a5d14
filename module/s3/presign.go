package s3

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// annotationDirective may be a query key on any CopyObject (API reference).
const annotationDirective = "x-amz-object-annotation-directive"

// isAuthKey reports query keys that carry authentication and nothing else, in
// the exact spelling that SigV4 and SigV2 define.
func isAuthKey(name string) bool {
	switch name {
	case "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
		"X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Region-Set",
		"AWSAccessKeyId", "Signature", "Expires":
		return true
	}
	return false
}

// misspeltAuthKey reports an authentication key in another case: the signature
// check would not see it where another reader might.
func misspeltAuthKey(name string) bool {
	return !isAuthKey(name) && slices.ContainsFunc(amzAuthKeys, func(k string) bool { return strings.EqualFold(k, name) })
}

var amzAuthKeys = []string{
	"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
	"X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Region-Set",
}

// isIgnorable reports keys without a meaning at S3. x-id is the SDKs' own note
// of the operation they meant.
func isIgnorable(name string) bool { return name == "x-id" }

// presigned reports whether the query itself carries credentials, which is
// when S3 reads x-amz-* query keys as headers. SigV2 counts so that the
// signature check, not this one, refuses it in words.
func presigned(q Query) bool {
	return q.Has("X-Amz-Algorithm") || q.Has("AWSAccessKeyId") && q.Has("Signature")
}

// isAmzKey reports an x-amz-* query key that is not about authentication.
func isAmzKey(name string) bool {
	return len(name) >= len(amzPrefix) && strings.EqualFold(name[:len(amzPrefix)], amzPrefix) && !isAuthKey(name)
}

// isHoistedKey reports query keys that [hoist] has moved to the header.
func isHoistedKey(name string, presigned bool) bool {
	return isAmzKey(name) && (presigned || name == annotationDirective)
}

// hoist merges the x-amz-* query keys of a presigned URL into h. Checksums are
// left out: SDKs put the checksum of an empty body there and S3 ignores it.
func hoist(q Query, h http.Header) error {
	signed := presigned(q)
	for i := range q {
		name := q[i].Name
		if !isHoistedKey(name, signed) {
			continue
		}
		lower := strings.ToLower(name)
		if ignoredInQuery(lower) {
			continue
		}
		value := textproto.TrimString(q[i].Value)
		if !validHeader(lower, value) {
			return ErrInvalidArgument.WithMessage("A query parameter cannot be read as a header.").With("ArgumentName", printable(lower))
		}
		canonical := textproto.CanonicalMIMEHeaderKey(lower)
		if have, ok := h[canonical]; ok {
			if len(have) != 1 || have[0] != value {
				return ErrInvalidArgument.Messagef("The header %s and the query parameter of that name differ.", lower).
					With("ArgumentName", lower)
			}
			continue
		}
		h[canonical] = []string{value}
	}
	return nil
}

// ignoredInQuery reports the checksum values S3 ignores in a presigned query.
// The names that choose an algorithm, type or mode are not among them.
func ignoredInQuery(lower string) bool {
	if lower == "x-amz-sdk-checksum-algorithm" {
		return true
	}
	e, ok := exemptions[lower]
	return ok && e.reason == checksumReason
}

// validHeader reports whether name and value may stand in a header (RFC 9110
// section 5): anything else could end the header line upstream.
func validHeader(name, value string) bool {
	for i := range len(name) {
		if c := name[i]; !isUnreserved(c) && !strings.ContainsRune("!#$%&'*+^`|", rune(c)) {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// printable cuts text from a request down to what an error may repeat.
func printable(s string) string {
	const most = 128
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
