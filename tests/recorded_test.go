package tests

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sealgate/sealgate/tests/servers"
)

// recorded is a gateway of a test's own in front of a recorder.
func recorded(t *testing.T, store http.Handler, modes, options string) (*servers.Recorder, *session) {
	t.Helper()
	r, err := servers.StartRecorder(authority(t), store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	gateway := ownGateway(t, servers.Gateway{
		Upstream: r.Endpoint, AccessKey: "UPSTREAMACCESSKEY", SecretKey: "upstream-secret-key", Options: options,
		Files: map[string]string{"posture.yaml": posture(modes)},
	})
	return r, newSession(t, through(gateway), "recorded", nil)
}

// TestDSSE: no store that runs here knows aws:kms:dsse, so one is played.
func TestDSSE(t *testing.T) {
	t.Parallel()
	const key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	recorder, c := recorded(t, &servers.EchoStore{}, `  "*": {"": {mode: dsse-kms, key_id: "`+key+`", context: {tenant: blue}, on_conflict: replace}}`, "")
	put, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String("k"), Body: bytes.NewReader(plaintext), ServerSideEncryption: types.ServerSideEncryptionAes256,
	})
	c.ok(t, err)
	if err == nil && put.ServerSideEncryption != types.ServerSideEncryptionAwsKmsDsse {
		t.Errorf("the reply says %q", put.ServerSideEncryption)
	}
	u := c.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("parts")})
	u.part(1, plaintext, "")
	c.ok(t, u.complete(1))
	c.holds(t, "k", plaintext)
	c.holds(t, "parts", plaintext)

	writes := 0
	for _, r := range recorder.Requests() {
		_, isPart := strings.CutPrefix(r.RequestURI[strings.Index(r.RequestURI+"?", "?"):], "?partNumber")
		creates := r.Method == http.MethodPut && !isPart || strings.Contains(r.RequestURI, "?uploads")
		mode, id, context := r.Header.Get("X-Amz-Server-Side-Encryption"),
			r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"), r.Header.Get("X-Amz-Server-Side-Encryption-Context")
		if !creates {
			if mode+id+context != "" {
				t.Errorf("%s %s carries encryption headers", r.Method, r.RequestURI)
			}
			continue
		}
		writes++
		if mode != "aws:kms:dsse" || id != key || context != "eyJ0ZW5hbnQiOiJibHVlIn0=" {
			t.Errorf("%s %s was sent with %q, key %q, context %q", r.Method, r.RequestURI, mode, id, context)
		}
		if r.Header.Get("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled") != "" {
			t.Errorf("%s %s asks for a bucket key, which DSSE does not have", r.Method, r.RequestURI)
		}
	}
	if writes != 2 {
		t.Errorf("%d writes reached the store, want 2", writes)
	}
}

// TestWeakReply: a store that does not confirm what was decided is not believed.
func TestWeakReply(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(http.Header){
		"silent": func(h http.Header) {
			for header := range h {
				if strings.HasPrefix(header, "X-Amz-Server-Side-Encryption") {
					h.Del(header)
				}
			}
		},
		"weaker": func(h http.Header) { h.Set("X-Amz-Server-Side-Encryption", "AES256") },
		"another key": func(h http.Header) {
			h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "another-key")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder, c := recorded(t, &servers.EchoStore{Change: change}, `  "*": {"": {mode: sse-kms, key_id: some-key}}`, "")
			put := func(key string) error {
				_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, Body: bytes.NewReader(plaintext)})
				return err
			}
			if err := put("first"); err == nil || !strings.Contains(err.Error(), "StatusCode: 502") {
				t.Errorf("a weak reply was passed on as: %v; want status 502", err)
			}
			reached := len(recorder.Requests())
			if err := put("second"); err == nil || !strings.Contains(err.Error(), "StatusCode: 501") {
				t.Errorf("the same again: %v; want status 501", err)
			}
			if now := len(recorder.Requests()); now != reached {
				t.Errorf("the store was asked again: %d requests, then %d", reached, now)
			}
		})
	}
}

