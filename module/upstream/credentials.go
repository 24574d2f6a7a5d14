package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// ErrNoCredentials: the client has no provider and the call brings no
// credentials of its own.
var ErrNoCredentials = errors.New("no credentials to sign with")

// Credentials are what a request is signed with. They print as the access key
// and "[redacted]".
type Credentials struct {
	AccessKey    string
	Secret       Secret
	SessionToken Secret // of temporary credentials, else empty
}

// String shows the access key only.
func (c Credentials) String() string { return c.AccessKey + " " + redacted }

// GoString shows the access key only.
func (c Credentials) GoString() string { return c.String() }

// Format writes the access key only, for every verb and flag.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalText gives the access key only; encoding/json uses it too.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue shows the access key only.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Provider gives credentials, fresh ones whenever the old ones run out. It is
// called for every request and must be safe for concurrent use.
type Provider interface {
	Retrieve(ctx context.Context) (Credentials, error)
}

// Static is a Provider of fixed credentials.
func Static(c Credentials) Provider { return static{c} }

type static struct{ credentials Credentials }

func (s static) Retrieve(context.Context) (Credentials, error) { return s.credentials, nil }

// DefaultChain is a Provider of what the AWS SDK finds: environment, shared
// files, web identity, container and instance roles. region is used where a
// role is assumed. Nothing is looked up before the first Retrieve; what is
// found is kept until shortly before it expires, and one lookup at a time
// serves all that wait for it.
func DefaultChain(region string) Provider { return &chain{region: region} }

type chain struct {
	region string
	mu     sync.Mutex
	cache  *aws.CredentialsCache // nil until the SDK's configuration was read
}

func (c *chain) Retrieve(ctx context.Context) (Credentials, error) {
	cache, err := c.load(ctx)
	if err != nil {
		return Credentials{}, err
	}
	v, err := cache.Retrieve(ctx)
	if err != nil {
		return Credentials{}, fmt.Errorf("retrieving aws credentials: %w", err)
	}
	return Credentials{AccessKey: v.AccessKeyID, Secret: NewSecret(v.SecretAccessKey), SessionToken: NewSecret(v.SessionToken)}, nil
}

// load reads the SDK's configuration, once it succeeds. The SDK keeps its own
// HTTP client: given another one, it fails where AWS_CA_BUNDLE is set.
func (c *chain) load(ctx context.Context) (*aws.CredentialsCache, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cache != nil {
		return c.cache, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(c.region))
	if err != nil {
		return nil, fmt.Errorf("reading aws configuration: %w", err)
	}
	if cfg.Credentials == nil {
		return nil, ErrNoCredentials
	}
	cache, ok := cfg.Credentials.(*aws.CredentialsCache)
	if !ok {
		cache = aws.NewCredentialsCache(cfg.Credentials)
	}
	c.cache = cache
	return cache, nil
}
