package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/upstream"
)

// complete is a handler with every required field.
func complete() *Handler {
	return &Handler{Upstream: "https://s3.example.org", Clients: "clients.yaml", Posture: "posture.yaml"}
}

func TestResolve(t *testing.T) {
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte("from-a-file-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GATEWAY_TEST_EMPTY", "")
	t.Setenv("GATEWAY_TEST_KEY", "AKIDEXAMPLE")
	t.Setenv("GATEWAY_TEST_SECRET", "from-the-environment")
	t.Setenv("GATEWAY_TEST_DOMAINS", "s3.example.com, S3.internal")
	for _, tt := range []struct {
		name  string
		set   func(*Handler)
		check func(settings) bool
	}{
		{"defaults", func(*Handler) {}, func(s settings) bool {
			return s.region == "us-east-1" && s.domains == nil && s.addressing == upstream.PathStyle && s.source == "default" &&
				s.verify == engine.VerifyRequired && s.payloadCheck == engine.PayloadCheckGateway && s.policy == "" && s.clients == "clients.yaml"
		}},
		{"empty placeholders count as not set", func(h *Handler) {
			e := "{env.GATEWAY_TEST_EMPTY}"
			h.Region, h.Domain, h.Addressing, h.Policy, h.Verify, h.PayloadCheck = e, []string{e}, e, e, e, e
			h.Credentials = &Credentials{Source: "static", AccessKey: e, Secret: e}
		}, func(s settings) bool {
			return s.region == "us-east-1" && s.domains == nil && s.addressing == upstream.PathStyle && s.source == "default" &&
				s.verify == engine.VerifyRequired && s.payloadCheck == engine.PayloadCheckGateway && s.policy == ""
		}},
		{"several domains in one variable", func(h *Handler) { h.Domain = []string{"{env.GATEWAY_TEST_DOMAINS}", "third.example"} },
			func(s settings) bool {
				return slices.Equal(s.domains, []string{"s3.example.com", "s3.internal", "third.example"})
			}},
		{"secret from the environment", func(h *Handler) {
			h.Credentials = &Credentials{Source: "static", AccessKey: "{env.GATEWAY_TEST_KEY}", Secret: "{env.GATEWAY_TEST_SECRET}"}
		}, func(s settings) bool {
			return s.source == "static" && s.accessKey == "AKIDEXAMPLE" && s.secret.Reveal() == "from-the-environment"
		}},
		{"secret from a file", func(h *Handler) {
			h.Credentials = &Credentials{Source: "static", AccessKey: "AKIDEXAMPLE", Secret: "{file." + secretFile + "}"}
		}, func(s settings) bool { return s.secret.Reveal() == "from-a-file-secret" }},
		{"client credentials", func(h *Handler) { h.Credentials = &Credentials{Source: "client"} },
			func(s settings) bool { return s.source == "client" }},
		{"words", func(h *Handler) { h.Verify, h.PayloadCheck, h.Addressing = "off", "store", "virtual" }, func(s settings) bool {
			return s.verify == engine.VerifyOff && s.payloadCheck == engine.PayloadCheckStore && s.addressing == upstream.VirtualHost
		}},
		{"plaintext on this machine", func(h *Handler) { h.Upstream = "http://127.0.0.1:9000" },
			func(s settings) bool { return s.endpoint.Host == "127.0.0.1:9000" }},
		{"plaintext on this machine by IPv6", func(h *Handler) { h.Upstream = "http://[::1]:9000" },
			func(s settings) bool { return s.endpoint.Port() == "9000" }},
		{"plaintext on this machine by name", func(h *Handler) { h.Upstream = "http://localhost:9000/" },
			func(s settings) bool { return s.endpoint.Hostname() == "localhost" }},
		{"plaintext over a network, asked for", func(h *Handler) { h.Upstream, h.InsecureUpstream = "http://minio:9000", true },
			func(s settings) bool { return s.endpoint.Scheme == "http" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := complete()
			tt.set(h)
			got, err := h.resolve(caddy.NewReplacer())
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(got) {
				t.Errorf("got %+v", got)
			}
			if shown := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(shown, "from-") {
				t.Errorf("a secret is printed: %s", shown)
			}
		})
	}
}

