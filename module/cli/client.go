package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/sealgate/sealgate/module/clients"
)

// clientsFileVariable names the file when --file is not given; the shipped
// Caddyfiles read the same variable.
const clientsFileVariable = "CLIENTS_FILE"

func clientVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "client",
		Usage: "add|list|disable|enable",
		Short: "Edits the file of clients that may call the gateway",
		Long: `Edits clients.yaml, the file of clients that may call the gateway: their access
keys, secrets and identities. The file is replaced in one step, and a running
gateway that watches it follows within 5 seconds.

The file is named by --file, or else by the environment variable CLIENTS_FILE.`,
		CobraFunc: func(cmd *cobra.Command) {
			group(cmd)
			cmd.AddCommand(clientAdd(), clientList(), clientSwitch("disable", clients.Disabled), clientSwitch("enable", clients.Enabled))
		},
	}
}

// clientFlags are what every client subcommand has.
type clientFlags struct {
	file string
	json bool
}

func (f *clientFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "clients.yaml (default $"+clientsFileVariable+")")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

// path gives the file to work on.
func (f *clientFlags) path() (string, error) {
	if f.file != "" {
		return f.file, nil
	}
	if path := os.Getenv(clientsFileVariable); path != "" {
		return path, nil
	}
	return "", usagef("no file: give --file or set %s", clientsFileVariable)
}

func clientAdd() *cobra.Command {
	var flags clientFlags
	var principal, expires string
	var groups []string
	var attributes []string
	cmd := &cobra.Command{
		Use:   "add --principal <name> [--group <name>]... [--attribute <name>=<value>]... [--expires <when>] [--file <clients.yaml>] [--json]",
		Short: "Adds a client and prints its secret, this once",
		Long: `Adds a client with a new access key and secret and prints both. Nothing prints
the secret again. The file is made, mode 0600, if there is none.

--expires takes a time (2027-01-31T12:00:00Z), a day (2027-01-31, its beginning
in UTC) or a duration from now (12h, 90d).`,
		Args: takes(),
		RunE: run(func(cmd *cobra.Command, _ []string) error {
			path, err := flags.path()
			if err != nil {
				return err
			}
			if principal == "" {
				return usagef("no principal: give --principal")
			}
			n := clients.NewClient{Principal: principal, Groups: groups}
			if n.Attributes, err = parseAttributes(attributes); err != nil {
				return err
			}
			if n.Expires, err = parseExpiry(expires, time.Now()); err != nil {
				return err
			}
			client, err := clients.Add(path, n)
			if errors.Is(err, clients.ErrExists) {
				return finding(err)
			}
			if err != nil {
				return err
			}
			if flags.json {
				return printJSON(cmd.OutOrStdout(), addedClient{describe(client), client.Secret.Reveal()})
			}
			return printAdded(cmd.OutOrStdout(), client, path)
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVar(&principal, "principal", "", "who the client is to the policy")
	cmd.Flags().StringArrayVar(&groups, "group", nil, "a group the client belongs to; repeat for more")
	cmd.Flags().StringArrayVar(&attributes, "attribute", nil, "an attribute as name=value; repeat for more")
	cmd.Flags().StringVar(&expires, "expires", "", "when the client is no longer let in (default never)")
	return cmd
}

func clientList() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   "list [--file <clients.yaml>] [--json]",
		Short: "Lists the clients, without their secrets",
		Args:  takes(),
		RunE: run(func(cmd *cobra.Command, _ []string) error {
			path, err := flags.path()
			if err != nil {
				return err
			}
			list, err := clients.List(path)
			if err != nil {
				return err
			}
			if flags.json {
				return printJSON(cmd.OutOrStdout(), describeAll(list))
			}
			return printList(cmd.OutOrStdout(), list, time.Now())
		}),
	}
	flags.register(cmd)
	return cmd
}

// clientSwitch is the disable or enable subcommand.
func clientSwitch(name string, to clients.State) *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use:   name + " <access key> [--file <clients.yaml>] [--json]",
		Short: strings.ToUpper(name[:1]) + name[1:] + "s a client; its entry stays in the file",
		Args:  takes("an access key"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			path, err := flags.path()
			if err != nil {
				return err
			}
			err = clients.SetDisabled(path, args[0], to)
			if errors.Is(err, clients.ErrUnknown) {
				return finding(err)
			}
			if err != nil {
				return err
			}
			if flags.json {
				return printJSON(cmd.OutOrStdout(), switchedClient{AccessKey: args[0], Disabled: bool(to)})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is %sd\n", args[0], name)
			return err
		}),
	}
	flags.register(cmd)
	return cmd
}

// parseAttributes reads name=value pairs. A name twice is an error: which value
// was meant cannot be known.
func parseAttributes(pairs []string) (map[string]string, error) {
	attributes := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("attribute %q is not name=value", pair)
		}
		if _, twice := attributes[name]; twice {
			return nil, usagef("attribute %q is given twice", name)
		}
		attributes[name] = value
	}
	return attributes, nil
}

// parseExpiry reads a time, a day or a duration from now; "" is the zero time.
func parseExpiry(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			if !t.After(now) {
				return time.Time{}, usagef("expires %s is in the past", s)
			}
			return t, nil
		}
	}
	d, err := caddy.ParseDuration(s)
	if err != nil || d <= 0 {
		return time.Time{}, usagef("expires %q is no time, day or duration", s)
	}
	return now.Add(d), nil
}

// describedClient is a client in JSON.
type describedClient struct {
	AccessKey  string            `json:"access_key"`
	Principal  string            `json:"principal"`
	Groups     []string          `json:"groups"`
	Attributes map[string]string `json:"attributes"`
	Expires    *time.Time        `json:"expires"`
	Disabled   bool              `json:"disabled"`
}

// addedClient is the only place a secret is printed.
type addedClient struct {
	describedClient
	Secret string `json:"secret"`
}

type switchedClient struct {
	AccessKey string `json:"access_key"`
	Disabled  bool   `json:"disabled"`
}

func describe(c clients.Client) describedClient {
	d := describedClient{AccessKey: c.AccessKey, Principal: c.Principal, Groups: []string{}, Attributes: map[string]string{}, Disabled: c.Disabled}
	d.Groups = append(d.Groups, c.Groups...)
	if c.Attributes != nil {
		d.Attributes = c.Attributes
	}
	if !c.Expires.IsZero() {
		d.Expires = &c.Expires
	}
	return d
}

func describeAll(list []clients.Client) map[string][]describedClient {
	described := make([]describedClient, 0, len(list))
	for _, c := range list {
		described = append(described, describe(c))
	}
	return map[string][]describedClient{"clients": described}
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printAdded(w io.Writer, c clients.Client, path string) error {
	_, err := fmt.Fprintf(w, "access key  %s\nsecret      %s\nprincipal   %s\n\nAdded to %s. The secret is not shown again.\n",
		c.AccessKey, c.Secret.Reveal(), c.Principal, path)
	return err
}

func printList(w io.Writer, list []clients.Client, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ACCESS KEY\tPRINCIPAL\tGROUPS\tEXPIRES\tSTATE")
	for _, c := range list {
		expires := "never"
		if !c.Expires.IsZero() {
			expires = c.Expires.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", c.AccessKey, c.Principal, strings.Join(c.Groups, ","), expires, state(c, now))
	}
	return table.Flush()
}

func state(c clients.Client, now time.Time) string {
	switch {
	case c.Disabled:
		return "disabled"
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		return "expired"
	default:
		return "active"
	}
}
