package gateway

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(metadataProbe{})
}

// metadataProbe is a handler that tells what it sees of a request's headers, as
// Caddy left them and as restoreMetadata gives them.
type metadataProbe struct {
	Keep bool `json:"keep,omitempty"`
}

// seen are header names by value, so that a test can look for "a" or "b_c".
type seen struct {
	Left     map[string][]string
	Restored map[string][]string
	Proto    string
}

func (metadataProbe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.metadata_probe", New: func() caddy.Module { return new(metadataProbe) }}
}

func (p *metadataProbe) Provision(ctx caddy.Context) error {
	if p.Keep {
		watchServer(ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server))
	}
	return nil
}

func (p *metadataProbe) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	s := seen{Left: maps.Clone(r.Header), Proto: r.Proto}
	s.Restored = restoreMetadata(r).Header
	return json.NewEncoder(w).Encode(s)
}

// TestMetadataThroughCaddy pins what Caddy does to header names with '_' and '.',
// and that exactly the metadata among them comes back.
func TestMetadataThroughCaddy(t *testing.T) {
	certificate, key, trust := selfSigned(t)
	tlsApp := object{"certificates": object{"load_pem": []object{{"certificate": certificate, "key": key}}}}
	for _, tt := range []struct {
		name      string
		version   int
		encrypted bool
		proto     string
	}{
		{"h1", 1, false, "HTTP/1.1"},
		{"h1 over TLS", 1, true, "HTTP/1.1"},
		{"h2", 2, true, "HTTP/2.0"},
		{"h2c", 2, false, "HTTP/2.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, keep := range []bool{false, true} {
				server := object{"routes": route(object{"handler": "metadata_probe", "keep": keep}), "protocols": []string{"h1", "h2", "h2c"}}
				scheme, pool := "http://", trust
				if tt.encrypted {
					scheme = "https://"
					server["tls_connection_policies"] = []object{{}}
				} else {
					pool = nil
				}
				load(t, object{"apps": object{"http": httpApp(server), "tls": tlsApp}})
				client := clientFor(t, tt.version, pool)
				if tt.encrypted {
					client.Transport.(*http.Transport).TLSClientConfig.ServerName = certified[0]
				}
				url := scheme + address(t, "main") + "/"
				for range 2 { // the second request shares the connection
					got := probe(t, client, url)
					if got.Proto != tt.proto {
						t.Fatalf("protocol %s, want %s", got.Proto, tt.proto)
					}
					for _, lost := range []string{"X-Amz-Meta-File_name", "X-Amz-Meta-V1.0", "X-Amz-Meta-A_b.c", "X-Other_name", "X_amz_meta_x"} {
						if _, ok := got.Left[lost]; ok {
							t.Errorf("Caddy no longer deletes %s: metadata.go may be unnecessary", lost)
						}
					}
					if !keep {
						continue
					}
					want := map[string][]string{
						"X-Amz-Meta-Plain": {"p"}, "X-Amz-Meta-File_name": {"one", "two"}, "X-Amz-Meta-V1.0": {"v"}, "X-Amz-Meta-A_b.c": {"abc"},
					}
					for name, values := range want {
						if !slices.Equal(got.Restored[name], values) {
							t.Errorf("%s = %q, want %q", name, got.Restored[name], values)
						}
					}
					for _, gone := range []string{"X-Other_name", "X_amz_meta_x"} {
						if _, ok := got.Restored[gone]; ok {
							t.Errorf("%s came back; only x-amz-meta-* may", gone)
						}
					}
				}
			}
		})
	}
}

func probe(t *testing.T, client *http.Client, url string) seen {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{
		"X-Amz-Meta-Plain": {"p"}, "X-Amz-Meta-File_name": {"one", "two"}, "X-Amz-Meta-V1.0": {"v"}, "X-Amz-Meta-A_b.c": {"abc"},
		"X-Other_name": {"o"}, "X_amz_meta_x": {"x"},
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var s seen
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMetadataManyConnections lets the race detector see the wrapped handler.
func TestMetadataManyConnections(t *testing.T) {
	load(t, object{"apps": object{"http": httpApp(object{"routes": route(object{"handler": "metadata_probe", "keep": true})})}})
	url := "http://" + address(t, "main") + "/"
	var group sync.WaitGroup
	for range 16 {
		client := clientFor(t, 1, nil)
		group.Go(func() {
			req, _ := http.NewRequest(http.MethodGet, url, nil)
			req.Header["X-Amz-Meta-A_b"] = []string{"v"}
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			var s seen
			if err := json.NewDecoder(res.Body).Decode(&s); err != nil || s.Restored["X-Amz-Meta-A_b"] == nil {
				t.Errorf("restored %v, error %v", s.Restored, err)
			}
		})
	}
	group.Wait()
}

func TestRestoreMetadata(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPut, "/b/k", strings.NewReader("x"))
	r.Header = http.Header{"X-Amz-Meta-A_b": {"client"}, "X-Amz-Meta-C": {"c"}}
	var inner *http.Request
	setMetadataAside(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inner = r })).ServeHTTP(nil, r)

	delete(inner.Header, "X-Amz-Meta-A_b")
	restored := restoreMetadata(inner)
	if got := restored.Header["X-Amz-Meta-A_b"]; !slices.Equal(got, []string{"client"}) {
		t.Errorf("restored %q", got)
	}
	if _, ok := inner.Header["X-Amz-Meta-A_b"]; ok {
		t.Error("the request that was lent was changed")
	}

	inner.Header["X-Amz-Meta-A_b"] = []string{"site"}
	if got := restoreMetadata(inner).Header["X-Amz-Meta-A_b"]; !slices.Equal(got, []string{"site"}) {
		t.Errorf("what is present was replaced by %q", got)
	}

	plain := httptest.NewRequest(http.MethodGet, "/b/k", nil)
	if restoreMetadata(plain) != plain {
		t.Error("a request that lost nothing was copied")
	}
}