// TestRefusedUntouched: what is refused never reaches the store: no request, and
// no connection.
func TestRefusedUntouched(t *testing.T) {
	t.Parallel()
	recorder, c := recorded(t, &servers.EchoStore{}, `  "covered-*": {"": {mode: sse-s3}}`+"\n"+`  "recorded-*": {"": {mode: sse-kms, key_id: some-key}}`, "")
	body := func() *bytes.Reader { return bytes.NewReader(plaintext) }
	stranger := awsClient(place{"", c.place.endpoint, strangerKey, strangerSecret}, c.transcript)
	impostor := awsClient(place{"", c.place.endpoint, clientKey, "not-the-secret-at-all"}, c.transcript)
	nobody := awsClient(place{"", c.place.endpoint, "NOBODYSACCESSKEY1", clientSecret}, c.transcript)
	in := func() *s3.PutObjectInput {
		return &s3.PutObjectInput{Bucket: &c.bucket, Key: aws.String("k"), Body: body()}
	}
	for _, tc := range []struct {
		name, code string
		call       func() error
	}{
		{"no grant to write", "AccessDenied", func() error { _, err := stranger.PutObject(c.ctx, in()); return err }},
		{"no grant to read", "AccessDenied", func() error {
			_, err := stranger.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("k")})
			return err
		}},
		{"no grant to list", "AccessDenied", func() error {
			_, err := stranger.ListObjectsV2(c.ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket})
			return err
		}},
		{"wrong secret", "SignatureDoesNotMatch", func() error { _, err := impostor.PutObject(c.ctx, in()); return err }},
		{"unknown access key", "InvalidAccessKeyId", func() error { _, err := nobody.PutObject(c.ctx, in()); return err }},
		{"a bucket without posture", "AccessDenied", func() error {
			_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: aws.String("uncovered"), Key: aws.String("k"), Body: body()})
			return err
		}},
		{"another key than the one demanded", "AccessDenied", func() error {
			ask := in()
			ask.ServerSideEncryption, ask.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, aws.String("other-key")
			_, err := c.aws.PutObject(c.ctx, ask)
			return err
		}},
		{"a header no one knows", "", func() error {
			_, err := c.aws.PutObject(c.ctx, in(), raw("x-amz-not-a-header", "1"))
			return err
		}},
		{"a wrong hash of a small body", "XAmzContentSHA256Mismatch", func() error {
			req, err := http.NewRequestWithContext(c.ctx, http.MethodPut, c.place.endpoint+"/"+c.bucket+"/k", body())
			if err != nil {
				t.Fatal(err)
			}
			return statusError(c.send(t, req, strings.Repeat("0", 64)))
		}},
		{"an unsigned x-amz header", "AccessDenied", func() error {
			req, err := http.NewRequestWithContext(c.ctx, http.MethodPut, c.place.endpoint+"/"+c.bucket+"/k", body())
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
			sign(t, req, c.place, "UNSIGNED-PAYLOAD")
			req.Header.Set("X-Amz-Meta-Added", "later")
			resp, err := c.http.Do(req)
			if err != nil {
				return err
			}
			return statusError(resp.StatusCode, resp.Body.Close())
		}},
		{"a sub-resource no one knows", "", func() error {
			req, err := http.NewRequestWithContext(c.ctx, http.MethodPut, c.place.endpoint+"/"+c.bucket+"/k?newthing", body())
			if err != nil {
				t.Fatal(err)
			}
			return statusError(c.send(t, req, "UNSIGNED-PAYLOAD"))
		}},
	} {
		err := tc.call()
		if err == nil {
			t.Errorf("%s: it was let through", tc.name)
		} else if code := c.lastCode(err); tc.code != "" && code != tc.code {
			t.Errorf("%s: refused with %q, want %s (%v)", tc.name, code, tc.code, err)
		}
	}
	if n, reached := recorder.Connections(), recorder.Requests(); n != 0 || len(reached) != 0 {
		t.Errorf("the store saw %d connections and %d requests", n, len(reached))
	}
}

// statusError makes an error of a reply that is not a success.
func statusError(status int, err error) error {
	if err == nil && status >= 400 {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

// lastCode returns the S3 code of a failed call, from the error or from the
// last reply.
func (c *session) lastCode(err error) string {
	code := errorCode(err)
	if strings.HasPrefix(code, "error: ") && len(c.entries) > 0 {
		last := strings.Fields(c.entries[len(c.entries)-1])
		code = last[len(last)-1]
	}
	return code
}
