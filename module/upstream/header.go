package upstream

import (
	"net/http"
	"strings"
)

// userAgent names the gateway to the store.
const userAgent = "sealgate"

// expectFrom is the length, in bytes, from which a body waits for the store's
// consent, so that a refusal costs nothing. The SDKs of AWS use the same.
const expectFrom = 2 << 20

// droppedHeaders are never taken from a call: those of one hop (RFC 9110 7.6.1),
// those the connection and the signature set themselves, and those by which
// net/http would be told to send a request twice.
var droppedHeaders = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
	"Host", "Content-Length", "Accept-Encoding", "User-Agent",
	"Authorization", "Date", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token",
	"Idempotency-Key", "X-Idempotency-Key",
}

// headerFor is the header of a call as it goes out, before signing.
func headerFor(call *Call) http.Header {
	h := call.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range droppedHeaders {
		h.Del(name)
	}
	h.Set("User-Agent", userAgent)
	// Said in so many words, or http.Transport might ask for gzip by itself,
	// and unpack objects that were stored compressed.
	h.Set("Accept-Encoding", "identity")
	if call.Length >= expectFrom {
		h.Set("Expect", "100-continue")
	}
	return h
}
