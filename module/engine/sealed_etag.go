package engine

import (
	"strconv"
	"strings"
)

// A sealed object shows the store's ETag in a form that nobody takes for the
// MD5 of the plaintext: the ETag of a multipart object as it is, any other with
// "-0" behind it, a number of parts that no upload has. What clients send back
// is undone.

// clientETag is the ETag of a sealed object as clients see it.
func clientETag(etag string) string {
	bare, quotes := unquoted(etag)
	if bare == "" || partCount(bare) > 0 || strings.HasSuffix(bare, "-0") {
		return etag
	}
	return quotes + bare + "-0" + quotes
}

// storeETag is the ETag a client means, as the store knows it. Machines between
// may have made it a weak one (RFC 9110, 8.8.1).
func storeETag(etag string) string {
	strong, weak := strings.CutPrefix(etag, "W/")
	bare, quotes := unquoted(strong)
	rest, ok := strings.CutSuffix(bare, "-0")
	switch {
	case !ok:
		return etag
	case weak:
		return "W/" + quotes + rest + quotes
	}
	return quotes + rest + quotes
}

// storeETags does so for a list of ETags, as in If-Match and If-None-Match.
func storeETags(list string) string {
	tags := strings.Split(list, ",")
	for i, tag := range tags {
		tags[i] = storeETag(strings.TrimSpace(tag))
	}
	return strings.Join(tags, ", ")
}

// unquoted cuts off the quotes of an ETag; XML documents may have them escaped.
func unquoted(etag string) (bare, quotes string) {
	for _, q := range []string{`"`, "&quot;", "&#34;"} {
		if rest, ok := strings.CutPrefix(etag, q); ok {
			if rest, ok = strings.CutSuffix(rest, q); ok {
				return rest, q
			}
		}
	}
	return etag, ""
}

// partCount is the number of parts an ETag tells, 0 if none.
func partCount(etag string) int {
	bare, _ := unquoted(etag)
	i := strings.LastIndexByte(bare, '-')
	if i < 0 || i+1 == len(bare) || bare[i+1] == '0' {
		return 0
	}
	n, err := strconv.ParseUint(bare[i+1:], 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}
