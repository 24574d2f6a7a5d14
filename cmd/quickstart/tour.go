package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
	plainKey   = "reports/hello.txt"
	kmsKey     = "payments/invoice.txt"
	privateKey = "backup/server.pem"
)

var content = []byte("Hello from the quickstart.\n")

// tour is the sequence of requests the demo shows, sent by the AWS SDK as any
// application would.
type tour struct {
	client   *s3.Client
	bucket   string
	records  string // the gateway's decision log
	embedded bool   // the store is ours, and encrypts nothing
	created  bool   // the bucket is the tour's own
}

func newTour(o options, w *workspace, up *stack) *tour {
	return &tour{
		bucket: o.bucket, records: w.path(recordsName), embedded: o.store == nil,
		client: s3.New(s3.Options{
			BaseEndpoint: aws.String(up.endpoint), Region: o.region, UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(w.client.AccessKey, w.client.Secret.Reveal(), ""),
			Retryer:     retryer(),
		}),
	}
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
	steps := []func(context.Context) (section, error){t.upload, t.readBack}
	if t.embedded { // the key of payments/ is made up, and a real store would look for it
		steps = append(steps, t.uploadElsewhere)
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
	_, err := t.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &t.bucket})
	var missing *types.NotFound
	if !errors.As(err, &missing) {
		return t.failed(ctx, "looking for bucket "+t.bucket, err)
	}
	_, err = t.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &t.bucket, CreateBucketConfiguration: t.location()})
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

// cleanUp removes what the tour left in a store of somebody else's: its object, and
// its bucket unless something else is in it by now. Objects that were never written
// are no error.
func (t *tour) cleanUp(ctx context.Context) error {
	if t.embedded {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	key := plainKey
	if _, err := t.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.bucket, Key: &key}); err != nil {
		return t.failed(ctx, "deleting "+key, err)
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

// upload stores an object without a word about encryption.
func (t *tour) upload(ctx context.Context) (section, error) {
	r, err := t.put(ctx, plainKey)
	if err != nil {
		return section{}, err
	}
	s := section{
		title:   "An upload that says nothing about encryption",
		request: fmt.Sprintf("%s, %d bytes, no encryption header", t.request("PUT", plainKey), len(content)),
		facts:   t.written(r, sseS3),
	}
	if t.embedded {
		s.note = "The embedded store takes this header and does not act on it: it does not encrypt by\n" +
			"itself, and the gateway of this version does not seal objects. A store that does not\n" +
			"confirm an encryption is let pass here only (verify if_reported); the default refuses."
	}
	return s, nil
}

// uploadElsewhere does the same under a prefix with another requirement.
func (t *tour) uploadElsewhere(ctx context.Context) (section, error) {
	r, err := t.put(ctx, kmsKey)
	if err != nil {
		return section{}, err
	}
	return section{
		title:   "The same under payments/, which has a key of its own",
		request: t.request("PUT", kmsKey) + ", no encryption header",
		facts:   t.written(r, sseKMS),
	}, nil
}

// encryption is one of the choices that posture.yaml makes.
type encryption struct {
	mode, key string
	header    string
}

var (
	sseS3  = encryption{mode: "sse-s3", header: "x-amz-server-side-encryption: AES256"}
	sseKMS = encryption{mode: "sse-kms", key: "alias/payments", header: "x-amz-server-side-encryption: aws:kms"}
)

func (e encryption) String() string { return under(e.mode, e.key) }

// under names a mode and the key it uses.
func under(mode, key string) string {
	switch {
	case mode == "":
		return "nothing"
	case key == "":
		return mode
	default:
		return mode + ", " + key
	}
}

// written shows the record of an upload that said nothing and had to be encrypted.
func (t *tour) written(r engine.Record, want encryption) []fact {
	confirmed := want.String()
	if t.embedded {
		confirmed = "nothing"
	}
	return []fact{
		seen("client asked", under(r.Asked.Mode, r.Asked.KeyID), "nothing"),
		seen("policy decided", under(r.Decided.Mode, r.Decided.KeyID), want.String()).because("posture.yaml"),
		seen("store was sent", under(r.Sent.Mode, r.Sent.KeyID), want.String()).because(want.header),
		seen("store confirmed", under(r.Answered.Mode, r.Answered.KeyID), confirmed),
		seen("client got", strconv.Itoa(r.Answered.Status), "200"),
	}
}

// readBack reads the object that upload stored.
func (t *tour) readBack(ctx context.Context) (section, error) {
	key := plainKey
	out, err := t.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &t.bucket, Key: &key})
	if err != nil {
		return section{}, t.failed(ctx, "reading "+key, err)
	}
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	if err != nil {
		return section{}, t.failed(ctx, "reading "+key, err)
	}
	same := "the bytes that were sent"
	if !bytes.Equal(got, content) {
		same = fmt.Sprintf("%d other bytes", len(got))
	}
	return section{
		title:   "Reading it back",
		request: t.request("GET", plainKey),
		facts:   []fact{seen("client got", same, "the bytes that were sent")},
	}, nil
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
