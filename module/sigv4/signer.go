package sigv4

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

// Signer signs requests to the store. It is a value: make one per pair of
// credentials. It prints without its secrets.
type Signer struct {
	AccessKey    string
	Secret       string
	SessionToken string // of temporary credentials, else empty
	Region       string
	// Keys keeps derived keys between requests. nil derives a key each time.
	Keys *KeyCache
}

// Format writes the access key alone, whatever the verb.
func (s Signer) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "signer %s [redacted]", s.AccessKey) }

// LogValue shows the access key alone.
func (s Signer) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(s)) }

// MarshalText shows the access key alone.
func (s Signer) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(s)), nil }

// Sign signs h for S3 at the given time by setting, in h.Header, X-Amz-Date,
// X-Amz-Content-Sha256 (to payloadHash: hex, [UnsignedPayload] or a streaming
// value), X-Amz-Security-Token if there is a session token, and Authorization.
// Earlier values of these are replaced, so signing again for a retry is safe.
//
// The path is signed as net/http will send it: set URL.Path to the decoded path
// and URL.RawPath to its [s3.EscapePath] encoding (or URL.Opaque), so that what
// the store decodes and encodes again is the same. Query parameters may be in
// any order and encoding. The host is h.Host, else URL.Host, as it is.
//
// Every header that is set is signed, and content-length where it is positive,
// except those that belong to one hop or that transports and proxies change;
// what they are is the list in isSignable. Headers must be final before Sign
// and must not be changed after it.
func (s Signer) Sign(h *http.Request, payloadHash string, at time.Time) {
	c := Credential{
		AccessKey: s.AccessKey,
		Date:      at.UTC().Format(dateLayout),
		Region:    s.Region,
		Service:   service,
	}
	date := timestamp(at)
	if h.Header == nil {
		h.Header = http.Header{}
	}
	h.Header.Del("Authorization")
	h.Header.Set("X-Amz-Date", date)
	h.Header.Set(headerContentSHA256, payloadHash)
	h.Header.Del(headerToken)
	if s.SessionToken != "" {
		h.Header.Set(headerToken, s.SessionToken)
	}

	canonical := canonicalRequest{
		Method:  h.Method,
		Path:    sentPath(h),
		Query:   sentQuery(h),
		Headers: signableHeaders(h),
		Payload: payloadHash,
	}
	if canonical.Method == "" {
		canonical.Method = http.MethodGet
	}
	text := stringToSign(date, c.scope(), canonical.bytes())
	signature := sign(s.Keys.key(c, s.Secret), text)

	var b strings.Builder
	b.WriteString(algorithm + " Credential=" + s.AccessKey + "/" + c.scope() + ", SignedHeaders=")
	for i, line := range canonical.Headers {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(line.Name)
	}
	b.WriteString(", Signature=" + signature)
	h.Header.Set("Authorization", b.String())
}

// sentPath is the path net/http writes in the request line.
func sentPath(h *http.Request) string {
	path := h.URL.EscapedPath()
	if opaque := h.URL.Opaque; opaque != "" {
		path = opaque
		if rest, found := strings.CutPrefix(opaque, "//"); found { // //host/path
			_, path, _ = strings.Cut(rest, "/")
			path = "/" + path
		}
	}
	if path == "" {
		return "/"
	}
	return path
}

// sentQuery is the canonical form of the query. One that cannot be parsed is
// signed as it is; the store then refuses the request.
func sentQuery(h *http.Request) string {
	q, err := s3.ParseQuery(h.URL.RawQuery)
	if err != nil {
		return h.URL.RawQuery
	}
	return canonicalQuery(q, "")
}

// signableHeaders are the lines of the canonical request of h.
func signableHeaders(h *http.Request) []canonicalHeader {
	host := h.Host
	if host == "" {
		host = h.URL.Host
	}
	lines := make([]canonicalHeader, 0, len(h.Header)+2)
	lines = append(lines, canonicalHeader{"host", []string{host}})
	if h.ContentLength > 0 {
		lines = append(lines, canonicalHeader{"content-length", []string{strconv.FormatInt(h.ContentLength, 10)}})
	}
	for name, values := range h.Header {
		if name := strings.ToLower(name); len(values) > 0 && isSignable(name) {
			lines = append(lines, canonicalHeader{name, values})
		}
	}
	slices.SortFunc(lines, func(a, b canonicalHeader) int { return strings.Compare(a.Name, b.Name) })
	return lines
}

// isSignable reports whether a header set on a request is part of the
// signature. Left out are headers of the connection, those net/http writes
// itself, and those that intermediaries add to or change.
func isSignable(name string) bool {
	switch name {
	case "authorization", "host", "content-length",
		"accept-encoding", "connection", "expect", "forwarded", "keep-alive",
		"te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via",
		"x-amzn-trace-id":
		return false
	}
	return !strings.HasPrefix(name, "proxy-") && !strings.HasPrefix(name, "x-forwarded-")
}
