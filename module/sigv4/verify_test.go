package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/s3"
)

// signed is a request of the example client, signed by our Signer at
// exampleTime and received.
func signed(t testing.TB, method, target, payload string, set func(h *http.Request)) *http.Request {
	t.Helper()
	h, err := http.NewRequest(method, "https://s3.amazonaws.com"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(h)
	}
	s := Signer{AccessKey: exampleAccessKey, Secret: exampleSecret, Region: "us-east-1"}
	s.Sign(h, payload, exampleTime)
	return received(t, h)
}

// presigned is a URL of the example client for exampleTime, signed over host
// and the header names given; extra parameters replace the usual ones.
func presigned(t testing.TB, method, path string, header http.Header, extra map[string]string) *http.Request {
	t.Helper()
	names := []string{"host"}
	for name := range header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	params := map[string]string{
		queryAlgorithm:     algorithm,
		queryCredential:    exampleAccessKey + "/" + exampleScope,
		queryDate:          exampleDate,
		queryExpires:       "3600",
		querySignedHeaders: strings.Join(names, ";"),
	}
	for name, value := range extra {
		params[name] = value
	}
	var pairs []string
	for name, value := range params {
		pairs = append(pairs, s3.EscapeQuery(name)+"="+s3.EscapeQuery(value))
	}
	query, err := s3.ParseQuery(strings.Join(pairs, "&"))
	if err != nil {
		t.Fatal(err)
	}
	c := canonicalRequest{Method: method, Path: path, Query: canonicalQuery(query, ""), Payload: UnsignedPayload}
	if v, ok := params[headerContentSHA256]; ok {
		c.Payload = v
	}
	for _, name := range names {
		values := header.Values(name)
		switch {
		case name == "host":
			values = []string{"s3.amazonaws.com"}
		case name == "x-amz-content-sha256":
			c.Payload = values[0]
		}
		c.Headers = append(c.Headers, canonicalHeader{name, values})
	}
	signature := sign(signingKeyFor(exampleSecret, exampleScope), stringToSign(exampleDate, exampleScope, c.bytes()))
	h, err := http.NewRequest(method, "https://s3.amazonaws.com"+path+"?"+c.Query+"&X-Amz-Signature="+signature, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		h.Header[name] = values
	}
	return received(t, h)
}

// editQuery replaces a parameter in the raw target, or removes it for "".
func editQuery(r *http.Request, name, value string) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	var parts []string
	for part := range strings.SplitSeq(query, "&") {
		if !strings.HasPrefix(part, name+"=") {
			parts = append(parts, part)
		}
	}
	if value != "" {
		parts = append(parts, name+"="+value)
	}
	r.RequestURI = path + "?" + strings.Join(parts, "&")
}

