package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/policy/starter"
)

func policyInit() *cobra.Command {
	var set string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "init DIR [--set SET] [--json]",
		Short: "Writes the files a new policy begins with",
		Long: `Writes a posture, an own rule with its tests, settings for editors and a file for
continuous integration into a directory, which is made if there is none. A file
that is there stays as it is, so init can be repeated with a newer release to
renew .sealgate/, the library and schemas for editors, after deleting it.`,
		Args: takes("the directory to write to"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			sets, err := starter.Sets()
			if err != nil {
				return err
			}
			if !slices.Contains(sets, set) {
				return usagef("unknown set %q, there are: %s", set, strings.Join(sets, ", "))
			}
			files, err := starter.Files(set)
			if err != nil {
				return err
			}
			report := initReport{Dir: args[0], Set: set, Written: []string{}, Kept: []string{}}
			if err := report.write(files); err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), report)
			}
			return report.print(cmd.OutOrStdout())
		}),
	}
	cmd.Flags().StringVar(&set, "set", starter.Default, "starter, or multi-tenant: keys and prefixes for each tenant")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// initReport is what init did.
type initReport struct {
	Dir     string   `json:"dir"`
	Set     string   `json:"set"`
	Written []string `json:"written"`
	Kept    []string `json:"kept"` // were there and say something else
}

// write writes the files that are not there.
func (r *initReport) write(files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(r.Dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		switch err := writeNewFile(path, files[name]); {
		case err == nil:
			r.Written = append(r.Written, name)
		case !errors.Is(err, fs.ErrExist):
			return err
		default:
			there, err := os.ReadFile(path) //nolint:gosec // the author names the directory
			if err != nil {
				return err
			}
			if !bytes.Equal(there, files[name]) {
				r.Kept = append(r.Kept, name)
			}
		}
	}
	return nil
}

// writeNewFile leaves a file that is there as it is and gives fs.ErrExist.
func writeNewFile(path string, text []byte) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640) //nolint:gosec // the author names the directory
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// print lists the author's own files and counts those of tools.
func (r *initReport) print(w io.Writer) error {
	tools := 0
	for _, name := range r.Written {
		if strings.HasPrefix(name, starter.Folder+"/") {
			tools++
			continue
		}
		fmt.Fprintf(w, "wrote  %s\n", filepath.Join(r.Dir, name))
	}
	if tools > 0 {
		fmt.Fprintf(w, "wrote  %s (%s: library and schemas, for editors)\n", filepath.Join(r.Dir, starter.Folder), plural(tools, "file"))
	}
	for _, name := range r.Kept {
		fmt.Fprintf(w, "kept   %s, which was there\n", filepath.Join(r.Dir, name))
	}
	change := "cd " + cmp.Or(r.Dir, ".")
	_, err := fmt.Fprintf(w, `
Next:
    %s
    %[2]s policy check --strict    # is it right?
    %[2]s policy test              # do its tests pass, and what do they not reach?
    %[2]s policy try %[3]s
`, change, BinaryName, exampleOf(r.Set))
	return err
}

// exampleOf is the arguments of try for a request that a set allows as it is written.
func exampleOf(set string) string {
	if set == "multi-tenant" {
		return "--aws 's3 cp a.txt s3://tenants/blue/a.txt' --as app --group blue --attribute tenant=blue --region eu-central-1"
	}
	return "--aws 's3 cp report.pdf s3://data/reports/report.pdf' --as app --group finance"
}
