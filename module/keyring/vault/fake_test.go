package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeVault does what Vault does with one transit key, "objects" at "transit":
// AES-GCM with associated data and versions; and with tokens: time to live,
// renewal, AppRole. It is served over HTTP, or is a transport itself.
type fakeVault struct {
	mu         sync.Mutex
	kind       string // of the key
	derived    bool
	version    int
	minVersion int // for decryption
	ignoreAAD  bool
	hideKey    bool // the policy forbids to read the key's type
	namespace  string
	tokens     map[string]*fakeToken
	secretID   string
	role       fakeToken // what a login gives
	logins     int
	seen       []string // METHOD path
	fault      fakeFault
}

type fakeToken struct {
	ttl       time.Duration // of each renewal; 0: does not expire
	renewable bool
	expires   time.Time
	end       time.Time // no renewal goes beyond; zero: none
}

// fakeFault answers in place of Vault and reports whether it did.
type fakeFault func(w http.ResponseWriter, r *http.Request) bool

const rootToken = "hvs.root"

func newFakeVault() *fakeVault {
	return &fakeVault{
		kind: "aes256-gcm96", version: 1, minVersion: 1,
		tokens:   map[string]*fakeToken{rootToken: {}},
		secretID: "first-secret-id",
		role:     fakeToken{ttl: time.Hour, renewable: true},
	}
}

// set changes the fake under its lock.
func (f *fakeVault) set(change func(f *fakeVault)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fakeVault) fail(fault fakeFault) { f.set(func(f *fakeVault) { f.fault = fault }) }

// count is how many calls there were of one method and path.
func (f *fakeVault) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.seen {
		if s == call {
			n++
		}
	}
	return n
}

// serve listens until the test ends and gives the URL.
func (f *fakeVault) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return server.URL
}

// RoundTrip implements http.RoundTripper, without a network.
func (f *fakeVault) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	w, served := httptest.NewRecorder(), req.Clone(req.Context())
	if served.Body == nil { // as a server has it
		served.Body = http.NoBody
	}
	f.ServeHTTP(w, served)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = req
	return resp, nil
}

func (f *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+path)
	fault := f.fault
	f.mu.Unlock()
	if fault != nil && fault(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("X-Vault-Request") != "true" || r.Header.Get("X-Vault-Namespace") != f.namespace {
		replyErrors(w, http.StatusBadRequest, "not a call of the client")
		return
	}
	body, _ := io.ReadAll(r.Body)
	var in map[string]string
	if len(body) > 0 && json.Unmarshal(body, &in) != nil && path != "auth/token/renew-self" {
		replyErrors(w, http.StatusBadRequest, "error parsing JSON")
		return
	}
	if path == "auth/approle/login" && r.Method == http.MethodPut {
		if r.Header.Get("X-Vault-Token") != "" {
			replyErrors(w, http.StatusBadRequest, "a login brings no token")
			return
		}
		f.serveLogin(w, in)
		return
	}
	token := f.tokens[r.Header.Get("X-Vault-Token")]
	if token == nil || (!token.expires.IsZero() && !time.Now().Before(token.expires)) {
		replyErrors(w, http.StatusForbidden, "permission denied")
		return
	}
	switch r.Method + " " + path {
	case "GET auth/token/lookup-self":
		replyData(w, map[string]any{"ttl": token.left(), "renewable": token.renewable})
	case "PUT auth/token/renew-self":
		f.serveRenewal(w, r, token)
	case "GET transit/keys/objects":
		if f.hideKey {
			replyErrors(w, http.StatusForbidden, "permission denied")
			return
		}
		replyData(w, map[string]any{"type": f.kind, "derived": f.derived, "latest_version": f.version})
	case "PUT transit/encrypt/objects":
		f.serveEncrypt(w, in)
	case "PUT transit/decrypt/objects":
		f.serveDecrypt(w, in)
	default:
		replyErrors(w, http.StatusNotFound, "no handler for route")
	}
}

func (t *fakeToken) left() int {
	if t.expires.IsZero() {
		return 0
	}
	return int(time.Until(t.expires) / time.Second)
}

func (t *fakeToken) prolong() {
	if t.ttl == 0 {
		return
	}
	t.expires = time.Now().Add(t.ttl)
	if !t.end.IsZero() && t.expires.After(t.end) {
		t.expires = t.end
	}
}

