package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/policy"
	"github.com/sealgate/sealgate/policy/diff"
	"github.com/sealgate/sealgate/policy/replay"
)

// libraryAlone stands for a policy without a site's Rego.
const libraryAlone = "-"

func policyDiff() *cobra.Command {
	var d diffing
	cmd := &cobra.Command{
		Use:   "diff A B [--posture FILE] [--posture-a FILE] [--posture-b FILE] [--any] [--json]",
		Short: "Says what one policy lets pass that another one does not",
		Long: `Compares two policies, directories of a site's Rego ("-" is the library alone), by
asking both about requests it makes up: what newly passes under B, what newly fails,
what is encrypted otherwise, each with the smallest request that shows it. Both have
the same posture unless --posture-a and --posture-b say otherwise.

Requests are made from what the two policies and postures tell apart, with the words
of the input schema, the texts and numbers that rules compare with and their
neighbours, and something fresh of each kind. What is asked about is exhaustive for
these values, as far as the last lines say; it is no proof for all texts.

--save writes the smallest requests as input documents, which 'policy explain' takes.
The exit code is 1 if something newly passes, or passes with weaker encryption; with
--any, if anything differs at all.`,
		Args: takes("the directory A", "the directory B"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			d.a, d.b = args[0], args[1]
			return d.run(cmd)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&d.posture, "posture", "", "posture file of both (default "+defaultPostureFile+")")
	flags.StringVar(&d.postureA, "posture-a", "", "posture file of A")
	flags.StringVar(&d.postureB, "posture-b", "", "posture file of B")
	flags.BoolVar(&d.any, "any", false, "let any difference fail, not only what newly passes")
	flags.IntVar(&d.limit, "limit", diff.DefaultLimit, "most requests to ask about")
	flags.StringVar(&d.save, "save", "", "directory to write the examples to, as input documents")
	flags.BoolVar(&d.json, "json", false, "print JSON")
	return cmd
}

// diffing is one use of the verb.
type diffing struct {
	a, b                        string
	posture, postureA, postureB string
	any, json                   bool
	limit                       int
	save                        string
}

func (d *diffing) run(cmd *cobra.Command) error {
	if d.limit < 1 {
		return usagef("--limit %d: want one at least", d.limit)
	}
	a, err := d.load(d.a, d.postureA)
	if err != nil {
		return err
	}
	b, err := d.load(d.b, d.postureB)
	if err != nil {
		return err
	}
	said := newProgress(cmd.ErrOrStderr(), "asking both", int64(d.limit))
	report, err := diff.Run(cmd.Context(), diff.Options{
		A: a, B: b, Operations: operations(), Limit: d.limit, Enforce: engine.Enforced,
		Progress: func(done, total int) {
			said.total = int64(total)
			said.add(int64(done) - said.done)
		},
	})
	if err != nil {
		return err
	}
	if d.save != "" {
		if err := saveExamples(d.save, report); err != nil {
			return err
		}
	}
	if d.json {
		err = printJSON(cmd.OutOrStdout(), report)
	} else {
		printDiff(cmd.OutOrStdout(), report)
	}
	return errors.Join(err, d.judge(report))
}

func (d *diffing) load(dir, postureFile string) (*policy.Generation, error) {
	flags := policyFlags{posture: postureFile}
	if flags.posture == "" {
		flags.posture = d.posture
	}
	if err := fallBack(&flags.posture, defaultPostureFile); err != nil {
		return nil, err
	}
	if err := flags.requirePosture(); err != nil {
		return nil, err
	}
	if dir != libraryAlone {
		flags.policy = dir
	}
	e, err := flags.load()
	if err != nil {
		return nil, missing(fmt.Errorf("%s: %w", dir, err))
	}
	return e.Current(), nil
}

func (d *diffing) judge(r *diff.Report) error {
	switch {
	case r.Passes():
		return finding(fmt.Errorf("%d of %s newly pass, or pass with weaker encryption",
			r.Kinds[replay.DenyToAllow]+r.Kinds[replay.Weaker], plural(r.Coverage.Requests, "request")))
	case d.any && r.Any():
		return finding(errors.New("the policies differ"))
	}
	return nil
}

// operations are those a gateway carries out, as policy sees them.
func operations() []diff.Operation {
	var out []diff.Operation
	for _, op := range s3.Operations() {
		if op.Refused != "" {
			continue
		}
		action := op.Action
		if action == "" {
			action = "s3:GetBucketCORS" // what a preflight needs
		}
		out = append(out, diff.Operation{
			Name: op.Name, Action: action, Class: string(op.Class), Method: op.Method, ReadOnly: op.ReadOnly,
			Bucket:   op.Scope != s3.ScopeService,
			Object:   op.Scope == s3.ScopeObject || op.Name == "DeleteObjects" || op.Name == "PostObject",
			Document: op.Body == s3.BodyDocument,
			Encrypts: op.Name == "PostObject" || op.Headers["x-amz-server-side-encryption"],
			Copies:   op.Headers["x-amz-copy-source"],
		})
	}
	return out
}

func printDiff(w io.Writer, r *diff.Report) {
	if !r.Any() {
		fmt.Fprintf(w, "No difference between %s and %s in %s.\n", r.A, r.B, plural(r.Coverage.Requests, "request"))
	}
	var last replay.Kind
	for _, d := range r.Differences {
		if d.Kind != last {
			fmt.Fprintf(w, "%s (%d of %s):\n", capital(diffWords[d.Kind]), r.Kinds[d.Kind], plural(r.Coverage.Requests, "request"))
			last = d.Kind
		}
		fmt.Fprintf(w, "  %s\n", printable(d.Example.String()))
		what := "an ordinary request"
		if len(d.Differs) > 0 {
			what = "with " + strings.Join(d.Differs, ", ")
		}
		fmt.Fprintf(w, "    %s; %s like it\n", printable(what), plural(d.Requests, "request"))
	}
	if r.Unshown > 0 {
		fmt.Fprintf(w, "and %s more.\n", plural(r.Unshown, "kind"))
	}
	printCoverage(w, r.Coverage)
}

var diffWords = map[replay.Kind]string{
	replay.DenyToAllow: "newly passes",
	replay.Weaker:      "passes with weaker encryption",
	replay.Fault:       "cannot be decided any more",
	replay.AllowToDeny: "newly fails",
	replay.Encryption:  "is encrypted or read otherwise",
	replay.Findings:    "comes to the same with other findings",
}

func printCoverage(w io.Writer, c diff.Coverage) {
	fmt.Fprintf(w, "\nAsked about %s: %s of operation, resource and identity that the policies tell apart", plural(c.Requests, "request"), plural(c.Bases, "combination"))
	if c.Skipped > 0 {
		fmt.Fprintf(w, ", beside %d without a grant under either, which both deny", c.Skipped)
	}
	fmt.Fprintln(w, ".")
	for _, part := range []struct {
		how    string
		fields []diff.Field
	}{{"in every combination", c.Combined}, {"in every pair of values", c.Paired}, {"one at a time", c.Single}, {"not at all, for the limit", c.Kept}} {
		if len(part.fields) == 0 {
			continue
		}
		var names []string
		for _, f := range part.fields {
			names = append(names, fmt.Sprintf("%s (%d)", f.Name, f.Values))
		}
		fmt.Fprintf(w, "Fields varied %s: %s.\n", part.how, printable(strings.Join(names, ", ")))
	}
	if c.Cut {
		fmt.Fprintf(w, "There was more to ask than the limit of %d, or than is taken of a large posture: this is a part of it.\n", c.Limit)
	}
}

// saveExamples writes one input document for each difference.
func saveExamples(dir string, r *diff.Report) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	count := map[replay.Kind]int{}
	for _, d := range r.Differences {
		count[d.Kind]++
		document, err := json.MarshalIndent(d.Example.Input, "", "  ")
		if err != nil {
			return err
		}
		name := filepath.Join(dir, fmt.Sprintf("%s-%d.json", d.Kind, count[d.Kind]))
		if err := os.WriteFile(name, append(document, '\n'), 0o600); err != nil {
			return err
		}
	}
	return nil
}
