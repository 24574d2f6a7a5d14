package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// Exit codes of every verb; 0 is success.
const (
	exitFinding = 1 // the answer is no: denied, failed, different, not there
	exitUsage   = 2 // the command line is wrong
	exitFault   = 3 // it could not be done
)

// failure is an error with the exit code it asks for.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func finding(err error) error { return &failure{exitFinding, err} }

func usagef(format string, args ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, args...)}
}

// run adapts a verb's function to cobra. Errors that ask for no exit code are faults.
func run(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error { return leave(cmd, f(cmd, args)) }
}

// leave prints err and gives the error that makes Caddy's Main exit with its code.
func leave(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	code := exitFault
	var f *failure
	if errors.As(err, &f) {
		code = f.code
	}
	cmd.SilenceErrors = true
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", cmd.CommandPath(), err)
	if code == exitUsage {
		fmt.Fprintf(cmd.ErrOrStderr(), "Run '%s --help' for usage.\n", cmd.CommandPath())
	}
	if code == exitFinding {
		return err // Main exits with 1 on any error that names no other code
	}
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, nil)
}

// takes checks that a verb was given exactly the arguments named.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		if len(names) == 0 {
			return leave(cmd, usagef("takes no arguments"))
		}
		return leave(cmd, usagef("takes %s", strings.Join(names, ", ")))
	}
}

// atMost checks that a verb was given one argument or none.
func atMost(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= 1 {
			return nil
		}
		return leave(cmd, usagef("takes %s, and nothing else", name))
	}
}

// group makes cmd a verb that only has subcommands; anything else is wrong usage.
func group(cmd *cobra.Command) {
	// A flag of a misspelt subcommand is not known here; the word is the mistake.
	cmd.FParseErrWhitelist.UnknownFlags = true
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return leave(cmd, usagef("%w", err)) })
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		if len(args) > 0 {
			return usagef("unknown subcommand %q, there are: %s", args[0], strings.Join(names, ", "))
		}
		return usagef("needs a subcommand: %s", strings.Join(names, ", "))
	})
}
