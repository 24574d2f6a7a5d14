package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/canary"
	"github.com/sealgate/sealgate/policy/lint"
	"github.com/sealgate/sealgate/policy/replay"
	"github.com/sealgate/sealgate/policy/suite"
)

// Gate is what a changed policy or posture has to pass before it is put into force,
// besides being compiled and denying empty requests. What does not pass changes
// nothing: the last good policy stays, and status, metrics and log say at which step it
// was kept out and why.
type Gate struct {
	// Whether the policy is looked through for mistakes, as `sealgate policy check`
	// does: `on` or `off`. Its warnings keep nothing out. Default: `on`.
	Lint string `json:"lint,omitempty"`

	// Whether the tests that come with the policy are run, as `sealgate policy test`
	// does: `on` or `off`. Default: `on`.
	Tests string `json:"tests,omitempty"`

	// Path of a file with requests that must be denied, and others that must be
	// allowed. It is read each time. Default: none.
	Canaries string `json:"canaries,omitempty"`

	// On how many of the latest requests the policy in force and the new one are
	// compared; 0 means on none. They are remembered in memory only. Default: 1000
	// where there is a gate, else 0.
	Replay *int `json:"replay,omitempty"`

	// How many of those may be decided otherwise.
	Budget *GateBudget `json:"budget,omitempty"`

	// What becomes of a change that adds new denials and nothing else: `replay`, or
	// `skip` to put it into force without comparing. Default: `replay`.
	Tightening string `json:"tightening,omitempty"`
}

// GateBudget holds shares of the compared requests, from 0 to 1.
type GateBudget struct {
	// Of those that were denied and would be allowed. Default: 0.
	DenyToAllow *float64 `json:"deny_to_allow,omitempty"`
	// Of those that would be stored with weaker encryption. Default: 0.
	Weaker *float64 `json:"weaker,omitempty"`
	// Of those that were allowed and would be denied. Default: 0.01.
	AllowToDeny *float64 `json:"allow_to_deny,omitempty"`
	// Of those that could not be decided. Default: 0.
	Faults *float64 `json:"faults,omitempty"`
	// Of those that cannot be compared. Default: 0.05.
	NotReplayable *float64 `json:"not_replayable,omitempty"`
}

var (
	onOffWords      = []string{"on", "off"}
	tighteningWords = []string{"replay", "skip"}
)

// Bounds of the gate's steps. Loading happens beside traffic.
const (
	testsTimeout    = time.Minute
	lintTimeout     = time.Minute
	canariesTimeout = time.Minute
	replayTimeout   = 2 * time.Minute
)

// defaultReplay is how many requests are compared where there is a gate.
const defaultReplay = 1000

// gateSettings are a Gate with placeholders replaced and checked.
type gateSettings struct {
	lint, tests, skip bool
	canaries          string
	replay            int
	budget            replay.Budget
	configured        bool
}

func (r *resolver) gate(g *Gate) gateSettings {
	s := gateSettings{configured: g != nil, budget: replay.DefaultBudget()}
	if g == nil {
		g = new(Gate)
	}
	s.lint = r.word("gate: lint", g.Lint, onOffWords) == "on"
	s.tests = r.word("gate: tests", g.Tests, onOffWords) == "on"
	s.skip = r.word("gate: tightening", g.Tightening, tighteningWords) == "skip"
	s.canaries = r.text("gate: canaries", g.Canaries)
	if s.configured {
		s.replay = defaultReplay
	}
	if g.Replay != nil {
		s.replay = *g.Replay
	}
	if s.replay < 0 {
		r.fail(errors.New("gate: replay is negative"))
	}
	if g.Budget != nil {
		for _, share := range []struct {
			from *float64
			to   *float64
		}{
			{g.Budget.DenyToAllow, &s.budget.DenyToAllow},
			{g.Budget.Weaker, &s.budget.Weaker},
			{g.Budget.AllowToDeny, &s.budget.AllowToDeny},
			{g.Budget.Faults, &s.budget.Faults},
			{g.Budget.NotReplayable, &s.budget.NotReplayable},
		} {
			if share.from == nil {
				continue
			}
			if *share.to = *share.from; !(*share.to >= 0 && *share.to <= 1) {
				r.fail(fmt.Errorf("gate: budget %v is not a share from 0 to 1", *share.to))
			}
		}
	}
	return s
}

// steps are what a policy has to pass, and what it does not have to.
func (s gateSettings) steps(recent func() []replay.Request) (gate []policy.Step, waived []policy.Waived) {
	off := func(name, reason string) {
		waived = append(waived, policy.Waived{Step: name, Reason: reason, At: time.Now()})
	}
	if s.lint {
		gate = append(gate, bounded(policy.StepLint, lintTimeout, lintPolicy))
	} else {
		off(policy.StepLint, "off in the configuration")
	}
	if s.tests {
		gate = append(gate, bounded(policy.StepTests, testsTimeout, testPolicy))
	} else {
		off(policy.StepTests, "off in the configuration")
	}
	gate = append(gate, bounded(policy.StepCanaries, canariesTimeout, s.askCanaries))
	switch {
	case s.replay > 0:
		gate = append(gate, bounded(policy.StepReplay, replayTimeout, s.replayStep(recent)))
	case s.configured:
		off(policy.StepReplay, "off in the configuration")
	default:
		off(policy.StepReplay, "no gate in the configuration")
	}
	return gate, waived
}