func TestVerifyHeaderAttacks(t *testing.T) {
	t.Parallel()
	replace := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			v := r.Header.Get("Authorization")
			if !strings.Contains(v, old) {
				panic("nothing to replace: " + old)
			}
			r.Header.Set("Authorization", strings.ReplaceAll(v, old, new))
		}
	}
	for _, test := range []struct {
		name          string
		change        func(r *http.Request)
		code, message string
	}{
		{"unsigned x-amz header", func(r *http.Request) { r.Header.Set("X-Amz-Acl", "private") }, "AccessDenied", "not signed"},
		{"unsigned metadata", func(r *http.Request) { r.Header.Set("X-Amz-Meta-New", "1") }, "AccessDenied", "not signed"},
		{"signed header changed", func(r *http.Request) { r.Header.Set("X-Amz-Storage-Class", "GLACIER") }, "SignatureDoesNotMatch", ""},
		{"signed header removed", func(r *http.Request) { r.Header.Del("X-Amz-Storage-Class") }, "SignatureDoesNotMatch", ""},
		{"signed metadata removed", func(r *http.Request) { r.Header.Del("X-Amz-Meta-A_b") }, "InvalidRequest", "x-amz-meta-a_b is signed but did not arrive"},
		{"other signed header with underscore removed", replace("SignedHeaders=content-type;", "SignedHeaders=content-type;custom_name;"), "InvalidRequest", "custom_name"},
		{"content-type changed", func(r *http.Request) { r.Header.Set("Content-Type", "text/html") }, "SignatureDoesNotMatch", ""},
		{"second Authorization", func(r *http.Request) { r.Header.Add("Authorization", "AWS x:y") }, "InvalidArgument", ""},
		{"header and query", func(r *http.Request) { r.RequestURI += "?X-Amz-Signature=00" }, "InvalidArgument", "Only one auth mechanism"},
		{"header and expiry in query", func(r *http.Request) { r.RequestURI += "?X-Amz-Expires=10" }, "InvalidArgument", "Only one auth mechanism"},
		{"header and V2 query", func(r *http.Request) { r.RequestURI += "?AWSAccessKeyId=A&Signature=B&Expires=1" }, "InvalidArgument", "Only one auth mechanism"},
		{"V2", func(r *http.Request) { r.Header.Set("Authorization", "AWS AK:c2ln") }, "InvalidRequest", "signature_version='s3v4'"},
		{"SigV4A", replace(algorithm, algorithmV4A), "InvalidRequest", "SigV4A"},
		{"bearer", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, "InvalidArgument", "Unsupported Authorization Type"},
		{"empty Authorization", func(r *http.Request) { r.Header.Set("Authorization", "") }, "InvalidArgument", "Unsupported Authorization Type"},
		{"token", func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "t") }, "InvalidToken", "no temporary credentials"},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, "AccessDenied", "valid Date or x-amz-date"},
		{"bad date", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20130524T000000.5Z") }, "AccessDenied", "valid Date or x-amz-date"},
		{"date of another day", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20130525T000000Z") }, "AuthorizationHeaderMalformed", "Invalid credential date"},
		{"date of another second", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20130524T000001Z") }, "SignatureDoesNotMatch", ""},
		{"wrong service", replace("/s3/", "/ec2/"), "AuthorizationHeaderMalformed", `incorrect service "ec2"`},
		{"express", replace("/s3/", "/s3express/"), "AuthorizationHeaderMalformed", "incorrect service"},
		{"wrong terminal", replace("aws4_request", "aws5_request"), "AuthorizationHeaderMalformed", "incorrect terminal"},
		{"wrong region", replace("us-east-1", "eu-west-1"), "AuthorizationHeaderMalformed", "the region 'eu-west-1' is wrong; expecting 'us-east-1'"},
		{"bad credential date", replace("/20130524/", "/2013-5-4/"), "AuthorizationHeaderMalformed", "incorrect date format"},
		{"short credential", replace("/us-east-1/", "/"), "AuthorizationHeaderMalformed", "mal-formed"},
		{"long credential", replace("/us-east-1/", "/a/us-east-1/"), "AuthorizationHeaderMalformed", "mal-formed"},
		{"other access key", replace("EXAMPLE/", "EXAMPLF/"), "", ""}, // the secret belongs to the key: the engine looks it up
		{"truncated signature", func(r *http.Request) { v := r.Header.Get("Authorization"); r.Header.Set("Authorization", v[:len(v)-1]) }, "SignatureDoesNotMatch", ""},
		{"longer signature", func(r *http.Request) { r.Header.Set("Authorization", r.Header.Get("Authorization")+"0") }, "SignatureDoesNotMatch", ""},
		{"upper-case signature", func(r *http.Request) {
			head, sig, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", head+"Signature="+strings.ToUpper(sig))
		}, "SignatureDoesNotMatch", ""},
		{"no signature", func(r *http.Request) {
			head, _, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", head+"Signature=")
		}, "AuthorizationHeaderMalformed", "missing Signature"},
		{"component missing", func(r *http.Request) {
			head, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature=")
			r.Header.Set("Authorization", head)
		}, "AuthorizationHeaderMalformed", "missing Signature"},
		{"component twice", func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization")+", Credential=x")
		}, "AuthorizationHeaderMalformed", "three components"},
		{"component before its double", replace("Credential=", "Credential=x, Credential="), "AuthorizationHeaderMalformed", "three components"},
		{"fourth component", replace("Credential=", "Extra=x, Credential="), "AuthorizationHeaderMalformed", "three components"},
		{"component unknown", replace(", Signature=", ", Sig="), "AuthorizationHeaderMalformed", "missing Signature"},
		{"SignedHeaders without host", replace("content-type;host;", "content-type;"), "AccessDenied", "not signed"},
		{"SignedHeaders twice", replace(";host;", ";host;host;"), "AuthorizationHeaderMalformed", "SignedHeaders"},
		{"SignedHeaders unsorted", replace("content-type;host;", "host;content-type;"), "AuthorizationHeaderMalformed", "SignedHeaders"},
		{"SignedHeaders upper case", replace(";host;", ";Host;"), "AuthorizationHeaderMalformed", "SignedHeaders"},
		{"SignedHeaders with empty name", replace("SignedHeaders=", "SignedHeaders=;"), "AuthorizationHeaderMalformed", "SignedHeaders"},
		{"SignedHeaders without one", replace("content-type;host;", "host;"), "SignatureDoesNotMatch", ""},
		{"other host", func(r *http.Request) { r.Host = "s3.amazonaws.com:443" }, "SignatureDoesNotMatch", ""},
		{"other key", func(r *http.Request) { r.RequestURI = "/bucket/key3" }, "SignatureDoesNotMatch", ""},
		{"added slash", func(r *http.Request) { r.RequestURI = "/bucket//key2" }, "SignatureDoesNotMatch", ""},
		{"added query", func(r *http.Request) { r.RequestURI += "?x-id=PutObject" }, "SignatureDoesNotMatch", ""},
		{"no payload hash", func(r *http.Request) { r.Header.Del(headerContentSHA256) }, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"},
		{"bad payload hash", func(r *http.Request) { r.Header.Set(headerContentSHA256, "abc") }, "InvalidArgument", "x-amz-content-sha256 must be"},
		{"other payload hash", func(r *http.Request) { r.Header.Set(headerContentSHA256, strings.Repeat("a", 64)) }, "SignatureDoesNotMatch", ""},
		// CVE-2026-40344 and its kind: the payload form must not get a request past the signature.
		{"unsigned trailer instead", func(r *http.Request) { r.Header.Set(headerContentSHA256, StreamingUnsignedTrailer) }, "SignatureDoesNotMatch", ""},
		{"unsigned payload instead", func(r *http.Request) { r.Header.Set(headerContentSHA256, UnsignedPayload) }, "SignatureDoesNotMatch", ""},
		{"signed chunks instead", func(r *http.Request) { r.Header.Set(headerContentSHA256, StreamingSigned) }, "SignatureDoesNotMatch", ""},
		{"signed chunks and trailer instead", func(r *http.Request) { r.Header.Set(headerContentSHA256, StreamingSignedTrailer) }, "SignatureDoesNotMatch", ""},
		{"SigV4A chunks", func(r *http.Request) {
			r.Header.Set(headerContentSHA256, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
		}, "NotImplemented", "SigV4A"},
		{"event stream", func(r *http.Request) { r.Header.Set(headerContentSHA256, "STREAMING-AWS4-HMAC-SHA256-EVENTS") }, "InvalidArgument", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := signed(t, "PUT", "/bucket/key2", EmptySHA256, func(h *http.Request) {
				h.Header.Set("Content-Type", "text/plain")
				h.Header.Set("X-Amz-Storage-Class", "STANDARD")
				h.Header.Set("X-Amz-Meta-A_b", "c")
			})
			v := verifierAt(exampleTime)
			if _, _, err := identify(v, r, exampleSecret); err != nil {
				t.Fatalf("refused before the change: %v", err)
			}
			test.change(r)
			_, _, err := identify(v, r, exampleSecret)
			if test.code == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			wantRefusal(t, err, test.code, test.message)
		})
	}
}

func TestVerifyPresignedAttacks(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { editQuery(r, name, value) }
	}
	const week = "must be less than a week"
	for _, test := range []struct {
		name          string
		change        func(r *http.Request)
		code, message string
	}{
		{"expires 0", set(queryExpires, "0"), "AuthorizationQueryParametersError", "at least one second"},
		{"expires 604801", set(queryExpires, "604801"), "AuthorizationQueryParametersError", week},
		{"expires huge", set(queryExpires, strings.Repeat("9", 40)), "AuthorizationQueryParametersError", week},
		{"expires -1", set(queryExpires, "-1"), "AuthorizationQueryParametersError", "must be non-negative"},
		{"expires +1", set(queryExpires, "+1"), "AuthorizationQueryParametersError", "should be a number"},
		{"expires NaN", set(queryExpires, "NaN"), "AuthorizationQueryParametersError", "should be a number"},
		{"expires 1e3", set(queryExpires, "1e3"), "AuthorizationQueryParametersError", "should be a number"},
		{"expires missing", set(queryExpires, ""), "AuthorizationQueryParametersError", "requires the X-Amz-Algorithm"},
		{"longer", set(queryExpires, "604800"), "SignatureDoesNotMatch", ""},
		{"later", set(queryDate, "20130524T000100Z"), "SignatureDoesNotMatch", ""},
		{"other day", set(queryDate, "20130525T000000Z"), "AuthorizationQueryParametersError", "Invalid credential date"},
		{"bad date", set(queryDate, "2013-05-24"), "AuthorizationQueryParametersError", "ISO8601"},
		{"no date", set(queryDate, ""), "AuthorizationQueryParametersError", "requires"},
		{"no algorithm", set(queryAlgorithm, ""), "AuthorizationQueryParametersError", "requires"},
		{"no signature", set(querySignature, ""), "AuthorizationQueryParametersError", "requires"},
		{"no signed headers", set(querySignedHeaders, ""), "AuthorizationQueryParametersError", "requires"},
		{"no credential", set(queryCredential, ""), "AuthorizationQueryParametersError", "requires"},
		{"other algorithm", set(queryAlgorithm, "AWS4-HMAC-SHA1"), "AuthorizationQueryParametersError", "only supports"},
		{"SigV4A", set(queryAlgorithm, algorithmV4A), "InvalidRequest", "SigV4A"},
		{"wrong service", set(queryCredential, exampleAccessKey+"%2F20130524%2Fus-east-1%2Fsts%2Faws4_request"), "AuthorizationQueryParametersError", "incorrect service"},
		{"wrong region", set(queryCredential, exampleAccessKey+"%2F20130524%2Feu-west-1%2Fs3%2Faws4_request"), "AuthorizationQueryParametersError", "the region 'eu-west-1' is wrong"},
		{"token in query", set("X-Amz-Security-Token", "t"), "InvalidToken", ""},
		{"token in header", func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "t") }, "InvalidToken", ""},
		{"header added", func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, "AccessDenied", "not signed"},
		{"header added in query", set("x-amz-acl", "public-read"), "SignatureDoesNotMatch", ""},
		{"signed header dropped", func(r *http.Request) { r.Header.Del("X-Amz-Meta-A") }, "InvalidRequest", "x-amz-meta-a is signed but did not arrive"},
		{"signed header changed", func(r *http.Request) { r.Header.Set("X-Amz-Meta-A", "2") }, "SignatureDoesNotMatch", ""},
		{"Authorization as well", func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 x") }, "InvalidArgument", "Only one auth mechanism"},
		{"V2 as well", set("AWSAccessKeyId", "AK&Signature=x&Expires=1"), "InvalidArgument", "Only one auth mechanism"},
		{"misspelt parameter", func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "X-Amz-Date", "x-amz-date", 1) }, "", "any"},
		{"signature twice", func(r *http.Request) { r.RequestURI += "&X-Amz-Signature=00" }, "", "any"},
		{"other key", func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, "/key", "/kez", 1) }, "SignatureDoesNotMatch", ""},
		// CVE-2026-40344: this value with query credentials skipped verification.
		{"unsigned trailer header", func(r *http.Request) { r.Header.Set(headerContentSHA256, StreamingUnsignedTrailer) }, "InvalidRequest", "presigned"},
		{"unsigned trailer query", set(headerContentSHA256, StreamingUnsignedTrailer), "InvalidRequest", "presigned"},
		{"signed chunks header", func(r *http.Request) { r.Header.Set(headerContentSHA256, StreamingSigned) }, "InvalidRequest", "presigned"},
		{"hash in query", set(headerContentSHA256, EmptySHA256), "SignatureDoesNotMatch", ""},
		{"hash in query and another in the header", func(r *http.Request) {
			editQuery(r, headerContentSHA256, EmptySHA256)
			r.Header.Set(headerContentSHA256, UnsignedPayload)
		}, "InvalidArgument", "more than once"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := presigned(t, "PUT", "/bucket/key", http.Header{"X-Amz-Meta-A": {"1"}}, nil)
			v := verifierAt(exampleTime)
			if _, _, err := identify(v, r, exampleSecret); err != nil {
				t.Fatalf("refused before the change: %v", err)
			}
			test.change(r)
			_, _, err := identify(v, r, exampleSecret)
			if test.code == "" {
				if err == nil {
					t.Fatal("accepted")
				}
				return
			}
			wantRefusal(t, err, test.code, test.message)
		})
	}
}

