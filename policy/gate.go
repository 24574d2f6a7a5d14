package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The steps on the way of a policy into force, in their order. A source may have a
// part of them only.
const (
	StepRead     = "read"     // files and what is in memory
	StepDownload = "download" // of a bundle
	StepVerify   = "verify"   // its signature and form
	StepCompile  = "compile"  // posture and Rego, strictly
	StepProbe    = "probe"    // empty requests are denied
	StepLint     = "lint"
	StepTests    = "tests" // the site's own
	StepCanaries = "canaries"
	StepReplay   = "replay"   // of recent requests
	StepActivate = "activate" // the swap, and keeping it for the next start
)

// Step is something a policy has to pass before it is put into force, after it was
// compiled and probed. An error of Check, or a panic, keeps the last good policy.
type Step struct {
	Name  string // one of the Step constants
	Check func(ctx context.Context, c *Candidate) error
}

// Candidate is a policy on its way into force.
type Candidate struct {
	// Generation is the policy. It decides as it would in force, but it is not
	// observed and never stale.
	Generation *Generation
	// Current is the policy in force; nil when there is none.
	Current *Generation
	// Sources are the Rego files of the candidate, tests too.
	Sources Sources

	now     func() time.Time
	waivers []Waived
}

// Waive notes that a step did not judge the candidate, and why.
func (c *Candidate) Waive(step, reason string) {
	c.waivers = append(c.waivers, Waived{Step: step, Reason: reason, At: c.now()})
}

// Waived is a step that the policy in force did not have to pass.
type Waived struct {
	Step   string    `json:"step"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Without asks for a policy to be put into force without some steps. Compiling and
// probing are always done.
type Without struct {
	Steps  []string // of Options.Gate
	Reason string   // is required, and shown in Status
}

func (w Without) check(gate []Step) error {
	if len(w.Steps) > 0 && w.Reason == "" {
		return errors.New("to leave out a step needs a reason")
	}
	for _, name := range w.Steps {
		if !slices.ContainsFunc(gate, func(s Step) bool { return s.Name == name }) {
			return fmt.Errorf("step %q cannot be left out: it is not part of the gate", name)
		}
	}
	return nil
}

// StepError says at which step a policy was kept from being put into force.
type StepError struct {
	Step string
	Err  error
}

// Error names the step and the reason.
func (e *StepError) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *StepError) Unwrap() error { return e.Err }

// failedAt is err as that of a step, unless it says already at which it was.
func failedAt(step string, err error) error {
	var at *StepError
	if err == nil || errors.As(err, &at) {
		return err
	}
	return &StepError{Step: step, Err: err}
}

// admit builds a policy and takes it through the gate.
func (e *Engine) admit(ctx context.Context, s sources, w Without) (*Generation, error) {
	g, err := build(ctx, e.options, s)
	if err != nil {
		return nil, err
	}
	tools, err := s.tools()
	if err != nil {
		return nil, failedAt(StepRead, err)
	}
	c := &Candidate{Generation: g, Current: e.current.Load(), Sources: tools, now: e.options.Now}
	for _, step := range e.options.Gate {
		if slices.Contains(w.Steps, step.Name) {
			c.Waive(step.Name, w.Reason)
			continue
		}
		if err := step.run(ctx, c); err != nil {
			return nil, failedAt(step.Name, err)
		}
	}
	admitted := *g
	admitted.waived = append(slices.Clone(e.options.Waived), c.waivers...)
	return &admitted, nil
}

// run is Check, whatever it does.
func (s Step) run(ctx context.Context, c *Candidate) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check panicked: %v", p)
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Check(ctx, c)
}

// tools are the files as tools for policies take them.
func (s sources) tools() (Sources, error) {
	bench, err := selectLibrary(isTest)
	return Sources{Dir: s.from.Origin, library: s.library, site: s.site, tests: s.tests, bench: bench}, err
}