func (f *fakeVault) serveLogin(w http.ResponseWriter, in map[string]string) {
	if in["role_id"] != "role" || in["secret_id"] != f.secretID {
		replyErrors(w, http.StatusBadRequest, "invalid role or secret ID")
		return
	}
	f.logins++
	token := f.role
	token.prolong()
	name := fmt.Sprintf("hvs.login-%d", f.logins)
	f.tokens[name] = &token
	replyJSON(w, http.StatusOK, map[string]any{"auth": map[string]any{"client_token": name, "lease_duration": token.left(), "renewable": token.renewable}})
}

func (f *fakeVault) serveRenewal(w http.ResponseWriter, r *http.Request, token *fakeToken) {
	if !token.renewable {
		replyErrors(w, http.StatusBadRequest, "lease is not renewable")
		return
	}
	token.prolong()
	replyJSON(w, http.StatusOK, map[string]any{"auth": map[string]any{"client_token": r.Header.Get("X-Vault-Token"), "lease_duration": token.left(), "renewable": true}})
}

// aead is that of one version of the key.
func fakeAEAD(version int) cipher.AEAD {
	key := sha256.Sum256([]byte("version " + strconv.Itoa(version)))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (f *fakeVault) aad(in map[string]string) []byte {
	if f.ignoreAAD {
		return nil
	}
	aad, err := base64.StdEncoding.DecodeString(in["associated_data"])
	if err != nil {
		panic(err)
	}
	return aad
}

func (f *fakeVault) serveEncrypt(w http.ResponseWriter, in map[string]string) {
	plain, err := base64.StdEncoding.DecodeString(in["plaintext"])
	if err != nil {
		replyErrors(w, http.StatusBadRequest, "failed to base64-decode plaintext")
		return
	}
	sealed := fakeAEAD(f.version).Seal(nil, nil, plain, f.aad(in))
	replyData(w, map[string]any{"ciphertext": fmt.Sprintf("vault:v%d:%s", f.version, base64.StdEncoding.EncodeToString(sealed)), "key_version": f.version})
}

func (f *fakeVault) serveDecrypt(w http.ResponseWriter, in map[string]string) {
	parts := strings.SplitN(in["ciphertext"], ":", 3)
	if len(parts) != 3 || parts[0] != "vault" || !strings.HasPrefix(parts[1], "v") {
		replyErrors(w, http.StatusBadRequest, "invalid ciphertext: no prefix")
		return
	}
	version, err := strconv.Atoi(parts[1][1:])
	sealed, err2 := base64.StdEncoding.DecodeString(parts[2])
	switch {
	case err != nil || err2 != nil:
		replyErrors(w, http.StatusBadRequest, "invalid ciphertext: could not be decoded")
		return
	case version > f.version || version < 1:
		replyErrors(w, http.StatusBadRequest, "invalid ciphertext: version is too new")
		return
	case version < f.minVersion:
		replyErrors(w, http.StatusBadRequest, "ciphertext or signature version is disallowed by policy (too old)")
		return
	}
	plain, err := fakeAEAD(version).Open(nil, nil, sealed, f.aad(in))
	if err != nil {
		replyErrors(w, http.StatusBadRequest, "cipher: message authentication failed")
		return
	}
	replyData(w, map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)})
}

func replyJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func replyData(w http.ResponseWriter, data map[string]any) {
	replyJSON(w, http.StatusOK, map[string]any{"request_id": "1", "data": data})
}

func replyErrors(w http.ResponseWriter, status int, texts ...string) {
	replyJSON(w, status, map[string]any{"errors": texts})
}

// on limits a fault to some paths.
func on(fault fakeFault, paths ...string) fakeFault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return slices.Contains(paths, strings.TrimPrefix(r.URL.Path, "/v1/")) && fault(w, r)
	}
}

// failing answers with an error of Vault.
func failing(status int, texts ...string) fakeFault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		replyErrors(w, status, texts...)
		return true
	}
}

// saying answers with any bytes.
func saying(status int, body string) fakeFault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		io.WriteString(w, body)
		return true
	}
}

// hanging takes the call and says nothing until the caller goes.
func hanging(_ http.ResponseWriter, r *http.Request) bool {
	io.Copy(io.Discard, r.Body) // a server notices only then that the caller goes
	<-r.Context().Done()
	return true
}

// cutting closes the connection without an answer.
func cutting(w http.ResponseWriter, _ *http.Request) bool {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Close()
	return true
}
