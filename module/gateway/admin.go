package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/module/records"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI serves the s3_encryption endpoints of Caddy's admin API. Caddy makes
// one for every configuration, before the configuration's apps.
type adminAPI struct{ app *App }

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.s3_encryption",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Provision finds the app its handlers will join. The app is loaded even when
// the configuration does not name it, because handlers do not need it to.
func (a *adminAPI) Provision(ctx caddy.Context) error {
	app, err := ctx.App("s3_encryption")
	if err != nil {
		return err
	}
	a.app = app.(*App)
	return nil
}

// Routes returns the admin routes.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/s3_encryption/status", Handler: caddy.AdminHandlerFunc(a.status)},
		{Pattern: "/s3_encryption/policy/reload", Handler: caddy.AdminHandlerFunc(a.reload)},
		{Pattern: "/s3_encryption/policy/rollback", Handler: caddy.AdminHandlerFunc(a.rollback)},
		{Pattern: "/s3_encryption/policy/shadow", Handler: caddy.AdminHandlerFunc(a.shadowStatus)},
		{Pattern: "/s3_encryption/policy/shadow/start", Handler: caddy.AdminHandlerFunc(a.shadowStart)},
		{Pattern: "/s3_encryption/policy/shadow/promote", Handler: caddy.AdminHandlerFunc(a.shadowPromote)},
		{Pattern: "/s3_encryption/policy/shadow/stop", Handler: caddy.AdminHandlerFunc(a.shadowStop)},
	}
}

// Status is the answer of GET /s3_encryption/status.
type Status struct {
	// One entry per s3_encryption handler of the running configuration.
	Gateways []GatewayStatus `json:"gateways"`
	// One entry per keyring, by name.
	Keyrings []KeyringStatus `json:"keyrings"`
}

// GatewayStatus is the state of one handler.
type GatewayStatus struct {
	Upstream string        `json:"upstream"`
	Region   string        `json:"region"`
	Domain   []string      `json:"domain,omitempty"`
	Policy   PolicyStatus  `json:"policy"`
	Clients  ClientsStatus `json:"clients"`
	// One entry per place its decision records go to, since the configuration was
	// loaded.
	Records []records.Status `json:"records"`
}

// ClientsStatus is the clients file in force.
type ClientsStatus struct {
	Path     string    `json:"path"`
	LoadedAt time.Time `json:"loaded_at"`
	Clients  int       `json:"clients"`
	// Why the file as it is now is not in force, absent when it is.
	Error string `json:"error,omitempty"`
}

func clientsStatus(s clients.Status) ClientsStatus {
	return ClientsStatus{Path: s.Path, LoadedAt: s.LoadedAt, Clients: s.Clients, Error: s.Err}
}

func (a *adminAPI) status(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodGet); err != nil {
		return err
	}
	return a.writeStatus(w)
}

func (a *adminAPI) writeStatus(w http.ResponseWriter) error {
	status := Status{Gateways: []GatewayStatus{}}
	for _, h := range a.app.gateways.joined() {
		status.Gateways = append(status.Gateways, GatewayStatus{
			Upstream: h.settings.endpoint.String(),
			Region:   h.settings.region,
			Domain:   h.settings.domains,
			Policy:   h.policyStatus(),
			Clients:  clientsStatus(h.clients.Status()),
			Records:  recordStatus(h.records),
		})
	}
	status.Keyrings = a.app.keyrings.status()
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(status)
}

func allow(r *http.Request, method string) error {
	if r.Method == method {
		return nil
	}
	return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method not allowed: %s", r.Method)}
}

// Interface guards
var (
	_ caddy.AdminRouter = (*adminAPI)(nil)
	_ caddy.Provisioner = (*adminAPI)(nil)
)
