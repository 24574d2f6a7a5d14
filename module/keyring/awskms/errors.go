package awskms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/sealgate/sealgate/module/keyring"
)

// outcomes says what a caller can do about each error code of KMS. Codes that
// are not listed are judged by their HTTP status. Where a person has to act (a
// disabled key is enabled, a deletion is cancelled), trying again does not help:
// that is ErrDenied.
//
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#API_Decrypt_Errors
// https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
var outcomes = map[string]error{
	"AccessDeniedException":       keyring.ErrDenied,
	"DisabledException":           keyring.ErrDenied,
	"KMSInvalidStateException":    keyring.ErrDenied, // pending deletion or import, custom key store disconnected
	"NotFoundException":           keyring.ErrDenied,
	"InvalidKeyUsageException":    keyring.ErrDenied, // not a key for encryption
	"InvalidGrantTokenException":  keyring.ErrDenied,
	"UnrecognizedClientException": keyring.ErrDenied,
	"InvalidClientTokenId":        keyring.ErrDenied,
	"InvalidSignatureException":   keyring.ErrDenied,
	"OptInRequired":               keyring.ErrDenied,

	"ExpiredTokenException":      keyring.ErrUnavailable, // the credentials are renewed
	"RequestExpired":             keyring.ErrUnavailable, // a clock is wrong
	"DependencyTimeoutException": keyring.ErrUnavailable,
	"KeyUnavailableException":    keyring.ErrUnavailable,
	"KMSInternalException":       keyring.ErrUnavailable,
	"LimitExceededException":     keyring.ErrUnavailable,
	"Throttling":                 keyring.ErrUnavailable,
	"ThrottlingException":        keyring.ErrUnavailable,
	"TooManyRequestsException":   keyring.ErrUnavailable,
	"RequestLimitExceeded":       keyring.ErrUnavailable,

	"InvalidCiphertextException": keyring.ErrCorrupt,
	"IncorrectKeyException":      keyring.ErrCorrupt,
}

// explain turns an error of the SDK into one of package keyring. Its text says
// what failed, with which key and which request id, and repeats nothing else of
// the reply: what it may quote is not known.
func explain(ctx context.Context, operation, key string, err error) error {
	call := fmt.Sprintf("kms %s with %s", operation, key)
	var coded smithy.APIError
	var reply *awshttp.ResponseError
	id, status := "none", 0
	if errors.As(err, &reply) {
		id, status = plain(reply.ServiceRequestID()), reply.HTTPStatusCode()
	}
	switch {
	case errors.As(err, &coded) && coded.ErrorCode() != unknownCode:
		code := coded.ErrorCode()
		return fmt.Errorf("%w: %s: %s (request id %s)", outcome(code, status), call, plain(code), id)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s: %w", keyring.ErrUnavailable, call, context.Cause(ctx))
	case status != 0:
		return fmt.Errorf("%w: %s: unreadable reply with status %d (request id %s)", keyring.ErrUnavailable, call, status, id)
	}
	var transport *url.Error
	var missing *credentialsError
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("%w: %s: %w", keyring.ErrUnavailable, call, missing)
	case errors.As(err, &transport):
		return fmt.Errorf("%w: %s: %w", keyring.ErrUnavailable, call, transport.Err)
	default:
		return fmt.Errorf("%w: %s: no usable reply", keyring.ErrUnavailable, call)
	}
}

// unknownCode is what the SDK calls an error reply without a code: not the
// words of KMS, but of something on the way.
const unknownCode = "UnknownError"

func outcome(code string, status int) error {
	if known, ok := outcomes[code]; ok {
		return known
	}
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return keyring.ErrUnavailable
	case status >= 400 && status < 500:
		return keyring.ErrDenied
	default:
		return keyring.ErrUnavailable
	}
}

// word is the form of error codes and request ids.
var word = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// plain is s if that is one harmless word.
func plain(s string) string {
	if !word.MatchString(s) {
		return "unrecognized"
	}
	return s
}
