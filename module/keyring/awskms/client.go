package awskms

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealgate/sealgate/module/keyring"
)

// service is what is called of KMS.
type service interface {
	Encrypt(ctx context.Context, in *kms.EncryptInput, options ...func(*kms.Options)) (*kms.EncryptOutput, error)
	Decrypt(ctx context.Context, in *kms.DecryptInput, options ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

// serviceKey is one KMS key, in the region where it is called.
type serviceKey struct {
	arn     string
	service service
}

// encrypt has KMS encrypt key. The blob belongs to the caller.
func (k serviceKey) encrypt(ctx context.Context, key *keyring.DataKey, encryptionContext map[string]string) ([]byte, error) {
	out, err := k.service.Encrypt(ctx, &kms.EncryptInput{
		KeyId:             &k.arn,
		Plaintext:         key[:],
		EncryptionContext: encryptionContext,
	})
	if err != nil {
		return nil, explain(ctx, "Encrypt", k.arn, err)
	}
	if n := len(out.CiphertextBlob); aws.ToString(out.KeyId) != k.arn || n == 0 || n > maxBlob {
		return nil, fmt.Errorf("%w: kms Encrypt with %s: the reply is for another key, or of an impossible length", keyring.ErrUnavailable, k.arn)
	}
	return out.CiphertextBlob, nil
}

// decrypt has KMS decrypt blob, which it does under this key alone.
func (k serviceKey) decrypt(ctx context.Context, blob []byte, encryptionContext map[string]string) (keyring.DataKey, error) {
	if len(blob) == 0 || len(blob) > maxBlob {
		return keyring.DataKey{}, errTruncated
	}
	out, err := k.service.Decrypt(ctx, &kms.DecryptInput{
		KeyId:             &k.arn,
		CiphertextBlob:    blob,
		EncryptionContext: encryptionContext,
	})
	if err != nil {
		return keyring.DataKey{}, explain(ctx, "Decrypt", k.arn, err)
	}
	defer clear(out.Plaintext)
	if aws.ToString(out.KeyId) != k.arn {
		return keyring.DataKey{}, fmt.Errorf("%w: kms Decrypt with %s: the reply is for another key", keyring.ErrUnavailable, k.arn)
	}
	if len(out.Plaintext) != len(keyring.DataKey{}) {
		return keyring.DataKey{}, fmt.Errorf("%w: kms Decrypt with %s: not a data key", keyring.ErrCorrupt, k.arn)
	}
	return keyring.DataKey(out.Plaintext), nil
}

// maxAttempts is how often one call is sent at most.
const maxAttempts = 3

// maxReply bounds a reply, in bytes. Those of KMS to us are about 500.
const maxReply = 64 << 10

// newTransport makes the connections to KMS. Its limits leave room for a second
// attempt within timeout when the first one gets no answer.
func newTransport(timeout time.Duration) *http.Transport {
	attempt := timeout / 2
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: attempt}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   attempt,
		ResponseHeaderTimeout: attempt,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true,
	}
}

// newService makes a client of KMS in one region. It is built field by field,
// not from the SDK's configuration, so that nothing in the environment changes
// where keys are sent.
func newService(c Config, region string, transport http.RoundTripper, provider aws.CredentialsProvider) *kms.Client {
	options := kms.Options{
		Region:      region,
		Credentials: provider,
		HTTPClient: &http.Client{
			Transport: bounded{transport},
			// A request holds a data key: it goes where it was sent, or nowhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts = maxAttempts
			o.MaxBackoff = min(c.Timeout/20, 250*time.Millisecond)
		}),
	}
	if c.Endpoint != "" {
		options.BaseEndpoint = &c.Endpoint
	}
	return kms.New(options)
}

// bounded ends replies that are too long to be any of KMS.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxReply)
	}
	return resp, err
}