func TestVerifyMethod(t *testing.T) {
	t.Parallel()
	for _, r := range []*http.Request{
		signed(t, "GET", "/bucket/key", EmptySHA256, nil),
		presigned(t, "GET", "/bucket/key", nil, nil),
	} {
		for _, method := range []string{"HEAD", "DELETE", "PUT"} {
			r.Method = method
			_, _, err := identify(verifierAt(exampleTime), r, exampleSecret)
			wantRefusal(t, err, "SignatureDoesNotMatch", "")
		}
	}
}

func TestVerifyPresignedPayload(t *testing.T) {
	t.Parallel()
	hash := hexSHA256([]byte("body"))
	for _, test := range []struct {
		name    string
		request func(t *testing.T) *http.Request
		form    Payload
		hash    string
	}{
		{"default", func(t *testing.T) *http.Request { return presigned(t, "PUT", "/bucket/key", nil, nil) }, PayloadUnsigned, ""},
		{"query", func(t *testing.T) *http.Request {
			return presigned(t, "PUT", "/bucket/key", nil, map[string]string{headerContentSHA256: hash})
		}, PayloadHash, hash},
		{"query unsigned", func(t *testing.T) *http.Request {
			return presigned(t, "PUT", "/bucket/key", nil, map[string]string{headerContentSHA256: UnsignedPayload})
		}, PayloadUnsigned, ""},
		{"signed header", func(t *testing.T) *http.Request {
			return presigned(t, "PUT", "/bucket/key", http.Header{headerContentSHA256: {hash}}, nil)
		}, PayloadHash, hash},
		{"header added to a URL for any body is still checked", func(t *testing.T) *http.Request {
			r := presigned(t, "PUT", "/bucket/key", nil, nil)
			r.Header.Set(headerContentSHA256, hash)
			return r
		}, PayloadHash, hash},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, p, err := identify(verifierAt(exampleTime), test.request(t), exampleSecret)
			if err != nil {
				t.Fatal(err)
			}
			if p.Kind != Presigned || p.Payload != test.form || p.PayloadHash != test.hash {
				t.Errorf("got %v %v %q, want presigned %v %q", p.Kind, p.Payload, p.PayloadHash, test.form, test.hash)
			}
		})
	}
}

// Old SDKs list a header in X-Amz-SignedHeaders and carry it in the query.
func TestVerifyPresignedHeaderInQuery(t *testing.T) {
	t.Parallel()
	const name, value = "x-amz-server-side-encryption", "aws:kms"
	r := presigned(t, "PUT", "/bucket/key", http.Header{http.CanonicalHeaderKey(name): {value}}, map[string]string{name: value})
	r.Header.Del(name)
	if _, _, err := identify(verifierAt(exampleTime), r, exampleSecret); err != nil {
		t.Fatal(err)
	}
	editQuery(r, name, "AES256")
	_, _, err := identify(verifierAt(exampleTime), r, exampleSecret)
	wantRefusal(t, err, "SignatureDoesNotMatch", "")
}
