package gateway

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func TestTransportForStore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		check    func(reverseproxy.HTTPTransport) bool
		err      error
	}{
		{"empty", `{"protocol":"http"}`, func(h reverseproxy.HTTPTransport) bool {
			return h.Compression != nil && !*h.Compression && h.Versions[0] == "1.1" && h.KeepAlive.IdleConnTimeout > 0 && h.ResponseHeaderTimeout > 0 &&
				strings.Contains(string(h.NetworkProxyRaw), "none")
		}, nil},
		{"what is set stays", `{"protocol":"http","versions":["2"],"dial_timeout":7000000000,"keep_alive":{"idle_timeout":1000000000},"network_proxy":{"from":"url","url":"http://p:1"}}`,
			func(h reverseproxy.HTTPTransport) bool {
				return h.Versions[0] == "2" && h.DialTimeout == 7e9 && h.KeepAlive.IdleConnTimeout == 1e9 && h.KeepAlive.MaxIdleConnsPerHost > 0 &&
					strings.Contains(string(h.NetworkProxyRaw), "http://p:1")
			}, nil},
		{"compression off is no error", `{"protocol":"http","compression":false}`, func(h reverseproxy.HTTPTransport) bool { return !*h.Compression }, nil},
		{"compression on", `{"protocol":"http","compression": true}`, nil, errCompression},
		{"h2c", `{"protocol":"http","versions":["h2c"]}`, nil, errSharedConnection},
		{"proxy protocol", `{"protocol":"http","proxy_protocol":"v1"}`, nil, errProxyProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := transportForStore(json.RawMessage(tt.in))
			if err != tt.err {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			var h reverseproxy.HTTPTransport
			if err := json.Unmarshal(out, &h); err != nil {
				t.Fatal(err)
			}
			if !tt.check(h) {
				t.Errorf("got %s", out)
			}
		})
	}
}
