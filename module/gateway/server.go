package gateway

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Some of what S3 needs has to happen before Caddy's own handler sees a request:
// keeping headers Caddy deletes (metadata.go), answering what no site answers
// (unanswered.go) and leaving "Expect: 100-continue" to net/http (expect.go).

// watchServer puts these in front of srv. It must be called while srv is
// provisioned, once per server.
func watchServer(srv *caddyhttp.Server) {
	var once sync.Once
	srv.RegisterConnContext(func(ctx context.Context, _ net.Conn) context.Context {
		// Every connection passes here before its first request is served, so
		// the once orders this write before every read of the field.
		once.Do(func() {
			if s, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && s.Handler != nil {
				s.Handler = keepExpectation(refuseUnanswered(setMetadataAside(s.Handler)))
			}
		})
		return ctx
	})
}
