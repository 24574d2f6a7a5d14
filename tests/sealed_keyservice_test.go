package tests

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The key of a key service in this process, and who may use it.
const (
	serviceARN    = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	serviceKeyID  = "SEALGATEKMSACCESS"
	serviceSecret = "a-secret-for-the-key-service"
	serviceToken  = "hvs.a-token-for-the-key-service"
)

// trouble is what is wrong with a key service.
type trouble string

const (
	down      trouble = "down"      // connections break
	throttled trouble = "throttled" // too many calls, it says
	denied    trouble = "denied"    // the key is no longer for the gateway
	slow      trouble = "slow"      // there is no answer
)

// keyService is a key service in this process with one key. It speaks as much of
// AWS KMS's protocol, and of that of Vault's transit engine, as keyrings use. Data
// keys are really encrypted, bound to what is said with them. A new version of the
// key encrypts, all of them decrypt. Its methods may be called from several
// goroutines.
type keyService struct {
	endpoint string

	mu      sync.Mutex
	version int
	trouble trouble
	gate    chan struct{} // what decrypts waits until it is closed; nil: it does not wait
	served  []keyCall
}

// keyCall is a call that was answered with a key.
type keyCall struct {
	encrypt bool
	bound   map[string]string // the encryption context; of Vault "aad" alone
}

// startKeyService serves until the test ends.
func startKeyService(t *testing.T) *keyService {
	t.Helper()
	s := &keyService{version: 1}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", s.kms)
	mux.HandleFunc("/v1/", s.vault)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// What is not read of a body keeps a server from noticing that a caller goes.
		body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		switch s.now() {
		case down:
			panic(http.ErrAbortHandler)
		case slow:
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	s.endpoint = server.URL
	return s
}

func (s *keyService) now() trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// be makes something wrong with the service, or nothing.
func (s *keyService) be(tr trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = tr
}

// rotate adds a version of the key.
func (s *keyService) rotate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
}

// hold lets nothing be decrypted until release is called.
func (s *keyService) hold() (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate
	return sync.OnceFunc(func() { close(gate) })
}

// calls are those so far about the objects of one bucket: to encrypt or to
// decrypt a key.
func (s *keyService) calls(bucket string, encrypt bool) []keyCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	var about []keyCall
	for _, c := range s.served {
		if c.encrypt == encrypt && (c.bound["sealgate:ns"] == bucket || strings.Contains(c.bound["aad"], bucket)) {
			about = append(about, c)
		}
	}
	return about
}

// serve notes a call and waits for the gate.
func (s *keyService) serve(ctx context.Context, c keyCall) {
	s.mu.Lock()
	s.served = append(s.served, c)
	gate := s.gate
	s.mu.Unlock()
	if c.encrypt || gate == nil {
		return
	}
	select {
	case <-gate:
	case <-ctx.Done():
	}
}

// of is a version of the key.
func (*keyService) of(version int) (cipher.AEAD, error) {
	secret := sha256.Sum256(fmt.Appendf(nil, "version %d of the key of a test", version))
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal encrypts a data key under the newest version.
func (s *keyService) seal(key []byte, bound map[string]string) (version int, sealed []byte, err error) {
	s.mu.Lock()
	version = s.version
	s.mu.Unlock()
	aead, err := s.of(version)
	if err != nil {
		return 0, nil, err
	}
	return version, aead.Seal(nil, nil, key, oneText(bound)), nil
}

var errNoKeyVersion = errors.New("no such version of the key")

// open is the inverse of seal.
func (s *keyService) open(version int, sealed []byte, bound map[string]string) ([]byte, error) {
	s.mu.Lock()
	known := 1 <= version && version <= s.version
	s.mu.Unlock()
	if !known {
		return nil, errNoKeyVersion
	}
	aead, err := s.of(version)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nil, sealed, oneText(bound))
}

// oneText is another text for each context.
func oneText(bound map[string]string) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(bound)) {
		b = fmt.Appendf(b, "%q=%q\n", name, bound[name])
	}
	return b
}

