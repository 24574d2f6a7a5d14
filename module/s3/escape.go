package s3

import "strings"

const upperHex = "0123456789ABCDEF"

// isUnreserved reports whether AWS leaves c unescaped in a canonical request
// (SigV4 "UriEncode": letters, digits and "-._~").
func isUnreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '.' || c == '_' || c == '~'
}

// EscapePath encodes a key for a request path as AWS does: every byte but
// letters, digits, "-._~" and "/" becomes %XX in upper case. Slashes and dot
// segments are kept as they are.
func EscapePath(key string) string { return escape(key, '/') }

// EscapeQuery encodes a query name or value as AWS does: like [EscapePath],
// but "/" is encoded as well and a space becomes %20.
func EscapeQuery(s string) string { return escape(s, 0) }

// escape encodes s, leaving keep (0 for none) and the unreserved bytes alone.
func escape(s string, keep byte) string {
	n := 0
	for i := range len(s) {
		if c := s[i]; !isUnreserved(c) && (c != keep || keep == 0) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*n)
	for i := range len(s) {
		c := s[i]
		if isUnreserved(c) || (c == keep && keep != 0) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	return b.String()
}

// unescape decodes percent escapes once; "+" stays "+". It reports false for
// an escape that is not two hexadecimal digits.
func unescape(s string) (string, bool) {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return s, true
	}
	var b strings.Builder
	b.Grow(len(s))
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		c := s[i]
		if c != '%' {
			b.WriteByte(c)
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, ok1 := unhex(s[i+1])
		lo, ok2 := unhex(s[i+2])
		if !ok1 || !ok2 {
			return "", false
		}
		b.WriteByte(hi<<4 | lo)
		i += 2
	}
	return b.String(), true
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
