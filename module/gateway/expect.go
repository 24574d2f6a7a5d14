package gateway

import (
	"net/http"
	"strings"
)

// keepExpectation is next, working on a request of its own. Caddy wraps the
// body of the request it is given, and net/http then no longer sees that a
// client waits for "100 Continue" to send it: before a refusal it would try to
// read the body, and both sides would wait. As it is, a request that is refused
// unread is answered at once and its connection closed.
//
// A client that expects the same before a body of no bytes is told to go on:
// there is nothing to wait for, but some clients (botocore of aws-cli 2.9) wait
// for it on the next request otherwise.
func keepExpectation(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && r.ContentLength == 0 && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
			w.WriteHeader(http.StatusContinue)
		}
		next.ServeHTTP(w, r.WithContext(r.Context()))
	})
}