// bounded is a step that may take so long.
func bounded(name string, timeout time.Duration, check func(context.Context, *policy.Candidate) error) policy.Step {
	return policy.Step{Name: name, Check: func(ctx context.Context, c *policy.Candidate) error {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return check(ctx, c)
	}}
}

// maxProblems bounds what an error lists.
const maxProblems = 5

func lintPolicy(ctx context.Context, c *policy.Candidate) error {
	found, err := lint.Check(ctx, c.Sources, lint.Options{Known: engine.KnownValues()})
	if err != nil {
		return err
	}
	var errs []string
	for _, p := range found {
		if p.Level == lint.Error {
			errs = append(errs, p.String())
		}
	}
	return few(errs)
}

func testPolicy(ctx context.Context, c *policy.Candidate) error {
	report, err := suite.Run(ctx, c.Sources, suite.Options{})
	if err != nil {
		return err
	}
	var failed []string
	for _, t := range report.Tests {
		if t.Outcome != suite.Pass && t.Outcome != suite.Skip {
			failed = append(failed, strings.TrimSpace(fmt.Sprintf("%s:%d: %s: %s %s", t.File, t.Row, t.Name, t.Outcome, t.Reason)))
		}
	}
	return few(failed)
}

// few is an error of the first texts; nil of none.
func few(texts []string) error {
	if len(texts) == 0 {
		return nil
	}
	more := ""
	if n := len(texts); n > maxProblems {
		texts, more = texts[:maxProblems], fmt.Sprintf("; and %d more", n-maxProblems)
	}
	return errors.New(strings.Join(texts, "; ") + more)
}

func (s gateSettings) askCanaries(ctx context.Context, c *policy.Candidate) error {
	var set *canary.Set
	if s.canaries != "" {
		text, err := os.ReadFile(s.canaries)
		if err != nil {
			return err
		}
		if set, err = canary.Parse(text); err != nil {
			return err
		}
	}
	return set.Check(ctx, c.Generation)
}

// replayStep compares the policy in force with the candidate.
func (s gateSettings) replayStep(recent func() []replay.Request) func(context.Context, *policy.Candidate) error {
	return func(ctx context.Context, c *policy.Candidate) error {
		requests := recent()
		switch {
		case c.Current == nil:
			c.Waive(policy.StepReplay, "there was no policy in force")
			return nil
		case s.skip && c.Tightens():
			c.Waive(policy.StepReplay, "the change adds denials and nothing else")
			return nil
		case len(requests) == 0:
			c.Waive(policy.StepReplay, "there was no request yet")
			return nil
		}
		_, err := replay.Gate(ctx, c.Current, c.Generation, requests, s.budget)
		return err
	}
}

// unmarshalGate reads the gate subdirective.
func (h *Handler) unmarshalGate(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	g := new(Gate)
	h.Gate = g
	seen := make(map[string]bool)
	for d.NextBlock(1) {
		name := d.Val()
		if seen[name] {
			return d.Errf("%s is already specified", name)
		}
		seen[name] = true
		var err error
		switch name {
		case "lint":
			err = oneWord(d, &g.Lint, onOffWords)
		case "tests":
			err = oneWord(d, &g.Tests, onOffWords)
		case "tightening":
			err = oneWord(d, &g.Tightening, tighteningWords)
		case "canaries":
			err = oneArg(d, &g.Canaries)
		case "replay":
			err = g.unmarshalReplay(d)
		case "budget":
			err = g.unmarshalBudget(d)
		default:
			err = d.Errf("unrecognized option '%s' of gate", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unmarshalReplay reads: replay off|<requests>.
func (g *Gate) unmarshalReplay(d *caddyfile.Dispenser) error {
	var text string
	if err := oneArg(d, &text); err != nil {
		return err
	}
	n := 0
	if text != "off" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n <= 0 {
			return d.Errf("replay '%s' is neither off nor a number of requests", text)
		}
	}
	g.Replay = &n
	return nil
}

// unmarshalBudget reads a block of: <kind> <share>[%].
func (g *Gate) unmarshalBudget(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	g.Budget = new(GateBudget)
	kinds := map[string]**float64{
		"deny_to_allow":  &g.Budget.DenyToAllow,
		"weaker":         &g.Budget.Weaker,
		"allow_to_deny":  &g.Budget.AllowToDeny,
		"faults":         &g.Budget.Faults,
		"not_replayable": &g.Budget.NotReplayable,
	}
	for d.NextBlock(2) {
		target, ok := kinds[d.Val()]
		if !ok {
			return d.Errf("unrecognized kind '%s' of budget", d.Val())
		}
		if *target != nil {
			return d.Errf("%s is already specified", d.Val())
		}
		var text string
		if err := oneArg(d, &text); err != nil {
			return err
		}
		number, percent := strings.CutSuffix(text, "%")
		share, err := strconv.ParseFloat(number, 64)
		if percent {
			share /= 100
		}
		if err != nil || !(share >= 0 && share <= 1) {
			return d.Errf("'%s' is not a share: 0.01 or 1%%", text)
		}
		*target = &share
	}
	return nil
}
