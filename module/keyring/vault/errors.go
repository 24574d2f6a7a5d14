package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/sealgate/sealgate/module/keyring"
)

// explain turns an error of the client into one of package keyring. Its text
// says what failed and how, and repeats nothing of a reply: what that quotes is
// not known. The client's own text would show the whole of it.
func explain(ctx context.Context, call string, err error) error {
	var reply *api.ResponseError
	var transport *url.Error
	switch {
	case errors.As(err, &reply) && reply.RawError:
		return fmt.Errorf("%w: vault %s: status %d, not by vault", keyring.ErrUnavailable, call, reply.StatusCode)
	case errors.As(err, &reply):
		reason, kind := judge(call, reply)
		return fmt.Errorf("%w: vault %s: status %d, %s", kind, call, reply.StatusCode, reason)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: vault %s: %w", keyring.ErrUnavailable, call, context.Cause(ctx))
	case errors.As(err, &transport):
		return fmt.Errorf("%w: vault %s: %w", keyring.ErrUnavailable, call, transport.Err)
	default:
		return fmt.Errorf("%w: vault %s: no usable reply", keyring.ErrUnavailable, call)
	}
}

// Calls of the transit engine, as errors name them.
const (
	callEncrypt = "encrypt"
	callDecrypt = "decrypt"
)

// judge says what a caller can do about a reply:
// https://developer.hashicorp.com/vault/api-docs#http-status-codes
func judge(call string, reply *api.ResponseError) (reason string, kind error) {
	says := func(text string) bool {
		return strings.Contains(strings.ToLower(strings.Join(reply.Errors, "\n")), text)
	}
	switch status := reply.StatusCode; {
	case status == http.StatusServiceUnavailable && says("sealed"):
		return "sealed", keyring.ErrUnavailable
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusPreconditionFailed:
		return "try again", keyring.ErrUnavailable
	case status == http.StatusForbidden:
		return "permission denied", keyring.ErrDenied
	case status == http.StatusNotFound:
		return "no such mount or key", keyring.ErrDenied
	case status == http.StatusBadRequest && says("key not found"):
		return "no such key", keyring.ErrDenied
	case status == http.StatusBadRequest && says("disallowed by policy"):
		return "this version of the key is retired", keyring.ErrDenied
	case status == http.StatusBadRequest && call == callDecrypt:
		return "not authentic", keyring.ErrCorrupt
	default:
		return "refused", keyring.ErrDenied
	}
}
