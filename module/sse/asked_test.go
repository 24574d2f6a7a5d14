package sse

import (
	"crypto/fips140"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/s3"
)

var (
	testKey    = []byte("0123456789abcdefghijklmnopqrstuv")
	testKey64  = base64.StdEncoding.EncodeToString(testKey)
	testKeyMD5 = "qkvGcbTBx6OOKYAPUO9jRg=="
)

func md5of(b []byte) string {
	var sum [md5.Size]byte
	fips140.WithoutEnforcement(func() { sum = md5.Sum(b) })
	return base64.StdEncoding.EncodeToString(sum[:])
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// header builds a header from pairs of a short name and a value. Short names
// leave out x-amz-server-side-encryption.
func header(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Add("x-amz-server-side-encryption"+pairs[i], pairs[i+1])
	}
	return h
}

func mustKey(t *testing.T, key []byte) *CustomerKey {
	t.Helper()
	k, err := NewCustomerKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func on() *bool  { v := true; return &v }
func off() *bool { v := false; return &v }

func TestAsked(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	for _, tc := range []struct {
		name string
		in   http.Header
		want Choice
	}{
		{"nothing", http.Header{"Content-Type": {"text/plain"}}, Choice{}},
		{"sse-s3", header("", "AES256"), Choice{Mode: S3}},
		{"kms", header("", "aws:kms"), Choice{Mode: KMS}},
		{"kms with everything", header("", "aws:kms", "-aws-kms-key-id", arn, "-context", b64(`{"b":"2","a":"1"}`), "-bucket-key-enabled", "true"),
			Choice{Mode: KMS, KeyID: arn, Context: map[string]string{"a": "1", "b": "2"}, BucketKey: on()}},
		{"kms without bucket key", header("", "aws:kms", "-bucket-key-enabled", "false"), Choice{Mode: KMS, BucketKey: off()}},
		{"kms with an empty context", header("", "aws:kms", "-context", b64("{}")), Choice{Mode: KMS}},
		{"kms with context of odd text", header("", "aws:kms", "-context", b64(` {"ü\u00e9": "\ud83d\ude00\n", "":""} `)), Choice{Mode: KMS, Context: map[string]string{"üé": "😀\n", "": ""}}},
		{"dsse", header("", "aws:kms:dsse", "-aws-kms-key-id", "alias/x"), Choice{Mode: DSSE, KeyID: "alias/x"}},
		{"dsse says no bucket key", header("", "aws:kms:dsse", "-bucket-key-enabled", "false"), Choice{Mode: DSSE, BucketKey: off()}},
		{"bucket key alone", header("-bucket-key-enabled", "true"), Choice{BucketKey: on()}},
		{"sse-c", header("-customer-algorithm", "AES256", "-customer-key", testKey64, "-customer-key-md5", testKeyMD5), Choice{Mode: C, Customer: mustKey(t, testKey)}},
		{"sse-c without md5", header("-customer-algorithm", "AES256", "-customer-key", testKey64), Choice{Mode: C, Customer: mustKey(t, testKey)}},
		{"copy source only", http.Header{"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm": {"AES256"}}, Choice{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := Asked(tc.in)
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("Asked = %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}

// The rows of S3's errors for bad encryption input, and their order.
func TestAskedRefuses(t *testing.T) {
	t.Parallel()
	const (
		conflict  = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified"
		algorithm = "The Encryption request you specified is not valid. Supported value: AES256."
		noAlg     = "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm."
		noKey     = "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key."
		badMD5    = "The calculated MD5 hash of the key did not match the hash that was provided."
		badKey    = "The secret key was invalid for the specified algorithm."
		noKMS     = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"
		method    = "The encryption method specified is not supported"
		context   = "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a string-string map"
		sse       = "x-amz-server-side-encryption"
	)
	short := []byte("0123456789abcdef")
	for _, tc := range []struct {
		name                       string
		in                         http.Header
		code, message, argN, value string
	}{
		{"both", header("", "AES256", "-customer-algorithm", "AES256", "-customer-key", testKey64, "-customer-key-md5", testKeyMD5), "InvalidArgument", conflict, sse, "AES256"},
		{"both, everything else wrong too", header("", "rot13", "-customer-algorithm", "DES"), "InvalidArgument", conflict, sse, "rot13"},
		{"kms and an md5", header("", "aws:kms", "-customer-key-md5", "x"), "InvalidArgument", conflict, sse, "aws:kms"},
		{"algorithm unknown", header("-customer-algorithm", "AES128", "-customer-key", testKey64, "-customer-key-md5", "wrong"), "InvalidEncryptionAlgorithmError", algorithm, sse, "AES128"},
		{"algorithm in lower case", header("-customer-algorithm", "aes256", "-customer-key", testKey64), "InvalidEncryptionAlgorithmError", algorithm, sse, "aes256"},
		{"algorithm empty", header("-customer-algorithm", "", "-customer-key", testKey64), "InvalidEncryptionAlgorithmError", algorithm, sse, ""},
		{"algorithm wrong and no key", header("-customer-algorithm", "x"), "InvalidEncryptionAlgorithmError", algorithm, sse, "x"},
		{"key without algorithm", header("-customer-key", testKey64), "InvalidArgument", noAlg, sse, "null"},
		{"md5 without algorithm", header("-customer-key-md5", testKeyMD5), "InvalidArgument", noAlg, sse, "null"},
		{"algorithm without key", header("-customer-algorithm", "AES256"), "InvalidArgument", noKey, sse, "null"},
		{"algorithm and md5 without key", header("-customer-algorithm", "AES256", "-customer-key-md5", testKeyMD5), "InvalidArgument", noKey, sse, "null"},
		{"key empty", header("-customer-algorithm", "AES256", "-customer-key", ""), "InvalidArgument", noKey, sse, "null"},
		{"md5 of another key", header("-customer-algorithm", "AES256", "-customer-key", testKey64, "-customer-key-md5", md5of(short)), "InvalidArgument", badMD5, sse, "null"},
		{"md5 empty", header("-customer-algorithm", "AES256", "-customer-key", testKey64, "-customer-key-md5", ""), "InvalidArgument", badMD5, sse, "null"},
		{"md5 wrong before length", header("-customer-algorithm", "AES256", "-customer-key", base64.StdEncoding.EncodeToString(short), "-customer-key-md5", testKeyMD5), "InvalidArgument", badMD5, sse, "null"},
		{"key of 128 bits", header("-customer-algorithm", "AES256", "-customer-key", base64.StdEncoding.EncodeToString(short), "-customer-key-md5", md5of(short)), "InvalidArgument", badKey, sse, "null"},
		{"key encoded twice", header("-customer-algorithm", "AES256", "-customer-key", b64(testKey64)), "InvalidArgument", badKey, sse, "null"},
		{"key not base64", header("-customer-algorithm", "AES256", "-customer-key", "!"), "InvalidArgument", badKey, sse, "null"},
		{"key with a line break", header("-customer-algorithm", "AES256", "-customer-key", testKey64[:8]+"\n"+testKey64[8:]), "InvalidArgument", badKey, sse, "null"},
		{"value unknown", header("", "rot13"), "InvalidArgument", method, sse, "rot13"},
		{"value empty", header("", ""), "InvalidArgument", method, sse, ""},
		{"value in lower case", header("", "aes256"), "InvalidArgument", method, sse, "aes256"},
		{"value with a space", header("", "AES256 "), "InvalidArgument", method, sse, "AES256 "},
		{"two values joined", header("", "AES256,aws:kms"), "InvalidArgument", method, sse, "AES256,aws:kms"},
		{"fsx", header("", "aws:fsx"), "NotImplemented", method, sse, "aws:fsx"},
		{"backup", header("", "aws:backup"), "NotImplemented", method, sse, "aws:backup"},
		{"key id alone", header("-aws-kms-key-id", "k"), "InvalidArgument", noKMS, sse, "null"},
		{"key id with AES256", header("", "AES256", "-aws-kms-key-id", "k"), "InvalidArgument", noKMS, sse, "AES256"},
		{"key id with sse-c", header("-customer-algorithm", "AES256", "-customer-key", testKey64, "-aws-kms-key-id", "k"), "InvalidArgument", noKMS, sse, "null"},
		{"key id empty", header("", "aws:kms", "-aws-kms-key-id", ""), "InvalidArgument", "", sse + "-aws-kms-key-id", ""},
		{"key id with space", header("", "aws:kms", "-aws-kms-key-id", "a b"), "InvalidArgument", "", sse + "-aws-kms-key-id", "a b"},
		{"key id too long", header("", "aws:kms", "-aws-kms-key-id", strings.Repeat("k", 2049)), "InvalidArgument", "", sse + "-aws-kms-key-id", strings.Repeat("k", 2049)},
		{"context alone", header("-context", b64(`{"a":"b"}`)), "InvalidArgument", noKMS, sse, "null"},
		{"context with AES256", header("", "AES256", "-context", b64(`{"a":"b"}`)), "InvalidArgument", noKMS, sse, "AES256"},
		{"context not base64", header("", "aws:kms", "-context", `{"a":"b"}`), "InvalidArgument", context, sse + "-context", "null"},
		{"context empty", header("", "aws:kms", "-context", ""), "InvalidArgument", context, sse + "-context", "null"},
		{"context not JSON", header("", "aws:kms", "-context", b64("a=b")), "InvalidArgument", context, sse + "-context", "null"},
		{"context an array", header("", "aws:kms", "-context", b64(`["a"]`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context null", header("", "aws:kms", "-context", b64(`null`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context of a number", header("", "aws:kms", "-context", b64(`{"a":1}`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context of null", header("", "aws:kms", "-context", b64(`{"a":null}`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context nested", header("", "aws:kms", "-context", b64(`{"a":{"b":"c"}}`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context with a name twice", header("", "aws:kms", "-context", b64(`{"a":"b","a":"c"}`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context with a name twice, escaped", header("", "aws:kms", "-context", b64(`{"a":"b","\u0061":"b"}`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context cut short", header("", "aws:kms", "-context", b64(`{"a":"b"`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context with more", header("", "aws:kms", "-context", b64(`{"a":"b"}{}`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context not UTF-8", header("", "aws:kms", "-context", b64("{\"a\":\"\xff\"}")), "InvalidArgument", context, sse + "-context", "null"},
		{"context with half a surrogate", header("", "aws:kms", "-context", b64(`{"a":"\ud83d"}`)), "InvalidArgument", context, sse + "-context", "null"},
		{"context too long", header("", "aws:kms", "-context", b64(`{"a":"`+strings.Repeat("b", 8<<10)+`"}`)), "InvalidArgument", context, sse + "-context", "null"},
		{"bucket key in capitals", header("", "aws:kms", "-bucket-key-enabled", "True"), "InvalidArgument", "", sse + "-bucket-key-enabled", "True"},
		{"bucket key empty", header("", "aws:kms", "-bucket-key-enabled", ""), "InvalidArgument", "", sse + "-bucket-key-enabled", ""},
		{"bucket key with dsse", header("", "aws:kms:dsse", "-bucket-key-enabled", "true"), "InvalidArgument", "", sse + "-bucket-key-enabled", "true"},
		{"mode twice", header("", "aws:kms", "", "AES256"), "InvalidArgument", "", sse, "null"},
		{"key id twice", header("", "aws:kms", "-aws-kms-key-id", "a", "-aws-kms-key-id", "a"), "InvalidArgument", "", sse + "-aws-kms-key-id", "null"},
		{"unknown of the family", header("", "aws:kms", "-aws-bucket-key-enabled", "true"), "InvalidArgument", "", sse + "-aws-bucket-key-enabled", "null"},
		{"not canonical", http.Header{"x-amz-server-side-encryption": {"AES256"}}, "InvalidArgument", "", sse, "null"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := Asked(tc.in)
			var e *s3.Error
			if !errors.As(err, &e) {
				t.Fatalf("Asked = %+v, %v", got, err)
			}
			if e.Code != tc.code || (tc.message != "" && e.Message != tc.message) {
				t.Errorf("error = %v, want %s: %s", e, tc.code, tc.message)
			}
			want := []s3.Detail{{Name: "ArgumentName", Value: tc.argN}, {Name: "ArgumentValue", Value: tc.value}}
			if !reflect.DeepEqual(e.Details, want) {
				t.Errorf("details = %v, want %v", e.Details, want)
			}
			if !got.IsZero() {
				t.Errorf("a choice came with the error: %+v", got)
			}
		})
	}
}

func TestAskedCopySource(t *testing.T) {
	t.Parallel()
	const p = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-"
	trio := http.Header{p + "Algorithm": {"AES256"}, p + "Key": {testKey64}, p + "Key-Md5": {testKeyMD5}}
	k, err := AskedCopySource(trio)
	if err != nil || !k.Equal(mustKey(t, testKey)) {
		t.Errorf("got %v, %v", k, err)
	}
	if k, err := AskedCopySource(header("-customer-algorithm", "AES256", "-customer-key", testKey64)); k != nil || err != nil {
		t.Errorf("headers of the destination: %v, %v", k, err)
	}
	for name, tc := range map[string]struct {
		change func(h http.Header)
		code   string
	}{
		"algorithm": {func(h http.Header) { h.Set(p+"Algorithm", "AES128") }, "InvalidEncryptionAlgorithmError"},
		"no key":    {func(h http.Header) { h.Del(p + "Key") }, "InvalidArgument"},
		"md5":       {func(h http.Header) { h.Set(p+"Key-Md5", "x") }, "InvalidArgument"},
		"twice":     {func(h http.Header) { h.Add(p+"Key", testKey64) }, "InvalidArgument"},
		"no value":  {func(h http.Header) { h[p+"Key"] = []string{} }, "InvalidArgument"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := trio.Clone()
			tc.change(h)
			_, err := AskedCopySource(h)
			var e *s3.Error
			if !errors.As(err, &e) || e.Code != tc.code {
				t.Errorf("error = %v, want %s", err, tc.code)
			}
		})
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	const source = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key"
	for _, tc := range []struct {
		name string
		in   Choice
		want http.Header
	}{
		{"nothing", Choice{}, header()},
		{"none", Choice{Mode: None, KeyID: "k"}, header()},
		{"mode of the gateway's own", Choice{Mode: "cse"}, header()},
		{"sse-s3 leaves out what is not its own", Choice{Mode: S3, KeyID: "k", Context: map[string]string{"a": "b"}, BucketKey: on()}, header("", "AES256")},
		{"kms", Choice{Mode: KMS, KeyID: "k", Context: map[string]string{"b": "<2>", "a": "1"}, BucketKey: off()},
			header("", "aws:kms", "-aws-kms-key-id", "k", "-context", b64(`{"a":"1","b":"<2>"}`), "-bucket-key-enabled", "false")},
		{"dsse has no bucket key", Choice{Mode: DSSE, BucketKey: on()}, header("", "aws:kms:dsse")},
		{"bucket key alone", Choice{BucketKey: on()}, header("-bucket-key-enabled", "true")},
		{"sse-c", Choice{Mode: C, Customer: mustKey(t, testKey)}, header("-customer-algorithm", "AES256", "-customer-key", testKey64, "-customer-key-md5", testKeyMD5)},
		{"sse-c without key", Choice{Mode: C}, header()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := header("", "rot13", "-context", "x", "-of-next-year", "y", "-customer-key", "z")
			h["x-AMZ-server-side-encryption"] = []string{"not canonical"}
			h.Set(source, testKey64)
			h.Set("Content-Type", "text/plain")
			tc.in.Apply(h)
			want := tc.want.Clone()
			want.Set(source, testKey64)
			want.Set("Content-Type", "text/plain")
			if !maps.EqualFunc(h, want, func(a, b []string) bool { return reflect.DeepEqual(a, b) }) {
				t.Errorf("header = %v, want %v", h, want)
			}
		})
	}
}

func TestApplyCopySource(t *testing.T) {
	t.Parallel()
	h := header("", "AES256")
	mustKey(t, testKey).ApplyCopySource(h)
	k, err := AskedCopySource(h)
	if err != nil || !k.Equal(mustKey(t, testKey)) || len(h) != 4 {
		t.Errorf("read back %v, %v from %d headers", k, err, len(h))
	}
}

// What was understood must survive being sent on: the store reads the same.
func FuzzAsked(f *testing.F) {
	names := []string{"", "-aws-kms-key-id", "-context", "-bucket-key-enabled", "-customer-algorithm", "-customer-key", "-customer-key-md5"}
	f.Add(uint8(1), "AES256", "", "", "", "", "", "")
	f.Add(uint8(15), "aws:kms", "alias/a", b64(`{"a":"b"}`), "true", "", "", "")
	f.Add(uint8(3), "aws:kms:dsse", "arn:aws:kms:NAME", "", "", "", "", "")
	f.Add(uint8(112), "", "", "", "", "AES256", testKey64, testKeyMD5)
	f.Add(uint8(8), "", "", "", "false", "", "", "")
	f.Fuzz(func(t *testing.T, present uint8, mode, key, context, bucketKey, algorithm, customer, sum string) {
		h := make(http.Header)
		for i, v := range []string{mode, key, context, bucketKey, algorithm, customer, sum} {
			if present&(1<<i) != 0 {
				h.Set("x-amz-server-side-encryption"+names[i], v)
			}
		}
		c, err := Asked(h)
		if err != nil {
			var e *s3.Error
			if !errors.As(err, &e) || (e.Status != 400 && e.Status != 501) {
				t.Fatalf("error = %v", err)
			}
			return
		}
		sent := make(http.Header)
		c.Apply(sent)
		again, err := Asked(sent)
		if err != nil {
			t.Fatalf("%v reads back as %v", sent, err)
		}
		if c.Mode == S3 || c.Mode == C || c.Mode == DSSE {
			c.BucketKey = nil // not sent
		}
		if !reflect.DeepEqual(c, again) {
			t.Errorf("%+v reads back as %+v", c, again)
		}
	})
}
