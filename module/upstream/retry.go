package upstream

import "net/http"

// maxAttempts bounds how often a call is sent. Each attempt but the last met a
// kept connection that had died; there may be several of those.
const maxAttempts = 4

// mayRepeat reports whether a call may be sent again after a kept connection
// died before an answer came. Methods that are idempotent in HTTP may if there
// is no body; everything else only where the body is there to be sent again.
//
// net/http has a rule of its own for this, which is not enough: it gives up if
// the connection dies between two writes of one request.
func mayRepeat(call *Call) bool {
	if call.Once {
		return false
	}
	if call.Data != nil {
		return true
	}
	return call.Length == 0 && call.Method != http.MethodPost && call.Method != http.MethodPatch
}

// staleError: a kept connection turned out to be dead.
type staleError struct{ err error }

func (s *staleError) Error() string { return "kept connection is dead: " + s.err.Error() }

func (s *staleError) Unwrap() error { return s.err }
