package awskms

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func init() {
	caddy.RegisterModule(Module{})
}

// Module is a keyring of AWS KMS keys. All fields are evaluated when the
// configuration is loaded; placeholders such as `{env.KMS_KEY}` are replaced
// then. KMS is not called before the first object.
type Module struct {
	// The ARN of the key that wraps new data keys,
	// `arn:aws:kms:REGION:ACCOUNT:key/ID`. Aliases are refused. Required.
	Key string `json:"key,omitempty"`

	// ARNs of keys that only read what was written with them. Default: none.
	Old []string `json:"old,omitempty"`

	// The region in which multi-Region keys (`mrk-…`) are called, when it is
	// not the one in their ARN. Default: the region in each ARN.
	Region string `json:"region,omitempty"`

	// The URL of KMS, for private and FIPS endpoints: scheme and host.
	// `http://` is accepted on this machine only. Default: AWS's public
	// endpoint of the region.
	Endpoint string `json:"endpoint,omitempty"`

	// How long wrapping or unwrapping one key may take, all attempts
	// included; at most `1m`. Default: `5s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// What calls are signed with. Default: the AWS SDK's chain (environment,
	// shared files, web identity, container and instance roles).
	Credentials *CredentialsConfig `json:"credentials,omitempty"`

	// Wraps many data keys under one intermediate key. Default: off, one call
	// of KMS for each data key.
	Reuse *ReuseConfig `json:"reuse,omitempty"`

	*Keyring `json:"-"` // nil until provisioned
}

// CredentialsConfig says what calls of KMS are signed with.
type CredentialsConfig struct {
	// `default`, the AWS SDK's chain, or `static`. Default: `default`.
	Source string `json:"source,omitempty"`

	// The access key, with `static`.
	AccessKey string `json:"access_key,omitempty"`

	// The secret access key, with `static`: `{env.NAME}` or `{file./path}`,
	// never the secret itself.
	Secret string `json:"secret,omitempty"`
}

// ReuseConfig bounds the use of one intermediate key.
type ReuseConfig struct {
	// How long an intermediate key wraps new data keys, and how long it is
	// kept in memory for reading; at most `24h`. For that time it works on
	// after KMS would refuse. Default: `5m`.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// How many data keys one intermediate key wraps; at most 10000000.
	// Default: 10000.
	MaxObjects int `json:"max_objects,omitempty"`
}

// Credential sources.
const (
	credentialsDefault = "default"
	credentialsStatic  = "static"
)

// placeholder is the form a secret must have in a configuration, which anybody
// with access to the admin API can read.
var placeholder = regexp.MustCompile(`^\{(env|file)\.[^{}]+\}$`)

// errLiteralSecret never shows the value.
var errLiteralSecret = errors.New("credentials static: the secret must be a placeholder, {env.NAME} or {file./path}, not the secret itself")

// CaddyModule returns the Caddy module information.
func (Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "s3_encryption.keyrings.aws_kms",
		New: func() caddy.Module { return new(Module) },
	}
}

// Provision checks the configuration. It calls nobody.
func (m *Module) Provision(caddy.Context) error {
	config, err := m.config(caddy.NewReplacer())
	if err != nil {
		return err
	}
	m.Keyring, err = New(config)
	return err
}

// Cleanup ends the keyring.
func (m *Module) Cleanup() error {
	if m.Keyring != nil {
		m.Close()
	}
	return nil
}

// config replaces placeholders.
func (m *Module) config(replacer *caddy.Replacer) (Config, error) {
	var failed error
	text := func(field, value string) string {
		out, err := replacer.ReplaceOrErr(value, false, true)
		if err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", field, err)
		}
		return strings.TrimSpace(out)
	}
	c := Config{
		Key:      text("key", m.Key),
		Region:   text("region", m.Region),
		Endpoint: text("endpoint", m.Endpoint),
		Timeout:  time.Duration(m.Timeout),
	}
	for _, old := range m.Old {
		c.Old = append(c.Old, text("old", old))
	}
	if m.Reuse != nil {
		c.Reuse = &Reuse{MaxAge: time.Duration(m.Reuse.MaxAge), MaxObjects: m.Reuse.MaxObjects}
	}
	if failed != nil {
		return c, failed
	}
	if m.Credentials == nil {
		return c, nil
	}
	switch source := text("credentials", m.Credentials.Source); source {
	case "", credentialsDefault:
		if m.Credentials.AccessKey != "" || m.Credentials.Secret != "" {
			return c, errors.New("credentials default takes no access key and no secret")
		}
	case credentialsStatic:
		if !placeholder.MatchString(m.Credentials.Secret) {
			return c, errLiteralSecret
		}
		c.Credentials = &Credentials{
			AccessKey: text("credentials: access key", m.Credentials.AccessKey),
			Secret:    NewSecret(text("credentials: secret", m.Credentials.Secret)),
		}
	default:
		return c, fmt.Errorf("credentials %q is neither default nor static", source)
	}
	return c, failed
}

// Interface guards
var (
	_ caddy.Module       = (*Module)(nil)
	_ caddy.Provisioner  = (*Module)(nil)
	_ caddy.CleanerUpper = (*Module)(nil)
)
