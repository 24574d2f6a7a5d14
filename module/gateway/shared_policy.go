package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/bundle"
	"github.com/sealgate/sealgate/policy/recent"
	"github.com/sealgate/sealgate/policy/replay"
)

// sharedPolicies holds what is remembered of the policies in use over reloads of the
// configuration, by where they come from. Without it a reload would undo a roll-back,
// and put a change into force that the gate keeps out.
var sharedPolicies = caddy.NewUsagePool()

// sharedPolicy is what the handlers with the same policy and posture have in common.
type sharedPolicy struct {
	recent *recent.Ring // the latest requests
	shadow *shadowed

	mu      sync.Mutex
	engines []*policy.Engine // the last one is followed by the next
}

// Destruct implements caddy.Destructor.
func (s *sharedPolicy) Destruct() error {
	s.shadow.end()
	return nil
}

// attach adds the engine of a handler.
func (s *sharedPolicy) attach(e *policy.Engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engines = append(s.engines, e)
}

// detach takes it out, of a handler that ends or never came to serve.
func (s *sharedPolicy) detach(e *policy.Engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engines = slices.DeleteFunc(s.engines, func(other *policy.Engine) bool { return other == e })
}

// last is the engine to follow, nil if there is none.
func (s *sharedPolicy) last() *policy.Engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.engines); n > 0 {
		return s.engines[n-1]
	}
	return nil
}

// sharedKey names where a handler's policy comes from and whom it trusts.
func (s *settings) sharedKey() (string, error) {
	of := struct {
		Upstream, Policy, Posture, URL string
		Replay                         int
		Verification                   bundle.Verification
	}{Upstream: s.endpoint.String(), Policy: s.policy, Posture: s.posture, Replay: s.gate.replay}
	if s.bundle != nil {
		of.URL, of.Verification = s.bundle.options.URL.String(), s.bundle.options.Verification
	}
	text, err := json.Marshal(of)
	sum := sha256.Sum256(text) // it has the verification keys in it
	return hex.EncodeToString(sum[:]), err
}

// openPolicy loads the policy, or goes on with that of the configuration before.
func (h *Handler) openPolicy() error {
	key, err := h.settings.sharedKey()
	if err != nil {
		return err
	}
	shared, _, err := sharedPolicies.LoadOrNew(key, func() (caddy.Destructor, error) {
		return &sharedPolicy{recent: recent.New(recent.Options{Entries: h.settings.gate.replay}), shadow: newShadowed()}, nil
	})
	if err != nil {
		return err
	}
	h.shared = shared.(*sharedPolicy)
	h.closePolicy = func() error {
		h.shared.detach(h.policy)
		_, err := sharedPolicies.Delete(key)
		return err
	}
	options := policy.Options{
		SiteDir:      h.settings.policy,
		PostureFile:  h.settings.posture,
		CheckAction:  s3.CheckAction,
		CheckKeyring: h.app.keyrings.check,
		After:        h.shared.last(),
		Observe:      h.observe,
	}
	options.Gate, options.Waived = h.settings.gate.steps(h.recentRequests)
	if b := h.settings.bundle; b != nil {
		if h.bundle, err = bundle.Open(b.options); err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
		options.Site, options.MaxStaleness, options.Stale = h.bundle, b.maxStaleness, b.whenStale
	}
	if h.policy, err = policy.New(options); err != nil {
		return err
	}
	h.shared.attach(h.policy)
	if s := h.policy.Status(); s.Err != "" {
		h.logger.Error("the newest policy is not in force; the last good one is", zap.String("revision", s.Revision),
			zap.String("step", s.Step), zap.String("error", s.Err))
	}
	h.logWaivers()
	return nil
}

// observe is told of every decision.
func (h *Handler) observe(in *policy.Input, d policy.Decision, err error) {
	if h.settings.gate.replay > 0 {
		h.shared.recent.Observe(in, d, err)
	}
	h.shared.shadow.Observe(in, d, err)
}

// recentRequests are those that a new policy is tried on.
func (h *Handler) recentRequests() []replay.Request { return h.shared.recent.Requests() }
