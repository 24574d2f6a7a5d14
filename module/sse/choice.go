package sse

import (
	"net/http"
	"strconv"
)

// Choice is one encryption, asked for or decided. The zero Choice says nothing.
type Choice struct {
	Mode Mode
	// KeyID names the KMS key as id, ARN or alias; "" leaves it to the bucket
	// or the store.
	KeyID string
	// Context is the encryption context of KMS, without what S3 adds itself.
	Context map[string]string
	// BucketKey asks for an S3 Bucket Key or forbids it; nil leaves it to the
	// bucket. It may come without a Mode: it then qualifies the bucket's.
	BucketKey *bool
	Customer  *CustomerKey // mode C only
}

// IsZero reports whether the choice says nothing.
func (c Choice) IsZero() bool {
	return c.Mode == "" && c.KeyID == "" && len(c.Context) == 0 && c.BucketKey == nil && c.Customer == nil
}

// Strip removes every x-amz-server-side-encryption* header, the known seven and
// any other, in any spelling of upper and lower case. Headers that open the
// source of a copy stay.
func Strip(h http.Header) {
	for name := range h {
		if inFamily(name) {
			delete(h, name)
		}
	}
}

// Apply replaces the encryption headers of a request to the store by this
// choice. A mode without headers of its own (None, no mode, a mode that is not
// of this package) removes them only, and so does mode C without a key. A
// context is written as base64 of JSON with sorted names; a bucket key is
// written only where it means something (KMS, or no mode).
func (c Choice) Apply(h http.Header) {
	Strip(h)
	if c.Mode == C && c.Customer != nil {
		c.Customer.set(h, headerPrefix)
	}
	if v := c.Mode.value(); v != "" {
		h.Set(headerMode, v)
	}
	if c.Mode.usesKMS() {
		if c.KeyID != "" {
			h.Set(headerKeyID, c.KeyID)
		}
		if len(c.Context) > 0 {
			h.Set(headerContext, encodeContext(c.Context))
		}
	}
	if c.BucketKey != nil && (c.Mode == KMS || c.Mode == "") {
		h.Set(headerBucketKey, strconv.FormatBool(*c.BucketKey))
	}
}
