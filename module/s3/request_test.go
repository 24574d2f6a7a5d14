package s3

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// newRequest builds what net/http hands to a handler. Headers are "Name: value".
func newRequest(method, host, target string, headers ...string) *http.Request {
	h := http.Header{}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return &http.Request{Method: method, Host: host, RequestURI: target, Header: h, ContentLength: -1}
}

func parse(t *testing.T, method, target string, headers ...string) *Request {
	t.Helper()
	req, err := new(Parser).Parse(newRequest(method, "localhost:9000", target, headers...))
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return req
}

// wantError checks code and, where want holds more than a code, a part of the message.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	code, message, _ := strings.Cut(want, ": ")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want *Error %s", err, want)
	}
	if e.Code != code || !strings.Contains(e.Message, message) {
		t.Errorf("got %s: %s, want %s", e.Code, e.Message, want)
	}
}

func TestAddressing(t *testing.T) {
	t.Parallel()
	domains := []string{"s3.example.com", "data.s3.example.com", "example.org"}
	for _, c := range []struct {
		name, host, target  string
		domains             []string
		bucket, key, reason string // reason: "Code" or "Code: part of the message"
		virtual             bool
	}{
		{name: "path style", host: "s3.example.com", target: "/bucket/a/b", domains: domains, bucket: "bucket", key: "a/b"},
		{name: "path style with port", host: "S3.Example.com:8443", target: "/bucket/k", domains: domains, bucket: "bucket", key: "k"},
		{name: "virtual host", host: "bucket.s3.example.com", target: "/a//b", domains: domains, bucket: "bucket", key: "a//b", virtual: true},
		{name: "virtual host upper case and port", host: "BUCKET.S3.example.com:80", target: "/k", domains: domains, bucket: "bucket", key: "k", virtual: true},
		{name: "virtual host dotted bucket", host: "my.bucket.s3.example.com", target: "/k", domains: domains, bucket: "my.bucket", key: "k", virtual: true},
		{name: "longest domain wins", host: "x-y.data.s3.example.com", target: "/k", domains: domains, bucket: "x-y", key: "k", virtual: true},
		{name: "longest domain wins in any order", host: "x-y.data.s3.example.com", target: "/k", domains: []string{"data.s3.example.com", "s3.example.com"}, bucket: "x-y", key: "k", virtual: true},
		{name: "longest domain as path style", host: "data.s3.example.com", target: "/bucket/k", domains: domains, bucket: "bucket", key: "k"},
		{name: "virtual host bucket scope", host: "bucket.s3.example.com", target: "/", domains: domains, bucket: "bucket", virtual: true},
		{name: "virtual host leading slash", host: "bucket.s3.example.com", target: "//k", domains: domains, bucket: "bucket", key: "/k", virtual: true},
		{name: "trailing dot", host: "bucket.s3.example.com.", target: "/k", domains: domains, bucket: "bucket", key: "k", virtual: true},
		{name: "IPv4", host: "127.0.0.1:9000", target: "/bucket/k", domains: domains, bucket: "bucket", key: "k"},
		{name: "IPv6", host: "[::1]:9000", target: "/bucket/k", domains: domains, bucket: "bucket", key: "k"},
		{name: "IPv6 without port", host: "[::1]", target: "/bucket/k", domains: domains, bucket: "bucket", key: "k"},
		{name: "localhost", host: "localhost", target: "/bucket/k", domains: domains, bucket: "bucket", key: "k"},
		{name: "other host", host: "evil.example", target: "/bucket/k", domains: domains, reason: "InvalidRequest: host name"},
		{name: "no host", host: "", target: "/bucket/k", domains: domains, reason: "InvalidRequest"},
		{name: "empty label", host: ".s3.example.com", target: "/bucket/k", domains: domains, reason: "InvalidRequest"},
		{name: "suffix without dot", host: "evils3.example.com", target: "/bucket/k", domains: domains, reason: "InvalidRequest"},
		{name: "no domains", host: "bucket.anything.example", target: "/other/k", bucket: "other", key: "k"},
		{name: "absolute form", host: "s3.example.com:80", target: "http://s3.example.com:80/bucket/k", domains: domains, bucket: "bucket", key: "k"},
		{name: "absolute form, virtual, no path", host: "bucket.s3.example.com", target: "https://bucket.s3.example.com?list-type=2", domains: domains, bucket: "bucket", virtual: true},
		{name: "absolute form for another host", host: "s3.example.com", target: "http://bucket.s3.example.com/k", domains: domains, reason: "InvalidURI"},
		{name: "absolute form with user", host: "s3.example.com", target: "http://u@s3.example.com/bucket/k", domains: domains, reason: "InvalidURI"},
		{name: "other scheme", host: "s3.example.com", target: "ftp://s3.example.com/bucket/k", domains: domains, reason: "InvalidURI"},
		{name: "authority form", host: "s3.example.com", target: "s3.example.com:80", domains: domains, reason: "InvalidURI"},
		{name: "asterisk", host: "s3.example.com", target: "*", domains: domains, reason: "InvalidURI"},
		{name: "empty target", host: "s3.example.com", target: "", domains: domains, reason: "InvalidURI"},

		{name: "access point host", host: "ap-123.s3-accesspoint.eu-west-1.amazonaws.com", target: "/k", reason: "NotImplemented: Access points"},
		{name: "access point under our domain", host: "ap-123.s3-accesspoint.example.org", target: "/k", domains: domains, reason: "NotImplemented: Access points"},
		{name: "multi-region host", host: "abc.mrap.accesspoint.s3-global.amazonaws.com", target: "/k", reason: "NotImplemented: Multi-Region"},
		{name: "object lambda host", host: "r.s3-object-lambda.us-east-1.amazonaws.com", target: "/k", reason: "NotImplemented: Object Lambda"},
		{name: "directory bucket host", host: "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com", target: "/k", reason: "NotImplemented: Directory"},
		{name: "s3express-control", host: "s3express-control.us-east-1.amazonaws.com", target: "/", reason: "NotImplemented: Directory"},
		{name: "website", host: "b.s3-website-us-east-1.amazonaws.com", target: "/", reason: "NotImplemented: Website"},
		{name: "website with dot", host: "b.s3-website.eu-central-1.amazonaws.com", target: "/", reason: "NotImplemented: Website"},
		{name: "control", host: "123.s3-control.us-east-1.amazonaws.com", target: "/v20180820/x", reason: "NotImplemented: control"},
		{name: "zonal bucket", host: "h", target: "/b--use1-az4--x-s3/k", reason: "NotImplemented: Directory"},
		{name: "zonal access point", host: "h", target: "/b--use1-az4--xa-s3/k", reason: "NotImplemented"},
		{name: "object lambda alias", host: "h", target: "/name--ol-s3/k", reason: "NotImplemented: Object Lambda"},
		{name: "access point alias", host: "h", target: "/ap-hash-s3alias/k", reason: "NotImplemented: alias"},
		{name: "multi-region alias", host: "h", target: "/abc.mrap/k", reason: "NotImplemented: Multi-Region"},
		{name: "ARN bucket", host: "h", target: "/arn:aws:s3:us-east-1:1:accesspoint/name/k", reason: "NotImplemented: ARN"},
		{name: "encoded ARN bucket", host: "h", target: "/arn%3Aaws%3As3%3A%3A%3Ab/k", reason: "NotImplemented: ARN"},

		{name: "short bucket", host: "h", target: "/ab/k", reason: "InvalidBucketName"},
		{name: "long bucket", host: "h", target: "/" + strings.Repeat("a", 64) + "/k", reason: "InvalidBucketName"},
		{name: "longest bucket", host: "h", target: "/" + strings.Repeat("a", 63) + "/k", bucket: strings.Repeat("a", 63), key: "k"},
		{name: "upper case bucket", host: "h", target: "/Bucket/k", reason: "InvalidBucketName"},
		{name: "underscore", host: "h", target: "/my_bucket/k", reason: "InvalidBucketName"},
		{name: "two dots", host: "h", target: "/my..bucket/k", reason: "InvalidBucketName"},
		{name: "leading dash", host: "h", target: "/-bucket/k", reason: "InvalidBucketName"},
		{name: "trailing dot in bucket", host: "h", target: "/bucket./k", reason: "InvalidBucketName"},
		{name: "IP address bucket", host: "h", target: "/10.0.0.1/k", reason: "InvalidBucketName"},
		{name: "digits only", host: "h", target: "/1234/k", bucket: "1234", key: "k"},
		{name: "dot segment bucket", host: "h", target: "/../bucket/k", reason: "InvalidBucketName"},
		{name: "encoded bucket", host: "h", target: "/%62ucket/k", bucket: "bucket", key: "k"},
		{name: "encoded slash in bucket", host: "h", target: "/bucket%2Fk", reason: "InvalidBucketName"},
		{name: "empty bucket", host: "h", target: "//bucket/k", reason: "InvalidURI"},
		{name: "lambda path needs its headers", host: "h", target: "/WriteGetObjectResponse", reason: "InvalidBucketName"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := &Parser{Domains: c.domains}
			r, err := p.Parse(newRequest("GET", c.host, c.target))
			if c.reason != "" {
				wantError(t, err, c.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Bucket != c.bucket || r.Key != c.key || r.VirtualHost != c.virtual {
				t.Errorf("got bucket %q, key %q, virtual host %v; want %q, %q, %v", r.Bucket, r.Key, r.VirtualHost, c.bucket, c.key, c.virtual)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"a%20b/../c//d%2B~%C3%A9%3D%40%3A%252F./x": "a b/../c//d+~é=@:%2F./x", // what the SDKs send
		".":                       ".",
		"..":                      "..",
		"%2E%2E/x":                "../x",
		"/lead":                   "/lead",
		"//":                      "//",
		"trail/":                  "trail/",
		"a+b":                     "a+b",
		"a%2Fb":                   "a/b",
		"a%2fb":                   "a/b",
		"%2525":                   "%25",
		"a;b=c&d,e":               "a;b=c&d,e",
		"é|{}":                    "é|{}", // raw bytes
		"%0A%01":                  "\n\x01",
		"%F0%9F%94%91":            "🔑",
		"a%3Fb":                   "a?b",
		"a%23b":                   "a#b",
		strings.Repeat("k", 1024): strings.Repeat("k", 1024),
		strings.Repeat("%6b", 9):  strings.Repeat("k", 9),
		"WriteGetObjectResponse":  "WriteGetObjectResponse",
	} {
		t.Run(printable(raw), func(t *testing.T) {
			t.Parallel()
			r := parse(t, "GET", "/bucket/"+raw)
			if r.Key != want {
				t.Fatalf("got key %q, want %q", r.Key, want)
			}
			if r.RawPath != "/bucket/"+raw {
				t.Errorf("got raw path %q", r.RawPath)
			}
			again := parse(t, "GET", "/bucket/"+EscapePath(r.Key))
			if again.Key != want {
				t.Errorf("EscapePath(%q) reads back as %q", want, again.Key)
			}
		})
	}
}

func TestBadKeys(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"a%":                      "InvalidURI",
		"a%2":                     "InvalidURI",
		"a%zz":                    "InvalidURI",
		"a%2G":                    "InvalidURI",
		"%00":                     "InvalidURI",
		"a%00b":                   "InvalidURI",
		"%ff":                     "InvalidURI",
		"%C3":                     "InvalidURI",
		"\xff":                    "InvalidURI",
		"%ED%A0%80":               "InvalidURI", // surrogate
		"%C0%AF":                  "InvalidURI", // overlong "/"
		"a#b":                     "InvalidURI",
		"a b":                     "InvalidURI",
		"a\nb":                    "InvalidURI",
		strings.Repeat("k", 1025): "KeyTooLongError",
		strings.Repeat("é", 513):  "KeyTooLongError",
	} {
		t.Run(printable(raw), func(t *testing.T) {
			t.Parallel()
			_, err := new(Parser).Parse(newRequest("GET", "h", "/bucket/"+raw))
			wantError(t, err, want)
		})
	}
}

func TestBucketScope(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"/bucket": "ListObjects", "/bucket/": "ListObjects", "/bucket?": "ListObjects", "/bucket/?&&": "ListObjects",
		"/bucket//": "GetObject", "/": "ListBuckets", "/?x-id=ListBuckets": "ListBuckets",
	} {
		if got := parse(t, "GET", target).Op.Name; got != want {
			t.Errorf("GET %s: got %s, want %s", target, got, want)
		}
	}
}

func TestParseDoesNotShareHeaders(t *testing.T) {
	t.Parallel()
	in := newRequest("PUT", "h", "/bucket/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&x-amz-storage-class=GLACIER",
		"X-Amz-Meta-A: 1", "X-Amz-Meta-A: 2", "X-Amz-Te: append-md5", "Content-Type: text/plain")
	before := in.Header.Clone()
	r, err := new(Parser).Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Add("X-Amz-Meta-A", "3")
	r.Header["Content-Type"][0] = "changed"
	if !maps.EqualFunc(in.Header, before, slices.Equal[[]string]) {
		t.Errorf("the request was modified: %v", in.Header)
	}
	if got := r.Wire.Get("X-Amz-Te"); got != "append-md5" {
		t.Errorf("Wire lost a header: %q", got)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	r := parse(t, "PUT", "/bucket/k?partNumber=10000&uploadId=a%2Fb", "X-Amz-Copy-Source: src/k%20k?versionId=v")
	if r.PartNumber != 10000 || r.UploadID != "a/b" {
		t.Errorf("got part %d of %q", r.PartNumber, r.UploadID)
	}
	if want := (CopySource{"src", "k k", "v"}); r.CopySource == nil || *r.CopySource != want {
		t.Errorf("got copy source %v, want %v", r.CopySource, want)
	}
	if r := parse(t, "GET", "/bucket/k?versionId=null"); r.VersionID != "null" {
		t.Errorf("got version %q", r.VersionID)
	}
	for _, target := range []string{
		"/bucket/k?versionId=", "/bucket/k?versionId", "/bucket/k?partNumber=0", "/bucket/k?partNumber=10001", "/bucket/k?partNumber=01",
		"/bucket/k?partNumber=1e3", "/bucket/k?partNumber=-1", "/bucket/k?partNumber=%2B1", "/bucket/k?partNumber=", "/bucket/k?uploadId=",
		"/bucket/k?partNumber=99999999999999999999", "/bucket/k?partNumber=%D9%A1",
	} {
		_, err := new(Parser).Parse(newRequest("GET", "h", target))
		wantError(t, err, "InvalidArgument")
	}
}

func BenchmarkParse(b *testing.B) {
	sdk := []string{
		"Accept-Encoding: identity", "Amz-Sdk-Invocation-Id: 6c7d", "Amz-Sdk-Request: attempt=1; max=3",
		"Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261123/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
		"Content-Type: application/octet-stream", "Expect: 100-continue", "User-Agent: aws-sdk-go-v2/1.47",
		"X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Date: 20261123T000000Z",
		"X-Amz-Decoded-Content-Length: 5", "X-Amz-Trailer: x-amz-checksum-crc32", "X-Amz-Sdk-Checksum-Algorithm: CRC32",
		"X-Amz-Meta-Owner: someone", "X-Amz-Server-Side-Encryption: aws:kms",
	}
	for name, r := range map[string]*http.Request{
		"PutObject":     newRequest("PUT", "bucket.s3.example.com", "/some/longer/key%20with%20spaces.txt?x-id=PutObject", sdk...),
		"GetObject":     newRequest("GET", "s3.example.com", "/bucket/some/key.txt?x-id=GetObject", "X-Amz-Checksum-Mode: ENABLED", sdk[3], sdk[6], sdk[8]),
		"ListObjectsV2": newRequest("GET", "s3.example.com", "/bucket?list-type=2&prefix=a%2F&delimiter=%2F&max-keys=1000", sdk[3], sdk[6], sdk[8]),
	} {
		b.Run(name, func(b *testing.B) {
			p := &Parser{Domains: []string{"s3.example.com"}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Parse(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
