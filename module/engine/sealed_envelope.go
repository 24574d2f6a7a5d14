package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/seal"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/posture"
)

// envelopeHeader is the user metadata that holds a sealed object's envelope. It
// and names that go on from it with "-" belong to the gateway.
const envelopeHeader = "X-Amz-Meta-Sealgate"

// checkMetadataNames refuses metadata in the gateway's own name: an envelope
// from a client would pass for one of the gateway's.
func checkMetadataNames(h http.Header) error {
	for name := range h {
		if reservedMetadata(name) {
			return errReservedMetadata(name)
		}
	}
	return nil
}

func reservedMetadata(name string) bool {
	return name == envelopeHeader || strings.HasPrefix(name, envelopeHeader+"-")
}

func errReservedMetadata(name string) error {
	return s3.ErrInvalidArgument.
		WithMessage("Metadata named sealgate belongs to the gateway.").
		With("ArgumentName", strings.ToLower(name))
}

// objectName is what a data key is bound to: the bucket is the namespace.
type objectName struct{ bucket, key string }

// sealing is how a decision has an object sealed.
type sealing struct {
	keyring string
	context map[string]string
}

// sealedRule is what posture says of a name whose objects are sealed; nil where
// they are not.
func (x *exchange) sealedRule(name objectName) *posture.Rule {
	rule := x.gen.Rule(name.bucket, name.key)
	if rule == nil || rule.Mode != posture.ModeCSE {
		return nil
	}
	return rule
}

// planSealed is the plan for a decision to seal. Readers look at posture to find
// out which objects are sealed, so a rule cannot have others sealed.
func (x *exchange) planSealed(name objectName, d policy.Encryption) (*sealing, error) {
	rule := x.sealedRule(name)
	switch {
	case rule == nil:
		return nil, s3.ErrNotImplemented.WithMessage("A rule wants this object sealed, and the posture of its prefix has another mode than cse.")
	case x.e.cfg.Keyrings == nil:
		return nil, s3.ErrNotImplemented.WithMessage("Client-side encryption is required here, and no keyring is configured.")
	}
	for _, readable := range rule.Keyrings {
		if readable == d.Keyring {
			return &sealing{keyring: d.Keyring, context: d.Context}, nil
		}
	}
	return nil, s3.ErrNotImplemented.WithMessage("A rule wants this object sealed under a keyring that its readers do not accept.").
		WithCause(fmt.Errorf("keyring %q is none of %q in the posture of %s", d.Keyring, rule.Keyrings, rule.ID))
}

// sealedObject is an object being sealed or opened, with its envelope as text
// and the name of the keyring that wrapped its data key.
type sealedObject struct {
	*seal.Object
	envelope, keyring string
}

// newSealed makes the keys of a new object and has its data key wrapped for
// this name. The caller wipes the object.
func (x *exchange) newSealed(ctx context.Context, kind seal.Kind, name objectName, s *sealing) (sealedObject, error) {
	ring, err := x.e.cfg.Keyrings.Lookup(s.keyring)
	if err != nil {
		return sealedObject{}, s3.ErrNotImplemented.WithMessage("The keyring decided for this object is not configured.").WithCause(err)
	}
	e, key := seal.New(kind)
	defer key.Wipe()
	kek := ring.KEKs()[0]
	e.Wrap, e.KEK = seal.WrapKind(kek.Kind), kek.ID
	bind, err := binding(e, name)
	if err != nil {
		return sealedObject{}, s3.ErrInternalError.WithCause(err)
	}
	bind.Context = s.context
	if e.Wrapped, err = ring.Wrap(ctx, kek, keyring.DataKey(key.Reveal()), bind); err != nil {
		return sealedObject{}, keyringError(err)
	}
	text, err := e.Encode()
	if err != nil {
		return sealedObject{}, s3.ErrInternalError.WithCause(err)
	}
	object, err := seal.Unlock(e, key)
	if err != nil {
		return sealedObject{}, s3.ErrInternalError.WithCause(err)
	}
	return sealedObject{object, text, s.keyring}, nil
}

