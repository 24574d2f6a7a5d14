package sigv4

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

func TestParseClaimHeader(t *testing.T) {
	t.Parallel()
	r := signed(t, "PUT", "/bucket/key", strings.ToUpper(hexSHA256([]byte("x"))), nil)
	got, err := ParseClaim(parse(t, r))
	if err != nil {
		t.Fatal(err)
	}
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	want := Claim{
		Kind:          Header,
		Credential:    Credential{exampleAccessKey, "20130524", "us-east-1", "s3"},
		Time:          exampleTime,
		SignedHeaders: []string{"host", "x-amz-content-sha256", "x-amz-date"},
		Signature:     signature,
		Payload:       PayloadHash,
		PayloadHash:   hexSHA256([]byte("x")),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseClaimPresigned(t *testing.T) {
	t.Parallel()
	r := presigned(t, "GET", "/bucket/key", nil, nil)
	got, err := ParseClaim(parse(t, r))
	if err != nil {
		t.Fatal(err)
	}
	_, signature, _ := strings.Cut(r.RequestURI, "&X-Amz-Signature=")
	want := Claim{
		Kind:          Presigned,
		Credential:    Credential{exampleAccessKey, "20130524", "us-east-1", "s3"},
		Time:          exampleTime,
		Expires:       time.Hour,
		SignedHeaders: []string{"host"},
		Signature:     signature,
		Payload:       PayloadUnsigned,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Which payload form fits which mechanism and operation.
func TestParseClaimPayload(t *testing.T) {
	t.Parallel()
	const (
		object   = "PUT /bucket/key"
		part     = "PUT /bucket/key?partNumber=1&uploadId=u"
		document = "PUT /bucket/key?tagging"
		none     = "GET /bucket/key"
		form     = "POST /bucket"
	)
	for _, test := range []struct {
		request, kind, value string
		want                 Payload
		code                 string
	}{
		{object, "header", EmptySHA256, PayloadHash, ""},
		{object, "header", UnsignedPayload, PayloadUnsigned, ""},
		{object, "header", StreamingSigned, PayloadSignedChunks, ""},
		{object, "header", StreamingSignedTrailer, PayloadSignedChunksTrailer, ""},
		{object, "header", StreamingUnsignedTrailer, PayloadUnsignedTrailer, ""},
		{part, "header", StreamingSigned, PayloadSignedChunks, ""},
		{document, "header", EmptySHA256, PayloadHash, ""},
		{document, "header", UnsignedPayload, PayloadUnsigned, ""},
		{document, "header", StreamingSigned, 0, "InvalidRequest"},
		{document, "header", StreamingSignedTrailer, 0, "InvalidRequest"},
		{document, "header", StreamingUnsignedTrailer, 0, "InvalidRequest"},
		{none, "header", StreamingUnsignedTrailer, 0, "InvalidRequest"},
		{none, "header", EmptySHA256, PayloadHash, ""},
		{object, "header", "", 0, "InvalidRequest"},
		{object, "header", EmptySHA256[1:], 0, "InvalidArgument"},
		{object, "header", "unsigned-payload", 0, "InvalidArgument"},
		{object, "header", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", 0, "NotImplemented"},
		{object, "header", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", 0, "NotImplemented"},
		{object, "anonymous", "", PayloadNone, ""},
		{object, "anonymous", EmptySHA256, PayloadHash, ""},
		{object, "anonymous", UnsignedPayload, PayloadUnsigned, ""},
		{object, "anonymous", StreamingUnsignedTrailer, PayloadUnsignedTrailer, ""},
		{object, "anonymous", StreamingSigned, 0, "InvalidRequest"},
		{object, "anonymous", StreamingSignedTrailer, 0, "InvalidRequest"},
		{document, "anonymous", StreamingUnsignedTrailer, 0, "InvalidRequest"},
		{form, "anonymous", "", PayloadNone, ""},
		{form, "anonymous", StreamingUnsignedTrailer, 0, "InvalidRequest"},
		{form, "header", UnsignedPayload, 0, "InvalidArgument"},
	} {
		t.Run(fmt.Sprint(test.request, " ", test.kind, " ", test.value), func(t *testing.T) {
			t.Parallel()
			text := test.request + " HTTP/1.1\nHost: s3.amazonaws.com\nX-Amz-Date: " + exampleDate
			if test.value != "" {
				text += "\nX-Amz-Content-Sha256: " + test.value
			}
			if test.request == form {
				text += "\nContent-Type: multipart/form-data; boundary=b"
			}
			if test.kind == "header" {
				text += "\nAuthorization: AWS4-HMAC-SHA256 Credential=" + exampleAccessKey + "/" + exampleScope + ", SignedHeaders=host, Signature=00"
			}
			c, err := ParseClaim(parse(t, receivedText(t, text)))
			if test.code != "" {
				wantRefusal(t, err, test.code, "")
				return
			}
			if err != nil || c.Payload != test.want || c.Kind.String() != test.kind {
				t.Errorf("got %v %v, %v; want %s %v", c.Kind, c.Payload, err, test.kind, test.want)
			}
		})
	}
}

func TestParseClaimRefusesOldQuery(t *testing.T) {
	t.Parallel()
	r := receivedText(t, "GET /bucket/key?AWSAccessKeyId=AK&Signature=c2ln&Expires=2000000000 HTTP/1.1\nHost: s3.amazonaws.com")
	_, err := ParseClaim(parse(t, r))
	wantRefusal(t, err, "InvalidRequest", "Config(signature_version='s3v4')")
}

// A token is refused whatever the mechanism, a form's other credentials too.
func TestParseClaimRefusesTokenAndForm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, code string }{
		{"anonymous with token", "GET /bucket/key HTTP/1.1\nHost: s3.amazonaws.com\nX-Amz-Security-Token: t", "InvalidToken"},
		{"anonymous with token in query", "GET /bucket/key?X-Amz-Security-Token=t HTTP/1.1\nHost: s3.amazonaws.com", "InvalidToken"},
		{"form with presigned URL", "POST /bucket?X-Amz-Signature=00 HTTP/1.1\nHost: s3.amazonaws.com\nContent-Type: multipart/form-data; boundary=b", "InvalidArgument"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseClaim(parse(t, receivedText(t, test.text)))
			wantRefusal(t, err, test.code, "")
		})
	}
}

func TestParseCredentialRefusesOddKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", " ", "a b", "a\x00", "é", "a\n", strings.Repeat("k", 129)} {
		if _, err := parseCredential(Presigned, key+"/"+exampleScope); err == nil {
			t.Errorf("access key %q was accepted", key)
		}
	}
	if _, err := parseCredential(Header, strings.Repeat("k", 128)+"/"+exampleScope); err != nil {
		t.Error(err)
	}
}

func TestParseClaimLeavesRequestAlone(t *testing.T) {
	t.Parallel()
	r := presigned(t, "PUT", "/bucket/key", http.Header{headerContentSHA256: {UnsignedPayload}}, map[string]string{headerContentSHA256: UnsignedPayload})
	req := parse(t, r)
	before := append([]string(nil), req.Wire.Values(headerContentSHA256)...)
	if _, err := ParseClaim(req); err != nil {
		t.Fatal(err)
	}
	if got := req.Wire.Values(headerContentSHA256); !reflect.DeepEqual(got, before) {
		t.Errorf("headers became %q", got)
	}
}

// The parser of requests refuses these too; the claim does not rely on it.
func TestParseQuerySpelling(t *testing.T) {
	t.Parallel()
	r := presigned(t, "GET", "/bucket/key", nil, nil)
	_, raw, _ := strings.Cut(r.RequestURI, "?")
	for _, name := range presignedParameters {
		for _, changed := range []string{
			strings.Replace(raw, name+"=", strings.ToLower(name)+"=", 1),
			raw + "&" + name + "=x",
			raw + "&" + strings.ToLower(name) + "=x",
		} {
			q, err := s3.ParseQuery(changed)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parseQuery(q)
			wantRefusal(t, err, "AuthorizationQueryParametersError", "spelt exactly so")
		}
	}
}

func TestCanonicalQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                      "",
		"b&a=":                  "a=&b=",
		"a=2&a-b=1":             "a=2&a-b=1",     // by name, though "=" sorts after "-"
		"a=b/c&a=b-c":           "a=b%2Fc&a=b-c", // by encoded value
		"a=1+2&b=%20&c=%7e*":    "a=1%2B2&b=%20&c=~%2A",
		"X-Amz-Signature=0&a=1": "a=1",
		"x-amz-signature=0&a=1": "a=1&x-amz-signature=0",
	} {
		q, err := s3.ParseQuery(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := canonicalQuery(q, querySignature); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}
