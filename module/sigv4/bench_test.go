package sigv4

import (
	"net/http"
	"testing"
)

// benchmarkRequest is what aws-sdk-go-v2 sends for a PutObject, more or less.
func benchmarkRequest(b *testing.B) *http.Request {
	b.Helper()
	h, err := http.NewRequest("PUT", "https://s3.amazonaws.com/bucket/2026/11/23/report%20of%20the%20day.csv?x-id=PutObject", nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "text/csv", "Amz-Sdk-Invocation-Id": "0b1a6d5e-6c1f-4c33-9b55-6a0f5d6c8d2e", "Amz-Sdk-Request": "attempt=1; max=3",
		"X-Amz-Checksum-Crc32": "AAAAAA==", "X-Amz-Sdk-Checksum-Algorithm": "CRC32", "X-Amz-Server-Side-Encryption": "aws:kms",
		"X-Amz-Meta-Owner": "finance",
	} {
		h.Header.Set(name, value)
	}
	return h
}

func BenchmarkVerify(b *testing.B) {
	h := benchmarkRequest(b)
	Signer{AccessKey: exampleAccessKey, Secret: exampleSecret, Region: "us-east-1"}.Sign(h, EmptySHA256, exampleTime)
	req := parse(b, received(b, h))
	v := verifierAt(exampleTime)
	b.ReportAllocs()
	for b.Loop() {
		c, err := ParseClaim(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Verify(req, c, exampleSecret); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	h := benchmarkRequest(b)
	s := Signer{AccessKey: exampleAccessKey, Secret: exampleSecret, Region: "us-east-1", Keys: new(KeyCache)}
	b.ReportAllocs()
	for b.Loop() {
		s.Sign(h, EmptySHA256, exampleTime)
	}
}
