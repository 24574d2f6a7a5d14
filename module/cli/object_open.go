package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/seal"
)

const (
	openedSuffix   = ".opened" // of the output, unless told otherwise
	standardOutput = "-"
)

func objectOpen() *cobra.Command {
	var flags objectFlags
	var output string
	cmd := &cobra.Command{
		Use:   "open FILE --envelope TEXT|@FILE --bucket B --key K --keyring PATH [--config CADDYFILE] [-o OUT] [--json]",
		Short: "Opens the raw bytes of a sealed object",
		Long: `Opens the raw bytes of a sealed object, single or multipart, with a keyring file,
or with the keyring of a gateway's configuration: --config names that and
--keyring the keyring in it. Variables the configuration reads must be set.

The plaintext goes to OUT, mode 0600, FILE` + openedSuffix + ` if none is named. OUT is not
overwritten, and appears only when all of the object was found authentic: exit
code 0. A damaged object gives nothing but exit code 1.

With -o - the plaintext goes to standard output while the object is being read.
Every byte is authentic, but that it is all of them is known at the end only:
throw away what came out unless the exit code is 0.`,
		Args: takes("the path of an object's raw bytes"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			if err := flags.checkKeyring(); err != nil {
				return err
			}
			if output == "" {
				output = args[0] + openedSuffix
			}
			if output == standardOutput && flags.json {
				return usagef("--json and -o - both write to standard output")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			o := opening{objectFlags: flags, path: args[0], output: output, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
			opened, err := o.run(ctx)
			switch {
			case err != nil:
				return objectError(err)
			case flags.json:
				return printJSON(cmd.OutOrStdout(), opened)
			case output == standardOutput:
				return nil
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Opened %s: %d bytes of plaintext in %s; all of it is authentic.\n", args[0], opened.Plain, output)
			return err
		}),
	}
	flags.register(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "file for the plaintext, or - (default FILE"+openedSuffix+")")
	return cmd
}

// opening is one use of `object open`.
type opening struct {
	objectFlags
	path, output   string
	stdout, stderr io.Writer
}

// openedObject is the result in JSON.
type openedObject struct {
	File   string      `json:"file"`
	Output string      `json:"output"`
	Bucket string      `json:"bucket"`
	Key    string      `json:"key"`
	KEK    keyring.KEK `json:"kek"`
	Stored int64       `json:"stored_bytes"`
	Plain  int64       `json:"plaintext_bytes"`
}

func (o *opening) run(ctx context.Context) (opened openedObject, err error) {
	stored, err := o.load(o.path)
	if err != nil {
		return opened, err
	}
	defer func() { _ = stored.file.Close() }()
	object, err := o.unlock(ctx, stored.envelope)
	if err != nil {
		return opened, err
	}
	defer object.Wipe()
	plain, err := stored.opener(object, &meteredReader{ctx: ctx, src: stored.file, meter: newProgress(o.stderr, "opening", stored.size)})
	if err != nil {
		return opened, err
	}
	defer func() { _ = plain.Close() }()
	opened = openedObject{
		File: o.path, Output: o.output, Bucket: o.bucket, Key: o.key,
		KEK:    keyring.KEK{Kind: keyring.Kind(stored.envelope.Wrap), ID: stored.envelope.KEK},
		Stored: stored.size, Plain: plain.Size(),
	}
	if o.output == standardOutput {
		fmt.Fprintln(o.stderr, "Bytes come out before the end of the object was verified: throw them away unless the exit code is 0.")
		return opened, copyPlain(o.stdout, plain)
	}
	return opened, writeWhole(o.output, plain)
}

// opener opens the whole object from src, its stored bytes. How many parts it
// has is found by going from header to header.
func (s *storedObject) opener(o *seal.Object, src io.Reader) (*seal.Opener, error) {
	if s.envelope.Kind == seal.Single {
		return o.OpenSingle(src, s.size)
	}
	headers, err := s.headers(o)
	if err != nil {
		return nil, err
	}
	return o.OpenMultipart(src, s.size, len(headers))
}

// copyBuffer is the size of what is copied at once, in bytes.
const copyBuffer = 1 << 20

// copyPlain copies all of an object's plaintext.
func copyPlain(w io.Writer, plain *seal.Opener) error {
	// Without the ReadFrom of a file, which would read in pieces of its own size.
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{plain}, make([]byte, copyBuffer))
	if err == nil && n != plain.Size() {
		err = fmt.Errorf("%d of %d bytes: %w", n, plain.Size(), io.ErrUnexpectedEOF)
	}
	return err
}

// writeWhole writes plaintext to a new file at path, mode 0600, which appears
// only when the plaintext is complete and on the disk.
func writeWhole(path string, plain *seal.Opener) (err error) {
	if err := mustNotExist(path); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".sealgate-*.partial") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := copyPlain(f, plain); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := mustNotExist(path); err != nil { // it took a while
		return err
	}
	return os.Rename(f.Name(), path)
}

func mustNotExist(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return finding(fmt.Errorf("%s exists; nothing was changed", path))
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// meteredReader reads until ctx ends and counts what it read.
type meteredReader struct {
	ctx   context.Context
	src   io.Reader
	meter *progress
}

func (r *meteredReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx) // names the signal
	}
	n, err := r.src.Read(p)
	r.meter.add(int64(n))
	return n, err
}