// unlock finds the data key of an object that is stored under this name. The
// caller wipes the object. An envelope that is not one of this name, or is
// wrapped by a keyring that readers here do not accept, is damage.
func (x *exchange) unlock(ctx context.Context, text string, name objectName, allowed []string) (sealedObject, error) {
	e, err := seal.ParseEnvelope(text)
	if err != nil {
		return sealedObject{}, x.damaged(name, err)
	}
	object, err := x.unlockEnvelope(ctx, e, name, allowed)
	var foreign *foreignError
	if errors.As(err, &foreign) {
		err = x.damaged(name, foreign.err)
	}
	return object, err
}

// foreignError: an envelope is not one of this name, or is wrapped by a keyring
// that readers here do not accept. Whether that is damage depends on who brought
// the envelope: the store, or a client in an upload id.
type foreignError struct{ err error }

func (f *foreignError) Error() string { return f.err.Error() }

func (f *foreignError) Unwrap() error { return f.err }

// unlockEnvelope is unlock for an envelope that need not be the store's. Its
// error is a *foreignError or what the client is told.
func (x *exchange) unlockEnvelope(ctx context.Context, e seal.Envelope, name objectName, allowed []string) (sealedObject, error) {
	if x.e.cfg.Keyrings == nil {
		return sealedObject{}, s3.ErrNotImplemented.WithMessage("The object is sealed, and no keyring is configured.")
	}
	text, err := e.Encode()
	if err != nil {
		return sealedObject{}, &foreignError{err}
	}
	kek := keyring.KEK{Kind: keyring.Kind(e.Wrap), ID: e.KEK}
	ringName, ring, err := x.e.cfg.Keyrings.Find(kek, allowed)
	switch {
	case errors.Is(err, keyring.ErrDuplicate): // the operator's mistake
		return sealedObject{}, keyringError(err)
	case err != nil:
		return sealedObject{}, &foreignError{err}
	}
	bind, err := binding(e, name)
	if err != nil {
		return sealedObject{}, &foreignError{err}
	}
	unwrapped, err := ring.Unwrap(ctx, kek, e.Wrapped, bind)
	switch {
	case errors.Is(err, keyring.ErrCorrupt), errors.Is(err, keyring.ErrUnknownKey):
		return sealedObject{}, &foreignError{err}
	case err != nil:
		return sealedObject{}, keyringError(err)
	}
	defer unwrapped.Wipe()
	key, err := seal.NewDataKey(unwrapped[:])
	if err != nil {
		return sealedObject{}, s3.ErrInternalError.WithCause(err)
	}
	defer key.Wipe()
	object, err := seal.Unlock(e, key)
	if err != nil {
		return sealedObject{}, &foreignError{err}
	}
	return sealedObject{object, text, ringName}, nil
}

func binding(e seal.Envelope, name objectName) (keyring.Binding, error) {
	aad, err := e.Binding(name.bucket, name.key)
	return keyring.Binding{Namespace: name.bucket, OID: e.OID, AAD: aad}, err
}

// keyringError is what a client is told of a keyring that does not answer. Its
// own words stay in the record.
func keyringError(err error) error {
	if errors.Is(err, keyring.ErrContext) {
		return s3.ErrNotImplemented.WithMessage("The encryption context decided for this object cannot be stored.").WithCause(err)
	}
	return s3.ErrServiceUnavailable.WithMessage("The keys for this object cannot be reached. Please try again.").WithCause(fmt.Errorf("keyring: %w", err))
}

// damaged notes that what is stored under a name is not what was sealed for it.
// Nothing of it leaves.
func (x *exchange) damaged(name objectName, cause error) error {
	x.rec.Outcome = OutcomeDamaged
	x.e.cfg.Observer.OpenFailure()
	cause = fmt.Errorf("bucket %q key %q version %q: %w", name.bucket, name.key, x.rec.Resource.VersionID, cause)
	x.rec.Cause = cause.Error()
	return s3.ErrBadGateway.WithMessage("What is stored here cannot be opened.").With("RuleId", "ENF-006").WithCause(cause)
}

// errNotSealed is the damage of an object that has no envelope where all have one.
var errNotSealed = errors.New("the object is not sealed, and everything here must be")
