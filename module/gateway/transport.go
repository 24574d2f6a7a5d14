package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/sealgate/sealgate/module/upstream"
)

var (
	errCompression      = errors.New("transport: compression must stay off: it alters stored objects and their ETags")
	errSharedConnection = errors.New("transport: h2c is not available: an upload that fails must end its connection, which others would share")
	errProxyProtocol    = errors.New("transport: proxy_protocol is not available: calls to the store are the gateway's own")
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

// transportForStore checks a transport's JSON and completes it: compression off,
// because the transport would otherwise decompress stored objects, and what is
// not set as in upstream's own transport, no proxy from the environment included.
func transportForStore(raw json.RawMessage) (json.RawMessage, error) {
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("decoding transport: %w", err)
	}
	if fields["protocol"] != "http" {
		return nil, fmt.Errorf("transport %q is not available; only http is", fields["protocol"])
	}
	if fields["compression"] == true {
		return nil, errCompression
	}
	if _, ok := fields["proxy_protocol"]; ok {
		return nil, errProxyProtocol
	}
	if versions, _ := fields["versions"].([]any); slices.Contains(versions, any("h2c")) {
		return nil, errSharedConnection
	}
	own := upstream.NewTransport()
	setDefaults(fields, map[string]any{
		"compression":              false,
		"versions":                 []string{"1.1"},
		"dial_timeout":             "10s",
		"expect_continue_timeout":  own.ExpectContinueTimeout.String(),
		"response_header_timeout":  own.ResponseHeaderTimeout.String(),
		"max_response_header_size": own.MaxResponseHeaderBytes,
		"write_buffer_size":        own.WriteBufferSize,
		"read_buffer_size":         own.ReadBufferSize,
		"keep_alive":               map[string]any{},
	})
	if _, ok := fields["forward_proxy_url"]; !ok {
		setDefaults(fields, map[string]any{"network_proxy": map[string]any{"from": "none"}})
	}
	if keepAlive, ok := fields["keep_alive"].(map[string]any); ok {
		setDefaults(keepAlive, map[string]any{
			"idle_timeout":            own.IdleConnTimeout.String(),
			"max_idle_conns":          own.MaxIdleConns,
			"max_idle_conns_per_host": own.MaxIdleConnsPerHost,
		})
	}
	return json.Marshal(fields)
}

// setDefaults sets the fields that are not set.
func setDefaults(fields, defaults map[string]any) {
	for name, value := range defaults {
		if _, ok := fields[name]; !ok {
			fields[name] = value
		}
	}
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
