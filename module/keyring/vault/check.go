package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/sealgate/sealgate/module/keyring"
)

// authenticating are the types of transit keys that take associated data.
var authenticating = []string{"aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"}

// ErrKeyUnsuitable: the transit key does not bind a data key to its object. It
// matches keyring.ErrDenied as well.
var ErrKeyUnsuitable = fmt.Errorf("%w: unsuitable transit key", keyring.ErrDenied)

// check finds out whether the key binds what it encrypts to associated data. Its
// type says so where the token may read it; and because a server that does not
// know associated data ignores it without a word, what is proven is the effect.
func (t transit) check(ctx context.Context) error {
	if err := t.checkType(ctx); err != nil {
		return err
	}
	var probe keyring.DataKey
	_, _ = rand.Read(probe[:]) // never fails
	ciphertext, err := t.encrypt(ctx, &probe, []byte("sealgate probe"))
	if err != nil {
		return err
	}
	switch _, err := t.decrypt(ctx, ciphertext, []byte("sealgate other")); {
	case err == nil:
		return fmt.Errorf("%w: %s ignores associated data", ErrKeyUnsuitable, t.name.path("keys"))
	case !errors.Is(err, keyring.ErrCorrupt):
		return err
	}
	got, err := t.decrypt(ctx, ciphertext, []byte("sealgate probe"))
	if err == nil && got != probe {
		err = fmt.Errorf("%w: %s does not give back what it was given", ErrKeyUnsuitable, t.name.path("keys"))
	}
	return err
}

// checkType refuses keys by what they are, if Vault may be asked.
func (t transit) checkType(ctx context.Context) error {
	path := t.name.path("keys")
	secret, err := t.client.Logical().ReadWithContext(ctx, path)
	if err != nil {
		if err = explain(ctx, "read key", err); errors.Is(err, keyring.ErrDenied) {
			return nil // the policy needs not allow it
		}
		return err
	}
	if secret == nil { // what the client makes of 404
		return fmt.Errorf("%w: no key at %s", keyring.ErrDenied, path)
	}
	if kind := field(secret, "type"); !slices.Contains(authenticating, kind) {
		return fmt.Errorf("%w: %s is of type %.32q, which takes no associated data; make one of type aes256-gcm96", ErrKeyUnsuitable, path, kind)
	}
	if derived, _ := secret.Data["derived"].(bool); derived {
		return fmt.Errorf("%w: %s derives keys; make one without", ErrKeyUnsuitable, path)
	}
	return nil
}
