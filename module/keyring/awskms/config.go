package awskms

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Defaults of a Config.
const (
	DefaultTimeout    = 5 * time.Second
	DefaultMaxAge     = 5 * time.Minute
	DefaultMaxObjects = 10_000
)

// Limits of a Config.
const (
	maxTimeout    = time.Minute
	maxMaxAge     = 24 * time.Hour
	maxMaxObjects = 10_000_000
)

// Config says which keys a Keyring has and how it reaches KMS.
type Config struct {
	// Key is the ARN of the key that wraps new data keys.
	Key string
	// Old are the ARNs of keys that only unwrap.
	Old []string
	// Region is where multi-Region keys are called: their replica there is
	// used, under the KEK id of the ARN as written. "" is the region of each
	// ARN. Any other key is called in the region of its ARN.
	Region string
	// Endpoint is the URL of KMS; "" is AWS's public one of the region. It is
	// https://, or http:// on this machine.
	Endpoint string
	// Timeout limits a Wrap or Unwrap with all its attempts; 0 is
	// DefaultTimeout, a minute the most.
	Timeout time.Duration
	// Credentials sign the calls; nil is the AWS SDK's default chain.
	Credentials *Credentials
	// Reuse turns intermediate keys on; nil is off: one call of KMS a data key.
	Reuse *Reuse
}

// Reuse bounds the use of one intermediate key.
type Reuse struct {
	// MaxAge is how long it wraps new data keys, and how long it is kept in
	// memory for unwrapping; 0 is DefaultMaxAge, a day the most.
	MaxAge time.Duration
	// MaxObjects is how many data keys it wraps; 0 is DefaultMaxObjects, ten
	// million the most.
	MaxObjects int
}

// checked is c with its defaults, or what is wrong with it.
func (c Config) checked() (Config, error) {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		return c, fmt.Errorf("timeout %v is not between 0 and %v", c.Timeout, maxTimeout)
	}
	if c.Reuse != nil {
		reuse := *c.Reuse
		if reuse.MaxAge == 0 {
			reuse.MaxAge = DefaultMaxAge
		}
		if reuse.MaxObjects == 0 {
			reuse.MaxObjects = DefaultMaxObjects
		}
		if reuse.MaxAge < 0 || reuse.MaxAge > maxMaxAge {
			return c, fmt.Errorf("reuse: max_age %v is not between 0 and %v", reuse.MaxAge, maxMaxAge)
		}
		if reuse.MaxObjects < 0 || reuse.MaxObjects > maxMaxObjects {
			return c, fmt.Errorf("reuse: max_objects %d is not between 0 and %d", reuse.MaxObjects, maxMaxObjects)
		}
		c.Reuse = &reuse
	}
	if s := c.Credentials; s != nil && (s.AccessKey == "" || s.Secret.Reveal() == "") {
		return c, errors.New("credentials static: the access key or the secret is empty")
	}
	return c, checkEndpoint(c.Endpoint)
}

// checkEndpoint refuses what could carry data keys in plaintext over a network.
func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("endpoint %q is not an https:// URL", endpoint)
	case u.User != nil:
		return errors.New("endpoint: a URL with a user name or password is not accepted; use credentials")
	case u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("endpoint %q has a path or query; an endpoint is scheme and host only", endpoint)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Errorf("endpoint %q would carry data keys in plaintext over a network; use https://", endpoint)
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
