package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/sigv4"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		endpoint string
		change   func(*Config)
		want     string // part of the error, "" for none
	}{
		{"https://s3.eu-central-1.amazonaws.com", nil, ""},
		{"https://s3.eu-central-1.amazonaws.com/", nil, ""},
		{"https://store.example.com:9000", nil, ""},
		{"http://localhost:9000", nil, ""},
		{"http://store.localhost", nil, ""},
		{"http://127.0.0.1", nil, ""},
		{"http://127.8.9.1:80", nil, ""},
		{"http://[::1]:9000", nil, ""},
		{"http://store.example.com", nil, "plain http"},
		{"http://10.0.0.1", nil, "plain http"},
		{"http://0.0.0.0", nil, "plain http"},
		{"http://localhost.example.com", nil, "plain http"},
		{"http://127.0.0.1.example.com", nil, "plain http"},
		{"http://store.example.com", func(c *Config) { c.Insecure = true }, ""},
		{"ftp://store.example.com", nil, "scheme"},
		{"store.example.com", nil, "scheme"},
		{"https:store.example.com", nil, "no host"},
		{"https://:443", nil, "no host"},
		{"https://user:hunter2@store.example.com", nil, "user information"},
		{"https://store.example.com/base", nil, "path"},
		{"https://store.example.com/?a=b", nil, "query"},
		{"https://store.example.com?", nil, "query"},
		{"https://store.example.com#a", nil, "fragment"},
		{"https://store.example.com", func(c *Config) { c.Region = "" }, "region"},
		{"https://store.example.com", func(c *Config) { c.Endpoint = nil }, "endpoint is missing"},
		{"https://10.0.0.1", func(c *Config) { c.Addressing = VirtualHost }, "host name"},
	} {
		u, err := url.Parse(tc.endpoint)
		if err != nil {
			t.Fatal(err)
		}
		c := Config{Endpoint: u, Region: "us-east-1"}
		if tc.change != nil {
			tc.change(&c)
		}
		_, err = New(c)
		if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("New(%s) = %v, want %q", tc.endpoint, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error shows the password: %v", err)
		}
	}
}

func TestIsAWS(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"s3.eu-central-1.amazonaws.com": true, "S3.Amazonaws.COM": true, "s3.amazonaws.com.": true, "s3.amazonaws.com:443": true, "s3.cn-north-1.amazonaws.com.cn": true,
		"amazonaws.com": false, "s3.amazonaws.com.example.com": false, "s3-amazonaws.com": false, "evilamazonaws.com": false, "localhost:9000": false,
	} {
		c, err := New(Config{Endpoint: &url.URL{Scheme: "https", Host: host}, Region: "r"})
		if err != nil {
			t.Fatal(err)
		}
		if c.IsAWS() != want || c.Name() != host {
			t.Errorf("%s: IsAWS = %v, Name = %s", host, c.IsAWS(), c.Name())
		}
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	for name, c := range map[string]*Client{
		"connection refused": newClient(t, closed.Addr().String(), nil),
		"untrusted certificate": newClient(t, untrusted.Listener.Addr().String(), func(c *Config) {
			c.Endpoint = &url.URL{Scheme: "https", Host: "example.com"}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, err := c.Do(t.Context(), Call{Method: http.MethodGet, Bucket: "bucket", Key: "secret-name", PayloadHash: sigv4.EmptySHA256})
			if err == nil {
				_ = resp.Body.Close()
			}
			var gone *Unavailable
			if !errors.As(err, &gone) || gone.Unwrap() == nil || strings.Contains(err.Error(), "secret-name") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	failing := errors.New("token service is down")
	for name, tc := range map[string]struct {
		provider Provider
		want     error
	}{
		"no provider":      {nil, ErrNoCredentials},
		"failing provider": {providerFunc(func(context.Context) (Credentials, error) { return Credentials{}, failing }), failing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, "127.0.0.1:1", func(c *Config) { c.Credentials = tc.provider })
			resp, err := c.Do(t.Context(), Call{Method: http.MethodGet, PayloadHash: sigv4.EmptySHA256})
			if err == nil {
				_ = resp.Body.Close()
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("error = %v", err)
			}
		})
	}
}

type providerFunc func(context.Context) (Credentials, error)

func (f providerFunc) Retrieve(ctx context.Context) (Credentials, error) { return f(ctx) }

// awsEnvironment hides what this machine may offer the SDK.
func awsEnvironment(t *testing.T, values map[string]string) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	all := map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ROLE_ARN": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
	}
	for k, v := range values {
		all[k] = v
	}
	for k, v := range all {
		t.Setenv(k, v)
	}
}

func TestDefaultChain(t *testing.T) {
	t.Run("from the environment", func(t *testing.T) {
		awsEnvironment(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "0123456789abcdef", "AWS_SESSION_TOKEN": "token"})
		p := DefaultChain("eu-central-1")
		for range 2 {
			c, err := p.Retrieve(t.Context())
			if err != nil || c.AccessKey != "AKID" || c.Secret.Reveal() != "0123456789abcdef" || c.SessionToken.Reveal() != "token" {
				t.Errorf("got %v, %v", c, err)
			}
		}
	})
	t.Run("nothing to be found", func(t *testing.T) {
		awsEnvironment(t, nil)
		if c, err := DefaultChain("eu-central-1").Retrieve(t.Context()); err == nil {
			t.Errorf("got %v", c)
		}
	})
}

func TestCredentialsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	const secret, token = "correct-horse-battery", "session-token-value"
	c := Credentials{AccessKey: "AKID", Secret: NewSecret(secret), SessionToken: NewSecret(token)}
	hidden := struct{ c Credentials }{c} // fmt cannot call methods through it
	config := Config{Region: "r", Credentials: Static(c)}
	call := Call{Method: "GET", As: &c}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "% x"} {
		for _, v := range []any{c, &c, c.Secret, &c.Secret, hidden, &hidden, []Credentials{c}, config, call} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	js, err := json.Marshal([]any{c, c.Secret, map[string]Credentials{"c": c}})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(js)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "credentials", c, "secret", c.Secret, "pointer", &c)
	}
	for _, leak := range []string{secret, token, fmt.Sprintf("%x", secret[:6]), fmt.Sprintf("%X", token[:6]), fmt.Sprintf("% x", token[:6])} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("output contains %q", leak)
		}
	}
	if !strings.Contains(out.String(), "AKID "+redacted) {
		t.Error("the access key is not shown either")
	}
}
