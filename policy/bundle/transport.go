package bundle

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/open-policy-agent/opa/v1/plugins/rest"
)

// Token is a secret that the server asks for. It prints as [redacted].
type Token struct{ value string }

// NewToken is a token with this value.
func NewToken(value string) Token { return Token{value} }

// String hides the token.
func (Token) String() string { return "[redacted]" }

// GoString hides the token.
func (Token) GoString() string { return "[redacted]" }

// MarshalText hides the token in JSON and in logs.
func (Token) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// door is OPA's HTTP client as this package wants it: with the token of this moment,
// without redirects, which would carry the token elsewhere, and letting through only
// what was screened.
type door struct {
	token func() (Token, error) // nil for none
	limit int64

	mu  sync.Mutex
	raw []byte // the last bundle that was let through
}

// NewClient implements rest.HTTPAuthPlugin.
func (d *door) NewClient(c rest.Config) (*http.Client, error) {
	tls, err := rest.DefaultTLSConfig(c)
	if err != nil {
		return nil, err
	}
	client := rest.DefaultRoundTripperClient(tls, *c.ResponseHeaderTimeoutSeconds)
	client.Transport = screened{d, client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client, nil
}

// Prepare implements rest.HTTPAuthPlugin.
func (d *door) Prepare(r *http.Request) error {
	if d.token == nil {
		return nil
	}
	t, err := d.token()
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	if t.value != "" {
		r.Header.Set("Authorization", "Bearer "+t.value)
	}
	return nil
}

// take gives the last bundle that was let through, once.
func (d *door) take() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	raw := d.raw
	d.raw = nil
	return raw
}

type screened struct {
	door *door
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (s screened) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.next.RoundTrip(r)
	if err != nil || res.StatusCode != http.StatusOK {
		return res, err
	}
	raw, err := screen(res.Body, s.door.limit)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	s.door.mu.Lock()
	s.door.raw = raw
	s.door.mu.Unlock()
	res.Body = io.NopCloser(bytes.NewReader(raw))
	return res, nil
}

// CloseIdleConnections lets http.Client reach the transport.
func (s screened) CloseIdleConnections() {
	if c, ok := s.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Interface guards
var _ rest.HTTPAuthPlugin = (*door)(nil)
