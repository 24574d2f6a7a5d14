package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/suite"
)

func policyTest() *cobra.Command {
	var flags policyFlags
	var options suite.Options
	var threshold float64
	var verbose bool
	cmd := &cobra.Command{
		Use:   "test [DIR] [--run REGEX] [--threshold PERCENT] [--verbose] [--library] [--json]",
		Short: "Runs the Rego tests of a policy and shows which lines they miss, and why",
		Long: `Runs the tests in a site's directory: rules test_… in files …_test.rego. They are
loaded with the library, its data.sealgate.lib.testing, and what a gateway allows
policies, and they are the same tests that "opa test" runs.

Of the site's own rules it shows which lines no test comes to, and which
condition kept all tests from them.`,
		Args: atMost("the directory of the site's Rego"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			if err := flags.completeWithDir(args); err != nil {
				return err
			}
			if threshold < 0 || threshold > 100 {
				return usagef("--threshold %v: want a percentage", threshold)
			}
			sources, err := policy.ReadSources(flags.policy)
			if err != nil {
				return missing(err)
			}
			report, err := suite.Run(cmd.Context(), sources, options)
			switch {
			case errors.Is(err, suite.ErrPattern):
				return usagef("--run: %w", err)
			case err != nil:
				return finding(fmt.Errorf("the policy does not load; see '%s policy check': %w", BinaryName, err))
			}
			if flags.json {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				err = printTests(cmd.OutOrStdout(), report, verbose)
			}
			return errors.Join(err, judgeTests(report, options, threshold))
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&options.Run, "run", "", "run only tests whose full name matches the regular expression")
	cmd.Flags().BoolVar(&options.Library, "library", false, "run the library's own tests, too")
	cmd.Flags().DurationVar(&options.Timeout, "timeout", 5*time.Second, "time that one test may take")
	cmd.Flags().Float64Var(&threshold, "threshold", 0, "least coverage of the site's rules, in percent")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list tests that pass, and print what they print")
	return cmd
}

// judgeTests makes failures a finding. No test at all is one, too: a misspelt name
// should not look like success.
func judgeTests(r suite.Report, o suite.Options, threshold float64) error {
	switch {
	case r.Failed() > 0:
		return finding(fmt.Errorf("%d of %s failed", r.Failed(), plural(len(r.Tests), "test")))
	case len(r.Tests) == 0 && o.Run != "":
		return finding(fmt.Errorf("no test matches %q", o.Run))
	case len(r.Tests) == 0:
		return finding(errors.New("there are no tests"))
	case r.Coverage.Percent < threshold:
		return finding(fmt.Errorf("coverage %.1f%% is below %v%%", r.Coverage.Percent, threshold))
	}
	return nil
}

func printTests(w io.Writer, r suite.Report, verbose bool) error {
	for _, t := range r.Tests {
		if t.Outcome == suite.Pass && !verbose {
			continue
		}
		fmt.Fprintf(w, "%s  %s  (%s:%d, %v)\n", strings.ToUpper(string(t.Outcome)), t.Name, t.File, t.Row, t.Took.Round(time.Microsecond))
		if t.Reason != "" {
			fmt.Fprintf(w, "\t%s\n", t.Reason)
		}
		if t.Output != "" {
			fmt.Fprintf(w, "\t%s\n", strings.ReplaceAll(strings.TrimSpace(t.Output), "\n", "\n\t"))
		}
	}
	fmt.Fprintf(w, "%s, %d failed\n", plural(len(r.Tests), "test"), r.Failed())
	if r.Coverage.Lines == 0 {
		return nil
	}
	fmt.Fprintf(w, "coverage of the site's rules: %.1f%% (%d of %s)\n", r.Coverage.Percent, r.Coverage.Covered, plural(r.Coverage.Lines, "line"))
	for _, f := range r.Coverage.Files {
		for _, g := range f.Gaps {
			fmt.Fprintf(w, "%s:%d: %s: not covered: %s\n", f.File, g.Row, g.Rule, rowList(g.Rows))
			fmt.Fprintf(w, "\t%s\n", g.Why)
		}
	}
	return nil
}

// rowList shows rows as ranges: "lines 3, 5-7".
func rowList(rows []int) string {
	var parts []string
	for i := 0; i < len(rows); {
		j := i
		for j+1 < len(rows) && rows[j+1] == rows[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, strconv.Itoa(rows[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", rows[i], rows[j]))
		}
		i = j + 1
	}
	if len(rows) == 1 {
		return "line " + parts[0]
	}
	return "lines " + strings.Join(parts, ", ")
}
