package cli

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/module/gateway"
)

func policyRollback() *cobra.Command {
	var admin adminFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rollback [--address ADDR] [--json]",
		Short: "Puts the previous policy of a running gateway into force again",
		Long: `Puts the policy into force again that was there before, posture and Rego, at once and
without the gate. What is in force now, and is still what the gateway is configured
with, stays out until it changes or "policy reload" asks for it. Reloading the
gateway's configuration does not undo this. Starting the gateway anew does, where the
policy is a directory; where it is a bundle that is kept, it does not.`,
		Args: takes(),
		RunE: run(func(cmd *cobra.Command, _ []string) error {
			var status gateway.Status
			if err := admin.do(cmd.Context(), http.MethodPost, "/s3_encryption/policy/rollback", nil, &status); err != nil {
				return err
			}
			return showPolicies(cmd, status, asJSON)
		}),
	}
	admin.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func policyReload() *cobra.Command {
	var admin adminFlags
	var without []string
	var reason string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reload [--without STEP --reason WHY] [--address ADDR] [--json]",
		Short: "Has a running gateway load its policy now",
		Long: `Has a running gateway read its policy and posture now, ask for a newer bundle, and put
them into force if they pass the gate, also if they were rolled back from. Steps of
the gate are left out with --without, for example a change that lets requests pass
which were denied:

  policy reload --without replay --reason "TICKET-17: team blue may read"

The reason shows in the gateway's status and log.`,
		Args: takes(),
		RunE: run(func(cmd *cobra.Command, _ []string) error {
			if len(without) > 0 && reason == "" {
				return usagef("--without needs --reason")
			}
			query := url.Values{"without": without}
			if reason != "" {
				query.Set("reason", reason)
			}
			var status gateway.Status
			if err := admin.do(cmd.Context(), http.MethodPost, "/s3_encryption/policy/reload?"+query.Encode(), nil, &status); err != nil {
				return err
			}
			return showPolicies(cmd, status, asJSON)
		}),
	}
	admin.register(cmd)
	cmd.Flags().StringArrayVar(&without, "without", nil, "step to leave out: lint, tests, canaries or replay; may be repeated")
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
