package gateway

import (
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(App{})
}

// App is what all s3_encryption handlers of one configuration share: their
// metrics, the decision logger, and the list the admin API reports on. It needs
// no configuration; a handler starts it when the configuration does not name it.
type App struct {
	metrics   *metrics
	decisions *zap.Logger
	gateways  *registry
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "s3_encryption",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision registers the metrics and names the decision logger.
func (a *App) Provision(ctx caddy.Context) error {
	a.decisions = ctx.Logger().Named("decision")
	a.gateways = &registry{servers: make(map[*caddyhttp.Server]struct{})}
	a.metrics = newMetrics()
	return a.metrics.register(ctx.GetMetricsRegistry(), a.gateways)
}

// Start implements caddy.App. There is nothing to start: handlers own their work.
func (a *App) Start() error { return nil }

// Stop implements caddy.App.
func (a *App) Stop() error { return nil }

// registry lists the handlers of a configuration and the servers they are on.
type registry struct {
	mu       sync.Mutex
	handlers []*Handler
	servers  map[*caddyhttp.Server]struct{}
}

// join adds a provisioned handler.
func (g *registry) join(h *Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handlers = append(g.handlers, h)
}

// leave removes a handler; one that never joined is no error.
func (g *registry) leave(h *Handler) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handlers = slices.DeleteFunc(g.handlers, func(other *Handler) bool { return other == h })
}

// joined is a snapshot of the handlers that serve.
func (g *registry) joined() []*Handler {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.handlers)
}

// firstOn reports whether the caller is the first to ask for srv.
func (g *registry) firstOn(srv *caddyhttp.Server) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.servers[srv]; ok {
		return false
	}
	g.servers[srv] = struct{}{}
	return true
}

// Interface guards
var (
	_ caddy.App         = (*App)(nil)
	_ caddy.Provisioner = (*App)(nil)
)
