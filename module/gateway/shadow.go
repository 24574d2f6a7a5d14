package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/bundle"
	"github.com/sealgate/sealgate/policy/replay"
	"github.com/sealgate/sealgate/policy/shadow"
)

// shadowed is the shadow of the handlers with the same policy. It outlives the
// configurations they belong to, and what is counted goes on over a reload.
type shadowed struct {
	*shadow.Shadow
	counts  map[replay.Kind]*atomic.Uint64 // the map does not change
	dropped atomic.Uint64
	site    atomic.Pointer[policy.Site] // the candidate's files, as they were read
}

func newShadowed() *shadowed {
	s := &shadowed{counts: make(map[replay.Kind]*atomic.Uint64)}
	for _, k := range append(replay.Differences(), replay.Same) {
		s.counts[k] = new(atomic.Uint64)
	}
	s.Shadow = shadow.New(shadow.Options{
		Count: func(k replay.Kind) { s.counts[k].Add(1) },
		Drop:  func() { s.dropped.Add(1) },
	})
	return s
}

// end stops the candidate, if there is one.
func (s *shadowed) end() { _, _ = s.Stop() }

// startShadow has a candidate judge what the handlers that share s decide.
func (s *sharedPolicy) startShadow(ctx context.Context, site policy.Site) error {
	var built *policy.Generation // Load is called once at a time
	err := s.shadow.Start(ctx, shadow.Candidate{
		Origin: site.Origin,
		Load: func(ctx context.Context) (*policy.Generation, error) {
			e := s.last()
			if e == nil {
				return nil, errNoGateway
			}
			if built != nil && built.PostureDigest() == e.Current().PostureDigest() {
				return built, nil // it is the same beside any Rego
			}
			g, err := e.Build(ctx, site)
			if err == nil {
				built = g
			}
			return g, err
		},
		Live: func() string { return s.last().Current().Revision() },
	})
	if err == nil {
		s.shadow.site.Store(&site)
	}
	return err
}

var errNoGateway = errors.New("no gateway is running")

// candidate reads a candidate: a directory of Rego, or a bundle in a file, which has to
// be signed as the handler's own bundles are.
func (h *Handler) candidate(ctx context.Context, path string) (policy.Site, error) {
	if !filepath.IsAbs(path) {
		return policy.Site{}, fmt.Errorf("%q is not an absolute path", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return policy.Site{}, err
	}
	if info.IsDir() {
		return policy.Directory(path).Read(ctx)
	}
	var v bundle.Verification
	if h.settings.bundle != nil {
		v = h.settings.bundle.options.Verification
	}
	return bundle.File(path, v).Read(ctx)
}

// ShadowStatus is the answer of GET /s3_encryption/policy/shadow: one entry for each
// policy there is, which several handlers may share. The examples in it show what the
// inputs of decision records do: user metadata, tags, encryption contexts, no secrets.
type ShadowStatus struct {
	Policies []PolicyShadow `json:"policies"`
}

// PolicyShadow is the candidate beside one policy.
type PolicyShadow struct {
	Upstreams []string `json:"upstreams"` // of the handlers
	shadow.Status
}

// shadowStatus serves GET /s3_encryption/policy/shadow.
func (a *adminAPI) shadowStatus(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodGet); err != nil {
		return err
	}
	return a.writeShadow(w)
}

func (a *adminAPI) writeShadow(w http.ResponseWriter) error {
	out := ShadowStatus{Policies: []PolicyShadow{}}
	for _, group := range a.policies() {
		out.Policies = append(out.Policies, policyShadow(group, group[0].shared.shadow.Status()))
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(out)
}

func policyShadow(group []*Handler, s shadow.Status) PolicyShadow {
	p := PolicyShadow{Status: s}
	for _, h := range group {
		p.Upstreams = append(p.Upstreams, h.settings.endpoint.String())
	}
	return p
}

// maxShadowRequest bounds the body of a request to start a shadow, in bytes.
const maxShadowRequest = 64 << 10

// shadowStart serves POST /s3_encryption/policy/shadow/start. Its body is
// {"path": "<directory or bundle on this machine>"}.
func (a *adminAPI) shadowStart(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodPost); err != nil {
		return err
	}
	var body struct {
		Path string `json:"path"`
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxShadowRequest))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: fmt.Errorf("reading the request: %w", err)}
	}
	err := a.eachPolicy(func(group []*Handler) error {
		site, err := group[0].candidate(r.Context(), body.Path)
		if err != nil {
			return err
		}
		err = group[0].shared.startShadow(r.Context(), site)
		status := group[0].shared.shadow.Status()
		group[0].logger.Info("policy in the shadow", zap.String("origin", body.Path), zap.String("revision", status.Revision), zap.Error(err))
		return err
	})
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusUnprocessableEntity, Err: err}
	}
	return a.writeShadow(w)
}

