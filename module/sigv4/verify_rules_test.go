package sigv4

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

func TestVerifyTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		presigned     bool
		now           time.Duration // after signing
		code, message string
	}{
		{"header, same time", false, 0, "", ""},
		{"header, 15 minutes old", false, 15 * time.Minute, "", ""},
		{"header, older", false, 15*time.Minute + time.Second, "RequestTimeTooSkewed", "too large"},
		{"header, 15 minutes ahead", false, -15 * time.Minute, "", ""},
		{"header, further ahead", false, -15*time.Minute - time.Second, "RequestTimeTooSkewed", "too large"},
		{"header, years old", false, 200 * 365 * 24 * time.Hour, "RequestTimeTooSkewed", "too large"},
		{"presigned, beyond the skew but valid", true, 59 * time.Minute, "", ""},
		{"presigned, last second", true, time.Hour, "", ""},
		{"presigned, expired", true, time.Hour + time.Second, "AccessDenied", "Request has expired"},
		{"presigned, ahead within the skew", true, -15 * time.Minute, "", ""},
		{"presigned, too far ahead", true, -15*time.Minute - time.Second, "AccessDenied", "Request is not valid yet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := signed(t, "GET", "/bucket/key", EmptySHA256, nil)
			if test.presigned {
				r = presigned(t, "GET", "/bucket/key", nil, nil)
			}
			_, _, err := identify(verifierAt(exampleTime.Add(test.now)), r, exampleSecret)
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e := wantRefusal(t, err, test.code, test.message)
			if detail(e, "ServerTime") != exampleTime.Add(test.now).Format(time.RFC3339) {
				t.Errorf("ServerTime is %q", detail(e, "ServerTime"))
			}
			switch test.message {
			case "too large":
				if detail(e, "MaxAllowedSkewMilliseconds") != "900000" || detail(e, "RequestTime") != exampleDate {
					t.Errorf("details are %v", e.Details)
				}
			case "Request has expired":
				if detail(e, "X-Amz-Expires") != "3600" || detail(e, "Expires") != "2013-05-24T01:00:00Z" {
					t.Errorf("details are %v", e.Details)
				}
			}
		})
	}
}

// A Date header serves where there is no x-amz-date.
func TestVerifyDateHeader(t *testing.T) {
	t.Parallel()
	for _, date := range []string{exampleTime.Format(http.TimeFormat), exampleDate} {
		r := signed(t, "GET", "/bucket/key", EmptySHA256, nil)
		// Sign again with date instead of x-amz-date.
		r.Header.Del("X-Amz-Date")
		r.Header.Set("Date", date)
		c := canonicalRequest{Method: "GET", Path: "/bucket/key", Payload: EmptySHA256, Headers: []canonicalHeader{
			{"date", []string{date}}, {"host", []string{r.Host}}, {"x-amz-content-sha256", []string{EmptySHA256}},
		}}
		signature := sign(signingKeyFor(exampleSecret, exampleScope), stringToSign(exampleDate, exampleScope, c.bytes()))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+exampleAccessKey+"/"+exampleScope+",SignedHeaders=date;host;x-amz-content-sha256,Signature="+signature)
		if _, p, err := identify(verifierAt(exampleTime), r, exampleSecret); err != nil || !p.Time.Equal(exampleTime) {
			t.Errorf("Date: %s: got time %v, error %v", date, p.Time, err)
		}
	}
}