// kms answers Encrypt and Decrypt.
//
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Operations.html
func (s *keyService) kms(w http.ResponseWriter, r *http.Request) {
	refuse := func(code string) {
		replyJSON(w, http.StatusBadRequest, map[string]any{"__type": code, "message": "refused"})
	}
	switch s.now() {
	case throttled:
		refuse("ThrottlingException")
		return
	case denied:
		refuse("AccessDeniedException")
		return
	}
	var in struct {
		KeyId             string //nolint:revive // KMS's name
		Plaintext         []byte
		CiphertextBlob    []byte
		EncryptionContext map[string]string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse("SerializationException")
		return
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+serviceKeyID+"/") ||
		!strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/kms/aws4_request") {
		refuse("UnrecognizedClientException")
		return
	}
	if in.KeyId != serviceARN {
		refuse("NotFoundException")
		return
	}
	switch r.Header.Get("X-Amz-Target") {
	case "TrentService.Encrypt":
		s.serve(r.Context(), keyCall{true, in.EncryptionContext})
		version, sealed, err := s.seal(in.Plaintext, in.EncryptionContext)
		if err != nil {
			refuse("KMSInternalException")
			return
		}
		blob := append(binary.BigEndian.AppendUint32(nil, uint32(version)), sealed...)
		replyJSON(w, http.StatusOK, map[string]any{"KeyId": in.KeyId, "CiphertextBlob": blob})
	case "TrentService.Decrypt":
		s.serve(r.Context(), keyCall{false, in.EncryptionContext})
		if len(in.CiphertextBlob) < 4 {
			refuse("InvalidCiphertextException")
			return
		}
		key, err := s.open(int(binary.BigEndian.Uint32(in.CiphertextBlob)), in.CiphertextBlob[4:], in.EncryptionContext)
		if err != nil {
			refuse("InvalidCiphertextException")
			return
		}
		replyJSON(w, http.StatusOK, map[string]any{"KeyId": in.KeyId, "Plaintext": key})
	default:
		refuse("UnknownOperationException")
	}
}

// vault answers what concerns the token, and the transit key "objects".
//
// https://developer.hashicorp.com/vault/api-docs/secret/transit
func (s *keyService) vault(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, text string) { replyJSON(w, status, map[string]any{"errors": []string{text}}) }
	reply := func(data map[string]any) { replyJSON(w, http.StatusOK, map[string]any{"data": data}) }
	switch now := s.now(); {
	case now == throttled:
		refuse(http.StatusTooManyRequests, "rate limit quota exceeded")
		return
	case now == denied || r.Header.Get("X-Vault-Token") != serviceToken:
		refuse(http.StatusForbidden, "permission denied")
		return
	}
	var in struct {
		Plaintext      []byte `json:"plaintext"`
		Ciphertext     string `json:"ciphertext"`
		AssociatedData []byte `json:"associated_data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		refuse(http.StatusBadRequest, "error parsing JSON")
		return
	}
	bound := map[string]string{"aad": string(in.AssociatedData)}
	switch r.URL.Path {
	case "/v1/auth/token/lookup-self":
		reply(map[string]any{"ttl": 0, "renewable": false})
	case "/v1/transit/keys/objects":
		reply(map[string]any{"type": "aes256-gcm96", "derived": false})
	case "/v1/transit/encrypt/objects":
		s.serve(r.Context(), keyCall{true, bound})
		version, sealed, err := s.seal(in.Plaintext, bound)
		if err != nil {
			refuse(http.StatusInternalServerError, err.Error())
			return
		}
		reply(map[string]any{"ciphertext": fmt.Sprintf("vault:v%d:%s", version, base64.StdEncoding.EncodeToString(sealed))})
	case "/v1/transit/decrypt/objects":
		s.serve(r.Context(), keyCall{false, bound})
		_, rest, _ := strings.Cut(in.Ciphertext, ":v")
		number, text, _ := strings.Cut(rest, ":")
		version, _ := strconv.Atoi(number)
		sealed, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			refuse(http.StatusBadRequest, "invalid ciphertext: could not be decoded")
			return
		}
		key, err := s.open(version, sealed, bound)
		if err != nil {
			refuse(http.StatusBadRequest, "cipher: message authentication failed")
			return
		}
		reply(map[string]any{"plaintext": base64.StdEncoding.EncodeToString(key)})
	default:
		refuse(http.StatusNotFound, "no handler for route")
	}
}

func replyJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
