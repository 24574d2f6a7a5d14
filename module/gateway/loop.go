package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/policy"
)

// A gateway whose store's name resolves to the gateway itself would call itself
// for ever when it signs with the caller's own keys. So every call upstream
// carries a Via element naming the store it is meant for (RFC 9110, section
// 7.6.3), and a request that arrives with this gateway's own element is refused.
// Replicas of one configuration share the element; a chain of gateways with
// different upstreams does not.

// viaElement names calls to endpoint. The endpoint itself is not shown to it.
func viaElement(endpoint *url.URL) string {
	sum := sha256.Sum256([]byte(endpoint.Scheme + "://" + strings.ToLower(endpoint.Host)))
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

// viaKey is the context key of the Via lines a request came with.
type viaKey struct{}

// rememberVia gives r with its Via lines where marked finds them: the engine
// builds calls anew and would lose the elements of gateways before this one.
func rememberVia(r *http.Request) *http.Request {
	if len(r.Header["Via"]) == 0 {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), viaKey{}, r.Header["Via"]))
}

// marked adds the Via element to each request on its way to the store.
type marked struct {
	next    http.RoundTripper
	element string
}

// RoundTrip implements http.RoundTripper. Via is not signed: SigV4 asks only
// for host and x-amz-* headers.
func (m marked) RoundTrip(r *http.Request) (*http.Response, error) {
	came, _ := r.Context().Value(viaKey{}).([]string)
	out := r.WithContext(r.Context())
	out.Header = r.Header.Clone()
	if out.Header == nil {
		out.Header = make(http.Header)
	}
	out.Header["Via"] = append(slices.Clone(came), m.element)
	return m.next.RoundTrip(out)
}

// refuseLoop answers a request that came back. It is recorded like any other.
func (h *Handler) refuseLoop(w http.ResponseWriter, r *http.Request) {
	refusal := s3.ErrInvalidRequest.WithMessage("The request has already passed through this gateway: the store's host name leads back to it.")
	record := &engine.Record{
		ID:       rand.Text(),
		Time:     time.Now().UTC(),
		Revision: h.policy.Status().Revision,
		Answered: engine.RecordAnswer{Status: refusal.Status, Code: refusal.Code},
		Outcome:  engine.OutcomeRefused,
		Findings: []policy.Finding{},
		Cause:    "loop: the upstream's host name resolves to this gateway",
		Client:   engine.RecordClient{IP: clientIP(r), Host: r.Host, Method: r.Method, Path: r.URL.Path, Proto: r.Proto, UserAgent: r.UserAgent()},
	}
	h.recorder.Record(r.Context(), record)
	h.app.metrics.Request("unknown", "", string(record.Outcome))
	s3.WriteError(w, refusal, s3.Reply{RequestID: record.ID, Resource: r.URL.Path, Method: r.Method})
}