func TestVerifyRegion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		region, signed string
		ok             bool
	}{
		{"eu-central-1", "eu-central-1", true},
		{"eu-central-1", "us-east-1", true}, // what clients without a region sign for
		{"eu-central-1", "eu-west-1", false},
		{"us-east-1", "eu-central-1", false},
		{"", "us-east-1", true},
		{"", "eu-central-1", false},
	} {
		t.Run(test.region+" "+test.signed, func(t *testing.T) {
			t.Parallel()
			h, _ := http.NewRequest("GET", "https://s3.amazonaws.com/bucket/key", nil)
			Signer{AccessKey: exampleAccessKey, Secret: exampleSecret, Region: test.signed}.Sign(h, EmptySHA256, exampleTime)
			v := NewVerifier(VerifierConfig{Region: test.region, Now: at(exampleTime)})
			_, _, err := identify(v, received(t, h), exampleSecret)
			if test.ok {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e := wantRefusal(t, err, "AuthorizationHeaderMalformed", "is wrong; expecting")
			if want := v.region; detail(e, "Region") != want {
				t.Errorf("Region is %q, want %q", detail(e, "Region"), want)
			}
		})
	}
}

func TestVerifyMismatchDetails(t *testing.T) {
	t.Parallel()
	r := signed(t, "GET", "/bucket/key", EmptySHA256, nil)
	r.RequestURI = "/bucket/key?partNumber=1"
	_, _, err := identify(verifierAt(exampleTime), r, exampleSecret)
	e := wantRefusal(t, err, "SignatureDoesNotMatch", "")
	canonical := "GET\n/bucket/key\npartNumber=1\nhost:s3.amazonaws.com\nx-amz-content-sha256:" + EmptySHA256 + "\nx-amz-date:" + exampleDate + "\n\nhost;x-amz-content-sha256;x-amz-date\n" + EmptySHA256
	toSign := "AWS4-HMAC-SHA256\n" + exampleDate + "\n" + exampleScope + "\n" + hexSHA256([]byte(canonical))
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	want := []s3.Detail{
		{Name: "AWSAccessKeyId", Value: exampleAccessKey},
		{Name: "StringToSign", Value: toSign},
		{Name: "SignatureProvided", Value: signature},
		{Name: "StringToSignBytes", Value: fmt.Sprintf("% x", toSign)},
		{Name: "CanonicalRequest", Value: canonical},
		{Name: "CanonicalRequestBytes", Value: fmt.Sprintf("% x", canonical)},
	}
	if !slices.Equal(e.Details, want) {
		t.Errorf("got  %q\nwant %q", e.Details, want)
	}
	if strings.Contains(fmt.Sprint(e, e.Details), sign(signingKeyFor(exampleSecret, exampleScope), toSign)) {
		t.Error("the error shows the right signature")
	}

	t.Run("customer key", func(t *testing.T) {
		t.Parallel()
		r := signed(t, "GET", "/bucket/key", EmptySHA256, func(h *http.Request) {
			h.Header.Set("X-Amz-Server-Side-Encryption-Customer-Key", "c2VjcmV0")
		})
		r.RequestURI = "/bucket/key2"
		_, _, err := identify(verifierAt(exampleTime), r, exampleSecret)
		if e := wantRefusal(t, err, "SignatureDoesNotMatch", ""); strings.Contains(fmt.Sprint(e.Details), "c2VjcmV0") {
			t.Error("the error repeats the customer's key")
		}
	})
	t.Run("large", func(t *testing.T) {
		t.Parallel()
		r := signed(t, "GET", "/bucket/key", EmptySHA256, func(h *http.Request) {
			h.Header.Set("X-Large", strings.Repeat("x", maxEchoed))
		})
		r.RequestURI = "/bucket/key2"
		_, _, err := identify(verifierAt(exampleTime), r, exampleSecret)
		if e := wantRefusal(t, err, "SignatureDoesNotMatch", ""); detail(e, "CanonicalRequest") != "" {
			t.Error("the error repeats a large request")
		}
	})
}

func TestVerifyHeadersNotSigned(t *testing.T) {
	t.Parallel()
	r := signed(t, "PUT", "/bucket/key", EmptySHA256, nil)
	r.Header.Set("X-Amz-Meta-Z", "1")
	r.Header.Set("X-Amz-Acl", "private")
	_, _, err := identify(verifierAt(exampleTime), r, exampleSecret)
	if e := wantRefusal(t, err, "AccessDenied", ""); detail(e, "HeadersNotSigned") != "x-amz-acl, x-amz-meta-z" {
		t.Errorf("HeadersNotSigned is %q", detail(e, "HeadersNotSigned"))
	}
}

