package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

// canonicalRequest is what a signature covers, in the parts AWS puts together:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
type canonicalRequest struct {
	Method  string
	Path    string            // encoded once, "/" for the root
	Query   string            // from canonicalQuery
	Headers []canonicalHeader // lower-case names in order
	Payload string            // value of x-amz-content-sha256
}

type canonicalHeader struct {
	Name   string
	Values []string // in order of arrival, as sent
}

// bytes is the canonical request as it is hashed.
func (c canonicalRequest) bytes() []byte {
	size := len(c.Method) + len(c.Path) + len(c.Query) + len(c.Payload) + 8
	for _, h := range c.Headers {
		size += 2*len(h.Name) + 3
		for _, v := range h.Values {
			size += len(v) + 1
		}
	}
	b := make([]byte, 0, size)
	b = append(append(b, c.Method...), '\n')
	b = append(append(b, c.Path...), '\n')
	b = append(append(b, c.Query...), '\n')
	for _, h := range c.Headers {
		b = append(append(b, h.Name...), ':')
		for i, v := range h.Values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCollapsed(b, v)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, h := range c.Headers {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, h.Name...)
	}
	b = append(b, '\n')
	return append(b, c.Payload...)
}

// appendCollapsed appends v without surrounding white space and with every run
// of spaces inside it made one space.
func appendCollapsed(b []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	for i := range len(v) {
		if v[i] == ' ' && v[i-1] == ' ' { // v starts with no space
			continue
		}
		b = append(b, v[i])
	}
	return b
}

// canonicalQuery encodes every pair but the one named except (none if empty),
// sorted by encoded name, then by encoded value.
func canonicalQuery(q s3.Query, except string) string {
	type pair struct{ name, value string }
	pairs := make([]pair, 0, len(q))
	size := 0
	for _, p := range q {
		if except != "" && p.Name == except {
			continue
		}
		e := pair{s3.EscapeQuery(p.Name), s3.EscapeQuery(p.Value)}
		pairs = append(pairs, e)
		size += len(e.name) + len(e.value) + 2
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	var s strings.Builder
	s.Grow(size)
	for i, p := range pairs {
		if i > 0 {
			s.WriteByte('&')
		}
		s.WriteString(p.name)
		s.WriteByte('=')
		s.WriteString(p.value)
	}
	return s.String()
}

// stringToSign is what the derived key signs.
func stringToSign(amzDate, scope string, canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return algorithm + "\n" + amzDate + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
}

// sign is the HMAC-SHA256 of text under key in lower-case hex.
func sign(key []byte, text string) string {
	var sum [sha256.Size]byte
	return hex.EncodeToString(appendHMAC(sum[:0], key, text))
}

func appendHMAC(dst, key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(dst)
}

// timestamp is t as x-amz-date shows it.
func timestamp(t time.Time) string { return t.UTC().Format(timestampLayout) }
