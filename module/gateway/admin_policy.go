package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/posture"
)

// PolicyStatus is the policy in force and how the last attempt to replace it went.
type PolicyStatus struct {
	Revision string       `json:"revision"`
	LoadedAt time.Time    `json:"loaded_at"`
	Files    int          `json:"files"`
	Source   PolicySource `json:"source"`
	// Why the newest policy is not in force, absent when it is, and at which step it
	// was kept out: read, download, verify, compile, probe, lint, tests, canaries,
	// replay or activate.
	Error   string     `json:"error,omitempty"`
	Step    string     `json:"failed_step,omitempty"`
	ErrorAt *time.Time `json:"error_at,omitempty"`
	// How often each step kept a policy out since the configuration was loaded.
	Failures map[string]uint64 `json:"failures,omitempty"`
	// The revision that a roll-back puts into force, absent if there is none.
	Previous string `json:"previous,omitempty"`
	// Whether what the source or the posture file holds stays out of force because it
	// was rolled back from, or because another policy was promoted.
	RolledBack bool `json:"rolled_back,omitempty"`
	// The steps that the policy in force did not have to pass.
	Waivers []policy.Waived `json:"waivers,omitempty"`
	// What is odd about the posture in force, such as an expired exception.
	Notices []posture.Notice `json:"notices,omitempty"`
}

// PolicySource is where the site's Rego in force is from.
type PolicySource struct {
	Kind   string `json:"kind"`             // library, directory or bundle
	Origin string `json:"origin,omitempty"` // a path or a URL
	// What a bundle calls itself.
	Revision string `json:"revision,omitempty"`
	// When the newest policy was last known to be in force, and how long ago that is.
	Confirmed  time.Time `json:"confirmed"`
	AgeSeconds int64     `json:"age_seconds"`
	// The longest age, absent without one, and whether it is exceeded.
	MaxAgeSeconds int64 `json:"max_age_seconds,omitempty"`
	Stale         bool  `json:"stale"`
}

func (h *Handler) policyStatus() PolicyStatus {
	s := h.policy.Status()
	out := PolicyStatus{
		Revision: s.Revision, LoadedAt: s.LoadedAt, Files: s.Files,
		Source: PolicySource{
			Kind: h.sourceKind(), Origin: s.Source.Origin, Revision: s.Source.Revision,
			Confirmed: s.Source.Confirmed, AgeSeconds: int64(s.Source.Age.Seconds()),
			MaxAgeSeconds: int64(s.Source.Limit.Seconds()), Stale: s.Source.Stale,
		},
		Error: s.Err, Step: s.Step, ErrorAt: known(s.ErrAt),
		Failures: s.Failures, Previous: s.Previous, RolledBack: s.RolledBack, Waivers: s.Waivers, Notices: s.Notices,
	}
	return out
}

// The kinds of sources.
const (
	sourceLibrary   = "library"
	sourceDirectory = "directory"
	sourceBundle    = "bundle"
)

func (h *Handler) sourceKind() string {
	switch {
	case h.bundle != nil:
		return sourceBundle
	case h.settings.policy != "":
		return sourceDirectory
	}
	return sourceLibrary
}

// reload loads every handler's policy and posture now, without waiting for the watcher
// or for the time to ask for a bundle, and although it was rolled back from. A policy
// that does not pass keeps the last good one. Steps of the gate are left out with
//
//	POST /s3_encryption/policy/reload?without=replay&reason=<why>
//
// which status and log show.
func (a *adminAPI) reload(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodPost); err != nil {
		return err
	}
	query := r.URL.Query()
	without := policy.Without{Steps: query["without"], Reason: query.Get("reason")}
	if len(without.Steps) > 0 && without.Reason == "" {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New("to leave out a step needs a reason")}
	}
	err := a.each(func(h *Handler) error { return h.reload(r.Context(), without) })
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusUnprocessableEntity, Err: fmt.Errorf("loading policy; the last good one stays in force: %w", err)}
	}
	return a.writeStatus(w)
}

func (h *Handler) reload(ctx context.Context, without policy.Without) error {
	if h.bundle != nil {
		h.bundle.Refresh(ctx)
	}
	if err := h.policy.ReloadWithout(ctx, without); err != nil {
		return err
	}
	if s := h.policy.Status(); s.Err != "" { // nothing newer could be had
		return errors.New(s.Err)
	}
	h.logWaivers()
	return nil
}

// rollback puts every handler's previous policy into force again. A handler that has
// none keeps what it has; it is an error if no handler has one.
func (a *adminAPI) rollback(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, http.MethodPost); err != nil {
		return err
	}
	done := 0
	err := a.each(func(h *Handler) error {
		err := h.policy.Rollback(r.Context())
		if errors.Is(err, policy.ErrNoPrevious) {
			return nil
		}
		done++
		h.logger.Warn("policy rolled back", zap.String("revision", h.policy.Status().Revision), zap.Error(err))
		return err
	})
	switch {
	case err != nil:
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
	case done == 0:
		return caddy.APIError{HTTPStatus: http.StatusConflict, Err: policy.ErrNoPrevious}
	}
	return a.writeStatus(w)
}

// each joins the errors that f has of the handlers.
func (a *adminAPI) each(f func(*Handler) error) error {
	var errs []error
	for _, h := range a.app.gateways.joined() {
		errs = append(errs, f(h))
	}
	return errors.Join(errs...)
}

// logWaivers logs what the policy in force did not have to pass, but for what the
// configuration leaves out.
func (h *Handler) logWaivers() {
	_, always := h.settings.gate.steps(nil)
	s := h.policy.Status()
	for _, w := range s.Waivers {
		if slices.ContainsFunc(always, func(a policy.Waived) bool { return a.Step == w.Step }) {
			continue
		}
		h.logger.Warn("policy in force without a step of the gate", zap.String("revision", s.Revision),
			zap.String("step", w.Step), zap.String("reason", w.Reason))
	}
}
