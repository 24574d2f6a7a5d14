package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// Caddy deletes every request header whose name holds '_' or '.' before the
// first handler runs, because CGI back ends confuse such names with hyphenated
// ones. S3 user metadata uses both, and clients sign it. So the x-amz-meta-*
// headers Caddy is about to delete are copied aside before Caddy sees the
// request, and put back for the engine alone. All other names stay deleted.
//
// This works on HTTP/1.1 and HTTP/2, where a connection tells which http.Server
// it belongs to. HTTP/3 has no such hook: there the headers are lost, which the
// signature check notices when they were signed.

// metadataKey is the context key of the headers set aside, an http.Header.
type metadataKey struct{}

// metadataPrefix is the canonical form net/http gives the prefix on both
// protocol versions.
const metadataPrefix = "X-Amz-Meta-"

// setMetadataAside is next with the headers it would lose copied into the
// request's context.
func setMetadataAside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kept := atRisk(r.Header); kept != nil {
			r = r.WithContext(context.WithValue(r.Context(), metadataKey{}, kept))
		}
		next.ServeHTTP(w, r)
	})
}

// atRisk copies the metadata headers of h that Caddy deletes, nil if there are none.
func atRisk(h http.Header) http.Header {
	var kept http.Header
	for name, values := range h {
		if strings.HasPrefix(name, metadataPrefix) && strings.ContainsAny(name, "_.") {
			if kept == nil {
				kept = make(http.Header)
			}
			kept[name] = slices.Clone(values)
		}
	}
	return kept
}

// restoreMetadata gives r with the headers that were set aside. r itself is
// returned when nothing is missing; otherwise its header is a copy.
func restoreMetadata(r *http.Request) *http.Request {
	kept, _ := r.Context().Value(metadataKey{}).(http.Header)
	if len(kept) == 0 {
		return r
	}
	restored := r.WithContext(r.Context())
	restored.Header = r.Header.Clone()
	for name, values := range kept {
		if _, present := restored.Header[name]; !present {
			restored.Header[name] = slices.Clone(values)
		}
	}
	return restored
}
