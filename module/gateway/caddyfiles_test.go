package gateway

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/sealgate/sealgate/module/keyring/local"
)

// caddyfiles is where the shipped examples are.
const caddyfiles = "../../caddyfiles"

// example is a shipped Caddyfile and, if it serves one over TLS, its host.
type example struct {
	name, host string
}

var examples = []example{
	{name: "minimal"},
	{name: "quickstart"},
	{name: "virtual-host", host: "s3.example.com"},
	{name: "aws-kms-required", host: "s3.example.com"},
	{name: "cse-local", host: "s3.example.com"},
	{name: "cse-kms", host: "s3.example.com"},
	{name: "transparent", host: "s3.eu-central-1.amazonaws.com"},
}

// setting sets the environment an example reads, with files made for it, and
// gives the certificate's pool and a store.
func setting(t *testing.T, e example) (trust *x509.CertPool, s *store) {
	t.Helper()
	certificate, key, trust := selfSigned(t)
	s = newStore(t, httptest.NewServer)
	dir := t.TempDir()
	for name, text := range map[string]string{"clients.yaml": testClients, "posture.yaml": testPosture, "cert.pem": certificate, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keyringFile := filepath.Join(dir, "main.keyring")
	if _, err := local.Init(keyringFile); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"LISTEN": ":9000", "S3_ENDPOINT": s.URL, "S3_REGION": "", "S3_DOMAIN": "",
		"UPSTREAM_ACCESS_KEY": storeKey, "UPSTREAM_SECRET_KEY": "the-gateways-own-secret-at-the-store",
		"CLIENTS_FILE": filepath.Join(dir, "clients.yaml"), "POSTURE_FILE": filepath.Join(dir, "posture.yaml"), "POLICY_DIR": "", "VERIFY": "",
		"QUICKSTART_DIR": dir, "TLS_CERT": filepath.Join(dir, "cert.pem"), "TLS_KEY": filepath.Join(dir, "key.pem"),
		"RUNTIME_DIRECTORY": dir, "KEYRING_FILE": keyringFile,
		"KMS_KEY": "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000",
	} {
		t.Setenv(name, value)
	}
	if e.name != "minimal" { // the others have defaults, for what is not set
		for _, name := range []string{"S3_ENDPOINT", "S3_REGION", "S3_DOMAIN", "VERIFY"} {
			if e.host != "" || name != "S3_ENDPOINT" {
				os.Unsetenv(name) // t.Setenv has seen to it that it comes back
			}
		}
	}
	return trust, s
}

// adaptFile gives the JSON of a shipped Caddyfile; warnings are errors.
func adaptFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(caddyfiles, name+".Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": name + ".Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Errorf("%s", w)
	}
	return adapted
}

func TestExamplesAreListed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(caddyfiles, "*.Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, e := range examples {
		listed[e.name+".Caddyfile"] = true
	}
	for _, file := range files {
		if !listed[filepath.Base(file)] {
			t.Errorf("%s is not tested", file)
		}
	}
	if len(files) != len(listed) {
		t.Errorf("%d files, %d listed", len(files), len(listed))
	}
}

func TestExamplesAreValid(t *testing.T) {
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			_, s := setting(t, e)
			if err := validateExample(t, e.name); err != nil {
				t.Error(err)
			}
			if n := len(s.got()); n != 0 {
				t.Errorf("the store was asked %d times", n)
			}
		})
	}
}

// TestExamplePostures: a posture shipped beside a Caddyfile loads with it.
func TestExamplePostures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(caddyfiles, "*.posture.yaml"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %q, error %v", files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".posture.yaml")
		t.Run(name, func(t *testing.T) {
			setting(t, example{name, "s3.example.com"})
			t.Setenv("POSTURE_FILE", file)
			if err := validateExample(t, name); err != nil {
				t.Error(err)
			}
		})
	}
}

func validateExample(t *testing.T, name string) error {
	t.Helper()
	var config caddy.Config
	if err := json.Unmarshal(adaptFile(t, name), &config); err != nil {
		t.Fatal(err)
	}
	return caddy.Validate(&config)
}

// TestMinimalKeyring: the smallest gateway does without a keyring and with one, and
// says what is missing.
func TestMinimalKeyring(t *testing.T) {
	for _, tt := range []struct{ name, keyring, posture, want string }{
		{"none", "", testPosture, ""},
		{"one", "main.keyring", sealing(""), ""},
		{"none, and one is needed", "", sealing(""), "keyring: no keyring is configured"},
		{"another one is needed", "main.keyring", sealing(", keyring: other"), `unknown keyring "other"; keyrings here: main`},
		{"misspelt", "mian.keyring", testPosture, "mian.keyring"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			setting(t, example{name: "minimal"})
			if err := os.WriteFile(os.Getenv("POSTURE_FILE"), []byte(tt.posture), 0o600); err != nil {
				t.Fatal(err)
			}
			file := tt.keyring
			if file != "" {
				file = filepath.Join(filepath.Dir(os.Getenv("KEYRING_FILE")), file)
			}
			t.Setenv("KEYRING_FILE", file)
			err := validateExample(t, "minimal")
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error containing %q", err, tt.want)
			}
		})
	}
}

// TestExamplesServe starts each example on a free port, with the store in place
// of the endpoint it names, and writes an object through it.
func TestExamplesServe(t *testing.T) {
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			trust, s := setting(t, e)
			config := decode(t, adaptFile(t, e.name))
			server := at(config, "apps", "http", "servers", "srv0").(object)
			server["listen"] = []string{"127.0.0.1:0"}
			h := findHandler(config)
			if h != nil {
				h["upstream"] = s.URL
				h["addressing"] = "path"
				if h["credentials"] == nil || at(h, "credentials", "source") == "default" {
					h["credentials"] = object{"source": "static", "access_key": storeKey, "secret": "{env.UPSTREAM_SECRET_KEY}"}
				}
			} else {
				t.Fatal("no s3_encryption handler")
			}
			load(t, config)
			listening := address(t, "srv0")
			endpoint, region, client := "http://"+listening, "us-east-1", clientFor(t, 1, nil)
			if e.host != "" {
				endpoint, region, client = "https://"+e.host, h["region"].(string), clientFor(t, 1, trust)
				client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, listening)
				}
			}
			sdk := s3.New(s3.Options{
				BaseEndpoint: aws.String(endpoint), Region: region, UsePathStyle: true, RetryMaxAttempts: 20,
				Credentials: credentials.NewStaticCredentialsProvider(clientKey, clientSecret, ""),
				HTTPClient:  client,
			})
			out, err := sdk.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("k"), Body: strings.NewReader("hello")})
			if err != nil {
				t.Fatal(err)
			}
			requests := s.got()
			last := requests[len(requests)-1]
			if out.ServerSideEncryption != "AES256" || last.Header.Get("X-Amz-Server-Side-Encryption") != "AES256" || last.URL.Path != "/photos/k" {
				t.Errorf("client told %q, store asked %s %v", out.ServerSideEncryption, last.RequestURI, last.Header)
			}
		})
	}
}

func decode(t *testing.T, data []byte) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// findHandler is the s3_encryption handler somewhere in a configuration.
func findHandler(v any) object {
	switch v := v.(type) {
	case object:
		if v["handler"] == "s3_encryption" {
			return v
		}
		for _, member := range v {
			if h := findHandler(member); h != nil {
				return h
			}
		}
	case []any:
		for _, element := range v {
			if h := findHandler(element); h != nil {
				return h
			}
		}
	}
	return nil
}
