package cli

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/module/gateway"
)

const shadowPath = "/s3_encryption/policy/shadow"

func policyShadow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shadow <subcommand>",
		Short: "Lets a policy judge a running gateway's traffic beside the one in force",
		Long: `A policy in the shadow judges live requests after they were decided. It changes no
answer and makes nobody wait: when the gateway is busy, requests are not judged, and
that is counted. It ends with the gateway; reloading its configuration keeps it.

The policy has the posture in force. When that changes, or the policy in force does,
counting begins anew.`,
	}
	group(cmd)
	cmd.AddCommand(shadowStart(), shadowStatus(), shadowPromote(), shadowStop())
	return cmd
}

func shadowStart() *cobra.Command {
	var admin adminFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "start DIR [--address ADDR] [--json]",
		Short: "Begins with a directory of Rego, or a bundle",
		Long: `Has the gateway load a policy, a directory of a site's Rego or a bundle in a file, and
judge what it decides from now on. The gateway reads the path itself, once: it must be
one of its machine. A policy that is in the shadow already is replaced.`,
		Args: takes("the directory or bundle of the policy to try"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			path, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return askShadow(cmd, admin, shadowCall{http.MethodPost, "/start", map[string]string{"path": path}, asJSON})
		}),
	}
	admin.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func shadowStatus() *cobra.Command {
	var admin adminFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [--address ADDR] [--json]",
		Short: "Says what the policy in the shadow would have decided otherwise",
		Long: `Shows what the policy in the shadow has judged: how many requests it would have
decided otherwise, by kind and by rule, with the first ones of each kind. The exit
code is 1 if there are any.`,
		Args: takes(),
		RunE: run(func(cmd *cobra.Command, _ []string) error {
			return askShadow(cmd, admin, shadowCall{http.MethodGet, "", nil, asJSON})
		}),
	}
	admin.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func shadowStop() *cobra.Command {
	var admin adminFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stop [--address ADDR] [--json]",
		Short: "Ends it and says what it had seen",
		Args:  takes(),
		RunE: run(func(cmd *cobra.Command, _ []string) error {
			return askShadow(cmd, admin, shadowCall{http.MethodPost, "/stop", nil, asJSON})
		}),
	}
	admin.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func shadowPromote() *cobra.Command {
	var admin adminFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "promote [--address ADDR] [--json]",
		Short: "Puts the policy in the shadow into force, through the gate",
		Long: `Puts the policy in the shadow into force if it passes the gate, and ends the shadow.
It is the one that was read when the shadow started. One that does not pass goes on in
the shadow, and the step it failed at is said.

It stays in force until what the gateway is configured with changes, or the gateway is
started anew: publish it there as well.`,
		Args: takes(),
		RunE: run(func(cmd *cobra.Command, _ []string) error {
			var status gateway.Status
			if err := admin.do(cmd.Context(), http.MethodPost, shadowPath+"/promote", nil, &status); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), status)
			}
			for _, g := range status.Gateways {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: revision %s is in force\n", g.Upstream, g.Policy.Revision)
			}
			return nil
		}),
	}
	admin.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// shadowCall is a call of the admin API that is answered with the state of shadows.
type shadowCall struct {
	method, path string
	body         any
	json         bool
}

func askShadow(cmd *cobra.Command, admin adminFlags, call shadowCall) error {
	var answer gateway.ShadowStatus
	if err := admin.do(cmd.Context(), call.method, shadowPath+call.path, call.body, &answer); err != nil {
		return err
	}
	if call.json {
		if err := printJSON(cmd.OutOrStdout(), answer); err != nil {
			return err
		}
	} else if err := printShadow(cmd.OutOrStdout(), answer); err != nil {
		return err
	}
	for _, p := range answer.Policies {
		if call.method == http.MethodGet && p.Report != nil && p.Report.Changed > 0 {
			return finding(fmt.Errorf("%d of %s would be decided otherwise", p.Report.Changed, plural(p.Report.Requests, "request")))
		}
	}
	return nil
}

func printShadow(w io.Writer, a gateway.ShadowStatus) error {
	if len(a.Policies) == 0 {
		fmt.Fprintln(w, "There is no policy to compare with.")
	}
	for _, p := range a.Policies {
		fmt.Fprintf(w, "%s: ", strings.Join(p.Upstreams, ", "))
		if p.Report == nil {
			fmt.Fprintln(w, "nothing in the shadow")
			continue
		}
		state := "in the shadow of"
		if !p.Running {
			state = "was in the shadow of"
		}
		fmt.Fprintf(w, "revision %s (%s) %s %s since %s\n", p.Revision, printable(p.Origin), state, p.Live, p.Since.UTC().Format(time.RFC3339))
		if p.Error != "" {
			fmt.Fprintf(w, "  it cannot be loaded beside what is in force now: %s\n", printable(p.Error))
		}
		fmt.Fprintf(w, "  %s judged: %d the same, %d otherwise; %d not judged for want of room\n",
			plural(p.Report.Requests, "request"), p.Report.Same, p.Report.Changed, p.Dropped)
		printKinds(w, p.Report.Kinds)
		if err := printRules(w, p.Report.Rules()); err != nil {
			return err
		}
		printOutcomes(w, p.Report.Examples())
	}
	return nil
}
