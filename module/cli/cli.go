// Package cli holds Sealgate's command line verbs.
//
// Importing it adds them to any Caddy build as `caddy sealgate <verb>`. The
// sealgate binary calls RegisterVerbs to have them on the top level instead.
//
// Every verb prints for people by default and JSON with --json, and exits with
// 0 (done), 1 (the answer is no), 2 (wrong usage) or 3 (it could not be done).
package cli

import (
	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/sealgate/sealgate/module/gateway"
)

// BinaryName is the name of the binary that has the verbs on its top level.
const BinaryName = "sealgate"

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  BinaryName,
		Usage: "<verb>",
		Short: "Works with Sealgate's clients, keyrings, sealed objects and policy",
		CobraFunc: func(cmd *cobra.Command) {
			// Caddy adds commands when Main runs, so the name is final here.
			cmd.Hidden = caddy.CustomBinaryName == BinaryName
			for _, v := range verbs() {
				sub := &cobra.Command{Use: v.Name + " " + v.Usage, Short: v.Short, Long: v.Long}
				v.CobraFunc(sub)
				cmd.AddCommand(sub)
			}
			group(cmd)
		},
	})
}

// RegisterVerbs puts the verbs on the top level of this binary, and has Caddy's
// own verb `version` name Sealgate's version before Caddy's. Call it before
// caddycmd.Main, once.
func RegisterVerbs() {
	if caddy.CustomVersion == "" { // a packager may have set it when linking
		caddy.CustomVersion = "Sealgate " + gateway.Version() + ", Caddy"
	}
	for _, v := range verbs() {
		caddycmd.RegisterCommand(v)
	}
}

// verbs is what `sealgate` can do besides Caddy's own commands.
func verbs() []caddycmd.Command {
	return []caddycmd.Command{clientVerb(), keyringVerb(), objectVerb(), policyVerb()}
}
