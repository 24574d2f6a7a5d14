package gateway

import (
	"encoding/json"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(App{})
}

// App is what all s3_encryption handlers of one configuration share: the keyrings,
// their metrics, the decision logger, and the list the admin API reports on. A
// handler starts it when the configuration does not name it.
type App struct {
	// The keyrings that seal objects, by the name they have in the posture: 1 to
	// 64 letters, digits, `-`, `_` and `.`. Each names its driver (`local`,
	// `aws_kms`, `vault`) and has the settings of that. A keyring of which every
	// setting is a placeholder that is empty when the configuration is loaded
	// counts as not set. Data keys are remembered across reloads as long as a
	// keyring's settings stay the same. Default: none, nothing is sealed.
	KeyringsRaw map[string]json.RawMessage `json:"keyrings,omitempty" caddy:"namespace=s3_encryption.keyrings inline_key=driver"`

	// How often the records of open uploads of sealed objects are swept: those
	// older than seven days, whose upload the store no longer has, go. Gateways
	// that share Caddy's storage take turns. Default: an hour; the first time
	// comes within that.
	SweepUploads caddy.Duration `json:"sweep_uploads,omitempty"`

	keyrings  *keyrings
	metrics   *metrics
	decisions *zap.Logger
	gateways  *registry
	sweeper   *sweeper
	records   *recordQueues
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "s3_encryption",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision loads the keyrings, registers the metrics and names the decision
// logger.
func (a *App) Provision(ctx caddy.Context) (err error) {
	if a.keyrings, err = a.loadKeyrings(ctx); err != nil {
		return err
	}
	a.decisions = ctx.Logger().Named("decision")
	a.gateways = &registry{servers: make(map[*caddyhttp.Server]struct{})}
	if a.sweeper, err = a.newSweeper(ctx.Logger()); err != nil {
		return err
	}
	a.records = new(recordQueues)
	a.metrics = newMetrics()
	return a.metrics.register(ctx.GetMetricsRegistry(), a)
}

// Start implements caddy.App. Handlers own their work; what remains is that the
// keyrings of this configuration are those to ask, and that records are swept.
func (a *App) Start() error {
	a.keyrings.started()
	a.sweeper.start()
	return nil
}

// Stop implements caddy.App. The keyrings stay until Cleanup, for requests.
func (a *App) Stop() error {
	a.sweeper.stop()
	return nil
}

// Cleanup has what decision records are left written, and gives up the keyrings. The
// configuration's requests have ended by then.
func (a *App) Cleanup() error {
	a.records.close()
	return a.keyrings.close()
}

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
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
