package tests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sealgate/sealgate/tests/servers"
)

// A scenario is a sequence of calls that must look the same to a client whether
// it speaks to the store or to the gateway before it.
type scenario struct {
	name string
	run  func(t *testing.T, c *session)
	tls  bool // the client itself wants TLS for this
}

// session is one client's way through a scenario, to one place.
type session struct {
	ctx    context.Context
	place  place
	bucket string
	other  string // a second bucket, not created

	// encrypted has the store encrypt all of the bucket by itself, so that it
	// compares to a gateway that has it do so.
	encrypted bool

	aws   *s3.Client
	minio *minio.Client
	http  *http.Client // neither signs nor retries
	*transcript
}

// place is somewhere a client can be pointed at.
type place struct {
	name                 string
	endpoint             string
	accessKey, secretKey string
}

func direct(s *servers.Store) place {
	return place{"direct", s.Endpoint, s.AccessKey, s.SecretKey}
}

func through(g *servers.RunningGateway) place {
	return place{"gateway", g.Endpoint, clientKey, clientSecret}
}

func throughPlain(g *servers.RunningGateway) place {
	return place{"gateway-plain", g.PlainEndpoint, clientKey, clientSecret}
}

func newSession(t *testing.T, p place, prefix string, omit []string) *session {
	t.Helper()
	bucket, other := bed.bucketName(prefix), bed.bucketName(prefix)
	x := &transcript{
		next:    authority(t).Transport(),
		replace: strings.NewReplacer(bucket, "<bucket>", other, "<other>"),
		omit:    omit,
	}
	t.Cleanup(x.next.(*http.Transport).CloseIdleConnections)
	c := &session{ctx: t.Context(), place: p, bucket: bucket, other: other, transcript: x, http: &http.Client{
		Transport:     x,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	c.aws = awsClient(p, x)
	var err error
	host, secure := strings.CutPrefix(p.endpoint, "https://")
	c.minio, err = minio.New(strings.TrimPrefix(host, "http://"), &minio.Options{
		Creds: miniocredentials.NewStaticV4(p.accessKey, p.secretKey, ""), Secure: secure, Transport: x,
		Region: servers.Region, BucketLookup: minio.BucketLookupPath, MaxRetries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// awsClient returns an SDK client with the SDK's defaults, but for retries.
func awsClient(p place, transport http.RoundTripper) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(p.endpoint), Region: servers.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(p.accessKey, p.secretKey, ""),
		HTTPClient:  &http.Client{Transport: transport}, RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
}

// ok notes a call that has to succeed everywhere.
func (c *session) ok(t *testing.T, err error) {
	t.Helper()
	c.outcome(err)
	if err != nil {
		t.Errorf("%s: %v", c.place.name, err)
	}
}

// note notes a call that may fail, as long as it fails everywhere alike.
func (c *session) note(err error) { c.outcome(err) }

// refused notes a call that has to fail.
func (c *session) refused(t *testing.T, err error) {
	t.Helper()
	c.outcome(err)
	if err == nil {
		t.Errorf("%s: the call succeeded", c.place.name)
	}
}

// create makes the session's bucket.
func (c *session) create(t *testing.T) {
	t.Helper()
	_, err := c.aws.CreateBucket(c.ctx, &s3.CreateBucketInput{Bucket: &c.bucket})
	c.ok(t, err)
	c.encrypt(t)
}

// encrypt sets the bucket's default, unseen by the transcript.
func (c *session) encrypt(t *testing.T) {
	t.Helper()
	if !c.encrypted {
		return
	}
	_, err := awsClient(c.place, c.next).PutBucketEncryption(c.ctx, &s3.PutBucketEncryptionInput{
		Bucket: &c.bucket,
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{Rules: []types.ServerSideEncryptionRule{{
			ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// put stores an object without more ado.
func (c *session) put(t *testing.T, key string, body []byte) {
	t.Helper()
	_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, Body: bytes.NewReader(body)})
	c.ok(t, err)
}

// holds notes the content of an object, and wants it to be body.
func (c *session) holds(t *testing.T, key string, body []byte) {
	t.Helper()
	got, err := c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: &key})
	c.ok(t, err)
	if err != nil {
		return
	}
	defer got.Body.Close()
	read, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(read, body) {
		t.Errorf("%s: %q holds %d bytes (%v), want %d, or others", c.place.name, key, len(read), err, len(body))
	}
}

// forget closes the connections that are idle.
func (c *session) forget() { c.http.CloseIdleConnections() }

// send signs a request of one's own making for the session's place and sends it.
// hash is the value of x-amz-content-sha256. It returns the status of the reply.
func (c *session) send(t *testing.T, req *http.Request, hash string) (int, error) {
	t.Helper()
	req.Header.Set("X-Amz-Content-Sha256", hash)
	sign(t, req, c.place, hash)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// sign signs a request with the SDK's signer.
func sign(t *testing.T, req *http.Request, p place, hash string) {
	t.Helper()
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	pair := aws.Credentials{AccessKeyID: p.accessKey, SecretAccessKey: p.secretKey}
	if err := signer.SignHTTP(t.Context(), pair, req, hash, "s3", servers.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// errorCode is what a client makes of an error: S3's code where there is one.
func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	var reply minio.ErrorResponse
	if errors.As(err, &reply) {
		return reply.Code
	}
	return "error: " + endpoint.ReplaceAllString(err.Error(), "<endpoint>")
}

// content returns n bytes that do not compress, the same for the same seed.
func content(n int, seed uint64) []byte {
	b := make([]byte, n)
	source := rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "content %d", seed)))
	_, _ = source.Read(b)
	return b
}
