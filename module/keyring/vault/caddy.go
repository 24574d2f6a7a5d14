package vault

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

// Module is a keyring of one key in the transit engine of HashiCorp Vault or
// OpenBao. All fields are evaluated when the configuration is loaded;
// placeholders such as `{env.VAULT_ADDR}` are replaced then. The login begins at
// that time and is not waited for: while Vault is away, what needs the keyring is
// answered with 503.
type Module struct {
	// The URL of Vault: scheme, host and port. `http://` is accepted on this
	// machine only. Redirects are not followed. Required.
	Address string `json:"address,omitempty"`

	// The path of the transit engine. Default: `transit`.
	Mount string `json:"mount,omitempty"`

	// The name of the key, of type aes256-gcm96, aes128-gcm96 or
	// chacha20-poly1305 and not derived. Required.
	Key string `json:"key,omitempty"`

	// Tells apart keys of the same mount and name on different servers. It
	// becomes part of what objects store, so it cannot be changed later.
	// Default: none.
	ID string `json:"id,omitempty"`

	// The namespace of Vault Enterprise or OpenBao. Default: the root.
	Namespace string `json:"namespace,omitempty"`

	// How long wrapping or unwrapping one key, a login or a renewal may take,
	// all attempts included; at most `1m`. Default: `5s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// The path of a PEM file with the certificates to trust. Default: the
	// system's.
	TLSCA string `json:"tls_ca,omitempty"`

	// The token: `{env.NAME}` or `{file./path}`, never the token itself. One
	// of token, token_file and approle is required.
	Token string `json:"token,omitempty"`

	// The path of a file with the token, such as an agent's sink. It is read
	// again at every login.
	TokenFile string `json:"token_file,omitempty"`

	// A login with AppRole.
	AppRole *AppRoleConfig `json:"approle,omitempty"`

	*Keyring `json:"-"` // nil until provisioned
}

// AppRoleConfig is a login with AppRole.
type AppRoleConfig struct {
	// The path of the auth method. Default: `approle`.
	Mount string `json:"mount,omitempty"`

	// The role's id. Required.
	RoleID string `json:"role_id,omitempty"`

	// The path of a file with the secret id. It is read again at every login.
	// Required.
	SecretIDFile string `json:"secret_id_file,omitempty"`
}

// placeholder is the form a secret must have in a configuration, which anybody
// with access to the admin API can read.
var placeholder = regexp.MustCompile(`^\{(env|file)\.[^{}]+\}$`)

// errLiteralToken never shows the value.
var errLiteralToken = errors.New("token must be a placeholder, {env.NAME} or {file./path}, not the token itself")

// CaddyModule returns the Caddy module information.
func (Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "s3_encryption.keyrings.vault",
		New: func() caddy.Module { return new(Module) },
	}
}

// Provision checks the configuration and begins to log in.
func (m *Module) Provision(ctx caddy.Context) error {
	config, err := m.config(caddy.NewReplacer())
	if err != nil {
		return err
	}
	config.Logger = ctx.Slogger()
	m.Keyring, err = New(config)
	return err
}

// Cleanup ends the login.
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
	if m.Token != "" && !placeholder.MatchString(m.Token) {
		return Config{}, errLiteralToken
	}
	c := Config{
		Address:   text("address", m.Address),
		Mount:     text("mount", m.Mount),
		Key:       text("key", m.Key),
		ID:        text("id", m.ID),
		Namespace: text("namespace", m.Namespace),
		Timeout:   time.Duration(m.Timeout),
		CAFile:    text("tls_ca", m.TLSCA),
		Token:     NewSecret(text("token", m.Token)),
		TokenFile: text("token_file", m.TokenFile),
	}
	if m.AppRole != nil {
		c.AppRole = &AppRole{
			Mount:        text("approle: mount", m.AppRole.Mount),
			RoleID:       text("approle: role_id", m.AppRole.RoleID),
			SecretIDFile: text("approle: secret_id_file", m.AppRole.SecretIDFile),
		}
	}
	return c, failed
}

// Interface guards
var (
	_ caddy.Module       = (*Module)(nil)
	_ caddy.Provisioner  = (*Module)(nil)
	_ caddy.CleanerUpper = (*Module)(nil)
)
