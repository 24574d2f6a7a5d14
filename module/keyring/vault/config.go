package vault

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// Defaults of a Config.
const (
	DefaultMount   = "transit"
	DefaultTimeout = 5 * time.Second
	defaultAppRole = "approle"
)

const maxTimeout = time.Minute

// Config says which key a Keyring has and how it reaches Vault.
type Config struct {
	// Address is the URL of Vault: https://, or http:// on this machine.
	Address string
	// Mount is the path of the transit engine; "" is DefaultMount.
	Mount string
	// Key is the name of the key there.
	Key string
	// ID is added to the name that objects store for the key; "" adds nothing.
	// It tells apart keys of the same mount and name on different servers.
	ID string
	// Namespace is the namespace of Vault Enterprise or OpenBao; "" is the root.
	Namespace string
	// Timeout limits a Wrap or Unwrap with all its attempts, and each login
	// and renewal; 0 is DefaultTimeout, a minute the most.
	Timeout time.Duration
	// CAFile has the PEM certificates to trust in place of the system's; ""
	// is the system's.
	CAFile string

	// Exactly one of these says how to log in.
	Token     Secret
	TokenFile string // read at every login
	AppRole   *AppRole

	// Logger is told of logins and what fails; nil is nobody.
	Logger *slog.Logger

	roots *x509.CertPool
}

// checked is c with its defaults, or what is wrong with it.
func (c Config) checked() (Config, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		return c, fmt.Errorf("timeout %v is not between 0 and %v", c.Timeout, maxTimeout)
	}
	if c.Mount = strings.Trim(c.Mount, "/"); c.Mount == "" {
		c.Mount = DefaultMount
	}
	if err := (name{c.Mount, c.Key}).check(); err != nil {
		return c, err
	}
	if err := checkAddress(c.Address); err != nil {
		return c, err
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return c, fmt.Errorf("tls_ca: %w", err)
		}
		c.roots = x509.NewCertPool()
		if !c.roots.AppendCertsFromPEM(pem) {
			return c, fmt.Errorf("tls_ca: no certificate in %s", c.CAFile)
		}
	}
	return c.checkedLogin()
}

func (c Config) checkedLogin() (Config, error) {
	methods := 0
	for _, is := range []bool{c.Token.Reveal() != "", c.TokenFile != "", c.AppRole != nil} {
		if is {
			methods++
		}
	}
	if methods != 1 {
		return c, errors.New("exactly one of token, token_file and approle is needed, and not empty")
	}
	if t := c.Token.Reveal(); t != "" && !validToken(t) {
		return c, errors.New("token: it has characters that no token has")
	}
	if c.AppRole == nil {
		return c, nil
	}
	role := *c.AppRole
	if role.Mount = strings.Trim(role.Mount, "/"); role.Mount == "" {
		role.Mount = defaultAppRole
	}
	switch {
	case !mountPath.MatchString(role.Mount):
		return c, fmt.Errorf("approle: mount %q is not a path", role.Mount)
	case role.RoleID == "":
		return c, errors.New("approle: no role_id set")
	case role.SecretIDFile == "":
		return c, errors.New("approle: no secret_id_file set")
	}
	c.AppRole = &role
	return c, nil
}

// checkAddress refuses what could carry tokens and data keys in plaintext over a
// network.
func checkAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return errors.New("no address set")
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("address %q is not an https:// URL", address)
	case u.User != nil:
		return errors.New("address: a URL with a user name or password is not accepted")
	case u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("address %q has a path or query; an address is scheme and host only", address)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Errorf("address %q would carry tokens and data keys in plaintext over a network; use https://", address)
	}
	return nil
}

// loopback reports whether host is this machine. Names other than localhost are
// not looked up: what they resolve to may change.
func loopback(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
