package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/sealgate/sealgate/module/engine"
)

// The objects the tour writes, or tries to.
const (
	sealedKey  = "reports/hello.txt"
	logKey     = "logs/hello.txt"
	kmsKey     = "payments/invoice.txt"
	privateKey = "backup/server.pem"
)

var content = []byte("Hello from the quickstart.\n")

// tour is the sequence of requests the demo shows, sent by the AWS SDK as any
// application would.
type tour struct {
	client   *s3.Client // of the gateway
	store    *s3.Client // of the store behind it
	bucket   string
	records  string // the gateway's decision log
	keyring  string // path of the gateway's keyring file
	embedded bool   // the store is ours, and encrypts nothing
	created  bool   // the bucket is the tour's own
	own      bool   // the policy is not the demo's
}

func newTour(o options, w *workspace, up *stack) *tour {
	own := credentials.NewStaticCredentialsProvider(w.client.AccessKey, w.client.Secret.Reveal(), "")
	return &tour{
		bucket: o.bucket, records: w.path(recordsName), keyring: w.path(keyringName), embedded: o.store == nil, own: o.own(),
		client: newClient(up.endpoint, o.region, own),
		store:  newClient(up.upstream, o.region, up.credentials),
	}
}

func newClient(endpoint, region string, own aws.CredentialsProvider) *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: &endpoint, Region: region, UsePathStyle: true, Credentials: own, Retryer: retryer()})
}

// retryer repeats what could not be decided in time, as it may be on a busy machine,
// and nothing else: every other answer is worth showing as it is.
func retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Retryables = []retry.IsErrorRetryable{retry.RetryableHTTPStatusCode{
			Codes: map[int]struct{}{http.StatusServiceUnavailable: {}},
		}}
	})
}

// take goes through the tour and prints each section as it is done.
func (t *tour) take(ctx context.Context, p *printer) error {
	steps := []func(context.Context) (section, error){t.uploadSealed, t.seenByStore, t.seenByClient}
	if !t.embedded { // ours does not encrypt
		steps = append(steps, t.uploadEncrypted)
	}
	steps = append(steps, t.wrongKey, t.siteRule)
	for _, step := range steps {
		s, err := step(ctx)
		if err != nil {
			return err
		}
		p.section(s)
	}
	return nil
}

// openBucket makes the bucket, unless it is there.
func (t *tour) openBucket(ctx context.Context) error {
	client := t.client
	if t.own && t.embedded {
		client = t.store // somebody else's policy need not let the demo's client do it
	}
	_, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &t.bucket})
	var missing *types.NotFound
	if !errors.As(err, &missing) {
		return t.failed(ctx, "looking for bucket "+t.bucket, err)
	}
	_, err = client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &t.bucket, CreateBucketConfiguration: t.location()})
	t.created = err == nil
	return t.failed(ctx, "creating bucket "+t.bucket, err)
}

// location is what CreateBucket wants to be told of every region but one.
func (t *tour) location() *types.CreateBucketConfiguration {
	region := t.client.Options().Region
	if region == defaultRegion {
		return nil
	}
	return &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
}

// cleanUp removes what the tour left in a store of somebody else's: its objects,
// and its bucket unless something else is in it by now. Objects that were never written
// are no error.
func (t *tour) cleanUp(ctx context.Context) error {
	if t.embedded {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	for _, key := range []string{sealedKey, logKey} {
		if t.own {
			break // nothing was written
		}
		if _, err := t.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.bucket, Key: &key}); err != nil {
			return t.failed(ctx, "deleting "+key, err)
		}
	}
	if !t.created {
		return nil
	}
	_, err := t.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &t.bucket})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "BucketNotEmpty" {
		return nil
	}
	return t.failed(ctx, "deleting bucket "+t.bucket, err)
}

// wrongKey asks for a KMS key that posture.yaml does not allow.
func (t *tour) wrongKey(ctx context.Context) (section, error) {
	key := kmsKey
	return t.refused(ctx, section{
		title:   "An upload under a key that is not allowed",
		request: t.request("PUT", kmsKey) + ", naming another key",
	}, denial{asked: "sse-kms, alias/somebody-else", rule: "KEY-001"}, &s3.PutObjectInput{
		Key: &key, ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String("alias/somebody-else"),
	})
}

