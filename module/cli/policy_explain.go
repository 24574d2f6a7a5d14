package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/explain"
)

func policyExplain() *cobra.Command {
	var flags policyFlags
	var records string
	cmd := &cobra.Command{
		Use:   "explain FILE|-|ID [--records FILE] [--posture FILE] [--policy DIR] [--json]",
		Short: "Says why a request was decided as it was, and what would change that",
		Long: `Explains a decision: which rules decided, with the lines that held and the values
they read; which rules nearly did; and the smallest change that decides otherwise.

It takes a decision record as a gateway wrote it, in a file or from standard input
("-"), or an input document alone. An id, which is the x-amz-request-id a client
got, is looked for in the file that --records names, one record a line.

A record has what it takes in its "input", which denials and faults have unless the
gateway was told otherwise (record_input). The decision is made again under the
policy given here, which may be another one than then: that is said. The exit code
is 1 if there is no such record, or nothing in it to explain.`,
		Args: takes("a file, - or an id"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			record, err := recordNamed(args[0], records, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if err := flags.completeWithPosture(); err != nil {
				return err
			}
			return explainRecord(cmd.Context(), record, explaining{flags: flags, out: cmd.OutOrStdout()})
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&records, "records", "", "file of decision records to look the id up in")
	return cmd
}

// recordID is the form of ids.
var recordID = regexp.MustCompile(`^[A-Z2-7]{16}$`)

// recordNamed finds what is to be explained.
func recordNamed(name, records string, stdin io.Reader) (*decisionRecord, error) {
	switch {
	case records != "":
		return findRecord(records, name)
	case name == "-":
		return readRecord(stdin)
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) && recordID.MatchString(name) {
		return nil, usagef("%s is an id: give the file of records with --records", name)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	record, err := readRecord(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return record, nil
}

// explaining is one use of the verb.
type explaining struct {
	flags policyFlags
	out   io.Writer
}

// explained is an explanation in JSON.
type explained struct {
	ID       string               `json:"id,omitempty"`
	Revision string               `json:"revision"`
	Recorded *recorded            `json:"recorded,omitempty"`
	Input    *policy.Input        `json:"input"`
	Result   *explain.Explanation `json:"explanation"`
}

// recorded is what a record says was decided then.
type recorded struct {
	Revision string           `json:"revision"`
	Outcome  engine.Outcome   `json:"outcome"`
	Findings []policy.Finding `json:"findings"`
	// Same says that the policy at hand gives the same findings.
	Same bool `json:"same"`
	// Other are rules whose findings only then were there: those of another policy,
	// and those the gateway made of how the store behaved.
	Other []string `json:"other"`
}

func explainRecord(ctx context.Context, record *decisionRecord, x explaining) error {
	if record.Input == nil {
		return unexplained(record, x)
	}
	p, err := x.flags.load()
	if err != nil {
		return err
	}
	e, err := explain.Explain(ctx, p.Current(), explain.Question{Input: record.Input, Enforce: engine.Enforced})
	if err != nil {
		return err
	}
	in := e.Input
	out := explained{ID: record.ID, Revision: e.Decision.Revision, Input: in, Result: e}
	if record.ID != "" {
		out.Recorded = compareRecorded(record, e)
	}
	if x.flags.json {
		return printJSON(x.out, out)
	}
	explanationWords{w: x.out, in: in, e: e, site: x.flags.policy}.print()
	out.Recorded.print(x.out, e)
	return nil
}

// load loads the policy that the flags name. Keyrings are taken to be there.
func (f *policyFlags) load() (*policy.Engine, error) {
	return policy.New(policy.Options{PostureFile: f.posture, SiteDir: f.policy})
}

// unexplained says what a record without an input says.
func unexplained(record *decisionRecord, x explaining) error {
	if x.flags.json {
		if err := printJSON(x.out, record); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(x.out, "%s  %s\n", strings.ToUpper(string(record.Outcome)), record.Operation)
		for _, f := range record.Findings {
			fmt.Fprintf(x.out, "  %s  %s%s\n", f.ID, f.Message, effect(f))
		}
		if record.Cause != "" {
			fmt.Fprintf(x.out, "  %s\n", record.Cause)
		}
	}
	if record.Outcome == engine.OutcomeRefused {
		return finding(errors.New("the record has no input: the request ended before policy was asked"))
	}
	return finding(errors.New("the record has no input: have the gateway record it (record_input)"))
}

func compareRecorded(record *decisionRecord, e *explain.Explanation) *recorded {
	r := &recorded{Revision: record.Revision, Outcome: record.Outcome, Findings: record.Findings, Other: []string{}}
	if r.Findings == nil {
		r.Findings = []policy.Finding{}
	}
	then, now := idsOf(record.Findings), idsOf(e.Decision.Findings)
	for id := range then {
		if !now[id] {
			r.Other = append(r.Other, id)
		}
	}
	slices.Sort(r.Other)
	r.Same = maps.Equal(then, now)
	return r
}

func idsOf(findings []policy.Finding) map[string]bool {
	out := map[string]bool{}
	for _, f := range findings {
		out[f.ID] = true
	}
	return out
}

// print says how far what was decided then is what is decided here.
func (r *recorded) print(w io.Writer, e *explain.Explanation) {
	if r == nil {
		return
	}
	if r.Revision != e.Decision.Revision {
		fmt.Fprintf(w, "\nIt was decided under revision %s; this policy is revision %s.\n", r.Revision, e.Decision.Revision)
	}
	if r.Same {
		return
	}
	var then []string
	for _, f := range r.Findings {
		then = append(then, f.ID)
	}
	if len(then) == 0 {
		then = []string{"none"}
	}
	fmt.Fprintf(w, "The record has other findings: %s.\n", strings.Join(then, ", "))
	for _, f := range r.Findings {
		if slices.Contains(r.Other, f.ID) && strings.HasPrefix(f.ID, "ENF-") {
			fmt.Fprintf(w, "  %s is the gateway's own, from how the store behaved: %s\n", f.ID, f.Message)
		}
	}
}
