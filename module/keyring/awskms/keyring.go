package awskms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sealgate/sealgate/module/keyring"
)

// Keyring wraps data keys with KMS. It is safe for concurrent use.
type Keyring struct {
	keks          []keyring.KEK
	keys          map[keyring.KEK]serviceKey
	timeout       time.Duration
	intermediates *intermediates
	transport     *http.Transport
}

// New makes a Keyring. It checks c and calls nobody. Close ends it.
func New(c Config) (*Keyring, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	current, err := parseARN(c.Key)
	if err != nil {
		return nil, err
	}
	if c.Region != "" && c.Region != current.region && !current.multiRegion() {
		return nil, fmt.Errorf("kms key %q is in one region only, so region cannot be %s", c.Key, c.Region)
	}
	k := &Keyring{
		keys:      make(map[keyring.KEK]serviceKey),
		timeout:   c.Timeout,
		transport: newTransport(c.Timeout),
	}
	provider := c.Credentials.provider(current.region)
	services := make(map[string]service) // by region
	for _, text := range append([]string{c.Key}, c.Old...) {
		a, err := parseARN(text)
		if err != nil {
			return nil, err
		}
		target, region := a.text, a.region
		if c.Region != "" && a.multiRegion() {
			target, region = a.in(c.Region), c.Region
		}
		if services[region] == nil {
			services[region] = newService(c, region, k.transport, provider)
		}
		if err := k.add(a, c.kinds(), serviceKey{target, services[region]}); err != nil {
			return nil, err
		}
	}
	if c.Endpoint != "" && len(services) > 1 {
		return nil, errors.New("keys of several regions cannot share one endpoint")
	}
	k.intermediates = newIntermediates(c)
	return k, nil
}

// kinds are the ways to use a key, the one for new data keys first. Both are
// always there to read with, so that reuse can be turned on and off.
func (c Config) kinds() []keyring.Kind {
	if c.Reuse != nil {
		return []keyring.Kind{keyring.KMSIntermediate, keyring.KMS}
	}
	return []keyring.Kind{keyring.KMS, keyring.KMSIntermediate}
}

func (k *Keyring) add(a arn, kinds []keyring.Kind, key serviceKey) error {
	for _, kind := range kinds {
		kek := a.kek(kind)
		if _, taken := k.keys[kek]; taken {
			return fmt.Errorf("kms key %q is listed twice", a.text)
		}
		k.keys[kek] = key
		k.keks = append(k.keks, kek)
	}
	return nil
}

// Close ends background work and forgets the intermediate keys.
func (k *Keyring) Close() {
	k.intermediates.close()
	k.transport.CloseIdleConnections()
}

// KEKs implements keyring.Keyring.
func (k *Keyring) KEKs() []keyring.KEK { return k.keks }

// Wrap implements keyring.Keyring.
func (k *Keyring) Wrap(ctx context.Context, kek keyring.KEK, key keyring.DataKey, b keyring.Binding) ([]byte, error) {
	defer key.Wipe()
	under, ok := k.keys[kek]
	if !ok {
		return nil, fmt.Errorf("%w: %v", keyring.ErrUnknownKey, kek)
	}
	encoded, err := encodeContext(b.Context)
	if err != nil {
		return nil, err
	}
	if err := ended(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := limit(ctx, k.timeout)
	defer cancel()
	if kek.Kind == keyring.KMS {
		blob, err := under.encrypt(ctx, &key, objectContext(b.Context, b))
		if err != nil {
			return nil, err
		}
		return append(appendField(nil, encoded), blob...), nil
	}
	intermediate, blob, err := k.intermediates.take(ctx, under, scope{b.Namespace, string(encoded)})
	if err != nil {
		return nil, err
	}
	defer intermediate.Wipe()
	wrapped := appendField(appendField(nil, encoded), blob)
	return sealLocal(wrapped, &intermediate, &key, localBinding{b, wrapped})
}

// Unwrap implements keyring.Keyring.
func (k *Keyring) Unwrap(ctx context.Context, kek keyring.KEK, wrapped []byte, b keyring.Binding) (keyring.DataKey, error) {
	key, ok := k.keys[kek]
	if !ok {
		return keyring.DataKey{}, fmt.Errorf("%w: %v", keyring.ErrUnknownKey, kek)
	}
	policy, encoded, rest, err := cutContext(wrapped)
	if err != nil {
		return keyring.DataKey{}, err
	}
	if err := ended(ctx); err != nil {
		return keyring.DataKey{}, err
	}
	ctx, cancel := limit(ctx, k.timeout)
	defer cancel()
	if kek.Kind == keyring.KMS {
		return key.decrypt(ctx, rest, objectContext(policy, b))
	}
	blob, sealed, ok := cutField(rest)
	if !ok || len(blob) == 0 || len(sealed) != localSize {
		return keyring.DataKey{}, errTruncated
	}
	intermediate, err := k.intermediates.open(ctx, key, scope{b.Namespace, string(encoded)}, blob)
	if err != nil {
		return keyring.DataKey{}, err
	}
	defer intermediate.Wipe()
	return openLocal(&intermediate, sealed, localBinding{b, wrapped[:len(wrapped)-localSize]})
}

// ended is an error if ctx is over before the call begins.
func ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", keyring.ErrUnavailable, context.Cause(ctx))
	}
	return nil
}

// limit bounds one call with all its attempts.
func limit(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, &overdue{timeout})
}

// overdue: KMS took too long.
type overdue struct{ after time.Duration }

func (e *overdue) Error() string        { return fmt.Sprintf("no answer within %v", e.after) }
func (e *overdue) Is(target error) bool { return target == context.DeadlineExceeded }

// Interface guard
var _ keyring.Keyring = (*Keyring)(nil)
