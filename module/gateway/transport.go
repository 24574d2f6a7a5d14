package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/sealgate/sealgate/module/upstream"
)

var (
	errCompression   = errors.New("transport: compression must stay off: it alters stored objects and their ETags")
	errProxyProtocol = errors.New("transport: proxy_protocol is not available: calls to the store are the gateway's own")
)

// loadTransport gives the connection to the store: Caddy's own transport as
// configured, or upstream's when nothing was configured. The second result ends
// idle connections; Caddy ends those of its own module itself.
func (h *Handler) loadTransport(ctx caddy.Context) (http.RoundTripper, func(), error) {
	if h.TransportRaw == nil {
		t := upstream.NewTransport()
		return t, t.CloseIdleConnections, nil
	}
	raw, err := transportForStore(h.TransportRaw)
	if err != nil {
		return nil, nil, err
	}
	h.TransportRaw = raw
	guest, err := ctx.LoadModule(h, "TransportRaw")
	if err != nil {
		return nil, nil, fmt.Errorf("loading transport: %w", err)
	}
	t, ok := guest.(*reverseproxy.HTTPTransport)
	if !ok {
		return nil, nil, fmt.Errorf("transport %T is not http", guest)
	}
	return guestTransport{t}, func() {}, nil
}

// transportForStore checks a transport's JSON and fills in what the store
// needs: compression off, because the transport would otherwise decompress
// stored objects, and HTTP/1.1 unless versions are named.
func transportForStore(raw json.RawMessage) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("decoding transport: %w", err)
	}
	if string(fields["compression"]) == "true" {
		return nil, errCompression
	}
	if _, ok := fields["proxy_protocol"]; ok {
		return nil, errProxyProtocol
	}
	fields["compression"] = json.RawMessage("false")
	if _, ok := fields["versions"]; !ok {
		fields["versions"] = json.RawMessage(`["1.1"]`)
	}
	return json.Marshal(fields)
}

// guestTransport runs Caddy's transport outside reverse_proxy.
type guestTransport struct {
	*reverseproxy.HTTPTransport
}

// RoundTrip implements http.RoundTripper. The transport keeps notes in the
// request's variables and reads its replacer; calls get their own of both,
// because several may run for one client request, or none at all.
func (t guestTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := context.WithValue(r.Context(), caddyhttp.VarsCtxKey, make(map[string]any))
	ctx = context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer())
	return t.HTTPTransport.RoundTrip(r.WithContext(ctx))
}
