package sigv4

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

// Every parser either refuses with an *s3.Error or returns a claim that keeps
// its promises.
func checkClaim(t *testing.T, c Claim, err error) {
	t.Helper()
	if err != nil {
		var e *s3.Error
		if !errors.As(err, &e) || e.Status < 400 {
			t.Fatalf("got %T %v, want an *s3.Error", err, err)
		}
		return
	}
	if !isVisible(c.Credential.AccessKey) || strings.Contains(c.Credential.AccessKey, "/") || c.Credential.Service != "s3" || len(c.Credential.Date) != 8 {
		t.Fatalf("credential %+v", c.Credential)
	}
	if c.Signature == "" || len(c.SignedHeaders) == 0 && c.Kind != Form {
		t.Fatalf("claim %+v", c)
	}
	if !slices.IsSorted(c.SignedHeaders) || len(slices.Compact(slices.Clone(c.SignedHeaders))) != len(c.SignedHeaders) {
		t.Fatalf("signed headers %q", c.SignedHeaders)
	}
}

func FuzzParseAuthorization(f *testing.F) {
	for _, seed := range []string{
		"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-date,Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024",
		"AWS4-HMAC-SHA256 Signature=0, SignedHeaders=host, Credential=a/20130524/r/s3/aws4_request",
		"AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request,Credential=b,SignedHeaders=host",
		"AWS4-HMAC-SHA256 ,,,=,=",
		"AWS4-HMAC-SHA256",
		"AWS4-ECDSA-P256-SHA256 x", "AWS a:b", "Bearer x", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, err := parseAuthorization(value)
		checkClaim(t, c, err)
		if err == nil && !strings.HasPrefix(value, algorithm+" ") {
			t.Fatalf("%q was accepted", value)
		}
	})
}

func FuzzParseQueryAuth(f *testing.F) {
	for _, seed := range []string{
		"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
		"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/20130524/r/s3/aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=-1&X-Amz-SignedHeaders=host%3Bx&X-Amz-Signature=0",
		"X-Amz-Signature&X-Amz-Signature=", "AWSAccessKeyId=a&Signature=b&Expires=1", "a;b=%zz", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := s3.ParseQuery(raw)
		if err != nil {
			return
		}
		c, err := parseQuery(q)
		checkClaim(t, c, err)
		if err == nil && (c.Expires < time.Second || c.Expires > maxPresigned*time.Second) {
			t.Fatalf("expires %v", c.Expires)
		}
		if q2, err := s3.ParseQuery(canonicalQuery(q, "")); err != nil || canonicalQuery(q2, "") != canonicalQuery(q, "") {
			t.Fatalf("the canonical form of %q is not stable: %v", raw, err)
		}
	})
}

func FuzzPostPolicy(f *testing.F) {
	f.Add(examplePolicy, "user/user1/a")
	f.Add(`{"expiration":"2100-01-01T00:00:00Z","conditions":[["content-length-range",1,10],{"bucket":"b"},["eq","$key","k"]]}`, "k")
	f.Add(`{"expiration":"2100-01-01T00:00:00Z","conditions":[{"bucket":"b"},["starts-with","$key",""],{"KEY":"k"}]}`, "k")
	f.Add(`{"conditions":[[[[[[`, "")
	f.Fuzz(func(t *testing.T, text, key string) {
		p, err := parsePolicyText(text)
		if err != nil {
			var e *s3.Error
			if !errors.As(err, &e) || e.Code != "InvalidPolicyDocument" && e.Code != "MaxPostPreDataLengthExceededError" {
				t.Fatalf("got %v", err)
			}
			return
		}
		if least, most, ok := p.LengthRange(); ok && (least < 0 || most < 0) {
			t.Fatalf("range %d %d", least, most)
		}
		if p.Check(exampleTime, Fields{"key": key}, "b") == nil {
			if p.Check(exampleTime, Fields{"key": key, "acl": "public-read"}, "b") == nil && !strings.Contains(strings.ToLower(text), "acl") && !strings.Contains(text, `\u`) {
				t.Fatalf("a field nobody mentioned passed: %s", text)
			}
			if !exampleTime.Before(p.Expiration) {
				t.Fatal("passed after its expiration")
			}
		}
	})
}
