package s3

import (
	"errors"
	"fmt"
)

// Detail is one extra element of an error document, such as
// {"ArgumentName", "partNumber"} or {"RuleId", "ENC-001"}. Names may repeat.
type Detail struct{ Name, Value string }

// Error is an S3 error answer. Errors are immutable: the With methods return
// copies, so the sentinels of this package can be shared. [errors.Is] compares
// codes.
type Error struct {
	Code    string // S3 error code, "AccessDenied"
	Status  int    // HTTP status
	Message string // sentence for the client; never holds a secret or a cause
	Details []Detail

	cause error
}

// NewError returns an error that need not be in the table, for example one
// that a store answered with.
func NewError(code string, status int, message string) *Error {
	return &Error{Code: code, Status: status, Message: message}
}

// ErrorFor returns the table entry for code.
func ErrorFor(code string) (*Error, bool) {
	e, ok := errorTable[code]
	if !ok {
		return nil, false
	}
	return &Error{Code: code, Status: e.status, Message: e.message}, true
}

// Error returns code and message, and the cause where there is one. It is
// meant for logs and records; clients see [WriteError].
func (e *Error) Error() string {
	s := e.Code + ": " + e.Message
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause given to [Error.WithCause], or nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an [*Error] with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// With returns a copy with one more element in the document.
func (e *Error) With(name, value string) *Error {
	c := *e
	c.Details = append(e.Details[:len(e.Details):len(e.Details)], Detail{name, value})
	return &c
}

// WithMessage returns a copy with another message.
func (e *Error) WithMessage(message string) *Error {
	c := *e
	c.Message = message
	return &c
}

// Messagef returns a copy with a formatted message. Do not format causes into
// it: the client sees it.
func (e *Error) Messagef(format string, args ...any) *Error {
	return e.WithMessage(fmt.Sprintf(format, args...))
}

// WithCause returns a copy that wraps cause, which is shown in logs only.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// AsError returns err as an [*Error]: itself if there is one in its chain,
// otherwise [ErrInternalError] wrapping it. AsError(nil) is nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return ErrInternalError.WithCause(err)
}
