package s3

import "net/http"

// errorEntry is one row of the error table.
type errorEntry struct {
	status  int
	message string
}

// errorTable holds every code the gateway answers with itself, with S3's status
// and default message (API reference, "Error responses"). BadGateway is ours:
// S3 has no code for a proxy that refuses what the store answered.
var errorTable = map[string]errorEntry{
	"AccessDenied":                        {http.StatusForbidden, "Access Denied"},
	"AuthorizationHeaderMalformed":        {http.StatusBadRequest, "The authorization header you provided is invalid."},
	"AuthorizationQueryParametersError":   {http.StatusBadRequest, "The authorization query parameters you provided are invalid."},
	"BadDigest":                           {http.StatusBadRequest, "The Content-MD5 you specified did not match what we received."},
	"BadGateway":                          {http.StatusBadGateway, "The store did not answer as the policy requires."},
	"BadRequest":                          {http.StatusBadRequest, "Bad Request"},
	"BucketAlreadyExists":                 {http.StatusConflict, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."},
	"BucketAlreadyOwnedByYou":             {http.StatusConflict, "Your previous request to create the named bucket succeeded and you already own it."},
	"ConditionalRequestConflict":          {http.StatusConflict, "The conditional request cannot succeed due to a conflicting operation against this resource."},
	"EncryptionTypeMismatch":              {http.StatusBadRequest, "The encryption type of the request does not match that of the object."},
	"EntityTooLarge":                      {http.StatusBadRequest, "Your proposed upload exceeds the maximum allowed size"},
	"EntityTooSmall":                      {http.StatusBadRequest, "Your proposed upload is smaller than the minimum allowed size"},
	"ExpiredToken":                        {http.StatusBadRequest, "The provided token has expired."},
	"IncompleteBody":                      {http.StatusBadRequest, "You did not provide the number of bytes specified by the Content-Length HTTP header"},
	"IncorrectNumberOfFilesInPostRequest": {http.StatusBadRequest, "POST requires exactly one file upload per request."},
	"InternalError":                       {http.StatusInternalServerError, "We encountered an internal error. Please try again."},
	"InvalidAccessKeyId":                  {http.StatusForbidden, "The AWS Access Key Id you provided does not exist in our records."},
	"InvalidArgument":                     {http.StatusBadRequest, "Invalid Argument"},
	"InvalidBucketName":                   {http.StatusBadRequest, "The specified bucket is not valid."},
	"InvalidChunkSizeError":               {http.StatusBadRequest, "Only the last chunk is allowed to have a size less than 8192 bytes"},
	"InvalidDigest":                       {http.StatusBadRequest, "The Content-MD5 you specified was invalid."},
	"InvalidEncryptionAlgorithmError":     {http.StatusBadRequest, "The Encryption request you specified is not valid. Supported value: AES256."},
	"InvalidPart":                         {http.StatusBadRequest, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."},
	"InvalidPartOrder":                    {http.StatusBadRequest, "The list of parts was not in ascending order. Parts must be ordered by part number."},
	"InvalidPolicyDocument":               {http.StatusBadRequest, "Invalid Policy: Invalid JSON."},
	"InvalidRange":                        {http.StatusRequestedRangeNotSatisfiable, "The requested range is not satisfiable"},
	"InvalidRequest":                      {http.StatusBadRequest, "Invalid Request"},
	"InvalidStorageClass":                 {http.StatusBadRequest, "The storage class you specified is not valid"},
	"InvalidTag":                          {http.StatusBadRequest, "The tag provided was not a valid tag. This error can occur if the tag did not pass input validation."},
	"InvalidToken":                        {http.StatusBadRequest, "The provided token is malformed or otherwise invalid."},
	"InvalidURI":                          {http.StatusBadRequest, "Couldn't parse the specified URI."},
	"KMS.DisabledException":               {http.StatusBadRequest, "The KMS key is disabled."},
	"KMS.KMSInvalidStateException":        {http.StatusBadRequest, "The KMS key is in an invalid state for this request."},
	"KMS.NotFoundException":               {http.StatusBadRequest, "The KMS key does not exist."},
	"KeyTooLongError":                     {http.StatusBadRequest, "Your key is too long"},
	"MalformedPOSTRequest":                {http.StatusBadRequest, "The body of your POST request is not well-formed multipart/form-data."},
	"MalformedTrailerError":               {http.StatusBadRequest, "The request contained trailing data that was not well-formed or did not conform to our published schema."},
	"MalformedXML":                        {http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema"},
	"MaxMessageLengthExceeded":            {http.StatusBadRequest, "Your request was too big."},
	"MaxPostPreDataLengthExceededError":   {http.StatusBadRequest, "Your POST request fields preceding the upload file were too large."},
	"MetadataTooLarge":                    {http.StatusBadRequest, "Your metadata headers exceed the maximum allowed metadata size"},
	"MethodNotAllowed":                    {http.StatusMethodNotAllowed, "The specified method is not allowed against this resource."},
	"MissingContentLength":                {http.StatusLengthRequired, "You must provide the Content-Length HTTP header."},
	"MissingRequestBodyError":             {http.StatusBadRequest, "Request Body is empty"},
	"NoSuchBucket":                        {http.StatusNotFound, "The specified bucket does not exist"},
	"NoSuchKey":                           {http.StatusNotFound, "The specified key does not exist."},
	"NoSuchUpload":                        {http.StatusNotFound, "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
	"NoSuchVersion":                       {http.StatusNotFound, "The specified version does not exist."},
	"NotImplemented":                      {http.StatusNotImplemented, "A header you provided implies functionality that is not implemented"},
	"PermanentRedirect":                   {http.StatusMovedPermanently, "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."},
	"PreconditionFailed":                  {http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold"},
	"RequestHeaderSectionTooLarge":        {http.StatusBadRequest, "Your request header section exceeds the maximum allowed size."},
	"RequestTimeTooSkewed":                {http.StatusForbidden, "The difference between the request time and the current time is too large."},
	"RequestTimeout":                      {http.StatusBadRequest, "Your socket connection to the server was not read from or written to within the timeout period."},
	"ServerSideEncryptionConfigurationNotFoundError": {http.StatusNotFound, "The server side encryption configuration was not found"},
	"ServiceUnavailable":                             {http.StatusServiceUnavailable, "Service is unable to handle request."},
	"SignatureDoesNotMatch":                          {http.StatusForbidden, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
	"SlowDown":                                       {http.StatusServiceUnavailable, "Please reduce your request rate."},
	"TemporaryRedirect":                              {http.StatusTemporaryRedirect, "Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests."},
	"UnresolvableGrantByEmailAddress":                {http.StatusBadRequest, "The email address you provided does not match any account on record."},
	"UserKeyMustBeSpecified":                         {http.StatusBadRequest, "The bucket POST must contain the specified field name. If it is specified, please check the order of the fields."},
	"XAmzContentSHA256Mismatch":                      {http.StatusBadRequest, "The provided 'x-amz-content-sha256' header does not match what was computed."},
}

// The table entries. They are shared; use the With methods to derive errors.
var (
	ErrAccessDenied                                   = sentinel("AccessDenied")
	ErrAuthorizationHeaderMalformed                   = sentinel("AuthorizationHeaderMalformed")
	ErrAuthorizationQueryParametersError              = sentinel("AuthorizationQueryParametersError")
	ErrBadDigest                                      = sentinel("BadDigest")
	ErrBadGateway                                     = sentinel("BadGateway")
	ErrBadRequest                                     = sentinel("BadRequest")
	ErrBucketAlreadyExists                            = sentinel("BucketAlreadyExists")
	ErrBucketAlreadyOwnedByYou                        = sentinel("BucketAlreadyOwnedByYou")
	ErrConditionalRequestConflict                     = sentinel("ConditionalRequestConflict")
	ErrEncryptionTypeMismatch                         = sentinel("EncryptionTypeMismatch")
	ErrEntityTooLarge                                 = sentinel("EntityTooLarge")
	ErrEntityTooSmall                                 = sentinel("EntityTooSmall")
	ErrExpiredToken                                   = sentinel("ExpiredToken")
	ErrIncompleteBody                                 = sentinel("IncompleteBody")
	ErrIncorrectNumberOfFilesInPostRequest            = sentinel("IncorrectNumberOfFilesInPostRequest")
	ErrInternalError                                  = sentinel("InternalError")
	ErrInvalidAccessKeyId                             = sentinel("InvalidAccessKeyId")
	ErrInvalidArgument                                = sentinel("InvalidArgument")
	ErrInvalidBucketName                              = sentinel("InvalidBucketName")
	ErrInvalidChunkSizeError                          = sentinel("InvalidChunkSizeError")
	ErrInvalidDigest                                  = sentinel("InvalidDigest")
	ErrInvalidEncryptionAlgorithmError                = sentinel("InvalidEncryptionAlgorithmError")
	ErrInvalidPart                                    = sentinel("InvalidPart")
	ErrInvalidPartOrder                               = sentinel("InvalidPartOrder")
	ErrInvalidPolicyDocument                          = sentinel("InvalidPolicyDocument")
	ErrInvalidRange                                   = sentinel("InvalidRange")
	ErrInvalidRequest                                 = sentinel("InvalidRequest")
	ErrInvalidStorageClass                            = sentinel("InvalidStorageClass")
	ErrInvalidTag                                     = sentinel("InvalidTag")
	ErrInvalidToken                                   = sentinel("InvalidToken")
	ErrInvalidURI                                     = sentinel("InvalidURI")
	ErrKMSDisabledException                           = sentinel("KMS.DisabledException")
	ErrKMSInvalidStateException                       = sentinel("KMS.KMSInvalidStateException")
	ErrKMSNotFoundException                           = sentinel("KMS.NotFoundException")
	ErrKeyTooLongError                                = sentinel("KeyTooLongError")
	ErrMalformedPOSTRequest                           = sentinel("MalformedPOSTRequest")
	ErrMalformedTrailerError                          = sentinel("MalformedTrailerError")
	ErrMalformedXML                                   = sentinel("MalformedXML")
	ErrMaxMessageLengthExceeded                       = sentinel("MaxMessageLengthExceeded")
	ErrMaxPostPreDataLengthExceededError              = sentinel("MaxPostPreDataLengthExceededError")
	ErrMetadataTooLarge                               = sentinel("MetadataTooLarge")
	ErrMethodNotAllowed                               = sentinel("MethodNotAllowed")
	ErrMissingContentLength                           = sentinel("MissingContentLength")
	ErrMissingRequestBodyError                        = sentinel("MissingRequestBodyError")
	ErrNoSuchBucket                                   = sentinel("NoSuchBucket")
	ErrNoSuchKey                                      = sentinel("NoSuchKey")
	ErrNoSuchUpload                                   = sentinel("NoSuchUpload")
	ErrNoSuchVersion                                  = sentinel("NoSuchVersion")
	ErrNotImplemented                                 = sentinel("NotImplemented")
	ErrPermanentRedirect                              = sentinel("PermanentRedirect")
	ErrPreconditionFailed                             = sentinel("PreconditionFailed")
	ErrRequestHeaderSectionTooLarge                   = sentinel("RequestHeaderSectionTooLarge")
	ErrRequestTimeTooSkewed                           = sentinel("RequestTimeTooSkewed")
	ErrRequestTimeout                                 = sentinel("RequestTimeout")
	ErrServerSideEncryptionConfigurationNotFoundError = sentinel("ServerSideEncryptionConfigurationNotFoundError")
	ErrServiceUnavailable                             = sentinel("ServiceUnavailable")
	ErrSignatureDoesNotMatch                          = sentinel("SignatureDoesNotMatch")
	ErrSlowDown                                       = sentinel("SlowDown")
	ErrTemporaryRedirect                              = sentinel("TemporaryRedirect")
	ErrUnresolvableGrantByEmailAddress                = sentinel("UnresolvableGrantByEmailAddress")
	ErrUserKeyMustBeSpecified                         = sentinel("UserKeyMustBeSpecified")
	ErrXAmzContentSHA256Mismatch                      = sentinel("XAmzContentSHA256Mismatch")
)

// sentinel returns the table entry for code and panics for one that is not in
// the table, which only a mistake in this file can cause.
func sentinel(code string) *Error {
	e, ok := ErrorFor(code)
	if !ok {
		panic("internal error: no table entry for " + code)
	}
	return e
}
