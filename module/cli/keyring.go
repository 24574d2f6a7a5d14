package cli

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/keyring/local"
)

func keyringVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "keyring",
		Usage: "init|rotate|list|verify",
		Short: "Makes and changes keyring files, for objects the gateway seals itself",
		Long: `Makes and changes keyring files: the key-encryption keys of the "local" keyring,
under which the gateway wraps the keys of the objects it seals itself.

Whoever has the file can open those objects. Whoever loses it has lost them.`,
		CobraFunc: func(cmd *cobra.Command) {
			group(cmd)
			cmd.AddCommand(keyringInit(), keyringRotate(), keyringList(), keyringVerify())
		},
	}
}

// keyringCall is one use of a keyring subcommand.
type keyringCall struct {
	path string
	json bool
	out  io.Writer
}

// print writes text, or the keys it speaks of as JSON.
func (c keyringCall) print(keys []local.Key, text string) error {
	if c.json {
		return printJSON(c.out, describedKeyring{c.path, describeKeys(keys)})
	}
	_, err := io.WriteString(c.out, text)
	return err
}

// keyringCommand completes a subcommand that takes the path of a keyring file.
func keyringCommand(cmd *cobra.Command, do func(context.Context, keyringCall) error) *cobra.Command {
	var asJSON bool
	cmd.Use += " <keyring file> [--json]"
	cmd.Args = takes("the path of a keyring file")
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		return do(cmd.Context(), keyringCall{args[0], asJSON, cmd.OutOrStdout()})
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

const backupAdvice = `
Losing this file is losing the data: without it nobody can open the objects
sealed under its keys, and no one can make it again. Back it up now, and after
every rotation, to a place that is as secret as the file itself.
`

func keyringInit() *cobra.Command {
	return keyringCommand(&cobra.Command{
		Use:   "init",
		Short: "Makes a keyring file with one new key",
		Long: `Makes a keyring file, mode 0600, with one new key. It never overwrites: if there
is a file of that name already, it stays as it is.
` + backupAdvice,
	}, func(_ context.Context, c keyringCall) error {
		key, err := local.Init(c.path)
		if errors.Is(err, local.ErrExists) {
			return finding(err)
		}
		if err != nil {
			return err
		}
		return c.print([]local.Key{key}, fmt.Sprintf("Made %s with the key %x.\n%s", c.path, key.KEK.ID, backupAdvice))
	})
}

func keyringRotate() *cobra.Command {
	return keyringCommand(&cobra.Command{
		Use:   "rotate",
		Short: "Adds a new key for new objects; the others stay",
		Long: `Adds a new key to a keyring file and makes it the current one, for new objects.
The keys before it stay, to open what was sealed under them. The file is
replaced in one step, and a running gateway follows within 5 seconds.

Where gateways have copies of the file, hand the new file to all of them at
once: a gateway that does not have it yet cannot open what another one seals
under the new key.

Back the file up again afterwards.`,
	}, func(_ context.Context, c keyringCall) error {
		key, err := local.Rotate(c.path)
		if err != nil {
			return err
		}
		return c.print([]local.Key{key}, fmt.Sprintf("The key %x is the current one of %s now; the others stay.\n%s", key.KEK.ID, c.path, backupAdvice))
	})
}

func keyringList() *cobra.Command {
	return keyringCommand(&cobra.Command{
		Use:   "list",
		Short: "Lists the keys of a keyring file, without their secrets",
	}, func(_ context.Context, c keyringCall) error {
		keys, err := local.List(c.path)
		if err != nil {
			return err
		}
		return c.print(keys, keyTable(keys))
	})
}

func keyringVerify() *cobra.Command {
	return keyringCommand(&cobra.Command{
		Use:   "verify",
		Short: "Checks that a gateway can use a keyring file, or a backup of one",
		Long: `Checks that a gateway can use a keyring file, or a backup of one: that nobody
but its owner can reach it, that it is well formed without a key twice, and that
each of its keys wraps and unwraps. The exit code is 1 if not.`,
	}, func(ctx context.Context, c keyringCall) error {
		keys, err := verifyKeyring(ctx, c.path)
		if err != nil {
			return err
		}
		return c.print(keys, fmt.Sprintf("%s is good; keys that wrap and unwrap: %d\n", c.path, len(keys)))
	})
}

// verifyKeyring tries each key of a file. That the file cannot be read is a
// fault; whatever is wrong with it is a finding.
func verifyKeyring(ctx context.Context, path string) ([]local.Key, error) {
	file, err := local.Open(path)
	var unread *fs.PathError
	if errors.As(err, &unread) {
		return nil, err
	}
	if err != nil {
		return nil, finding(err)
	}
	for _, kek := range file.KEKs() {
		if err := tryKey(ctx, file, kek); err != nil {
			return nil, finding(fmt.Errorf("%s: key %x: %w", path, kek.ID, err))
		}
	}
	return local.List(path)
}

// tryKey wraps a data key and unwraps it.
func tryKey(ctx context.Context, k keyring.Keyring, kek keyring.KEK) error {
	var key keyring.DataKey
	defer key.Wipe()
	b := keyring.Binding{Namespace: "verify", AAD: []byte("sealgate keyring verify")}
	for _, random := range [][]byte{key[:], b.OID[:]} {
		if _, err := rand.Read(random); err != nil {
			return err
		}
	}
	wrapped, err := k.Wrap(ctx, kek, key, b)
	if err != nil {
		return fmt.Errorf("wrapping: %w", err)
	}
	back, err := k.Unwrap(ctx, kek, wrapped, b)
	if err != nil {
		return fmt.Errorf("unwrapping: %w", err)
	}
	defer back.Wipe()
	if subtle.ConstantTimeCompare(key[:], back[:]) == 0 {
		return errors.New("unwrapping gives another key")
	}
	return nil
}

// describedKeyring is a keyring file in JSON: all keys, or the one just made.
type describedKeyring struct {
	Path string         `json:"path"`
	Keys []describedKey `json:"keys"`
}

type describedKey struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	State   string    `json:"state"`
}

func describeKeys(keys []local.Key) []describedKey {
	described := make([]describedKey, 0, len(keys))
	for _, k := range keys {
		described = append(described, describedKey{fmt.Sprintf("%x", k.KEK.ID), k.Created, string(k.State)})
	}
	return described
}

func keyTable(keys []local.Key) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tCREATED\tSTATE")
	for _, k := range keys {
		fmt.Fprintf(table, "%x\t%s\t%s\n", k.KEK.ID, k.Created.Format(time.RFC3339), k.State)
	}
	_ = table.Flush() // a strings.Builder takes everything
	return text.String()
}
