package sse

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

const (
	keyA  = "1234abcd-12ab-34cd-56ef-1234567890ab"
	arnA  = "arn:aws:kms:eu-central-1:111122223333:key/" + keyA
	arnA2 = "arn:aws:kms:us-east-1:111122223333:key/" + keyA
	arnB  = "arn:aws:kms:eu-central-1:111122223333:key/another"
)

func TestFromReply(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		in   http.Header
		want Observed
		echo http.Header // nil: as in
	}{
		{"nothing", header(), Observed{}, nil},
		{"sse-s3", header("", "AES256"), Observed{Mode: S3, Reported: true}, nil},
		{"kms", header("", "aws:kms", "-aws-kms-key-id", arnA, "-bucket-key-enabled", "true"), Observed{Mode: KMS, KeyID: arnA, BucketKey: on(), Reported: true}, nil},
		{"kms, bucket key off", header("", "aws:kms", "-bucket-key-enabled", "false"), Observed{Mode: KMS, BucketKey: off(), Reported: true}, header("", "aws:kms")},
		{"dsse", header("", "aws:kms:dsse", "-aws-kms-key-id", arnA), Observed{Mode: DSSE, KeyID: arnA, Reported: true}, nil},
		{"sse-c", header("-customer-algorithm", "AES256", "-customer-key-md5", testKeyMD5), Observed{Mode: C, CustomerMD5: testKeyMD5, Reported: true}, nil},
		{"sse-c without md5", header("-customer-algorithm", "AES256"), Observed{Mode: C, Reported: true}, nil},
		{"unknown word", header("", "rot13"), Observed{Mode: Unknown, Reported: true}, header()},
		{"empty word", header("", ""), Observed{Mode: Unknown, Reported: true}, header()},
		{"fsx", header("", "aws:fsx"), Observed{Mode: Unknown, Reported: true}, header()},
		{"both kinds", header("", "AES256", "-customer-algorithm", "AES256"), Observed{Mode: Unknown, Reported: true}, header()},
		{"two words", header("", "aws:kms", "", "AES256"), Observed{Mode: Unknown, Reported: true}, header()},
		{"other algorithm", header("-customer-algorithm", "DES"), Observed{Mode: Unknown, Reported: true}, header()},
		{"md5 only", header("-customer-key-md5", testKeyMD5), Observed{Mode: Unknown, CustomerMD5: testKeyMD5, Reported: true}, header()},
		{"key id only", header("-aws-kms-key-id", arnA), Observed{Mode: Unknown, KeyID: arnA, Reported: true}, header()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := FromReply(tc.in)
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("FromReply = %+v, want %+v", got, tc.want)
			}
			h := header("", "stale", "-bucket-key-enabled", "true", "-context", "kept")
			got.Echo(h)
			want := tc.echo
			if want == nil {
				want = tc.in
			}
			want = want.Clone()
			want.Set(headerContext, "kept")
			if !reflect.DeepEqual(h, want) {
				t.Errorf("Echo = %v, want %v", h, want)
			}
		})
	}
}

