package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/policy/bench"
)

func policyBench() *cobra.Command {
	var flags policyFlags
	var decisions int
	cmd := &cobra.Command{
		Use:   "bench [DIR] [--posture FILE] [--decisions N] [--json]",
		Short: "Measures how long decisions take, and which rules they take it for",
		Long: `Measures decisions on ordinary requests (uploads, downloads, listings, copies,
links) for the entries of the posture: under the whole policy, the library
without the site, and one rule that denies everything. No request is sent
anywhere. The figures are those of this machine, while it does what it does.

A gateway remembers decisions; the first three are made anew every time.`,
		Args: atMost("the directory of the site's Rego"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			if err := flags.completeWithDir(args); err != nil {
				return err
			}
			if err := flags.requirePosture(); err != nil {
				return err
			}
			if decisions < 1 {
				return usagef("--decisions %d: want one at least", decisions)
			}
			said := newProgress(cmd.ErrOrStderr(), "deciding", bench.Total(decisions))
			report, err := bench.Run(cmd.Context(), bench.Options{
				Policy: engineOptions(flags), Decisions: decisions, Progress: said.add,
			})
			if err != nil {
				return missing(err)
			}
			if flags.json {
				return printJSON(cmd.OutOrStdout(), report)
			}
			return printBench(cmd.OutOrStdout(), report)
		}),
	}
	flags.register(cmd)
	cmd.Flags().IntVarP(&decisions, "decisions", "n", 5000, "decisions to measure of each kind")
	return cmd
}

func printBench(w io.Writer, r bench.Report) error {
	fmt.Fprintf(w, "%s of each kind on %s, revision %s; times in µs\n\n", plural(r.Decisions, "decision"), plural(r.Requests, "request"), r.Revision)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tp50\tp99\tp99.9\t")
	for _, line := range []struct {
		name string
		l    bench.Latency
	}{{"this policy", r.Policy}, {"library alone", r.Library}, {"empty policy", r.Empty}, {"remembered", r.Remembered}} {
		fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.1f\t\n", line.name, line.l.P50, line.l.P99, line.l.P999)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if r.Uncached != "" {
		fmt.Fprintf(w, "\nNo decision is remembered: %s\n", r.Uncached)
	}
	fmt.Fprint(w, "\nRules that cost most, of a decision under this policy:\n\n")
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Rules {
		fmt.Fprintf(table, "%.1f µs\t%.0f%%\t%s\t%s:%d\n", c.Micros, 100*c.Share, c.Rule, c.File, c.Row)
	}
	return table.Flush()
}