// net/http takes these out of the headers; clients sign them all the same.
func TestVerifyRecoveredHeaders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, lines, signedNames, canonical string }{
		{"content-length", "Content-Length: 5\n", "content-length;host", "content-length:5\nhost:s3.amazonaws.com:8443\n"},
		{"content-length 0", "Content-Length: 0\n", "content-length;host", "content-length:0\nhost:s3.amazonaws.com:8443\n"},
		{"transfer-encoding", "Transfer-Encoding: chunked\n", "host;transfer-encoding", "host:s3.amazonaws.com:8443\ntransfer-encoding:chunked\n"},
		{"spaces and lines", "X-Amz-Meta-A:   b   c  \nX-Amz-Meta-A: d\n", "host;x-amz-meta-a", "host:s3.amazonaws.com:8443\nx-amz-meta-a:b c,d\n"},
		{"empty content-type not sent", "", "content-type;host", "content-type:\nhost:s3.amazonaws.com:8443\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			canonical := "PUT\n/bucket/key\n\n" + test.canonical + "x-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:" + exampleDate + "\n\n" +
				test.signedNames + ";x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD"
			if strings.Contains(test.signedNames, "x-amz-meta") {
				canonical = strings.Replace(canonical, "x-amz-meta-a:b c,d\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:"+exampleDate+"\n",
					"x-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:"+exampleDate+"\nx-amz-meta-a:b c,d\n", 1)
				canonical = strings.Replace(canonical, "host;x-amz-meta-a;x-amz-content-sha256;x-amz-date", "host;x-amz-content-sha256;x-amz-date;x-amz-meta-a", 1)
			}
			names := strings.Split(canonical, "\n")
			list := names[len(names)-2]
			signature := sign(signingKeyFor(exampleSecret, exampleScope), stringToSign(exampleDate, exampleScope, []byte(canonical)))
			r := receivedText(t, "PUT /bucket/key HTTP/1.1\nHost: s3.amazonaws.com:8443\n"+test.lines+
				"X-Amz-Date: "+exampleDate+"\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\nAuthorization: AWS4-HMAC-SHA256 Credential="+
				exampleAccessKey+"/"+exampleScope+", SignedHeaders="+list+", Signature="+signature)
			if _, _, err := identify(verifierAt(exampleTime), r, exampleSecret); err != nil {
				t.Errorf("refused: %v\n%v", err, refusal(t, err).Details)
			}
		})
	}
}

// Both forms of a path decode to the key the gateway acts on.
func TestVerifyPathForms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ sent, signed, key string }{
		{"/bucket/a%20b/../c//d%2B~%C3%A9%3D%40%3A%252F./x", "/bucket/a%20b/../c//d%2B~%C3%A9%3D%40%3A%252F./x", "a b/../c//d+~é=@:%2F./x"},
		{"/bucket//lead", "/bucket//lead", "/lead"},
		{"/bucket/.", "/bucket/.", "."},
		{"/bucket/a+b!*'()", "/bucket/a+b!*'()", "a+b!*'()"},
		{"/bucket/a+b!*'()", "/bucket/a%2Bb%21%2A%27%28%29", "a+b!*'()"},
		{"/bucket/a%2bb", "/bucket/a%2bb", "a+b"},
		{"/bucket/a%2bb", "/bucket/a%2Bb", "a+b"},
		{"/bucket/%7Ea", "/bucket/~a", "~a"},
		{"/bucket/a%2Fb", "/bucket/a/b", "a/b"},
	} {
		t.Run(test.sent+" as "+test.signed, func(t *testing.T) {
			t.Parallel()
			h := &http.Request{Method: "GET", Host: "s3.amazonaws.com", Header: http.Header{}, URL: &url.URL{Scheme: "https", Host: "s3.amazonaws.com", Opaque: test.signed}}
			Signer{AccessKey: exampleAccessKey, Secret: exampleSecret, Region: "us-east-1"}.Sign(h, EmptySHA256, exampleTime)
			r := received(t, h)
			r.RequestURI = test.sent
			req, _, err := identify(verifierAt(exampleTime), r, exampleSecret)
			if err != nil {
				t.Fatalf("refused: %v\n%v", err, refusal(t, err).Details)
			}
			if req.Bucket != "bucket" || req.Key != test.key {
				t.Errorf("got bucket %q key %q, want key %q", req.Bucket, req.Key, test.key)
			}
		})
	}
	t.Run("a slash of the bucket cannot be hidden", func(t *testing.T) {
		t.Parallel()
		r := signed(t, "GET", "/bucket/a/b", EmptySHA256, nil)
		r.RequestURI = "/bucket%2Fa/b"
		if _, _, err := identify(verifierAt(exampleTime), r, exampleSecret); err == nil {
			t.Error("accepted")
		}
	})
}

