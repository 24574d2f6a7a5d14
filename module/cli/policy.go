package cli

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

func policyVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "policy",
		Usage: "<subcommand>",
		Short: "Writes, checks, tests, explains and changes a site's policy",
		Long: `Works on a site's policy: the posture file and the directory of the site's Rego,
as a gateway would load them, together with the library in this binary. No
gateway is needed and nothing is sent anywhere, but for status, reload, rollback and
shadow, which ask a running gateway's admin API (--address).

The others take --posture and --policy. Without them they take what is there of
posture.yaml and policy/ in the current directory.`,
		CobraFunc: func(cmd *cobra.Command) {
			group(cmd)
			cmd.AddCommand(policySubcommands()...)
		},
	}
}

// policySubcommands are the verbs of the group, each in a file policy_<name>.go.
func policySubcommands() []*cobra.Command {
	return []*cobra.Command{policyInit(), policyCheck(), policyTest(), policyBench(), policyTry(), policyExplain(), policyReplay(), policyDiff(), policyShadow(), policyStatus(), policyReload(), policyRollback()}
}

// Where a policy is looked for when nothing is said.
const (
	defaultPostureFile = "posture.yaml"
	defaultPolicyDir   = "policy"
)

// policyFlags are what every policy subcommand has.
type policyFlags struct {
	posture string // path of posture.yaml
	policy  string // directory of the site's Rego, "" for the library alone
	json    bool
}

func (f *policyFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.posture, "posture", "", "posture file (default "+defaultPostureFile+", if there is one)")
	flags.StringVar(&f.policy, "policy", "", "directory of the site's Rego (default "+defaultPolicyDir+"/, if there is one)")
	flags.BoolVar(&f.json, "json", false, "print JSON")
}

// complete fills in what was not said and is there: "" is left for what is not. A
// path that was said is taken as it is, so that a misspelt one is an error.
func (f *policyFlags) complete() error {
	return errors.Join(
		fallBack(&f.posture, defaultPostureFile),
		fallBack(&f.policy, defaultPolicyDir),
	)
}

// completeWithPosture is complete for what cannot do without a posture.
func (f *policyFlags) completeWithPosture() error {
	if err := f.complete(); err != nil {
		return err
	}
	return f.requirePosture()
}

func (f *policyFlags) requirePosture() error {
	if f.posture == "" {
		return usagef("no posture: give --posture, or change to the directory of %s", defaultPostureFile)
	}
	return nil
}

// completeWithDir is complete for verbs whose one argument, if given, is the directory.
func (f *policyFlags) completeWithDir(args []string) error {
	if len(args) == 1 {
		if f.policy != "" && f.policy != args[0] {
			return usagef("two directories: %s and --policy %s", args[0], f.policy)
		}
		f.policy = args[0]
	}
	return f.complete()
}

func fallBack(path *string, otherwise string) error {
	if *path != "" {
		return nil
	}
	_, err := os.Stat(otherwise)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	*path = otherwise
	return err
}
