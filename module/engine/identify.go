package engine

import (
	"crypto/tls"
	"errors"
	"strings"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
)

// identify verifies who calls. Forms are identified by their fields, in form.go.
func (x *exchange) identify() error {
	claim, err := sigv4.ParseClaim(x.req)
	if err != nil {
		return err
	}
	x.claimed(claim)
	if claim.Kind == sigv4.Anonymous {
		x.proof = sigv4.Proof{Claim: claim}
		return nil
	}
	caller, err := x.lookup(claim.Credential.AccessKey)
	if err != nil {
		return err
	}
	proof, err := x.e.cfg.Verifier.Verify(x.req, claim, caller.Secret.Reveal())
	if err != nil {
		return err
	}
	x.identified(caller, proof)
	return nil
}

// checkUnsigned refuses what a request without a signature may not ask for.
func (x *exchange) checkUnsigned() error {
	if x.proof.Kind != sigv4.Anonymous {
		return nil
	}
	if x.r.ProtoMajor == 3 && !x.req.Op.ReadOnly {
		// Metadata whose names hold "_" or "." is lost on the way here over
		// HTTP/3, which only a signature could show.
		return s3.ErrInvalidRequest.WithMessage("Unsigned writes are not accepted over HTTP/3. Use HTTP/1.1 or HTTP/2.")
	}
	for _, pair := range x.req.Query {
		if strings.HasPrefix(pair.Name, "response-") {
			// Anybody could make a link that shows a public object as something
			// else. The store would not notice: it only sees our signature.
			return s3.ErrInvalidRequest.WithMessage("Request specific response headers cannot be used for anonymous GET requests.")
		}
	}
	return nil
}

// lookup finds the owner of an access key. Unknown, disabled and expired keys
// look alike to a caller who has proved nothing yet.
func (x *exchange) lookup(accessKey string) (clients.Client, error) {
	c, err := x.e.cfg.Clients.Lookup(accessKey, x.e.cfg.Now())
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, clients.ErrUnknown), errors.Is(err, clients.ErrDisabled), errors.Is(err, clients.ErrExpired):
		return clients.Client{}, s3.ErrInvalidAccessKeyId.With("AWSAccessKeyId", accessKey).WithCause(err)
	default:
		return clients.Client{}, s3.ErrServiceUnavailable.WithCause(err)
	}
}

// claimed notes who a request says it is from.
func (x *exchange) claimed(c sigv4.Claim) {
	x.rec.Identity.AuthMethod, x.rec.Identity.AccessKey = authMethod(c.Kind), c.Credential.AccessKey
}

// identified notes who it really is from.
func (x *exchange) identified(c clients.Client, p sigv4.Proof) {
	x.caller, x.proof = c, p
	x.rec.Identity.Principal = c.Principal
	x.rec.Identity.Groups = append(x.rec.Identity.Groups, c.Groups...)
}

// authMethod is the name policy and records use.
func authMethod(k sigv4.Kind) string {
	switch k {
	case sigv4.Header:
		return "sigv4-header"
	case sigv4.Presigned:
		return "sigv4-presigned"
	case sigv4.Form:
		return "sigv4-post"
	default:
		return "anonymous"
	}
}

// tlsName is "1.2", "1.3", ...; "" for a version Go does not know.
func tlsName(version uint16) string {
	switch version {
	case tls.VersionTLS10:
		return "1.0"
	case tls.VersionTLS11:
		return "1.1"
	case tls.VersionTLS12:
		return "1.2"
	case tls.VersionTLS13:
		return "1.3"
	default:
		return ""
	}
}
