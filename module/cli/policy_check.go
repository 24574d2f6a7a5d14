package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/lint"
	"github.com/sealgate/sealgate/policy/posture"
)

func policyCheck() *cobra.Command {
	var flags policyFlags
	var format string
	var strict bool
	cmd := &cobra.Command{
		Use:   "check [DIR] [--posture FILE] [--strict] [--format text|json|sarif|junit] [--json]",
		Short: "Finds mistakes in a policy before a gateway loads it",
		Long: `Finds mistakes in the Rego of a site's directory and in the posture: what a
gateway would refuse to load, and what it would load although a rule then does
less than it says, or costs more than it should. Tests are looked at as well.

Of what is expensive the cost is measured and shown. Warnings do not fail a
check unless --strict is given.`,
		Args: atMost("the directory of the site's Rego"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			if err := flags.completeWithDir(args); err != nil {
				return err
			}
			if flags.json {
				format = "json"
			}
			write, ok := reportFormats[format]
			if !ok {
				return usagef("unknown format %q: want text, json, sarif or junit", format)
			}
			report, err := checkPolicy(cmd.Context(), flags)
			if err != nil {
				return err
			}
			if err := write(cmd.OutOrStdout(), report); err != nil {
				return err
			}
			if report.Errors > 0 || strict && report.Warnings > 0 {
				return finding(fmt.Errorf("%s, %s", plural(report.Errors, "error"), plural(report.Warnings, "warning")))
			}
			return nil
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&format, "format", "text", "text, json, sarif (code scanning) or junit (test results)")
	cmd.Flags().BoolVar(&strict, "strict", false, "let warnings fail the check")
	return cmd
}

// checkReport is what a check found.
type checkReport struct {
	Policy   string         `json:"policy"`  // directory, "" for the library alone
	Posture  string         `json:"posture"` // file, "" if there is none
	Files    []string       `json:"files"`   // Rego files of the site
	Problems []lint.Problem `json:"problems"`
	Errors   int            `json:"errors"`
	Warnings int            `json:"warnings"`
}

// Codes of problems with the posture.
const (
	postureNotLoaded lint.Code = "posture-not-loaded"
	postureNotice    lint.Code = "posture"
)

// checkPolicy looks at everything there is.
func checkPolicy(ctx context.Context, flags policyFlags) (checkReport, error) {
	report := checkReport{Policy: flags.policy, Posture: flags.posture, Files: []string{}, Problems: []lint.Problem{}}
	sources, err := policy.ReadSources(flags.policy)
	if err != nil {
		return report, missing(err)
	}
	report.Files = append(report.Files, sources.Files()...)
	found, err := lint.Check(ctx, sources, lint.Options{Known: engine.KnownValues(), Tests: true, Measure: true})
	if err != nil {
		return report, err
	}
	loads := !slices.ContainsFunc(found, func(p lint.Problem) bool { return p.Code == lint.NotLoaded || p.Compiler() })
	more, err := checkPosture(flags, loads)
	if err != nil {
		return report, err
	}
	report.Problems = append(report.Problems, append(found, more...)...)
	for _, p := range report.Problems {
		if p.Level == lint.Warning {
			report.Warnings++
		} else {
			report.Errors++
		}
	}
	return report, nil
}

// missing makes what is not there wrong usage.
func missing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return &failure{exitUsage, err}
	}
	return err
}

// checkPosture reads the posture, and has an engine load all of it if the Rego loads.
func checkPosture(flags policyFlags, loads bool) ([]lint.Problem, error) {
	if flags.posture == "" {
		return nil, nil
	}
	data, err := os.ReadFile(flags.posture)
	if err != nil {
		return nil, missing(err)
	}
	refused := func(err error) []lint.Problem {
		return []lint.Problem{{File: flags.posture, Row: 1, Col: 1, Code: postureNotLoaded, Level: lint.Error, Message: err.Error()}}
	}
	if _, err := posture.Parse(data); err != nil {
		return refused(err), nil
	}
	if !loads {
		return nil, nil
	}
	engine, err := policy.New(engineOptions(flags))
	if err != nil {
		return refused(err), nil
	}
	var out []lint.Problem
	for _, n := range engine.Status().Notices {
		p := lint.Problem{File: flags.posture, Row: 1, Col: 1, Code: postureNotice, Level: lint.Warning, Message: n.Place + ": " + n.Text}
		if n.Level == posture.LevelError {
			p.Level = lint.Error
		}
		out = append(out, p)
	}
	return out, nil
}

// loadTimeout is how long one evaluation may take where nobody waits for it.
const loadTimeout = 10 * time.Second

// engineOptions load a policy as a gateway does. Which keyrings there are is not known.
func engineOptions(flags policyFlags) policy.Options {
	return policy.Options{PostureFile: flags.posture, SiteDir: flags.policy, CheckAction: s3.CheckAction, Timeout: loadTimeout}
}

func writeCheckText(w io.Writer, r checkReport) error {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "%s:%d:%d: %s: %s [%s]\n", p.File, p.Row, p.Col, p.Level, p.Message, p.Code)
		if p.Fix != "" {
			fmt.Fprintf(w, "\t%s\n", p.Fix)
		}
		if p.Cost != nil && p.Cost.Measured {
			fmt.Fprintf(w, "\t%s\n", p.Cost)
		}
	}
	what := "the library alone"
	if r.Policy != "" {
		what = plural(len(r.Files), "Rego file") + " in " + r.Policy
	}
	if r.Posture != "" {
		what += " and " + r.Posture
	}
	said := "nothing is wrong"
	if r.Errors+r.Warnings > 0 {
		said = plural(r.Errors, "error") + ", " + plural(r.Warnings, "warning")
	}
	_, err := fmt.Fprintf(w, "%s: %s\n", what, said)
	return err
}
