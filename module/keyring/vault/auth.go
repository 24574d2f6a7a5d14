package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/sealgate/sealgate/module/keyring"
)

// AppRole is a login with a role id and a secret id:
// https://developer.hashicorp.com/vault/docs/auth/approle
type AppRole struct {
	// Mount is the path of the auth method; "" is "approle".
	Mount string
	// RoleID is the role's id, which is not secret by itself.
	RoleID string
	// SecretIDFile is the file with the secret id. It is read at every login.
	SecretIDFile string
}

// lease is a token and for how long it is good.
type lease struct {
	token     Secret
	ttl       time.Duration // 0: does not expire
	renewable bool
	expires   time.Time // zero: does not expire
}

func newLease(token string, ttl time.Duration, renewable bool) lease {
	l := lease{token: NewSecret(token), ttl: ttl, renewable: renewable}
	if ttl > 0 {
		l.expires = time.Now().Add(ttl)
	}
	return l
}

// login gets a lease with what c has to log in with, and leaves its token set in
// client, which nobody else uses meanwhile.
func login(ctx context.Context, c Config, client *api.Client) (lease, error) {
	client.ClearToken()
	if c.AppRole != nil {
		return c.AppRole.login(ctx, client)
	}
	token := c.Token.Reveal()
	if c.TokenFile != "" {
		var err error
		if token, err = readSecret(c.TokenFile); err != nil {
			return lease{}, fmt.Errorf("%w: reading the vault token: %w", keyring.ErrUnavailable, err)
		}
	}
	client.SetToken(token)
	secret, err := client.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return lease{}, explain(ctx, "look up token", err)
	}
	if secret == nil || secret.Data["ttl"] == nil {
		return lease{}, errLookup
	}
	ttl, err := secret.TokenTTL()
	if err != nil {
		return lease{}, errLookup
	}
	renewable, err := secret.TokenIsRenewable()
	if err != nil {
		return lease{}, errLookup
	}
	return newLease(token, ttl, renewable), nil
}

var errLookup = fmt.Errorf("%w: vault look up token: no usable reply", keyring.ErrUnavailable)

func (a *AppRole) login(ctx context.Context, client *api.Client) (lease, error) {
	secretID, err := readSecret(a.SecretIDFile)
	if err != nil {
		return lease{}, fmt.Errorf("%w: reading the secret id: %w", keyring.ErrUnavailable, err)
	}
	secret, err := client.Logical().WriteWithContext(ctx, "auth/"+a.Mount+"/login", map[string]any{
		"role_id":   a.RoleID,
		"secret_id": secretID,
	})
	if err != nil {
		return lease{}, explain(ctx, "log in", err)
	}
	l, err := granted(secret, "log in")
	if err == nil {
		client.SetToken(l.token.Reveal())
	}
	return l, err
}

// renew prolongs the token of client.
func renew(ctx context.Context, client *api.Client) (lease, error) {
	secret, err := client.Auth().Token().RenewSelfWithContext(ctx, 0)
	if err != nil {
		return lease{}, explain(ctx, "renew token", err)
	}
	return granted(secret, "renew token")
}

// granted reads what Vault says of a new or renewed token.
func granted(secret *api.Secret, call string) (lease, error) {
	if secret == nil || secret.Auth == nil || !validToken(secret.Auth.ClientToken) {
		return lease{}, fmt.Errorf("%w: vault %s: no token in the reply", keyring.ErrUnavailable, call)
	}
	return newLease(secret.Auth.ClientToken, time.Duration(secret.Auth.LeaseDuration)*time.Second, secret.Auth.Renewable), nil
}

// maxSecret bounds the files of tokens and secret ids, in bytes.
const maxSecret = 8 << 10

var errSecretFile = errors.New("the file holds no token or secret id")

// readSecret reads a file with one line. Errors show the path and no content.
func readSecret(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(content))
	if len(content) > maxSecret || !validToken(text) {
		return "", fmt.Errorf("%s: %w", path, errSecretFile)
	}
	return text, nil
}

// validToken reports whether text can go into a header.
func validToken(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
