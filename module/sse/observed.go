package sse

import (
	"fmt"
	"net/http"
	"strings"
)

// Observed is the encryption that a reply of the store shows.
type Observed struct {
	// Mode is [Unknown] for a reply that says something this package cannot
	// read, or two things at once; "" if Reported is false.
	Mode        Mode
	KeyID       string // as the store shows it; AWS shows a key ARN
	BucketKey   *bool
	CustomerMD5 string // base64, mode C
	// Reported: the reply says something about encryption. AWS always does,
	// other stores not in every operation.
	Reported bool
}

// replyHeaders are the headers of a reply that describe its encryption. A
// context is not one: it is returned with some writes, never with a read.
var replyHeaders = [...]string{headerMode, headerKeyID, headerBucketKey, headerPrefix + suffixAlgorithm, headerPrefix + suffixKeyMD5}

// FromReply reads what the reply headers h show.
func FromReply(h http.Header) Observed {
	var o Observed
	for _, name := range replyHeaders {
		switch v, ok := h[name]; {
		case !ok:
		case len(v) != 1:
			return Observed{Mode: Unknown, Reported: true}
		default:
			o.Reported = true
		}
	}
	if !o.Reported {
		return Observed{}
	}
	mode, algorithm := h.Get(headerMode), h.Get(headerPrefix+suffixAlgorithm)
	o.KeyID = h.Get(headerKeyID)
	o.CustomerMD5 = h.Get(headerPrefix + suffixKeyMD5)
	if v := h.Get(headerBucketKey); v == "true" || v == "false" {
		on := v == "true"
		o.BucketKey = &on
	}
	o.Mode = Unknown
	switch customer := algorithm != "" || o.CustomerMD5 != ""; {
	case customer && mode != "":
	case customer && algorithm == customerAlgorithm:
		o.Mode = C
	case !customer:
		if m, ok := modeOf(mode); ok {
			o.Mode = m
		}
	}
	return o
}

// Echo sets the encryption headers of a reply to a client as AWS would for this
// observation, and removes any others of the kind: a bucket key is shown only
// when it is on, a key id only with KMS. A context that a store returned stays.
func (o Observed) Echo(h http.Header) {
	for _, name := range replyHeaders {
		h.Del(name)
	}
	switch {
	case o.Mode == C:
		h.Set(headerPrefix+suffixAlgorithm, customerAlgorithm)
		if o.CustomerMD5 != "" {
			h.Set(headerPrefix+suffixKeyMD5, o.CustomerMD5)
		}
	case o.Mode.value() != "":
		h.Set(headerMode, o.Mode.value())
	}
	if !o.Mode.usesKMS() {
		return
	}
	if o.KeyID != "" {
		h.Set(headerKeyID, o.KeyID)
	}
	if o.Mode == KMS && o.BucketKey != nil && *o.BucketKey {
		h.Set(headerBucketKey, "true")
	}
}

// Mismatch says that a store did not encrypt as it was asked to. Both sides are
// descriptions for logs; they hold no secrets.
type Mismatch struct{ Wanted, Got string }

// Error describes both sides.
func (m *Mismatch) Error() string { return fmt.Sprintf("encrypted as %s, wanted %s", m.Got, m.Wanted) }

// SatisfiedBy reports whether the object that a reply describes is encrypted as
// this choice asks: nil, or a [*Mismatch]. It is an exact comparison, not one
// of strength; whether another mode would do as well is the caller's business.
//
// A choice without a mode, or of mode None, is satisfied by anything, any other
// choice only by a reply that reports. A key that the choice names must be the
// one reported, by [SameKey]; an alias, which AWS resolves before it answers,
// is satisfied by any reported key that is not another alias. Mode C compares
// the key's MD5. The bucket key is a matter of cost and the context is not
// reported, so neither is compared.
func (c Choice) SatisfiedBy(o Observed) error {
	ok := false
	switch {
	case c.Mode == "" || c.Mode == None:
		ok = true
	case !o.Reported || o.Mode != c.Mode:
	case c.Mode.usesKMS():
		ok = c.KeyID == "" || SameKey(c.KeyID, o.KeyID) ||
			(isAlias(c.KeyID) && o.KeyID != "" && !isAlias(o.KeyID))
	case c.Mode == C:
		ok = c.Customer == nil || c.Customer.MD5() == o.CustomerMD5
	default:
		ok = true
	}
	if ok {
		return nil
	}
	m := &Mismatch{Wanted: describe(c.Mode, c.KeyID, ""), Got: "not reported"}
	if c.Customer != nil {
		m.Wanted = describe(c.Mode, c.KeyID, c.Customer.MD5())
	}
	if o.Reported {
		m.Got = describe(o.Mode, o.KeyID, o.CustomerMD5)
	}
	return m
}

// Matches reports whether [Choice.SatisfiedBy] finds nothing wrong.
func (c Choice) Matches(o Observed) bool { return c.SatisfiedBy(o) == nil }

func describe(m Mode, keyID, keyMD5 string) string {
	var b strings.Builder
	b.WriteString(string(m))
	if keyID != "" {
		fmt.Fprintf(&b, " key %q", keyID)
	}
	if keyMD5 != "" {
		fmt.Fprintf(&b, " key MD5 %q", keyMD5)
	}
	return b.String()
}
