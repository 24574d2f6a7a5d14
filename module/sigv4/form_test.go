package sigv4

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
)

// The policy of AWS's example, "Example: Browser-Based Upload using HTTP POST
// (Using AWS Signature Version 4)".
const examplePolicy = `{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}`

// AWS publishes the policy in this encoding, with these line ends, and its
// signature.
var examplePolicyEncoded = base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(examplePolicy, "\n", "\r\n")))

const examplePolicySignature = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"

var exampleFormTime = time.Date(2015, 12, 29, 0, 0, 0, 0, time.UTC)

func exampleForm() Fields {
	return Fields{
		"key":                          "user/user1/photo.png",
		"acl":                          "public-read",
		"success_action_redirect":      "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
		"content-type":                 "image/png",
		"x-amz-meta-uuid":              "14365123651274",
		"x-amz-server-side-encryption": "AES256",
		"x-amz-meta-tag":               "",
		"x-amz-credential":             "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
		"x-amz-algorithm":              algorithm,
		"x-amz-date":                   "20151229T000000Z",
		"policy":                       examplePolicyEncoded,
		"x-amz-signature":              examplePolicySignature,
	}
}

func TestVerifyFormAWSExample(t *testing.T) {
	t.Parallel()
	c, err := ParseFormClaim(exampleForm())
	if err != nil {
		t.Fatal(err)
	}
	p, err := verifierAt(exampleFormTime.Add(12*time.Hour)).VerifyForm(c, exampleSecret)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	if p.Kind != Form || p.Credential.AccessKey != exampleAccessKey || p.Payload != PayloadNone {
		t.Errorf("got %+v", p.Claim)
	}
	policy, err := ParsePostPolicy(c.Policy)
	if err != nil {
		t.Fatal(err)
	}
	if err := policy.Check(exampleFormTime, exampleForm(), "sigv4examplebucket"); err != nil {
		t.Error(err)
	}
}

func TestVerifyFormMinio(t *testing.T) {
	t.Parallel()
	f := exampleForm()
	f["x-amz-signature"] = signer.PostPresignSignatureV4(f["policy"], exampleFormTime, exampleSecret, "us-east-1")
	c, err := ParseFormClaim(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifierAt(exampleFormTime).VerifyForm(c, exampleSecret); err != nil {
		t.Error(err)
	}
}

func TestFormAttacks(t *testing.T) {
	t.Parallel()
	const order = "'.  If it is specified, please check the order of the fields."
	set := func(name, value string) func(Fields) { return func(f Fields) { f[name] = value } }
	remove := func(name string) func(Fields) { return func(f Fields) { delete(f, name) } }
	for _, test := range []struct {
		name          string
		change        func(Fields)
		code, message string
	}{
		{"no signature", remove("x-amz-signature"), "InvalidArgument", "Bucket POST must contain a field named 'X-Amz-Signature" + order},
		{"no credential", remove("x-amz-credential"), "InvalidArgument", "'X-Amz-Credential" + order},
		{"no algorithm", remove("x-amz-algorithm"), "InvalidArgument", "'X-Amz-Algorithm" + order},
		{"no date", remove("x-amz-date"), "InvalidArgument", "'X-Amz-Date" + order},
		{"no policy", remove("policy"), "InvalidArgument", "'policy" + order},
		{"empty policy", set("policy", ""), "InvalidArgument", "'policy" + order},
		{"V2 as well", set("awsaccesskeyid", "AK"), "InvalidArgument", "Only one auth mechanism"},
		{"V2", func(f Fields) {
			for _, name := range []string{"x-amz-signature", "x-amz-algorithm", "x-amz-credential", "x-amz-date"} {
				delete(f, name)
			}
			f["awsaccesskeyid"], f["signature"] = "AK", "c2ln"
		}, "InvalidRequest", "signature_version='s3v4'"},
		{"token", set("x-amz-security-token", "t"), "InvalidToken", ""},
		{"SigV4A", set("x-amz-algorithm", algorithmV4A), "InvalidRequest", "SigV4A"},
		{"other algorithm", set("x-amz-algorithm", "x"), "InvalidArgument", "only supports"},
		{"other date", set("x-amz-date", "20151230T000000Z"), "InvalidArgument", "Invalid credential date"},
		{"bad date", set("x-amz-date", "today"), "InvalidArgument", "ISO8601"},
		{"bad credential", set("x-amz-credential", "x"), "InvalidArgument", "mal-formed"},
		{"other service", set("x-amz-credential", "AK/20151229/us-east-1/ec2/aws4_request"), "InvalidArgument", "incorrect service"},
		{"other region", set("x-amz-credential", "AK/20151229/eu-west-1/s3/aws4_request"), "InvalidArgument", "the region 'eu-west-1' is wrong"},
		{"other signature", set("x-amz-signature", strings.Repeat("0", 64)), "SignatureDoesNotMatch", ""},
		{"upper-case signature", set("x-amz-signature", strings.ToUpper(examplePolicySignature)), "SignatureDoesNotMatch", ""},
		{"other policy", set("policy", "e30="), "SignatureDoesNotMatch", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := exampleForm()
			test.change(f)
			c, err := ParseFormClaim(f)
			if err == nil {
				_, err = verifierAt(exampleFormTime).VerifyForm(c, exampleSecret)
			}
			wantRefusal(t, err, test.code, test.message)
		})
	}
}

