package awskms

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
)

// failing answers with an error of KMS.
func failing(status int, code string) fakeFault {
	return func(w http.ResponseWriter, _ *http.Request, _ fakeCall) bool {
		replyError(w, status, code, "")
		return true
	}
}

// hanging takes the call and says nothing until the caller goes.
func hanging(_ http.ResponseWriter, r *http.Request, _ fakeCall) bool {
	<-r.Context().Done()
	return true
}

// cutting closes the connection without an answer.
func cutting(w http.ResponseWriter, _ *http.Request, _ fakeCall) bool {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Close()
	return true
}

// saying answers with any bytes.
func saying(status int, contentType, body string) fakeFault {
	return func(w http.ResponseWriter, _ *http.Request, _ fakeCall) bool {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
		return true
	}
}

// answering replies as KMS does on success.
func answering(reply map[string]any) fakeFault {
	body, err := json.Marshal(reply)
	if err != nil {
		panic(err)
	}
	return saying(http.StatusOK, "application/x-amz-json-1.1", string(body))
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const json11 = "application/x-amz-json-1.1"
	short := base64.StdEncoding.EncodeToString(make([]byte, 31))
	whole := base64.StdEncoding.EncodeToString(make([]byte, 32))
	tests := map[string]struct {
		fault fakeFault
		want  error
		only  string // operation, if not both
	}{
		"denied":                   {failing(400, "AccessDeniedException"), keyring.ErrDenied, ""},
		"disabled":                 {failing(400, "DisabledException"), keyring.ErrDenied, ""},
		"pending deletion":         {failing(400, "KMSInvalidStateException"), keyring.ErrDenied, ""},
		"no such key":              {failing(400, "NotFoundException"), keyring.ErrDenied, ""},
		"signing key":              {failing(400, "InvalidKeyUsageException"), keyring.ErrDenied, ""},
		"unknown access key":       {failing(400, "UnrecognizedClientException"), keyring.ErrDenied, ""},
		"wrong secret":             {failing(400, "InvalidSignatureException"), keyring.ErrDenied, ""},
		"refused in another way":   {failing(400, "ValidationException"), keyring.ErrDenied, ""},
		"namespaced code":          {failing(400, "com.amazonaws.kms#DisabledException"), keyring.ErrDenied, ""},
		"throttled":                {failing(400, "ThrottlingException"), keyring.ErrUnavailable, ""},
		"limit exceeded":           {failing(400, "LimitExceededException"), keyring.ErrUnavailable, ""},
		"too many requests":        {failing(429, "SlowDown"), keyring.ErrUnavailable, ""},
		"expired token":            {failing(400, "ExpiredTokenException"), keyring.ErrUnavailable, ""},
		"key unavailable":          {failing(500, "KeyUnavailableException"), keyring.ErrUnavailable, ""},
		"dependency timeout":       {failing(503, "DependencyTimeoutException"), keyring.ErrUnavailable, ""},
		"internal":                 {failing(500, "KMSInternalException"), keyring.ErrUnavailable, ""},
		"unknown 5xx":              {failing(500, "Whatever"), keyring.ErrUnavailable, ""},
		"slow":                     {hanging, keyring.ErrUnavailable, ""},
		"cut connection":           {cutting, keyring.ErrUnavailable, ""},
		"html, 200":                {saying(200, "text/html", "<html>tenant blue</html>"), keyring.ErrUnavailable, ""},
		"html, 403":                {saying(403, "text/html", "<html>tenant blue</html>"), keyring.ErrUnavailable, ""},
		"html, 502":                {saying(502, "text/html", "<html>tenant blue</html>"), keyring.ErrUnavailable, ""},
		"no code":                  {saying(400, json11, `{}`), keyring.ErrUnavailable, ""},
		"nothing, 200":             {saying(200, json11, ""), keyring.ErrUnavailable, ""},
		"half of a reply":          {saying(200, json11, `{"KeyId":"`+arnA+`","Plaint`), keyring.ErrUnavailable, ""},
		"endless reply":            {saying(200, json11, `{"KeyId":"`+arnA+`","CiphertextBlob":"AAAA","Plaintext":"`+whole+`","x":"`+strings.Repeat("x", 2*maxReply)+`"}`), keyring.ErrUnavailable, ""},
		"redirect":                 {saying(307, json11, ""), keyring.ErrUnavailable, ""},
		"another key, Encrypt":     {answering(map[string]any{"KeyId": arnB, "CiphertextBlob": whole}), keyring.ErrUnavailable, "Encrypt"},
		"another key, Decrypt":     {answering(map[string]any{"KeyId": arnB, "Plaintext": whole}), keyring.ErrUnavailable, "Decrypt"},
		"no blob":                  {answering(map[string]any{"KeyId": arnA}), keyring.ErrUnavailable, "Encrypt"},
		"blob of impossible size":  {answering(map[string]any{"KeyId": arnA, "CiphertextBlob": make([]byte, maxBlob+1)}), keyring.ErrUnavailable, "Encrypt"},
		"short plaintext":          {answering(map[string]any{"KeyId": arnA, "Plaintext": short}), keyring.ErrCorrupt, "Decrypt"},
		"invalid ciphertext":       {failing(400, "InvalidCiphertextException"), keyring.ErrCorrupt, "Decrypt"},
		"made with another key":    {failing(400, "IncorrectKeyException"), keyring.ErrCorrupt, "Decrypt"},
		"code that is no word":     {failing(500, "tenant blue"), keyring.ErrUnavailable, ""},
		"error that quotes values": {quoting, keyring.ErrDenied, ""},
	}
	for kind, config := range kinds("") {
		for name, tt := range tests {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				f := newFakeKMS(arnA)
				config := config
				config.Endpoint, config.Timeout = f.serve(t), time.Second
				k, b := open(t, config), object("bucket", "name")
				wrapped, err := open(t, config).Wrap(t.Context(), k.KEKs()[0], dataKey(), b)
				if err != nil {
					t.Fatal(err)
				}
				f.setFault(tt.fault)
				if tt.only != "Decrypt" {
					got, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), b)
					if !errors.Is(err, tt.want) || got != nil {
						t.Errorf("Wrap: got error %v, want %v and nothing", err, tt.want)
					}
					checkText(t, err)
				}
				if tt.only != "Encrypt" {
					got, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b)
					if !errors.Is(err, tt.want) || got != (keyring.DataKey{}) {
						t.Errorf("Unwrap: got error %v, want %v and no key", err, tt.want)
					}
					checkText(t, err)
				}
				f.setFault(nil)
				if _, err := k.Unwrap(t.Context(), k.KEKs()[0], wrapped, b); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		}
	}
}