// siteRule runs into the rule in policy/.
func (t *tour) siteRule(ctx context.Context) (section, error) {
	key := privateKey
	return t.refused(ctx, section{
		title:   "An upload that a rule of this site refuses",
		request: t.request("PUT", privateKey),
	}, denial{asked: "nothing", rule: "PEM-001"}, &s3.PutObjectInput{Key: &key})
}

// denial is what must be seen of a refused upload.
type denial struct {
	asked string
	rule  string // one of the findings
}

// refused sends an upload that must be denied before it reaches the store.
func (t *tour) refused(ctx context.Context, s section, want denial, in *s3.PutObjectInput) (section, error) {
	in.Bucket, in.Body = &t.bucket, bytes.NewReader(content)
	_, err := t.client.PutObject(ctx, in)
	var reply *awshttp.ResponseError
	var api smithy.APIError
	switch {
	case err == nil:
		s.facts = []fact{seen("client got", "200", "403 AccessDenied")}
		return s, nil
	case !errors.As(err, &reply), !errors.As(err, &api):
		return s, t.failed(ctx, s.request, err)
	}
	r, err := awaitRecord(ctx, t.records, reply.RequestID)
	if err != nil {
		return s, err
	}
	s.facts = []fact{
		seen("client asked", under(r.Asked.Mode, r.Asked.KeyID), want.asked),
		seen("policy decided", string(r.Outcome), string(engine.OutcomeDenied)),
	}
	s.facts = append(s.facts, rules(r, want.rule, api.ErrorMessage())...)
	s.facts = append(s.facts,
		seen("store was asked", yesNo(r.Answered.UpstreamStatus != 0), "no"),
		seen("client got", strconv.Itoa(reply.HTTPStatusCode())+" "+api.ErrorCode(), strconv.Itoa(http.StatusForbidden)+" AccessDenied"),
	)
	return s, nil
}

// rules are the findings of a denial. One must be the wanted rule, and the client
// must have been told all of them.
func rules(r engine.Record, want, told string) []fact {
	var facts []fact
	found := false
	for _, f := range r.Findings {
		found = found || f.ID == want
		shown := f.ID
		if !strings.Contains(told, f.ID) {
			shown += ", unknown to the client"
		}
		facts = append(facts, seen("by rule", shown, f.ID).because(f.Message))
	}
	if !found {
		facts = append(facts, seen("by rule", "none", want))
	}
	return facts
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// put stores the demo's content and returns the record of the request.
func (t *tour) put(ctx context.Context, key string) (engine.Record, error) {
	out, err := t.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &t.bucket, Key: &key, Body: bytes.NewReader(content)})
	if err != nil {
		return engine.Record{}, t.failed(ctx, "uploading "+key, err)
	}
	id, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	return awaitRecord(ctx, t.records, id)
}

func (t *tour) request(method, key string) string { return method + " /" + t.bucket + "/" + key }

// failed says what was being done when err came, what S3 said, and what the gateway's
// record adds to it. It gives nil for nil.
func (t *tour) failed(ctx context.Context, doing string, err error) error {
	var api smithy.APIError
	var reply *awshttp.ResponseError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &api) || !errors.As(err, &reply):
		return fmt.Errorf("%s: %w", doing, err)
	}
	said := cmp.Or(strings.TrimSuffix(api.ErrorMessage(), "."), "no message")
	r, rerr := awaitRecord(ctx, t.records, reply.RequestID)
	if rerr != nil {
		return fmt.Errorf("%s: %d %s: %s (%w)", doing, reply.HTTPStatusCode(), api.ErrorCode(), said, rerr)
	}
	recorded := string(r.Outcome)
	if !strings.Contains(r.Cause, said) {
		recorded += ", " + r.Cause
	}
	return fmt.Errorf("%s: %d %s: %s (decision record %s: %s)",
		doing, reply.HTTPStatusCode(), api.ErrorCode(), said, r.ID, recorded)
}