func TestResolveErrors(t *testing.T) {
	t.Setenv("GATEWAY_TEST_EMPTY", "")
	t.Setenv("GATEWAY_TEST_SECRET", "from-the-environment")
	for _, tt := range []struct {
		name string
		set  func(*Handler)
		want string
	}{
		{"no upstream", func(h *Handler) { h.Upstream = "{env.GATEWAY_TEST_EMPTY}" }, "upstream: {env.GATEWAY_TEST_EMPTY} is empty; it must give the endpoint URL"},
		{"no clients", func(h *Handler) { h.Clients = "" }, "clients: no path set"},
		{"no posture", func(h *Handler) { h.Posture = "{env.GATEWAY_TEST_EMPTY}" }, "posture: {env.GATEWAY_TEST_EMPTY} is empty; it must give the path"},
		{"unknown placeholder", func(h *Handler) { h.Region = "{region}" }, "region: unrecognized placeholder {region}"},
		{"plaintext over a network", func(h *Handler) { h.Upstream = "http://minio:9000" }, "in plaintext over a network"},
		{"plaintext to a name like localhost", func(h *Handler) { h.Upstream = "http://localhost.example.com" }, "in plaintext over a network"},
		{"no scheme", func(h *Handler) { h.Upstream = "s3.example.org" }, "is not an http:// or https:// URL"},
		{"other scheme", func(h *Handler) { h.Upstream = "ftp://s3.example.org" }, "is not an http:// or https:// URL"},
		{"endpoint with a path", func(h *Handler) { h.Upstream = "https://example.org/s3" }, "has a path or query"},
		{"endpoint with a password", func(h *Handler) { h.Upstream = "https://a:hunter2@example.org" }, "use credentials"},
		{"domain with a port", func(h *Handler) { h.Domain = []string{"s3.example.com:9000"} }, "is not a host name"},
		{"addressing", func(h *Handler) { h.Addressing = "dns" }, `addressing "dns" is none of path, virtual`},
		{"verify", func(h *Handler) { h.Verify = "maybe" }, `verify "maybe" is none of required, if_reported, off`},
		{"sealed checksum", func(h *Handler) { h.SealedChecksum = "md5" }, `sealed_checksum "md5" is none of auto, crc64nvme, none`},
		{"payload check", func(h *Handler) { h.PayloadCheck = "x" }, `payload_check "x" is none of gateway, store`},
		{"credential source", func(h *Handler) { h.Credentials = &Credentials{Source: "vault"} }, `credentials "vault" is none of default, static, client`},
		{"secret without source static", func(h *Handler) { h.Credentials = &Credentials{Secret: "{env.X}"} }, "takes no access key and no secret"},
		{"literal secret", func(h *Handler) {
			h.Credentials = &Credentials{Source: "static", AccessKey: "AKID", Secret: "hunter2hunter2hunter2"}
		}, "must be a placeholder"},
		{"secret that is partly a placeholder", func(h *Handler) {
			h.Credentials = &Credentials{Source: "static", AccessKey: "AKID", Secret: "hunter2{env.GATEWAY_TEST_SECRET}"}
		}, "must be a placeholder"},
		{"empty secret", func(h *Handler) {
			h.Credentials = &Credentials{Source: "static", AccessKey: "AKID", Secret: "{env.GATEWAY_TEST_EMPTY}"}
		}, "is empty or cannot be read"},
		{"missing secret file", func(h *Handler) {
			h.Credentials = &Credentials{Source: "static", AccessKey: "AKID", Secret: "{file./does/not/exist}"}
		}, "is empty or cannot be read"},
		{"empty access key", func(h *Handler) {
			h.Credentials = &Credentials{Source: "static", Secret: "{env.GATEWAY_TEST_SECRET}"}
		}, "the access key is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := complete()
			tt.set(h)
			_, err := h.resolve(caddy.NewReplacer())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error containing %q", err, tt.want)
			}
			for _, secret := range []string{"hunter2", "from-the-environment"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a secret: %v", err)
				}
			}
		})
	}
}

// TestCredentialsNotQuoted: an argument too many may be a secret.
func TestCredentialsNotQuoted(t *testing.T) {
	t.Parallel()
	got := adaptOrError(t, ":9000 {\n\ts3_encryption https://s3.example.org {\n\t\tcredentials default hunter2hunter2\n\t}\n}\n")
	if !strings.Contains(got, "takes nothing more") || strings.Contains(got, "hunter2") {
		t.Errorf("got %q", got)
	}
}
