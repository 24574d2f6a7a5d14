// Package redact makes what a request shows of itself fit for a log: no
// signature, token, customer key or cookie stays readable.
package redact

import (
	"net/http"
	"net/url"
	"strings"
)

// redacted stands where a value was; it is the word Caddy's own log uses.
const redacted = "REDACTED"

// secretWords mark header names whose values are, or may hold, a credential:
// Authorization and Proxy-Authorization, cookies, x-amz-security-token and
// x-amz-s3session-token, the SSE-C key headers of requests and copy sources,
// signatures and whatever a client invents in the same spirit. The values of an
// encryption context may be personal data, so decision records show its names only.
var secretWords = []string{"authorization", "cookie", "token", "customer-key", "encryption-context", "signature", "credential", "secret", "password", "api-key"}

// Header is a copy of h fit for a log. h is not changed.
func Header(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		switch {
		case secretName(name):
			values = []string{redacted}
		case strings.EqualFold(name, "Referer") || strings.EqualFold(name, "Location"):
			values = urls(values) // a page opened by a presigned URL names that URL
		}
		out[name] = values
	}
	return out
}

func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func urls(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = URI(v)
	}
	return out
}

// shownParameters are the query parameters whose values a log entry shows. All
// others keep their names only: presigned URLs can carry any x-amz-* header,
// the signature and the token in the query.
var shownParameters = map[string]bool{
	"continuation-token": true,
	"delimiter":          true,
	"encoding-type":      true,
	"fetch-owner":        true,
	"id":                 true,
	"key-marker":         true,
	"list-type":          true,
	"marker":             true,
	"max-keys":           true,
	"max-parts":          true,
	"max-uploads":        true,
	"part-number-marker": true,
	"partNumber":         true,
	"prefix":             true,
	"start-after":        true,
	"uploadId":           true,
	"upload-id-marker":   true,
	"version-id-marker":  true,
	"versionId":          true,
	"x-id":               true,
	"X-Amz-Algorithm":    true,
	"X-Amz-Date":         true,
	"X-Amz-Expires":      true,
}

// URI keeps the path of a request URI as it came and the values of
// harmless query parameters.
func URI(uri string) string {
	path, query, found := strings.Cut(uri, "?")
	if !found {
		return uri
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, _, hasValue := strings.Cut(part, "=")
		decoded, err := url.QueryUnescape(name)
		switch {
		case err != nil:
			parts[i] = redacted
		case hasValue && !shownParameters[decoded]:
			parts[i] = name + "=" + redacted
		}
	}
	return path + "?" + strings.Join(parts, "&")
}