func TestVerifyNeverProvesOtherKinds(t *testing.T) {
	t.Parallel()
	req := parse(t, signed(t, "GET", "/bucket/key", EmptySHA256, nil))
	c, err := ParseClaim(req)
	if err != nil {
		t.Fatal(err)
	}
	for _, c.Kind = range []Kind{Anonymous, Form} {
		_, err := verifierAt(exampleTime).Verify(req, c, exampleSecret)
		wantRefusal(t, err, "AccessDenied", "")
	}
	c, err = ParseClaim(parse(t, receivedText(t, "GET /bucket/key HTTP/1.1\nHost: s3.amazonaws.com")))
	if err != nil || c.Kind != Anonymous {
		t.Fatalf("got %v, %v, want anonymous", c.Kind, err)
	}
}

func TestVerifyShortSecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "fifteen-letters"} {
		_, _, err := identify(verifierAt(exampleTime), signed(t, "GET", "/bucket/key", EmptySHA256, nil), secret)
		wantRefusal(t, err, "AccessDenied", "")
		if secret != "" && strings.Contains(err.Error(), secret) {
			t.Error("the error shows the secret")
		}
	}
}

func TestVerifyDoesNotMutate(t *testing.T) {
	t.Parallel()
	r := signed(t, "PUT", "/bucket/a%2bb", EmptySHA256, func(h *http.Request) { h.Header.Set("X-Amz-Meta-A", "b") })
	header, target := r.Header.Clone(), r.RequestURI
	if _, _, err := identify(verifierAt(exampleTime), r, exampleSecret); err != nil {
		t.Fatal(err)
	}
	if r.RequestURI != target || len(r.Header) != len(header) {
		t.Error("the request was changed")
	}
	for name, values := range header {
		if !slices.Equal(r.Header[name], values) {
			t.Errorf("header %s was changed", name)
		}
	}
}

func TestProofPrintsNoKey(t *testing.T) {
	t.Parallel()
	_, p, err := identify(verifierAt(exampleTime), signed(t, "GET", "/bucket/key", EmptySHA256, nil), exampleSecret)
	if err != nil {
		t.Fatal(err)
	}
	cache := new(KeyCache)
	cache.key(p.Credential, exampleSecret)
	signer := Signer{AccessKey: exampleAccessKey, Secret: exampleSecret, SessionToken: "tokentoken", Keys: cache}
	decimal := strings.Trim(fmt.Sprint(p.key), "[]")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{p, &p, signer, &signer, cache, verifierAt(exampleTime)} {
			text := fmt.Sprintf(verb, value)
			for _, secret := range []string{exampleSecret, "tokentoken", decimal, fmt.Sprintf("%x", p.key), strconv.Quote(string(p.key))} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T shows a secret", verb, value)
				}
			}
		}
	}
}