// quoting repeats the whole call in its message and request id.
func quoting(w http.ResponseWriter, _ *http.Request, call fakeCall) bool {
	var all []string
	for name, value := range call.context {
		all = append(all, name+"="+value)
	}
	replyError(w, http.StatusBadRequest, "AccessDeniedException", strings.Join(all, " "))
	return true
}

// checkText: an error may name the key and what failed, not what was sent.
func checkText(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return // reported by the caller
	}
	text := err.Error()
	for _, leak := range []string{"blue", "confidential", "bucket", "html"} {
		if strings.Contains(text, leak) {
			t.Errorf("the error shows %q: %s", leak, text)
		}
	}
	if len(text) > 300 {
		t.Errorf("the error is %d bytes long: %s", len(text), text)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + listener.Addr().String()
	listener.Close()
	k := open(t, Config{Key: arnA, Endpoint: endpoint})
	_, err = k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name"))
	if !errors.Is(err, keyring.ErrUnavailable) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got error %v, want %v that says what failed", err, keyring.ErrUnavailable)
	}
}

// A data key is not sent to another server than the one configured.
func TestRedirect(t *testing.T) {
	t.Parallel()
	elsewhere, f := newFakeKMS(arnA), newFakeKMS(arnA)
	target := elsewhere.serve(t)
	f.setFault(func(w http.ResponseWriter, r *http.Request, _ fakeCall) bool {
		http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		return true
	})
	k := open(t, Config{Key: arnA, Endpoint: f.serve(t)})
	if _, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name")); !errors.Is(err, keyring.ErrUnavailable) {
		t.Errorf("got error %v, want %v", err, keyring.ErrUnavailable)
	}
	if n := len(elsewhere.calls("Encrypt")); n != 0 {
		t.Errorf("the other server was called %d times", n)
	}
}

