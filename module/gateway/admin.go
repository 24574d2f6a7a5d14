package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/clients"
	"github.com/sealgate/sealgate/policy"
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
}

// PolicyStatus is the policy in force and how the last attempt to replace it went.
type PolicyStatus struct {
	Revision string    `json:"revision"`
	LoadedAt time.Time `json:"loaded_at"`
	Files    int       `json:"files"`
	// Why the files as they are now are not in force, absent when they are.
	Error   string     `json:"error,omitempty"`
	ErrorAt *time.Time `json:"error_at,omitempty"`
}

// ClientsStatus is the clients file in force.
type ClientsStatus struct {
	Path     string    `json:"path"`
	LoadedAt time.Time `json:"loaded_at"`
	Clients  int       `json:"clients"`
	// Why the file as it is now is not in force, absent when it is.
	Error string `json:"error,omitempty"`
}

func policyStatus(s policy.Status) PolicyStatus {
	out := PolicyStatus{Revision: s.Revision, LoadedAt: s.LoadedAt, Files: s.Files, Error: s.Err}
	if !s.ErrAt.IsZero() {
		out.ErrorAt = &s.ErrAt
	}
	return out
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

// reload loads every handler's policy and posture now, without waiting for the
// watcher. A policy that does not load keeps the last good one.
func (a *adminAPI) reload(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodPost); err != nil {
		return err
	}
	var errs []error
	for _, h := range a.app.gateways.joined() {
		if err := h.policy.Reload(r.Context()); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusUnprocessableEntity, Err: fmt.Errorf("loading policy; the last good one stays in force: %w", err)}
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
			Policy:   policyStatus(h.policy.Status()),
			Clients:  clientsStatus(h.clients.Status()),
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
