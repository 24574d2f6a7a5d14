package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/policy/replay"
)

func policyReplay() *cobra.Command {
	var flags policyFlags
	var files []string
	var since string
	var examples int
	cmd := &cobra.Command{
		Use:   "replay --records FILE... [--policy DIR] [--posture FILE] [--since WHEN] [--json]",
		Short: "Decides recorded requests anew and says what would be otherwise",
		Long: `Decides the requests of decision records under the policy and posture given here
and compares: what is the same, what changes, by rule and with examples (what was
denied and would pass comes first), and what cannot be replayed.

A record can be replayed if it has the request's "input", which a gateway writes for
every request with record_input all, and shows all of it that the policy reads: a
value that was hashed is not known. Of the others the report says what they lack.

Files have one record a line and may be compressed (gzip). --since takes a time
(2026-11-23T08:00:00Z) or how long ago (24h). The exit code is 1 if anything changes,
or if nothing could be replayed.`,
		Args: cobra.ArbitraryArgs,
		RunE: run(func(cmd *cobra.Command, args []string) error {
			files = append(files, args...) // --records a.log b.log
			if len(files) == 0 {
				return usagef("no records: give --records FILE")
			}
			from, err := sinceWhen(since, time.Now())
			if err != nil {
				return err
			}
			if examples < 0 {
				return usagef("--examples %d: want none or more", examples)
			}
			if err := flags.completeWithPosture(); err != nil {
				return err
			}
			p, err := flags.load()
			if err != nil {
				return missing(err)
			}
			in, err := openRecordFiles(files, from, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			defer in.close()
			if examples == 0 {
				examples = -1
			}
			report, err := replay.Run(cmd.Context(), replay.Options{Candidate: p.Current(), Examples: examples}, in.Requests(in.files...))
			if err != nil {
				return err
			}
			out := replayed{Report: report, Early: in.Early, Unreadable: in.Unreadable}
			if flags.json {
				err = printJSON(cmd.OutOrStdout(), out)
			} else {
				err = out.print(cmd.OutOrStdout())
			}
			return errors.Join(err, out.judge())
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringArrayVar(&files, "records", nil, "file of decision records; may be repeated")
	cmd.Flags().StringVar(&since, "since", "", "leave out records from before a time, or from longer ago")
	cmd.Flags().IntVar(&examples, "examples", 5, "requests to show of each kind of change")
	return cmd
}

// sinceWhen reads a moment, or how long ago it was; the zero time for "".
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--since %s: want a time such as 2026-11-23T08:00:00Z, a date, or how long ago, such as 24h", text)
}

// replayed is what a replay says.
type replayed struct {
	Report *replay.Report `json:"report"`
	// Early counts records of requests that ended before policy was asked.
	Early int `json:"refused_before_policy"`
	// Unreadable counts lines that are no decision records.
	Unreadable int `json:"unreadable"`
}

// judge makes a difference a finding, and that there was nothing to compare.
func (r replayed) judge() error {
	switch n := r.Report; {
	case n.Changed > 0:
		return finding(fmt.Errorf("%d of %s would be decided otherwise", n.Changed, plural(n.Requests, "request")))
	case n.Requests == 0:
		return finding(errors.New("there is no record of a decision"))
	case n.Requests == n.NotReplayable:
		return finding(errors.New("no record tells enough to be replayed; have the gateway write record_input all"))
	}
	return nil
}

func (r replayed) print(w io.Writer) error {
	n := r.Report
	fmt.Fprintf(w, "%s under revision %s: %d the same, %d changed, %d not replayable\n",
		plural(n.Requests, "request"), n.Revision, n.Same, n.Changed, n.NotReplayable)
	if n.Requests > 0 {
		fmt.Fprintf(w, "%.1f%% of them could be compared.\n", 100*float64(n.Requests-n.NotReplayable)/float64(n.Requests))
	}
	if r.Early > 0 {
		fmt.Fprintf(w, "%s of requests that ended before policy was asked.\n", plural(r.Early, "more record"))
	}
	if r.Unreadable > 0 {
		fmt.Fprintf(w, "%s no decision record.\n", verb(r.Unreadable, "line is", "lines are"))
	}
	printKinds(w, n.Kinds)
	if err := printRules(w, n.Rules()); err != nil {
		return err
	}
	if len(n.Lacking) > 0 {
		fmt.Fprint(w, "\nNot replayable for want of:\n")
		for _, name := range byCount(n.Lacking) {
			fmt.Fprintf(w, "  %s (%d)\n", lackingWords(name), n.Lacking[name])
		}
	}
	printOutcomes(w, n.Examples())
	return nil
}

func lackingWords(path string) string {
	switch path {
	case "input":
		return "the request's input; have the gateway write record_input all"
	case "decision":
		return "a decision: there was none then"
	}
	return printable("input." + path)
}

// kindWords say what a kind of change is.
var kindWords = map[replay.Kind]string{
	replay.DenyToAllow: "denied before, would pass",
	replay.Weaker:      "would pass with weaker encryption",
	replay.Fault:       "could not be decided",
	replay.AllowToDeny: "passed before, would be denied",
	replay.Encryption:  "would be encrypted or read otherwise",
	replay.Findings:    "same outcome, other findings",
}

func printKinds(w io.Writer, kinds map[replay.Kind]int) {
	if len(kinds) > 0 {
		fmt.Fprintln(w)
	}
	for _, k := range replay.Differences() {
		if n := kinds[k]; n > 0 {
			fmt.Fprintf(w, "  %6d  %s\n", n, kindWords[k])
		}
	}
}

func printRules(w io.Writer, rules []replay.Rule) error {
	if len(rules) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "rule\tnew\tgone\tother action\tdeny to allow\tallow to deny")
	for _, r := range rules {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\n", printable(r.Rule), r.Gained, r.Lost, r.Turned, r.DenyToAllow, r.AllowToDeny)
	}
	return table.Flush()
}

func printOutcomes(w io.Writer, outcomes []replay.Outcome) {
	var last replay.Kind
	for _, o := range outcomes {
		if o.Kind == replay.NotReplayable {
			continue
		}
		if o.Kind != last {
			fmt.Fprintf(w, "\n%s:\n", capital(kindWords[o.Kind]))
			last = o.Kind
		}
		fmt.Fprintf(w, "  %s\n", printable(o.String()))
	}
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// printable is text of a request, made safe for a terminal: keys may hold anything.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func verb(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
}

// byCount lists names, those with most first.
func byCount(counts map[string]int) []string {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	return names
}