// A single lost call costs no error.
func TestRetries(t *testing.T) {
	t.Parallel()
	tests := map[string]fakeFault{
		"throttled":      failing(400, "ThrottlingException"),
		"internal":       failing(500, "KMSInternalException"),
		"cut connection": cutting,
		"no answer":      hanging,
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeKMS(arnA)
			k := open(t, Config{Key: arnA, Endpoint: f.serve(t), Timeout: 4 * time.Second})
			var before atomic.Bool
			f.setFault(func(w http.ResponseWriter, r *http.Request, c fakeCall) bool {
				return before.CompareAndSwap(false, true) && fault(w, r, c)
			})
			if _, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name")); err != nil {
				t.Error(err)
			}
			if n := len(f.calls("Encrypt")); n != 2 {
				t.Errorf("got %d calls, want 2", n)
			}
		})
	}
}

// What does not help is not tried again, and what may is tried a bounded number
// of times.
func TestAttempts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault fakeFault
		want  int
	}{
		"denied":   {failing(400, "AccessDeniedException"), 1},
		"disabled": {failing(400, "DisabledException"), 1},
		"redirect": {saying(307, "text/html", ""), 1},
		"5xx":      {failing(500, "KMSInternalException"), maxAttempts},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeKMS(arnA)
			f.setFault(tt.fault)
			k := open(t, Config{Key: arnA, Endpoint: f.serve(t)})
			if _, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name")); err == nil {
				t.Error("no error")
			}
			if n := len(f.calls("Encrypt")); n != tt.want {
				t.Errorf("got %d calls, want %d", n, tt.want)
			}
		})
	}
}

// The time-out ends a call whose caller would wait for ever, and says so.
func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, config := range kinds("") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeKMS(arnA)
			f.setFault(hanging)
			config := config
			config.Endpoint, config.Timeout = f.serve(t), 100*time.Millisecond
			k := open(t, config)
			_, err := k.Wrap(context.WithoutCancel(t.Context()), k.KEKs()[0], dataKey(), object("bucket", "name"))
			if !errors.Is(err, keyring.ErrUnavailable) {
				t.Errorf("got error %v, want %v", err, keyring.ErrUnavailable)
			}
		})
	}
}

func TestNoCredentials(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	f := newFakeKMS(arnA)
	k, err := New(Config{Key: arnA, Endpoint: f.serve(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	_, err = k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name"))
	if !errors.Is(err, keyring.ErrUnavailable) || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("got error %v, want %v that speaks of credentials", err, keyring.ErrUnavailable)
	}
}

// The chain of the SDK finds a pair, and its other settings move nothing.
func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not a secret of anybody")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_CA_BUNDLE", "")
	t.Setenv("AWS_REGION", "us-west-2")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	t.Setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
	f := newFakeKMS(arnA)
	k, err := New(Config{Key: arnA, Endpoint: f.serve(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if _, err := k.Wrap(t.Context(), k.KEKs()[0], dataKey(), object("bucket", "name")); err != nil {
		t.Fatal(err)
	}
	got := f.calls("Encrypt")[0].authorization
	if !strings.Contains(got, "Credential=AKIDENV/") || !strings.Contains(got, "/eu-central-1/kms/") {
		t.Errorf("signed as %q", got)
	}
}
