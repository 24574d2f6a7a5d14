package tests

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"github.com/sealgate/sealgate/tests/servers"
)

// TestHTTP3: Caddy drops metadata names with "_" or "." there before anybody
// can keep them. A signature shows the loss; what has none is refused.
func TestHTTP3(t *testing.T) {
	t.Parallel()
	store := minioStore(t)
	gateway := ownGateway(t, servers.Gateway{
		Upstream: store.Endpoint, AccessKey: store.AccessKey, SecretKey: store.SecretKey,
		Caddyfile: fmt.Sprintf(strings.Replace(servers.DefaultCaddyfile, "protocols h1 h2", "protocols h1 h2 h3", 1),
			"transport http {\n\t\t\ttls_trust_pool file {$AUTHORITY}\n\t\t}"),
		Files: map[string]string{"posture.yaml": strings.Replace(posture(`  "*": {"": {mode: none}}`), "grants:",
			"grants:\n  - {id: open, principals: [anonymous], actions: [\"s3:*\"], resources: [\"*\"]}", 1)},
	})
	c := newSession(t, through(gateway), "http3", nil)
	c.create(t)
	c.put(t, "there", []byte("over TCP"))

	transport := &http3.Transport{TLSClientConfig: authority(t).Transport().TLSClientConfig}
	t.Cleanup(func() { _ = transport.Close() })
	for _, tc := range []struct {
		name, method, metadata string
		signed                 bool
		status                 int
	}{
		{"signed read", http.MethodGet, "", true, 200},
		{"unsigned read", http.MethodGet, "", false, 200},
		{"signed write", http.MethodPut, "", true, 200},
		{"signed write, metadata", http.MethodPut, "X-Amz-Meta-Plain", true, 200},
		{"signed write, metadata that is lost", http.MethodPut, "X-Amz-Meta-Under_score", true, 400},
		{"unsigned write", http.MethodPut, "", false, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, gateway.Endpoint+"/"+c.bucket+"/there", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if tc.method == http.MethodPut {
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader([]byte("over UDP"))), 8
			}
			if tc.metadata != "" {
				req.Header.Set(tc.metadata, "v")
			}
			if tc.signed {
				req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
				sign(t, req, c.place, "UNSIGNED-PAYLOAD")
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.ProtoMajor != 3 || resp.StatusCode != tc.status {
				t.Errorf("%s %d, want %d: %s", resp.Proto, resp.StatusCode, tc.status, body)
			}
			if tc.metadata != "" && tc.status != http.StatusOK && !strings.Contains(strings.ToLower(string(body)), strings.ToLower(tc.metadata)) {
				t.Errorf("the refusal does not name the header that is missing: %s", body)
			}
		})
	}
	c.holds(t, "there", []byte("over UDP"))
}
