package sigv4

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

const exampleAccessKey = "AKIAIOSFODNN7EXAMPLE"

var exampleTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// verifierAt checks for region us-east-1 at a fixed time.
func verifierAt(t time.Time) *Verifier {
	return NewVerifier(VerifierConfig{Region: "us-east-1", Now: at(t)})
}

// received is h as a server reads it.
func received(t testing.TB, h *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := h.Write(&wire); err != nil {
		t.Fatalf("writing the request: %v", err)
	}
	r, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatalf("reading the request: %v", err)
	}
	return r
}

// receivedText is a request written out, with "\n" for line ends.
func receivedText(t testing.TB, text string) *http.Request {
	t.Helper()
	text = strings.ReplaceAll(strings.TrimLeft(text, "\n"), "\n", "\r\n") + "\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatalf("reading the request: %v", err)
	}
	return r
}

var testParser = s3.Parser{Domains: []string{"s3.amazonaws.com", "s3.example.com"}}

func parse(t testing.TB, r *http.Request) *s3.Request {
	t.Helper()
	req, err := testParser.Parse(r)
	if err != nil {
		t.Fatalf("parsing the request: %v", err)
	}
	return req
}

// identify takes a received request through the whole of the identity half.
func identify(v *Verifier, r *http.Request, secret string) (*s3.Request, Proof, error) {
	req, err := testParser.Parse(r)
	if err != nil {
		return nil, Proof{}, err
	}
	c, err := ParseClaim(req)
	if err != nil {
		return req, Proof{}, err
	}
	p, err := v.Verify(req, c, secret)
	return req, p, err
}

// refusal is err as the client would see it.
func refusal(t testing.TB, err error) *s3.Error {
	t.Helper()
	var e *s3.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want an *s3.Error", err)
	}
	return e
}

func wantRefusal(t testing.TB, err error, code, message string) *s3.Error {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %s", code)
	}
	e := refusal(t, err)
	if e.Code != code || !strings.Contains(e.Message, message) {
		t.Fatalf("got %s %q, want %s containing %q", e.Code, e.Message, code, message)
	}
	return e
}

func detail(e *s3.Error, name string) string {
	for _, d := range e.Details {
		if d.Name == name {
			return d.Value
		}
	}
	return ""
}
