package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
)

// A gateway whose store's name resolves to the gateway itself would call itself
// for ever when it signs with the caller's own keys. So every call upstream
// carries a Via element naming the store it is meant for (RFC 9110, section
// 7.6.3), and a request that arrives with this gateway's own element is refused.
// Replicas of one configuration share the element; a chain of gateways with
// different upstreams does not.

var errLoop = s3.ErrInvalidRequest.WithMessage("The request has already passed through this gateway: the store's host name leads back to it.")

// viaElement names calls to a store. The store's name itself is not shown to it.
func viaElement(store string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(store)))
	return "1.1 sealgate-" + hex.EncodeToString(sum[:6])
}

// looped reports whether h says that the request already went through a
// gateway for the same store.
func looped(h http.Header, element string) bool {
	for _, line := range h["Via"] {
		for via := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(via) == element {
				return true
			}
		}
	}
	return false
}

// via is the Via header of calls made for this request: the elements it came
// with, and our own. It is not signed: SigV4 asks only for host and x-amz-*.
func (x *exchange) via() []string {
	return append(slices.Clone(x.r.Header["Via"]), x.e.via)
}
