package awskms

import (
	"context"
	"errors"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Credentials are a fixed key pair to sign calls of KMS with.
type Credentials struct {
	AccessKey string
	Secret    Secret
}

// provider gives what the SDK signs with: the pair, or for nil the SDK's
// default chain.
func (c *Credentials) provider(region string) aws.CredentialsProvider {
	if c == nil {
		return &chain{region: region}
	}
	return credentials.NewStaticCredentialsProvider(c.AccessKey, c.Secret.Reveal(), "")
}

// chain is the AWS SDK's default chain: environment, shared files, web
// identity, container and instance roles. Nothing is read or asked before the
// first call of KMS.
type chain struct {
	region string // where a role is assumed
	mu     sync.Mutex
	cache  aws.CredentialsProvider // nil until the SDK's configuration was read
}

// credentialsError: there is nothing to sign with. The SDK's own wrapping of it
// cannot be told from other failures.
type credentialsError struct{ cause error }

func (e *credentialsError) Error() string { return "retrieving aws credentials: " + e.cause.Error() }
func (e *credentialsError) Unwrap() error { return e.cause }

// Retrieve implements aws.CredentialsProvider.
func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	cache, err := c.load(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{err}
	}
	found, err := cache.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{err}
	}
	return found, nil
}

// load reads the SDK's configuration, once it succeeds. The SDK keeps its own
// HTTP client for this: given another one, it fails where AWS_CA_BUNDLE is set.
func (c *chain) load(ctx context.Context) (aws.CredentialsProvider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cache != nil {
		return c.cache, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(c.region))
	if err != nil {
		return nil, err
	}
	if cfg.Credentials == nil {
		return nil, errors.New("none found")
	}
	c.cache = aws.NewCredentialsCache(cfg.Credentials)
	return c.cache, nil
}
