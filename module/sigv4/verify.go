package sigv4

import (
	"bytes"
	"crypto/hmac"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

const (
	// maxSkew is how far the clocks of a client and the gateway may differ.
	maxSkew = 15 * time.Minute

	// defaultRegion is what clients sign for when nobody told them a region.
	defaultRegion = "us-east-1"

	// minSecret is the shortest secret the gateway accepts; "AWS4" and ten
	// characters are the least FIPS 140-3 mode takes as an HMAC key.
	minSecret = 16

	amzPrefix = "x-amz-"

	// maxEchoed bounds, in bytes, the canonical request shown back to a client
	// whose signature does not match.
	maxEchoed = 8 << 10
)

// VerifierConfig configures a [Verifier].
type VerifierConfig struct {
	// Region is the region credentials must name; us-east-1 is accepted
	// besides it. Empty means us-east-1.
	Region string
	// Now is the clock, time.Now if nil.
	Now func() time.Time
}

// Verifier checks claims. It is safe for concurrent use.
type Verifier struct {
	region string
	now    func() time.Time
	keys   *KeyCache
}

// NewVerifier returns a Verifier with a key cache of its own.
func NewVerifier(c VerifierConfig) *Verifier {
	v := &Verifier{region: c.Region, now: c.Now, keys: new(KeyCache)}
	if v.region == "" {
		v.region = defaultRegion
	}
	if v.now == nil {
		v.now = time.Now
	}
	return v
}

// Verify checks that c, from [ParseClaim] of the same req, was signed with
// secret for this place and time, and that the signature covers what S3 wants
// covered. Signatures are compared in constant time. It does not modify req
// and reads no body: [Proof.Open] does.
//
// Verify never gives a proof for an anonymous claim or a form; an anonymous
// request is Proof{Claim: c}, and forms have [Verifier.VerifyForm].
//
// Errors are *s3.Error: AuthorizationHeaderMalformed or
// AuthorizationQueryParametersError with Region for a wrong region,
// RequestTimeTooSkewed, AccessDenied for expiry and for headers left unsigned,
// InvalidRequest for a signed header that got lost, SignatureDoesNotMatch with
// what was to be signed.
func (v *Verifier) Verify(req *s3.Request, c Claim, secret string) (Proof, error) {
	if c.Kind != Header && c.Kind != Presigned {
		return Proof{}, s3.ErrAccessDenied.WithCause(fmt.Errorf("verifying a claim of kind %v", c.Kind))
	}
	if err := v.checkRegion(c); err != nil {
		return Proof{}, err
	}
	if err := v.checkTime(c); err != nil {
		return Proof{}, err
	}
	if err := checkCoverage(req, c); err != nil {
		return Proof{}, err
	}
	proof, err := v.proof(c, secret)
	if err != nil {
		return Proof{}, err
	}

	canonical := canonicalRequest{
		Method:  req.Method,
		Path:    req.RawPath,
		Query:   canonicalQuery(req.Query, ""),
		Payload: signedPayload(req, c),
	}
	if c.Kind == Presigned {
		canonical.Query = canonicalQuery(req.Query, querySignature)
	}
	if canonical.Headers, err = signedHeaders(req, c); err != nil {
		return Proof{}, err
	}
	sent := canonical.bytes()
	if proof.match(stringToSign(proof.amzDate, proof.scope, sent)) {
		return proof, nil
	}
	if path := reencodedPath(req.RawPath); path != req.RawPath {
		canonical.Path = path
		if proof.match(stringToSign(proof.amzDate, proof.scope, canonical.bytes())) {
			return proof, nil
		}
	}
	return Proof{}, mismatch(c, stringToSign(proof.amzDate, proof.scope, sent), sent)
}

// proof is what c proves if its signature matches; nothing is checked yet but
// the length of the secret.
func (v *Verifier) proof(c Claim, secret string) (Proof, error) {
	if len(secret) < minSecret {
		return Proof{}, s3.ErrAccessDenied.WithCause(errors.New("secret of fewer than 16 characters"))
	}
	return Proof{
		Claim:   c,
		key:     v.keys.key(c.Credential, secret),
		scope:   c.Credential.scope(),
		amzDate: timestamp(c.Time),
		seed:    c.Signature,
	}, nil
}

// match reports in constant time whether the claimed signature is the one of
// text.
func (p Proof) match(text string) bool {
	return hmac.Equal([]byte(sign(p.key, text)), []byte(p.Signature))
}

// checkRegion answers a wrong region in the way on which SDKs sign again.
func (v *Verifier) checkRegion(c Claim) error {
	if r := c.Credential.Region; r != v.region && r != defaultRegion {
		return c.Kind.malformedCredential(fmt.Sprintf("the region '%s' is wrong; expecting '%s'", r, v.region)).
			With("Region", v.region)
	}
	return nil
}

// checkTime holds a header-signed request against the clock and a presigned
// URL against the validity it names.
func (v *Verifier) checkTime(c Claim) error {
	now := v.now().UTC()
	server := now.Format(time.RFC3339)
	if c.Kind == Presigned {
		if c.Time.After(now.Add(maxSkew)) {
			return s3.ErrAccessDenied.WithMessage("Request is not valid yet").
				With("X-Amz-Date", timestamp(c.Time)).
				With("ServerTime", server)
		}
		if end := c.Time.Add(c.Expires); now.After(end) {
			return s3.ErrAccessDenied.WithMessage("Request has expired").
				With(queryExpires, strconv.FormatInt(int64(c.Expires/time.Second), 10)).
				With("Expires", end.Format(time.RFC3339)).
				With("ServerTime", server)
		}
		return nil
	}
	if skew := now.Sub(c.Time).Abs(); skew > maxSkew {
		return s3.ErrRequestTimeTooSkewed.
			WithMessage("The difference between the request time and the current time is too large.").
			With("RequestTime", timestamp(c.Time)).
			With("ServerTime", server).
			With("MaxAllowedSkewMilliseconds", strconv.FormatInt(maxSkew.Milliseconds(), 10))
	}
	return nil
}

// checkCoverage makes sure that host and every x-amz-* header received are
// signed. On a presigned URL x-amz-content-sha256 may be left out, as S3 lets
// it: it only adds a check of the body.
func checkCoverage(req *s3.Request, c Claim) error {
	var missing []string
	need := func(name string) {
		if _, found := slices.BinarySearch(c.SignedHeaders, name); !found {
			missing = append(missing, name)
		}
	}
	need("host")
	for name := range req.Wire {
		if len(name) < len(amzPrefix) || !strings.EqualFold(name[:len(amzPrefix)], amzPrefix) ||
			c.Kind == Presigned && strings.EqualFold(name, headerContentSHA256) {
			continue
		}
		need(strings.ToLower(name))
	}
	if missing == nil {
		return nil
	}
	slices.Sort(missing)
	return s3.ErrAccessDenied.WithMessage("There were headers present in the request which were not signed").
		With("HeadersNotSigned", strings.Join(missing, ", "))
}

// signedHeaders are the lines of the canonical request. A header that is
// signed and absent is an empty line, as it is for S3, unless it is one that
// intermediaries are known to drop.
func signedHeaders(req *s3.Request, c Claim) ([]canonicalHeader, error) {
	lines := make([]canonicalHeader, 0, len(c.SignedHeaders))
	for _, name := range c.SignedHeaders {
		values := headerValues(req, c.Kind, name)
		if len(values) == 0 && (strings.HasPrefix(name, "x-amz-meta-") || strings.ContainsAny(name, "_.")) {
			return nil, s3.ErrInvalidRequest.
				WithMessage("The header "+name+" is signed but did not arrive. It was not sent, or an intermediary removed it; many do so when a name contains \"_\" or \".\".").
				With("Header", name)
		}
		lines = append(lines, canonicalHeader{name, values})
	}
	return lines, nil
}

// headerValues are the values of a signed header. net/http takes host,
// content-length and transfer-encoding out of the headers. A presigned URL may
// sign a header that it carries in its query.
func headerValues(req *s3.Request, k Kind, name string) []string {
	switch name {
	case "host":
		return []string{req.Host}
	case "content-length":
		if req.ContentLength < 0 {
			return nil
		}
		return []string{strconv.FormatInt(req.ContentLength, 10)}
	case "transfer-encoding":
		return req.TransferEncoding
	}
	values := req.Wire.Values(name)
	if len(values) == 0 && k == Presigned && strings.HasPrefix(name, amzPrefix) {
		values = req.Header.Values(name)
	}
	return values
}

// reencodedPath is raw decoded once and encoded by the rule of AWS, for
// clients that sign that form while sending another. raw if it cannot be
// decoded.
func reencodedPath(raw string) string {
	decoded, err := url.PathUnescape(raw)
	if err != nil {
		return raw
	}
	return s3.EscapePath(decoded)
}

// mismatch tells a client what it should have signed: its own request, so
// nothing it does not know. Requests that carry a customer's encryption key
// are not repeated.
func mismatch(c Claim, toSign string, canonical []byte) error {
	e := s3.ErrSignatureDoesNotMatch.
		With("AWSAccessKeyId", c.Credential.AccessKey).
		With("StringToSign", toSign).
		With("SignatureProvided", c.Signature).
		With("StringToSignBytes", fmt.Sprintf("% x", toSign))
	if len(canonical) > maxEchoed || bytes.Contains(bytes.ToLower(canonical), []byte("server-side-encryption-customer-key")) {
		return e
	}
	return e.
		With("CanonicalRequest", string(canonical)).
		With("CanonicalRequestBytes", fmt.Sprintf("% x", canonical))
}
