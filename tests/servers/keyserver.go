package servers

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// KeyRequest is one thing a store asked of the key server: proof of which key
// and which context it really used.
type KeyRequest struct {
	// Operation is "create", "generate", "decrypt", "describe" or "list".
	Operation string
	// Key is the name of the key.
	Key string
	// Context is the encryption context of generate and decrypt. MinIO adds an
	// entry of its own: the bucket's name, with the value bucket/key.
	Context map[string]string
}

// KeyServer is a key management server in this process that speaks as much of
// the KES protocol as MinIO needs. Data keys are really encrypted (AES-256-GCM)
// and really bound to key name and context. It keeps every request for tests to
// look at. Its methods may be called from several goroutines.
type KeyServer struct {
	endpoint    string
	certificate Certificate
	authority   *Authority
	server      *http.Server
	defaultKey  string

	mu       sync.Mutex
	keys     map[string]cipher.AEAD
	requests []KeyRequest
	served   chan struct{}
}

// StartKeyServer runs a key server that knows the named keys; the first one is
// what a store uses where nothing names a key.
func StartKeyServer(authority *Authority, keys ...string) (*KeyServer, error) {
	if len(keys) == 0 {
		return nil, errors.New("key server: no key named")
	}
	cert, err := authority.Issue("keyserver")
	if err != nil {
		return nil, fmt.Errorf("key server: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(cert.CertFile, cert.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("key server: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("key server: %w", err)
	}
	s := &KeyServer{
		endpoint: "https://" + listener.Addr().String(), certificate: cert, authority: authority,
		defaultKey: keys[0], keys: make(map[string]cipher.AEAD), served: make(chan struct{}),
	}
	for _, name := range keys {
		if err := s.add(name); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", s.version)
	mux.HandleFunc("GET /v1/status", s.version)
	mux.HandleFunc("/v1/key/{operation}/{key}", s.key)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	tlsListener := tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientAuth:   tls.RequireAnyClientCert,
		MinVersion:   tls.VersionTLS12,
	})
	go func() {
		defer close(s.served)
		_ = s.server.Serve(tlsListener)
	}()
	return s, nil
}

// Close ends the server.
func (s *KeyServer) Close() {
	_ = s.server.Shutdown(context.Background())
	_ = s.server.Close()
	<-s.served
}

// Requests returns what was asked so far about one object, oldest first.
func (s *KeyServer) Requests(bucket, key string) []KeyRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var about []KeyRequest
	for _, r := range s.requests {
		if r.Context[bucket] == bucket+"/"+key {
			about = append(about, r)
		}
	}
	return about
}

func (s *KeyServer) minioEnv() []string {
	return []string{
		"MINIO_KMS_KES_ENDPOINT=" + s.endpoint,
		"MINIO_KMS_KES_KEY_NAME=" + s.defaultKey,
		"MINIO_KMS_KES_CERT_FILE=" + s.certificate.CertFile,
		"MINIO_KMS_KES_KEY_FILE=" + s.certificate.KeyFile,
		"MINIO_KMS_KES_CAPATH=" + s.authority.File,
	}
}

func (s *KeyServer) add(name string) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	block, err := aes.NewCipher(secret)
	if err != nil {
		return fmt.Errorf("key server: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return fmt.Errorf("key server: %w", err)
	}
	s.keys[name] = aead
	return nil
}

func (s *KeyServer) version(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"version": "v0.0.0-test", "keystore_available": true, "keystore_reachable": true})
}

// key serves /v1/key/OPERATION/NAME.
func (s *KeyServer) key(w http.ResponseWriter, r *http.Request) {
	operation, name := r.PathValue("operation"), r.PathValue("key")
	var ask struct {
		Context    []byte `json:"context"`
		Ciphertext []byte `json:"ciphertext"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil && !errors.Is(err, io.EOF) { // create has no body
		reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
		return
	}
	seen := KeyRequest{Operation: operation, Key: name}
	if len(ask.Context) > 0 {
		if err := json.Unmarshal(ask.Context, &seen.Context); err != nil {
			reply(w, http.StatusBadRequest, map[string]string{"message": err.Error()})
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, seen)
	if operation == "list" {
		reply(w, http.StatusOK, map[string]any{"names": s.names(strings.TrimSuffix(name, "*"))})
		return
	}
	aead, known := s.keys[name]
	switch {
	case operation == "create" && known:
		reply(w, http.StatusBadRequest, map[string]string{"message": "key already exists"})
	case !known: // keys are those the test named: none is made on demand
		reply(w, http.StatusNotFound, map[string]string{"message": "key does not exist"})
	case operation == "describe":
		reply(w, http.StatusOK, map[string]string{"name": name, "algorithm": "AES256"})
	case operation == "generate":
		plain := make([]byte, 32)
		_, _ = rand.Read(plain)
		reply(w, http.StatusOK, map[string][]byte{"plaintext": plain, "ciphertext": aead.Seal(nil, nil, plain, ask.Context)})
	case operation == "decrypt":
		plain, err := aead.Open(nil, nil, ask.Ciphertext, ask.Context)
		if err != nil {
			reply(w, http.StatusBadRequest, map[string]string{"message": "decryption failed: ciphertext is not authentic"})
			return
		}
		reply(w, http.StatusOK, map[string][]byte{"plaintext": plain})
	default:
		reply(w, http.StatusNotFound, map[string]string{"message": "no such operation"})
	}
}

func (s *KeyServer) names(prefix string) []string {
	var names []string
	for name := range s.keys {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
