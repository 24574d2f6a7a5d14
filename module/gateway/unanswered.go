package gateway

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sealgate/sealgate/module/s3"
)

// Caddy answers a request that no site takes, such as one for another host name
// than the site's, with an empty "200 OK". An S3 client takes that for an object
// that was stored. So on servers with a gateway such requests are refused.

var errMisdirected = s3.NewError("MisdirectedRequest", http.StatusMisdirectedRequest,
	"No site of this server answers requests for this host name.")

// refuseUnanswered is next, with a refusal for the requests it leaves without
// any answer.
func refuseUnanswered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &answerWatcher{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
		next.ServeHTTP(out, r)
		if !out.answered {
			s3.WriteError(w, errMisdirected, s3.Reply{Method: r.Method})
		}
	})
}

// answerWatcher notes whether anything was answered.
type answerWatcher struct {
	*caddyhttp.ResponseWriterWrapper
	answered bool
}

func (w *answerWatcher) WriteHeader(status int) {
	w.answered = true
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *answerWatcher) Write(p []byte) (int, error) {
	w.answered = true
	return w.ResponseWriterWrapper.Write(p)
}

func (w *answerWatcher) ReadFrom(r io.Reader) (int64, error) {
	w.answered = true
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// Interface guards
var _ http.ResponseWriter = (*answerWatcher)(nil)