// shadowStop serves POST /s3_encryption/policy/shadow/stop and answers with what the
// candidates had seen.
func (a *adminAPI) shadowStop(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodPost); err != nil {
		return err
	}
	out := ShadowStatus{Policies: []PolicyShadow{}}
	for _, group := range a.policies() {
		last, err := group[0].shared.shadow.Stop()
		if err != nil {
			continue
		}
		out.Policies = append(out.Policies, policyShadow(group, last))
	}
	if len(out.Policies) == 0 {
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: shadow.ErrNotRunning}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(out)
}

// shadowPromote serves POST /s3_encryption/policy/shadow/promote: the candidates, as
// they were read when they started, go through the gate and into force, and their
// shadows end. One that does not pass goes on in the shadow.
func (a *adminAPI) shadowPromote(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodPost); err != nil {
		return err
	}
	promoted := 0
	err := a.eachPolicy(func(group []*Handler) error {
		shared := group[0].shared
		if !shared.shadow.Status().Running {
			return nil
		}
		for _, h := range group {
			if err := h.policy.Activate(r.Context(), *shared.shadow.site.Load()); err != nil {
				h.logger.Error("the policy in the shadow was not promoted", zap.Error(err))
				return err
			}
			h.logger.Info("policy promoted from the shadow", zap.String("revision", h.policy.Status().Revision))
			h.logWaivers()
		}
		promoted++
		shared.shadow.end()
		return nil
	})
	switch {
	case err != nil:
		return caddy.APIError{HTTPStatus: http.StatusUnprocessableEntity, Err: fmt.Errorf("promoting the policy in the shadow; the last good one stays in force: %w", err)}
	case promoted == 0:
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: shadow.ErrNotRunning}
	}
	return a.writeStatus(w)
}

// policies are the handlers, those that share a policy together.
func (a *adminAPI) policies() [][]*Handler { return sharing(a.app.gateways.joined()) }

func sharing(handlers []*Handler) [][]*Handler {
	var groups [][]*Handler
	for _, h := range handlers {
		i := slices.IndexFunc(groups, func(g []*Handler) bool { return g[0].shared == h.shared })
		if i < 0 {
			groups = append(groups, []*Handler{h})
		} else {
			groups[i] = append(groups[i], h)
		}
	}
	return groups
}

// eachPolicy joins the errors that f has of the policies there are.
func (a *adminAPI) eachPolicy(f func([]*Handler) error) error {
	groups := a.policies()
	if len(groups) == 0 {
		return errNoGateway
	}
	var errs []error
	for _, group := range groups {
		errs = append(errs, f(group))
	}
	return errors.Join(errs...)
}

var (
	shadowDecisions = prometheus.NewDesc("sealgate_shadow_decisions_total",
		"Requests that a policy in the shadow judged, by what it would have made of them.", []string{"result"}, nil)
	shadowDropped = prometheus.NewDesc("sealgate_shadow_dropped_total",
		"Requests that a policy in the shadow did not judge for want of room.", nil, nil)
)

// shadowCollector reads what shadows have counted when it is scraped.
type shadowCollector struct{ app *App }

// Describe implements prometheus.Collector.
func (shadowCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- shadowDecisions
	ch <- shadowDropped
}

// Collect implements prometheus.Collector.
func (c shadowCollector) Collect(ch chan<- prometheus.Metric) {
	groups := sharing(c.app.gateways.joined())
	for _, k := range append(replay.Differences(), replay.Same) {
		var n uint64
		for _, g := range groups {
			n += g[0].shared.shadow.counts[k].Load()
		}
		ch <- prometheus.MustNewConstMetric(shadowDecisions, prometheus.CounterValue, float64(n), string(k))
	}
	var dropped uint64
	for _, g := range groups {
		dropped += g[0].shared.shadow.dropped.Load()
	}
	ch <- prometheus.MustNewConstMetric(shadowDropped, prometheus.CounterValue, float64(dropped))
}

// Interface guards
var _ prometheus.Collector = shadowCollector{}
