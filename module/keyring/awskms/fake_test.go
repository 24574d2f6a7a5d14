package awskms

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
)

// fakeKMS does what KMS does with symmetric keys: AES-GCM that authenticates
// the encryption context. It speaks the JSON 1.1 protocol over HTTP, or is
// called directly.
type fakeKMS struct {
	mu    sync.Mutex
	known map[string]bool // ARNs
	seen  []fakeCall
	fault fakeFault // of every call, if not nil
}

type fakeCall struct {
	operation     string
	key           string
	context       map[string]string
	authorization string
}

// fakeFault answers in place of KMS and reports whether it did.
type fakeFault func(w http.ResponseWriter, r *http.Request, call fakeCall) bool

func newFakeKMS(arns ...string) *fakeKMS {
	f := &fakeKMS{known: make(map[string]bool)}
	for _, a := range arns {
		f.known[a] = true
	}
	return f
}

// fakeCode is an error of KMS.
type fakeCode string

func (c fakeCode) Error() string                 { return string(c) }
func (c fakeCode) ErrorCode() string             { return string(c) }
func (c fakeCode) ErrorMessage() string          { return "" }
func (c fakeCode) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// serve listens until the test ends and gives the URL.
func (f *fakeKMS) serve(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return server.URL
}

func (f *fakeKMS) setFault(fault fakeFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// calls are those so far of one operation.
func (f *fakeKMS) calls(operation string) []fakeCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.seen), func(c fakeCall) bool { return c.operation != operation })
}

func (f *fakeKMS) record(c fakeCall) fakeFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.context = maps.Clone(c.context)
	f.seen = append(f.seen, c)
	return f.fault
}

func (f *fakeKMS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	if !ok || r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
		http.Error(w, "not a call of KMS", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	var in struct {
		KeyId             string //nolint:revive // KMS's name
		Plaintext         []byte
		CiphertextBlob    []byte
		EncryptionContext map[string]string
	}
	if err != nil || json.Unmarshal(body, &in) != nil {
		replyError(w, http.StatusBadRequest, "SerializationException", "")
		return
	}
	call := fakeCall{operation, in.KeyId, in.EncryptionContext, r.Header.Get("Authorization")}
	if fault := f.record(call); fault != nil && fault(w, r, call) {
		return
	}
	out := map[string]any{"KeyId": in.KeyId}
	switch operation {
	case "Encrypt":
		out["CiphertextBlob"], err = f.seal(in.KeyId, in.Plaintext, in.EncryptionContext)
	case "Decrypt":
		out["Plaintext"], err = f.open(in.KeyId, in.CiphertextBlob, in.EncryptionContext)
	default:
		err = fakeCode("UnknownOperationException")
	}
	var code fakeCode
	if errors.As(err, &code) {
		replyError(w, http.StatusBadRequest, string(code), "")
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(w).Encode(out)
}

func replyError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Requestid", "request-1")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
}

// Encrypt implements service.
func (f *fakeKMS) Encrypt(ctx context.Context, in *kms.EncryptInput, _ ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	f.record(fakeCall{"Encrypt", *in.KeyId, in.EncryptionContext, ""})
	blob, err := f.seal(*in.KeyId, in.Plaintext, in.EncryptionContext)
	return &kms.EncryptOutput{KeyId: in.KeyId, CiphertextBlob: blob}, errors.Join(err, ctx.Err())
}

// Decrypt implements service.
func (f *fakeKMS) Decrypt(ctx context.Context, in *kms.DecryptInput, _ ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	f.record(fakeCall{"Decrypt", *in.KeyId, in.EncryptionContext, ""})
	plain, err := f.open(*in.KeyId, in.CiphertextBlob, in.EncryptionContext)
	return &kms.DecryptOutput{KeyId: in.KeyId, Plaintext: plain}, errors.Join(err, ctx.Err())
}

// fakeIDSize is the length of the key's name in a blob.
const fakeIDSize = 16

// fakeID is the same for all replicas of a multi-Region key.
func fakeID(key string) []byte {
	parts := strings.Split(key, ":")
	if id := parts[len(parts)-1]; strings.HasPrefix(id, "key/mrk-") {
		key = id
	}
	sum := sha256.Sum256([]byte(key))
	return sum[:fakeIDSize]
}

func (f *fakeKMS) seal(key string, plain []byte, encryptionContext map[string]string) ([]byte, error) {
	aead, err := f.aead(key)
	if err != nil {
		return nil, err
	}
	return append(fakeID(key), aead.Seal(nil, nil, plain, fakeAAD(encryptionContext))...), nil
}

func (f *fakeKMS) open(key string, blob []byte, encryptionContext map[string]string) ([]byte, error) {
	aead, err := f.aead(key)
	if err != nil {
		return nil, err
	}
	if len(blob) < fakeIDSize {
		return nil, fakeCode("InvalidCiphertextException")
	}
	if string(blob[:fakeIDSize]) != string(fakeID(key)) {
		for other := range f.known {
			if string(blob[:fakeIDSize]) == string(fakeID(other)) {
				return nil, fakeCode("IncorrectKeyException")
			}
		}
		return nil, fakeCode("InvalidCiphertextException")
	}
	plain, err := aead.Open(nil, nil, blob[fakeIDSize:], fakeAAD(encryptionContext))
	if err != nil {
		return nil, fakeCode("InvalidCiphertextException")
	}
	return plain, nil
}

func (f *fakeKMS) aead(key string) (cipher.AEAD, error) {
	if !f.known[key] {
		return nil, fakeCode("NotFoundException")
	}
	secret := sha256.Sum256(append([]byte("material of "), fakeID(key)...))
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// fakeAAD is one text for each context.
func fakeAAD(encryptionContext map[string]string) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(encryptionContext)) {
		b = fmt.Appendf(b, "%q=%q\n", name, encryptionContext[name])
	}
	return b
}

// gatedKMS is a fake KMS that encrypts nothing until it is opened.
type gatedKMS struct {
	*fakeKMS
	opened chan struct{}
}

// Encrypt implements service.
func (g gatedKMS) Encrypt(ctx context.Context, in *kms.EncryptInput, o ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	select {
	case <-g.opened:
	case <-ctx.Done():
	}
	return g.fakeKMS.Encrypt(ctx, in, o...)
}
