package sigv4

import (
	"fmt"
	"time"

	"github.com/sealgate/sealgate/module/s3"
)

// Fields are the fields of a form upload that come before its file, by
// lower-case name: S3 reads field names in any case. Whoever reads the form
// refuses repeated names.
type Fields map[string]string

// Fields that say who made a form:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
const (
	fieldPolicy     = "policy"
	fieldAlgorithm  = "x-amz-algorithm"
	fieldCredential = "x-amz-credential"
	fieldDate       = "x-amz-date"
	fieldSignature  = "x-amz-signature"
	fieldToken      = "x-amz-security-token"

	fieldV2AccessKey = "awsaccesskeyid"
	fieldV2Signature = "signature"
)

// FormClaim is what the fields of a form claim: a [Claim] of kind [Form] or
// [Anonymous], without signed headers and payload form.
type FormClaim struct {
	Claim
	// Policy is the base64 policy as sent, which is what the signature covers;
	// [ParsePostPolicy] reads it. Empty for an anonymous form.
	Policy string
}

// ParseFormClaim reads who made a form. A form with none of the fields of
// Signature Version 4 and no policy is anonymous. Errors are *s3.Error:
// InvalidArgument for missing and malformed fields, InvalidRequest for
// Signature Version 2 and SigV4A, InvalidToken for temporary credentials.
func ParseFormClaim(f Fields) (FormClaim, error) {
	signed := f.hasAny(fieldPolicy, fieldAlgorithm, fieldCredential, fieldDate, fieldSignature)
	if f.hasAny(fieldV2AccessKey, fieldV2Signature) {
		if f.hasAny(fieldAlgorithm, fieldCredential, fieldSignature) {
			return FormClaim{}, s3.ErrInvalidArgument.WithMessage("Only one auth mechanism allowed; the form has fields of Signature Version 2 and of Signature Version 4")
		}
		return FormClaim{}, errSigV2
	}
	if f.hasAny(fieldToken) {
		return FormClaim{}, errToken
	}
	if !signed {
		return FormClaim{}, nil
	}
	for _, need := range []struct{ field, shown string }{
		{fieldPolicy, "policy"},
		{fieldSignature, querySignature},
		{fieldAlgorithm, queryAlgorithm},
		{fieldCredential, queryCredential},
		{fieldDate, queryDate},
	} {
		if f[need.field] == "" {
			return FormClaim{}, MissingField(need.shown)
		}
	}
	switch f[fieldAlgorithm] {
	case algorithm:
	case algorithmV4A:
		return FormClaim{}, errSigV4A
	default:
		return FormClaim{}, Form.malformed(`X-Amz-Algorithm only supports "`+algorithm+`"`).With("ArgumentName", fieldAlgorithm)
	}

	c := FormClaim{Claim: Claim{Kind: Form, Signature: f[fieldSignature]}, Policy: f[fieldPolicy]}
	var err error
	if c.Credential, err = parseCredential(Form, f[fieldCredential]); err != nil {
		return FormClaim{}, err
	}
	var ok bool
	if c.Time, ok = parseTimestamp(f[fieldDate]); !ok {
		return FormClaim{}, Form.malformed(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`).With("ArgumentName", fieldDate)
	}
	if err := c.checkDate(); err != nil {
		return FormClaim{}, err
	}
	return c, nil
}

// MissingField is S3's error for a form without the field name, in the
// spelling S3 shows: "key", "policy", "X-Amz-Signature".
func MissingField(name string) error {
	return s3.ErrInvalidArgument.
		WithMessage("Bucket POST must contain a field named '"+name+"'.  If it is specified, please check the order of the fields.").
		With("ArgumentName", name).
		With("ArgumentValue", "")
}

func (f Fields) hasAny(names ...string) bool {
	for _, name := range names {
		if _, ok := f[name]; ok {
			return true
		}
	}
	return false
}

// VerifyForm checks that the policy of a form was signed with secret. When the
// form stops being valid is up to the policy, [PostPolicy.Check], but no form
// outlives its signing key, which is good for seven days. An anonymous form gets
// no proof here. Errors are those of [Verifier.Verify].
func (v *Verifier) VerifyForm(c FormClaim, secret string) (Proof, error) {
	if c.Kind != Form || c.Policy == "" {
		return Proof{}, s3.ErrAccessDenied.WithCause(fmt.Errorf("verifying a claim of kind %v as a form", c.Kind))
	}
	if err := v.checkRegion(c.Claim); err != nil {
		return Proof{}, err
	}
	now := v.now().UTC()
	switch end := c.Time.Add(maxPresigned * time.Second); {
	case c.Time.After(now.Add(maxSkew)):
		return Proof{}, s3.ErrAccessDenied.WithMessage("Request is not valid yet").
			With("X-Amz-Date", timestamp(c.Time)).
			With("ServerTime", now.Format(time.RFC3339))
	case now.After(end):
		return Proof{}, s3.ErrAccessDenied.WithMessage("Request has expired").
			With("Expires", end.Format(time.RFC3339)).
			With("ServerTime", now.Format(time.RFC3339))
	}
	proof, err := v.proof(c.Claim, secret)
	if err != nil {
		return Proof{}, err
	}
	if !proof.match(c.Policy) {
		e := s3.ErrSignatureDoesNotMatch.
			With("AWSAccessKeyId", c.Credential.AccessKey).
			With("SignatureProvided", c.Signature)
		if len(c.Policy) <= maxEchoed {
			e = e.With("StringToSign", c.Policy).With("StringToSignBytes", fmt.Sprintf("% x", c.Policy))
		}
		return Proof{}, e
	}
	return proof, nil
}