func TestFormTooEarly(t *testing.T) {
	t.Parallel()
	c, err := ParseFormClaim(exampleForm())
	if err != nil {
		t.Fatal(err)
	}
	_, err = verifierAt(exampleFormTime.Add(-16*time.Minute)).VerifyForm(c, exampleSecret)
	wantRefusal(t, err, "AccessDenied", "not valid yet")
}

func TestFormAnonymous(t *testing.T) {
	t.Parallel()
	c, err := ParseFormClaim(Fields{"key": "a", "content-type": "b"})
	if err != nil || c.Kind != Anonymous || c.Policy != "" {
		t.Fatalf("got %+v, %v, want anonymous", c, err)
	}
	if _, err := verifierAt(exampleFormTime).VerifyForm(c, exampleSecret); err == nil {
		t.Error("an anonymous form was proved")
	}
}

func TestPostPolicyCheck(t *testing.T) {
	t.Parallel()
	policy, err := ParsePostPolicy(examplePolicyEncoded)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2015, 12, 30, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name    string
		now     time.Time
		bucket  string
		fields  Fields // added; "-" removes
		message string
	}{
		{"last moment", end.Add(-time.Nanosecond), "", nil, ""},
		{"expired", end, "", nil, "Policy expired."},
		{"other bucket", exampleFormTime, "other", nil, `Policy Condition failed: ["eq", "$bucket", "sigv4examplebucket"]`},
		{"bucket as a field too", exampleFormTime, "", Fields{"bucket": "anything"}, ""},
		{"other key", exampleFormTime, "", Fields{"key": "user/user2/x"}, `Policy Condition failed: ["starts-with", "$key", "user/user1/"]`},
		{"other acl", exampleFormTime, "", Fields{"acl": "private"}, `Policy Condition failed: ["eq", "$acl", "public-read"]`},
		{"acl missing", exampleFormTime, "", Fields{"acl": "-"}, `Policy Condition failed: ["eq", "$acl", "public-read"]`},
		{"other encryption", exampleFormTime, "", Fields{"x-amz-server-side-encryption": "aws:kms"}, `Policy Condition failed: ["eq", "$x-amz-server-side-encryption", "AES256"]`},
		{"any value", exampleFormTime, "", Fields{"x-amz-meta-tag": "anything"}, ""},
		{"any value but missing", exampleFormTime, "", Fields{"x-amz-meta-tag": "-"}, `Policy Condition failed: ["starts-with", "$x-amz-meta-tag", ""]`},
		{"list of types", exampleFormTime, "", Fields{"content-type": "image/png, image/jpeg,image/gif"}, ""},
		{"list with another type", exampleFormTime, "", Fields{"content-type": "image/png,text/html"}, `Policy Condition failed: ["starts-with", "$Content-Type", "image/"]`},
		{"extra fields", exampleFormTime, "", Fields{"x-amz-meta-b": "1", "tagging": "x"}, "Extra input fields: tagging, x-amz-meta-b"},
		{"exempt fields", exampleFormTime, "", Fields{"x-ignore-a": "1", "file": "x", "awsaccesskeyid": "AK"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := exampleForm()
			maps.Copy(f, test.fields)
			maps.DeleteFunc(f, func(_, v string) bool { return v == "-" })
			bucket := test.bucket
			if bucket == "" {
				bucket = "sigv4examplebucket"
			}
			err := policy.Check(test.now, f, bucket)
			if test.message == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := wantRefusal(t, err, "AccessDenied", ""); e.Message != "Invalid according to Policy: "+test.message {
				t.Errorf("got  %s\nwant %s", e.Message, test.message)
			}
		})
	}
	t.Run("bucket not covered", func(t *testing.T) {
		t.Parallel()
		p, err := parsePolicyText(`{"expiration":"2100-01-01T00:00:00Z","conditions":[{"key":"k"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, p.Check(exampleFormTime, Fields{"key": "k"}, "b"), "AccessDenied", "Extra input fields: bucket")
	})
	t.Run("zero policy", func(t *testing.T) {
		t.Parallel()
		wantRefusal(t, PostPolicy{}.Check(exampleFormTime, nil, "b"), "AccessDenied", "Policy expired.")
	})
}

func parsePolicyText(text string) (PostPolicy, error) {
	return ParsePostPolicy(base64.StdEncoding.EncodeToString([]byte(text)))
}

func TestParsePostPolicyErrors(t *testing.T) {
	t.Parallel()
	with := func(conditions string) string {
		return `{"expiration":"2100-01-01T00:00:00Z","conditions":` + conditions + `}`
	}
	for _, test := range []struct{ name, text, message string }{
		{"empty", ``, "Invalid JSON."},
		{"null", `null`, "Invalid JSON."},
		{"array", `[]`, "Invalid JSON."},
		{"cut", `{"expiration":"2100-01-01T00:00:00Z"`, "Invalid JSON."},
		{"more after it", with(`[]`) + `{}`, "Invalid JSON."},
		{"not UTF-8", with(`[{"a":"` + "\xff" + `"}]`), "Invalid JSON."},
		{"unknown name", `{"Version":"1"}`, "Unexpected: 'Version'"},
		{"name in another case", `{"Expiration":"2100-01-01T00:00:00Z"}`, "Unexpected: 'Expiration'"},
		{"name twice", `{"expiration":"2100-01-01T00:00:00Z","expiration":"2100-01-01T00:00:00Z"}`, "Unexpected: 'expiration'"},
		{"no expiration", `{"conditions":[]}`, "Policy missing expiration."},
		{"no conditions", `{"expiration":"2100-01-01T00:00:00Z"}`, "Policy missing conditions."},
		{"bad expiration", `{"expiration":"tomorrow","conditions":[]}`, "Invalid 'expiration' value: 'tomorrow'"},
		{"number for expiration", `{"expiration":1,"conditions":[]}`, "Invalid 'expiration' value"},
		{"conditions not a list", with(`{}`), "must be a List."},
		{"condition a string", with(`["eq"]`), "must be a List or Object."},
		{"condition null", with(`[null]`), "must be a List or Object."},
		{"empty object", with(`[{}]`), "exactly one property"},
		{"two properties", with(`[{"a":"b","c":"d"}]`), "exactly one property"},
		{"number value", with(`[{"success_action_status":201}]`), "value must be a string."},
		{"nested value", with(`[{"a":{"b":"c"}}]`), "value must be a string."},
		{"empty list", with(`[[]]`), "missing operation identifier."},
		{"number operation", with(`[[1]]`), "missing operation identifier."},
		{"unknown operation", with(`[["ends-with","$key","x"]]`), "unknown operation 'ends-with'."},
		{"too few", with(`[["eq","$key"]]`), "Invalid eq: wrong number of arguments."},
		{"too many", with(`[["eq","$key","a","b"]]`), "Invalid eq: wrong number of arguments."},
		{"field without dollar", with(`[["eq","key","a"]]`), "starts with '$'"},
		{"empty field", with(`[["eq","$","a"]]`), "starts with '$'"},
		{"range too few", with(`[["content-length-range",1]]`), "wrong number of arguments."},
		{"range too many", with(`[["content-length-range",1,2,3]]`), "wrong number of arguments."},
		{"range negative", with(`[["content-length-range",-1,2]]`), "not a number of bytes"},
		{"range fraction", with(`[["content-length-range",0,2.5]]`), "not a number of bytes"},
		{"range exponent", with(`[["content-length-range",0,1e3]]`), "not a number of bytes"},
		{"range huge", with(`[["content-length-range",0,9223372036854775808]]`), "not a number of bytes"},
		{"range reversed", with(`[["content-length-range",2,1]]`), "minimum is larger"},
		{"deep", with(strings.Repeat(`[`, 1000) + strings.Repeat(`]`, 1000)), "missing operation identifier."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := parsePolicyText(test.text)
			wantRefusal(t, err, "InvalidPolicyDocument", test.message)
		})
	}
	t.Run("base64", func(t *testing.T) {
		t.Parallel()
		_, err := ParsePostPolicy("{}")
		wantRefusal(t, err, "InvalidPolicyDocument", "invalid Base64 encoding.")
	})
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		_, err := parsePolicyText(with(`[{"a":"` + strings.Repeat("x", maxPostPolicy) + `"}]`))
		wantRefusal(t, err, "MaxPostPreDataLengthExceededError", "")
	})
}

func TestPostPolicyLengthRange(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		conditions  string
		least, most int64
		ok          bool
	}{
		{`[]`, 0, 1<<63 - 1, false},
		{`[["content-length-range",1,10]]`, 1, 10, true},
		{`[["content-length-range","1","10"]]`, 1, 10, true},
		{`[["content-length-range",0,10],["content-length-range",5,20]]`, 5, 10, true},
		{`[["content-length-range",0,1],["content-length-range",5,20]]`, 5, 1, true},
	} {
		t.Run(test.conditions, func(t *testing.T) {
			t.Parallel()
			p, err := parsePolicyText(`{"expiration":"2100-01-01T00:00:00+02:00","conditions":` + test.conditions + `}`)
			if err != nil {
				t.Fatal(err)
			}
			least, most, ok := p.LengthRange()
			if least != test.least || most != test.most || ok != test.ok {
				t.Errorf("got %d %d %v, want %d %d %v", least, most, ok, test.least, test.most, test.ok)
			}
			for size := range int64(25) {
				err, fits := p.CheckLength(size), !ok || size >= least && size <= most
				if (err == nil) != fits {
					t.Errorf("size %d: got %v, want fits = %v", size, err, fits)
				}
				if !fits && size > most {
					wantRefusal(t, err, "EntityTooLarge", "")
				} else if !fits {
					wantRefusal(t, err, "EntityTooSmall", "")
				}
			}
		})
	}
}
