package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
)

// Keyring wraps data keys with a key of Vault's transit engine. It is safe for
// concurrent use.
type Keyring struct {
	keks      []keyring.KEK
	transit   transit
	timeout   time.Duration
	session   *session
	transport *http.Transport
}

// New makes a Keyring. It checks c, and begins to log in without waiting for it:
// a Vault that is down does not keep a gateway from starting. Close ends it.
func New(c Config) (*Keyring, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	transport := newTransport(c)
	k, err := newKeyring(c, transport)
	if err != nil {
		return nil, err
	}
	k.transport = transport
	return k, nil
}

// newKeyring makes a Keyring of a checked Config.
func newKeyring(c Config, transport http.RoundTripper) (*Keyring, error) {
	calls, err := newClient(c, transport)
	if err != nil {
		return nil, err
	}
	login, err := newClient(c, transport)
	if err != nil {
		return nil, err
	}
	n := name{c.Mount, c.Key}
	return &Keyring{
		keks:    []keyring.KEK{n.kek(c.ID)},
		transit: transit{calls, n},
		timeout: c.Timeout,
		session: startSession(c, n, login, calls),
	}, nil
}

// Close ends the session with Vault. It does not revoke the token.
func (k *Keyring) Close() {
	k.session.close()
	if k.transport != nil {
		k.transport.CloseIdleConnections()
	}
}

// Status is the state of the login.
func (k *Keyring) Status() Status { return k.session.report() }

// KEKs implements keyring.Keyring. Versions of the key are Vault's business.
func (k *Keyring) KEKs() []keyring.KEK { return k.keks }

// Wrap implements keyring.Keyring.
func (k *Keyring) Wrap(ctx context.Context, kek keyring.KEK, key keyring.DataKey, b keyring.Binding) ([]byte, error) {
	defer key.Wipe()
	if kek != k.keks[0] {
		return nil, fmt.Errorf("%w: %v", keyring.ErrUnknownKey, kek)
	}
	encoded, err := keyring.EncodeContext(b.Context)
	if err != nil {
		return nil, err
	}
	var ciphertext string
	err = k.call(ctx, func(ctx context.Context) (err error) {
		ciphertext, err = k.transit.encrypt(ctx, &key, associated(b.AAD, encoded))
		return err
	})
	if err != nil {
		return nil, err
	}
	return join(encoded, ciphertext), nil
}

// Unwrap implements keyring.Keyring.
func (k *Keyring) Unwrap(ctx context.Context, kek keyring.KEK, wrapped []byte, b keyring.Binding) (keyring.DataKey, error) {
	if kek != k.keks[0] {
		return keyring.DataKey{}, fmt.Errorf("%w: %v", keyring.ErrUnknownKey, kek)
	}
	encoded, ciphertext, err := cut(wrapped)
	if err != nil {
		return keyring.DataKey{}, err
	}
	var key keyring.DataKey
	err = k.call(ctx, func(ctx context.Context) (err error) {
		key, err = k.transit.decrypt(ctx, ciphertext, associated(b.AAD, encoded))
		return err
	})
	return key, err
}

// call does what with a token, in time. A refusal may mean that the token was
// revoked: the session gets another one, for the calls that follow.
func (k *Keyring) call(ctx context.Context, what func(context.Context) error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", keyring.ErrUnavailable, context.Cause(ctx))
	}
	ctx, cancel := limit(ctx, k.timeout)
	defer cancel()
	if err := k.session.ready(ctx); err != nil {
		return err
	}
	err := what(ctx)
	if errors.Is(err, keyring.ErrDenied) {
		k.session.kick()
	}
	return err
}

// limit bounds one call with all its attempts.
func limit(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v: %w", timeout, context.DeadlineExceeded))
}

// Interface guard
var _ keyring.Keyring = (*Keyring)(nil)
