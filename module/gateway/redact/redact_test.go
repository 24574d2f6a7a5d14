package redact

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestHeader(t *testing.T) {
	t.Parallel()
	in := http.Header{
		"Authorization":                                         {"AWS4-HMAC-SHA256 Credential=AKID/…, Signature=sensitive"},
		"X-Amz-Security-Token":                                  {"sensitive"},
		"X-Amz-S3session-Token":                                 {"sensitive"},
		"X-Amz-Server-Side-Encryption-Customer-Key":             {"sensitive"},
		"X-Amz-Server-Side-Encryption-Customer-Key-Md5":         {"sensitive"},
		"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key": {"sensitive"},
		"X-Amz-Server-Side-Encryption-Customer-Algorithm":       {"AES256"},
		"X-Amz-Server-Side-Encryption-Context":                  {"sensitive"},
		"Cookie":                                                {"sensitive"},
		"Proxy-Authorization":                                   {"sensitive"},
		"x-custom-api-key":                                      {"sensitive"},
		"Referer":                                               {"https://s3.example.com/b/k?X-Amz-Signature=sensitive&versionId=7"},
		"Content-Type":                                          {"text/plain"},
		"X-Amz-Server-Side-Encryption":                          {"aws:kms"},
	}
	before := fmt.Sprint(in)
	out := Header(in)
	if strings.Contains(fmt.Sprint(out), "sensitive") {
		t.Errorf("a secret is shown: %v", out)
	}
	if out.Get("Content-Type") != "text/plain" || out.Get("X-Amz-Server-Side-Encryption") != "aws:kms" || len(out) != len(in) {
		t.Errorf("harmless headers are hidden: %v", out)
	}
	if got, want := out.Get("Referer"), "https://s3.example.com/b/k?X-Amz-Signature=REDACTED&versionId=7"; got != want {
		t.Errorf("Referer %q, want %q", got, want)
	}
	if fmt.Sprint(in) != before {
		t.Error("the header that was lent was changed")
	}
}

func TestURI(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"no query", "/b/a%2Fb", "/b/a%2Fb"},
		{"plain parameters", "/b?list-type=2&prefix=a%2F&delimiter=/", "/b?list-type=2&prefix=a%2F&delimiter=/"},
		{"sub-resource", "/b?uploads", "/b?uploads"},
		{"presigned", "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F1&X-Amz-Signature=s&X-Amz-Security-Token=t&X-Amz-Expires=60",
			"/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=REDACTED&X-Amz-Signature=REDACTED&X-Amz-Security-Token=REDACTED&X-Amz-Expires=60"},
		{"escaped name", "/b/k?X%2DAmz%2DSignature=s", "/b/k?X%2DAmz%2DSignature=REDACTED"},
		{"other case", "/b/k?x-amz-signature=s", "/b/k?x-amz-signature=REDACTED"},
		{"SigV2", "/b/k?AWSAccessKeyId=A&Expires=1&Signature=s", "/b/k?AWSAccessKeyId=REDACTED&Expires=REDACTED&Signature=REDACTED"},
		{"SSE-C in the query", "/b/k?X-Amz-Server-Side-Encryption-Customer-Key=k", "/b/k?X-Amz-Server-Side-Encryption-Customer-Key=REDACTED"},
		{"broken escape", "/b/k?%zz=s", "/b/k?REDACTED"},
		{"second question mark", "/b/k?prefix=a?X-Amz-Signature=s", "/b/k?prefix=a?X-Amz-Signature=s"},
		{"semicolon", "/b/k?a=1;X-Amz-Signature=s", "/b/k?a=REDACTED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := URI(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzURI: whatever comes before it, a signature is hidden.
func FuzzURI(f *testing.F) {
	f.Add("/b/k?X-Amz-Credential=c&x=y")
	f.Add("?&&==")
	f.Add("/b/%3f")
	f.Fuzz(func(t *testing.T, uri string) {
		const secret = "5f0a6c7d1e"
		uri = strings.ReplaceAll(uri, secret, "")
		separator := "?"
		if strings.Contains(uri, "?") {
			separator = "&"
		}
		in := uri + separator + "X-Amz-Signature=" + secret
		if got := URI(in); strings.Contains(got, secret) {
			t.Errorf("%q shows the signature: %q", in, got)
		}
	})
}
