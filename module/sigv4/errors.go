package sigv4

import "github.com/sealgate/sealgate/module/s3"

// Errors whose text never varies. Where S3 words an error, its words are kept,
// because people search for them; advice follows them.
var (
	errTwoMechanisms = s3.ErrInvalidArgument.
				WithMessage("Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified").
				With("ArgumentName", "Authorization")
	errFormMechanism = s3.ErrInvalidArgument.
				WithMessage("Only one auth mechanism allowed; a form upload carries its credentials in form fields, not in the Authorization header or the query").
				With("ArgumentName", "Authorization")
	errAuthorizationType = s3.ErrInvalidArgument.
				WithMessage("Unsupported Authorization Type").
				With("ArgumentName", "Authorization")
	errSigV2 = s3.ErrInvalidRequest.
			WithMessage("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256. The request is signed with Signature Version 2; in boto3 set Config(signature_version='s3v4') on the client, elsewhere select Signature Version 4.")
	errSigV4A = s3.ErrInvalidRequest.
			WithMessage("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256. The request is signed with SigV4A (" + algorithmV4A + "), which is for Multi-Region Access Points; use a bucket name, disable Multi-Region Access Points in the client and sign for one region.")
	errToken = s3.ErrInvalidToken.
			WithMessage("The provided token is malformed or otherwise invalid. This endpoint issues no temporary credentials; use the access key pair you were given and remove the session token.")
	errNoDate = s3.ErrAccessDenied.
			WithMessage("AWS authentication requires a valid Date or x-amz-date header.")
)

// malformed is the error for a claim of kind k that cannot be read.
func (k Kind) malformed(problem string) *s3.Error {
	switch k {
	case Presigned:
		return s3.ErrAuthorizationQueryParametersError.WithMessage(problem)
	case Form:
		return s3.ErrInvalidArgument.WithMessage(problem)
	}
	return s3.ErrAuthorizationHeaderMalformed.WithMessage("The authorization header is malformed; " + problem)
}

// malformedCredential is the error for the credential of a claim of kind k.
func (k Kind) malformedCredential(problem string) *s3.Error {
	switch k {
	case Presigned:
		return k.malformed("Error parsing the X-Amz-Credential parameter; " + problem)
	case Form:
		return k.malformed(problem).With("ArgumentName", fieldCredential)
	}
	return k.malformed(problem)
}
