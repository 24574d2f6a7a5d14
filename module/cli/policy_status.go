package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/module/gateway"
)

func policyStatus() *cobra.Command {
	var admin adminFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [--address ADDR] [--json]",
		Short: "Says which policy a running gateway decides by, and why not by a newer one",
		Long: `Asks a running gateway which policy is in force, where it is from and how old it is,
what kept a newer one out and at which step, and what it did not have to pass. The
exit code is 1 if the policy in force is not the newest, or is stale.`,
		Args: takes(),
		RunE: run(func(cmd *cobra.Command, _ []string) error {
			var status gateway.Status
			if err := admin.do(cmd.Context(), http.MethodGet, "/s3_encryption/status", nil, &status); err != nil {
				return err
			}
			return showPolicies(cmd, status, asJSON)
		}),
	}
	admin.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// policyOf is what is shown of one gateway.
type policyOf struct {
	Upstream string               `json:"upstream"`
	Policy   gateway.PolicyStatus `json:"policy"`
}

// showPolicies prints the policies of all gateways and judges them.
func showPolicies(cmd *cobra.Command, status gateway.Status, asJSON bool) error {
	list, bad := []policyOf{}, 0
	for _, g := range status.Gateways {
		list = append(list, policyOf{g.Upstream, g.Policy})
		if g.Policy.Error != "" || g.Policy.Source.Stale {
			bad++
		}
	}
	var err error
	if asJSON {
		err = printJSON(cmd.OutOrStdout(), struct {
			Gateways []policyOf `json:"gateways"`
		}{list})
	} else {
		for _, p := range list {
			err = writePolicy(cmd.OutOrStdout(), p)
		}
	}
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return finding(errors.New("there is no gateway in the configuration"))
	case bad > 0:
		return finding(fmt.Errorf("the newest policy is not in force at %d of %s", bad, plural(len(list), "gateway")))
	}
	return nil
}

// writePolicy says what there is in words. What a policy wrote is made printable.
func writePolicy(w io.Writer, of policyOf) error {
	p, lines := of.Policy, []string{}
	say := func(format string, args ...any) {
		lines = append(lines, printable(fmt.Sprintf(format, args...)))
	}
	say("%s: revision %s, in force since %s", of.Upstream, p.Revision, p.LoadedAt.Format(time.RFC3339))
	from := "  from " + p.Source.Kind
	if p.Source.Origin != "" {
		from += " " + p.Source.Origin
	}
	if p.Source.Revision != "" {
		from += ", revision " + p.Source.Revision
	}
	say("%s, and a posture", from)
	age := fmt.Sprintf("  known to be the newest %v ago", time.Duration(p.Source.AgeSeconds)*time.Second)
	if p.Source.MaxAgeSeconds > 0 {
		age += fmt.Sprintf(", at most %v", time.Duration(p.Source.MaxAgeSeconds)*time.Second)
	}
	if p.Source.Stale {
		age += ": STALE"
	}
	say("%s", age)
	if p.Error != "" {
		at := ""
		if p.ErrorAt != nil {
			at = " at " + p.ErrorAt.Format(time.RFC3339)
		}
		say("  NOT the newest: kept out%s by step %s", at, cmp.Or(p.Step, "unknown"))
		say("    %s", strings.TrimPrefix(p.Error, p.Step+": "))
	}
	if p.RolledBack {
		say("  what is configured stays out: it was rolled back from, or another policy was promoted")
	}
	if p.Previous != "" {
		say("  before it: revision %s", p.Previous)
	}
	for _, v := range p.Waivers {
		say("  without step %s: %s (%s)", v.Step, v.Reason, v.At.Format(time.RFC3339))
	}
	for _, n := range p.Notices {
		say("  posture: %s: %s", n.Place, n.Text)
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}
