package bundle

import (
	"errors"
	"fmt"

	opabundle "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"
)

// Key is a key that verifies signatures of bundles.
type Key struct {
	ID string // by which signatures name it
	// PEM is a public key or a certificate; with an HS algorithm the shared secret.
	PEM string
	// Algorithm is RS256, ES256, PS256 or HS256, or one of these with 384 or 512.
	Algorithm string
}

// String hides the key, which may be a secret.
func (k Key) String() string { return "key " + k.ID }

// GoString hides the key.
func (k Key) GoString() string { return k.String() }

// Verification says who may sign bundles.
type Verification struct {
	Keys []Key
	// KeyID is the key every signature must be made with, whatever it says itself;
	// "" means that a signature names one of Keys.
	KeyID string
	// Scope is what a signature must say it is for, "" nothing.
	Scope string
	// Unsigned accepts bundles without a signature. It excludes Keys.
	Unsigned bool
}

// config gives what OPA takes; nil for unsigned bundles.
func (v Verification) config() (*opabundle.VerificationConfig, error) {
	switch {
	case v.Unsigned && len(v.Keys) > 0:
		return nil, errors.New("bundles cannot be both unsigned and verified with a key")
	case v.Unsigned:
		return nil, nil
	case len(v.Keys) == 0:
		return nil, errors.New("no key to verify bundles with")
	}
	known := make(map[string]*keys.Config, len(v.Keys))
	for _, k := range v.Keys {
		switch {
		case k.ID == "":
			return nil, errors.New("a key without an id")
		case known[k.ID] != nil:
			return nil, fmt.Errorf("two keys with the id %q", k.ID)
		case k.PEM == "":
			return nil, fmt.Errorf("%v is empty", k)
		case !keys.IsSupportedAlgorithm(k.Algorithm):
			return nil, fmt.Errorf("%v: %q is no algorithm of signatures", k, k.Algorithm)
		}
		known[k.ID] = &keys.Config{Key: k.PEM, Algorithm: k.Algorithm}
	}
	config := opabundle.NewVerificationConfig(known, v.KeyID, v.Scope, nil)
	return config, config.ValidateAndInjectDefaults(known)
}
