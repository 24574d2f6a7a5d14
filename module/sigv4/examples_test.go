package sigv4

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The signed requests of AWS's documentation, "Signature Calculations for the
// Authorization Header", "Authenticating Requests: Using Query Parameters" and
// "Transferring Payload in Multiple Chunks".
var awsExamples = []struct {
	name      string
	text      string
	signature string
	operation string
	payload   Payload
}{
	{
		name: "get object with range",
		text: `
GET /test.txt HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=SIGNATURE
Range: bytes=0-9
x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
x-amz-date: 20130524T000000Z`,
		signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
		operation: "GetObject",
		payload:   PayloadHash,
	},
	{
		name: "put object",
		text: `
PUT /test%24file.text HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Date: Fri, 24 May 2013 00:00:00 GMT
Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=SIGNATURE
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072
Content-Length: 21`,
		signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
		operation: "PutObject",
		payload:   PayloadHash,
	},
	{
		// The path is sent as "$" and was signed as "%24".
		name: "put object, path signed in canonical form",
		text: `
PUT /test$file.text HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Date: Fri, 24 May 2013 00:00:00 GMT
Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=SIGNATURE
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072
Content-Length: 21`,
		signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
		operation: "PutObject",
		payload:   PayloadHash,
	},
	{
		name: "get bucket lifecycle",
		text: `
GET /?lifecycle HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=SIGNATURE
x-amz-date: 20130524T000000Z
x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`,
		signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
		operation: "GetBucketLifecycleConfiguration",
		payload:   PayloadHash,
	},
	{
		name: "list objects",
		text: `
GET /?max-keys=2&prefix=J HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=SIGNATURE
x-amz-date: 20130524T000000Z
x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`,
		signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
		operation: "ListObjects",
		payload:   PayloadHash,
	},
	{
		name: "list objects, query in another order",
		text: `
GET /?prefix=%4A&max-keys=2 HTTP/1.1
Host: examplebucket.s3.amazonaws.com
Authorization: AWS4-HMAC-SHA256   SignedHeaders=host;x-amz-content-sha256;x-amz-date,	Signature=SIGNATURE , Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request
x-amz-date: 20130524T000000Z
x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`,
		signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
		operation: "ListObjects",
		payload:   PayloadHash,
	},
	{
		name: "presigned get",
		text: `
GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=SIGNATURE HTTP/1.1
Host: examplebucket.s3.amazonaws.com`,
		signature: "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
		operation: "GetObject",
		payload:   PayloadUnsigned,
	},
	{
		name: "signed chunks",
		text: `
PUT /examplebucket/chunkObject.txt HTTP/1.1
Host: s3.amazonaws.com
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=SIGNATURE
x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD
Content-Encoding: aws-chunked
x-amz-decoded-content-length: 66560
Content-Length: 66824`,
		signature: exampleSeed,
		operation: "PutObject",
		payload:   PayloadSignedChunks,
	},
}

func TestAWSExamples(t *testing.T) {
	t.Parallel()
	for _, test := range awsExamples {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := verifierAt(exampleTime.Add(time.Minute))
			signed := strings.ReplaceAll(test.text, "SIGNATURE", test.signature)
			req, p, err := identify(v, receivedText(t, signed), exampleSecret)
			if err != nil {
				t.Fatalf("refused: %v\n%v", err, refusal(t, err).Details)
			}
			if req.Op.Name != test.operation || p.Payload != test.payload {
				t.Errorf("got %s with payload %v, want %s with %v", req.Op.Name, p.Payload, test.operation, test.payload)
			}
			if p.seed != test.signature || p.scope != exampleScope || p.amzDate != exampleDate || string(p.key) != string(signingKeyFor(exampleSecret, exampleScope)) {
				t.Errorf("proof does not hold seed, scope, date and key of the request")
			}

			forged := strings.ReplaceAll(test.text, "SIGNATURE", strings.Repeat("0", 64))
			_, _, err = identify(v, receivedText(t, forged), exampleSecret)
			wantRefusal(t, err, "SignatureDoesNotMatch", "")
			_, _, err = identify(v, receivedText(t, signed), exampleSecret+"x")
			wantRefusal(t, err, "SignatureDoesNotMatch", "")
		})
	}
}

// The Signer gives AWS's own signature for the examples it signs alike.
func TestSignerAWSExamples(t *testing.T) {
	t.Parallel()
	s := Signer{AccessKey: exampleAccessKey, Secret: exampleSecret, Region: "us-east-1"}
	for _, test := range []struct{ name, url, rangeHeader, signature string }{
		{"get object with range", "https://examplebucket.s3.amazonaws.com/test.txt", "bytes=0-9", awsExamples[0].signature},
		{"get bucket lifecycle", "https://examplebucket.s3.amazonaws.com/?lifecycle", "", awsExamples[3].signature},
		{"list objects", "https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2", "", awsExamples[4].signature},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, err := http.NewRequest("GET", test.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.rangeHeader != "" {
				h.Header.Set("Range", test.rangeHeader)
			}
			s.Sign(h, EmptySHA256, exampleTime)
			if got := h.Header.Get("Authorization"); !strings.HasSuffix(got, ", Signature="+test.signature) {
				t.Errorf("got %s, want signature %s", got, test.signature)
			}
		})
	}
}