func TestSameKey(t *testing.T) {
	t.Parallel()
	const aliasARN = "arn:aws:kms:eu-central-1:111122223333:alias/app"
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{arnA, arnA, true},
		{arnA, keyA, true},
		{arnA, arnA2, false}, // same id in another region: not known to be the same
		{arnA, strings.Replace(arnA, "aws", "aws-cn", 1), false},
		{arnA, strings.Replace(arnA, "111122223333", "444455556666", 1), false},
		{arnA, arnB, false},
		{arnA, strings.ToUpper(keyA), false},
		{keyA, "alias/" + keyA, false},
		{"alias/app", aliasARN, true},
		{"alias/app", "alias/other", false},
		{"app", aliasARN, false},
		{aliasARN, arnA, false},
		{"alias/app", arnA, false},
		{"test-key", "arn:aws:kms:test-key", true},
		{"alias/app", "arn:aws:kms:alias/app", true},
		{"arn:aws:kms:test-key", "arn:aws:kms:other", false},
		{"arn:aws:kms:" + keyA, arnA, false},
		{"arn:aws:kms:alias/app", aliasARN, false},
		{"arn:aws:s3:::bucket", "bucket", false},
		{"arn:aws:kms:eu-central-1:111122223333:" + keyA, keyA, false},
		{"arn:aws:kms:eu-central-1:111122223333:" + keyA, arnA, false},
		{"key/" + keyA, keyA, false},
		{"key/" + keyA, arnA, false},
		{"arn:", "", false},
		{"arn:aws:kms:", "", false},
		{"", "", false},
		{"", arnA, false},
		{"mrk-1", "arn:aws:kms:eu-central-1:111122223333:key/mrk-1", true},
	} {
		if got := SameKey(tc.a, tc.b); got != tc.want {
			t.Errorf("SameKey(%q, %q) = %v", tc.a, tc.b, got)
		}
		if got := SameKey(tc.b, tc.a); got != tc.want {
			t.Errorf("SameKey(%q, %q) = %v", tc.b, tc.a, got)
		}
	}
}

func TestSatisfiedBy(t *testing.T) {
	t.Parallel()
	mine, other := mustKey(t, testKey), mustKey(t, []byte("another key of 32 bytes, as such"))
	kms := func(key string) Observed { return Observed{Mode: KMS, KeyID: key, Reported: true} }
	for _, tc := range []struct {
		name string
		c    Choice
		o    Observed
		want bool
	}{
		{"nothing asked, nothing said", Choice{}, Observed{}, true},
		{"none asked, something said", Choice{Mode: None}, kms(arnA), true},
		{"asked, nothing said", Choice{Mode: S3}, Observed{}, false},
		{"asked, not reported", Choice{Mode: S3}, Observed{Mode: S3}, false},
		{"same", Choice{Mode: S3}, Observed{Mode: S3, Reported: true}, true},
		{"weaker", Choice{Mode: KMS}, Observed{Mode: S3, Reported: true}, false},
		{"stronger is another", Choice{Mode: S3}, kms(arnA), false},
		{"unknown", Choice{Mode: S3}, Observed{Mode: Unknown, Reported: true}, false},
		{"any key", Choice{Mode: KMS}, kms(arnA), true},
		{"same key", Choice{Mode: KMS, KeyID: keyA}, kms(arnA), true},
		{"other key", Choice{Mode: KMS, KeyID: arnB}, kms(arnA), false},
		{"key not named in the reply", Choice{Mode: KMS, KeyID: arnB}, kms(""), false},
		{"alias resolved", Choice{Mode: KMS, KeyID: "alias/app"}, kms(arnA), true},
		{"alias, no key named", Choice{Mode: KMS, KeyID: "alias/app"}, kms(""), false},
		{"alias, other alias", Choice{Mode: KMS, KeyID: "alias/app"}, kms("alias/other"), false},
		{"dsse other key", Choice{Mode: DSSE, KeyID: arnB}, Observed{Mode: DSSE, KeyID: arnA, Reported: true}, false},
		{"bucket key does not count", Choice{Mode: KMS, BucketKey: on()}, kms(arnA), true},
		{"sse-c", Choice{Mode: C, Customer: mine}, Observed{Mode: C, CustomerMD5: testKeyMD5, Reported: true}, true},
		{"sse-c other key", Choice{Mode: C, Customer: other}, Observed{Mode: C, CustomerMD5: testKeyMD5, Reported: true}, false},
		{"sse-c key not shown", Choice{Mode: C, Customer: mine}, Observed{Mode: C, Reported: true}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := tc.c.SatisfiedBy(tc.o)
			if (err == nil) != tc.want || tc.c.Matches(tc.o) != tc.want {
				t.Errorf("SatisfiedBy = %v, want %v", err, tc.want)
			}
			var m *Mismatch
			if err != nil && (!errors.As(err, &m) || m.Wanted == "" || m.Got == "") {
				t.Errorf("error = %#v", err)
			}
		})
	}
}
