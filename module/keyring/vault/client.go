package vault

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/sealgate/sealgate/module/keyring"
)

// maxRetries is how often one call is sent again at most.
const maxRetries = 2

// maxReply bounds a reply, in bytes.
const maxReply = 64 << 10

// newTransport makes the connections to Vault. Its limits leave room for a
// second attempt within the time-out when the first one gets no answer. There
// is no proxy: tokens go to Vault alone.
func newTransport(c Config) *http.Transport {
	attempt := c.Timeout / 2
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: attempt}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.roots},
		TLSHandshakeTimeout:   attempt,
		ResponseHeaderTimeout: attempt,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true,
	}
}

// newClient makes a client without a token. All that the library would take from
// the environment is set or removed here.
func newClient(c Config, transport http.RoundTripper) (*api.Client, error) {
	client, err := api.NewClient(&api.Config{
		Address: c.Address,
		HttpClient: &http.Client{
			Transport: bounded{transport},
			// A request holds a token: it goes where it was sent, or nowhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Timeout:          c.Timeout,
		MinRetryWait:     min(c.Timeout/100, 50*time.Millisecond),
		MaxRetryWait:     min(c.Timeout/20, 250*time.Millisecond),
		MaxRetries:       maxRetries,
		DisableRedirects: true,
	})
	if err != nil {
		return nil, fmt.Errorf("making a vault client: %w", err)
	}
	client.ClearToken()
	client.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	if c.Namespace != "" {
		client.SetNamespace(c.Namespace)
	}
	client.SetWrappingLookupFunc(func(string, string) string { return "" })
	return client, nil
}

// bounded ends replies that are too long to be any of Vault's to us.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxReply)
	}
	return resp, err
}

// transit is one key of a transit engine.
type transit struct {
	client *api.Client
	name   name
}

// encrypt gives the ciphertext of key, bound to aad.
func (t transit) encrypt(ctx context.Context, key *keyring.DataKey, aad []byte) (string, error) {
	secret, err := t.client.Logical().WriteWithContext(ctx, t.name.path("encrypt"), map[string]any{
		"plaintext":       base64.StdEncoding.EncodeToString(key[:]),
		"associated_data": base64.StdEncoding.EncodeToString(aad),
	})
	if err != nil {
		return "", explain(ctx, callEncrypt, err)
	}
	ciphertext := field(secret, "ciphertext")
	if !validCiphertext(ciphertext) {
		return "", fmt.Errorf("%w: vault %s: no ciphertext in the reply", keyring.ErrUnavailable, callEncrypt)
	}
	return ciphertext, nil
}

// decrypt is the inverse of encrypt.
func (t transit) decrypt(ctx context.Context, ciphertext string, aad []byte) (keyring.DataKey, error) {
	secret, err := t.client.Logical().WriteWithContext(ctx, t.name.path("decrypt"), map[string]any{
		"ciphertext":      ciphertext,
		"associated_data": base64.StdEncoding.EncodeToString(aad),
	})
	if err != nil {
		return keyring.DataKey{}, explain(ctx, callDecrypt, err)
	}
	text := field(secret, "plaintext")
	if text == "" {
		return keyring.DataKey{}, fmt.Errorf("%w: vault %s: no plaintext in the reply", keyring.ErrUnavailable, callDecrypt)
	}
	plain, err := base64.StdEncoding.DecodeString(text)
	defer clear(plain)
	if err != nil || len(plain) != len(keyring.DataKey{}) {
		return keyring.DataKey{}, fmt.Errorf("%w: vault %s: not a data key", keyring.ErrCorrupt, callDecrypt)
	}
	return keyring.DataKey(plain), nil
}

// field is a text in a reply, "" if there is none.
func field(secret *api.Secret, name string) string {
	if secret == nil {
		return ""
	}
	text, _ := secret.Data[name].(string)
	return text
}
