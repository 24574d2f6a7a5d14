package s3

import (
	"strings"
	"unicode/utf8"
)

// Pair is one name or name=value of a query string.
type Pair struct {
	Name, Value       string // percent-decoded once; "+" is literal
	HasValue          bool   // an "=" was present: "a=" and "a" differ on the wire only
	RawName, RawValue string // as on the wire
}

// Query is a query string in wire order.
type Query []Pair

// maxParameters bounds the memory a request line can cost: a parameter of one
// byte takes seventy times that.
const maxParameters = 1000

// ParseQuery splits raw (without the "?") on "&", each part on its first "=",
// and decodes both sides once. Empty parts are dropped. Unlike net/url it
// keeps ";" and order, and refuses what it cannot read: bad escapes, text that
// is not UTF-8, and NUL are an [ErrInvalidURI]. Repeated names are allowed
// here; [Parser.Parse] refuses them.
func ParseQuery(raw string) (Query, error) {
	if raw == "" {
		return nil, nil
	}
	parts := strings.Count(raw, "&") + 1
	if parts > maxParameters || len(raw) > maxSection {
		return nil, ErrRequestHeaderSectionTooLarge
	}
	q := make(Query, 0, parts)
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		var p Pair
		p.RawName, p.RawValue, p.HasValue = strings.Cut(part, "=")
		var ok1, ok2 bool
		p.Name, ok1 = decodeText(p.RawName)
		p.Value, ok2 = decodeText(p.RawValue)
		if !ok1 || !ok2 {
			return nil, ErrInvalidURI.WithMessage("The query string has a percent escape that is not valid UTF-8 text.")
		}
		q = append(q, p)
	}
	return q, nil
}

// decodeText decodes s once and reports whether the result is UTF-8 without NUL.
func decodeText(s string) (string, bool) {
	s, ok := unescape(s)
	return s, ok && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// Get returns the value of the first pair with exactly this name.
func (q Query) Get(name string) (value string, ok bool) {
	for i := range q {
		if q[i].Name == name {
			return q[i].Value, true
		}
	}
	return "", false
}

// Has reports whether a pair with exactly this name is present.
func (q Query) Has(name string) bool {
	_, ok := q.Get(name)
	return ok
}
