package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/seal"
)

func objectVerb() caddycmd.Command {
	return caddycmd.Command{
		Name:  "object",
		Usage: "open|inspect",
		Short: "Opens sealed objects that were copied out of a bucket, without a gateway",
		Long: `Opens sealed objects, and looks into them, without a gateway: from the raw bytes
of an object and its envelope, both copied out of the bucket by any S3 client.

The envelope is the object's user metadata "sealgate":

    aws s3api get-object  --bucket B --key K raw.bin
    aws s3api head-object --bucket B --key K --query Metadata.sealgate --output text > raw.envelope
    sealgate object open raw.bin --envelope @raw.envelope --bucket B --key K --keyring main.keyring -o K

Talk to the store itself, not to a gateway. If the bucket has versions, get both
of the same one (--version-id).`,
		CobraFunc: func(cmd *cobra.Command) {
			group(cmd)
			cmd.AddCommand(objectOpen(), objectInspect())
		},
	}
}

// objectFlags are what every object subcommand has.
type objectFlags struct {
	envelope string // text, or "@" and a path
	bucket   string
	key      string
	keyring  string // path of a keyring file, or a name in config
	config   string
	json     bool
}

func (f *objectFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.envelope, "envelope", "", "the object's envelope, or @ and the path of a file with it")
	flags.StringVar(&f.bucket, "bucket", "", "bucket the object was stored in")
	flags.StringVar(&f.key, "key", "", "key the object was stored under, as it is and not percent-encoded")
	flags.StringVar(&f.keyring, "keyring", "", "path of a keyring file; with --config, the name of a keyring there")
	flags.StringVar(&f.config, "config", "", "Caddyfile, or configuration in JSON (.json), that has the keyring")
	flags.BoolVar(&f.json, "json", false, "print JSON")
}

// checkKeyring says what is missing to unwrap a data key.
func (f *objectFlags) checkKeyring() error {
	for _, flag := range []struct{ name, value string }{{"keyring", f.keyring}, {"bucket", f.bucket}, {"key", f.key}} {
		if flag.value == "" {
			return usagef("no %[1]s: give --%[1]s", flag.name)
		}
	}
	return nil
}

// storedObject is a sealed object as it was copied out of a bucket.
type storedObject struct {
	file     *os.File // at its start
	size     int64
	text     string // the envelope as it was stored
	envelope seal.Envelope
}

// load opens the file and reads the envelope. The caller closes the file.
func (f *objectFlags) load(path string) (*storedObject, error) {
	if f.envelope == "" {
		return nil, usagef("no envelope: give --envelope")
	}
	text, err := readEnvelope(f.envelope)
	if err != nil {
		return nil, err
	}
	e, err := seal.ParseEnvelope(text)
	if err != nil {
		return nil, finding(err)
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = usagef("%s: not a regular file; multipart objects are read twice", path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &storedObject{file: file, size: info.Size(), text: text, envelope: e}, nil
}

// maxEnvelopeFile bounds what is read of a file with an envelope, in bytes.
const maxEnvelopeFile = 64 << 10

// readEnvelope gives the text of an envelope that is an argument or in a file.
// White space around it is not part of it.
func readEnvelope(argument string) (string, error) {
	path, inFile := strings.CutPrefix(argument, "@")
	if !inFile {
		return strings.TrimSpace(argument), nil
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxEnvelopeFile))
	return strings.TrimSpace(string(text)), err
}

// headers reads the header of every part of a multipart object, finds out
// whether they are authentic, and holds them against the rules for whole
// objects. With an error come the headers before it.
func (s *storedObject) headers(o *seal.Object) ([]seal.Header, error) {
	var headers []seal.Header
	for offset := int64(0); offset < s.size; {
		if len(headers) == seal.MaxParts {
			return headers, &seal.Damage{Part: seal.MaxParts + 1, Chunk: -1, Problem: "more parts than an upload can have"}
		}
		raw, err := s.headerAt(offset)
		if err != nil {
			return headers, err
		}
		h, err := o.ParseHeader(raw)
		var damage *seal.Damage
		if errors.As(err, &damage) {
			damage.Part = len(headers) + 1
		}
		if err != nil {
			return headers, err
		}
		headers = append(headers, h)
		offset += h.Stored()
	}
	_, err := seal.NewLayout(s.size, headers)
	return headers, err
}

// headerAt reads the bytes where a header is, fewer at the end of the file.
func (s *storedObject) headerAt(offset int64) ([]byte, error) {
	raw := make([]byte, seal.HeaderSize)
	n, err := s.file.ReadAt(raw, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return raw[:n], err
}

// objectError makes what is wrong with an object, or with the names and the
// keyring it was to be opened with, a finding. Other errors are faults.
func objectError(err error) error {
	var damage *seal.Damage
	if errors.As(err, &damage) {
		return finding(err)
	}
	for _, no := range []error{
		seal.ErrEnvelope, seal.ErrName, seal.ErrSize, seal.ErrCommitment,
		keyring.ErrUnknownKey, keyring.ErrCorrupt, keyring.ErrUnknownKeyring,
	} {
		if errors.Is(err, no) {
			return finding(err)
		}
	}
	return err
}

// plural is a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
