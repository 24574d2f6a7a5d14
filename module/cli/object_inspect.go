package cli

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/sealgate/sealgate/module/keyring"
	"github.com/sealgate/sealgate/module/seal"
)

func objectInspect() *cobra.Command {
	var flags objectFlags
	cmd := &cobra.Command{
		Use:   "inspect FILE --envelope TEXT|@FILE [--bucket B --key K --keyring PATH [--config CADDYFILE]] [--json]",
		Short: "Shows what a sealed object says of itself",
		Long: `Shows what the raw bytes of a sealed object and its envelope say: version, kind,
who wrapped the data key and under which key-encryption key, parts and sizes.
It never shows keys or plaintext.

Without --keyring that is what is written there, which anybody may have changed.
With it the header of every part is verified, and of a single object the first
chunk; the rest of the content is verified by open. The exit code is 1 if
something is wrong; what was found before that is shown all the same.`,
		Args: takes("the path of an object's raw bytes"),
		RunE: run(func(cmd *cobra.Command, args []string) error {
			if flags.keyring != "" || flags.config != "" {
				if err := flags.checkKeyring(); err != nil {
					return err
				}
			}
			shown, err := flags.inspect(cmd.Context(), args[0])
			if shown == nil {
				return objectError(err)
			}
			if err != nil {
				shown.Problem = err.Error()
			}
			if flags.json {
				return errors.Join(printJSON(cmd.OutOrStdout(), shown), objectError(err))
			}
			return errors.Join(shown.print(cmd.OutOrStdout()), objectError(err))
		}),
	}
	flags.register(cmd)
	return cmd
}

// inspection is what is known of an object, in JSON too.
type inspection struct {
	File       string          `json:"file"`
	Version    int             `json:"version"`
	Suite      int             `json:"suite"`
	Kind       string          `json:"kind"`
	Wrap       string          `json:"wrap"`
	KEK        keyring.KEK     `json:"kek"`
	WrappedKey int             `json:"wrapped_key_bytes"`
	Stored     int64           `json:"stored_bytes"`
	Plain      *int64          `json:"plaintext_bytes"` // nil if not known
	Verified   bool            `json:"headers_verified"`
	Parts      []inspectedPart `json:"parts"`
	Problem    string          `json:"problem,omitempty"`
}

// inspectedPart is a part as its header tells. Offsets are from 0, in bytes.
type inspectedPart struct {
	Number      int   `json:"number"`
	Offset      int64 `json:"stored_offset"`
	Stored      int64 `json:"stored_bytes"`
	PlainOffset int64 `json:"plaintext_offset"`
	Plain       int64 `json:"plaintext_bytes"`
	Final       bool  `json:"final"`
	Closing     bool  `json:"closing"`
}

// inspect looks into the object at path. With an error comes what is known
// nevertheless; nil if that is nothing.
func (f *objectFlags) inspect(ctx context.Context, path string) (*inspection, error) {
	stored, err := f.load(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stored.file.Close() }()
	e := stored.envelope
	shown := &inspection{
		File: path, Kind: e.Kind.String(), Wrap: e.Wrap.String(), KEK: keyring.KEK{Kind: keyring.Kind(e.Wrap), ID: e.KEK},
		WrappedKey: len(e.Wrapped), Stored: stored.size, Parts: []inspectedPart{},
	}
	// The envelope was parsed; its first two bytes are in its first characters.
	start, err := base64.RawURLEncoding.DecodeString(stored.text[:4])
	if err != nil {
		return nil, err
	}
	shown.Version, shown.Suite = int(start[0]), int(start[1])

	if f.keyring == "" {
		err = shown.claimed(stored)
	} else {
		err = f.verify(ctx, stored, shown)
	}
	return shown, err
}

// verify adds what the headers say, after it found them authentic.
func (f *objectFlags) verify(ctx context.Context, stored *storedObject, shown *inspection) error {
	object, err := f.unlock(ctx, stored.envelope)
	if err != nil {
		return err
	}
	defer object.Wipe()
	if stored.envelope.Kind == seal.Multipart {
		headers, err := stored.headers(object)
		for _, h := range headers {
			shown.add(h)
		}
		if err != nil {
			return err
		}
		shown.total()
		shown.Verified = true
		return nil
	}
	opener, err := object.OpenSingle(stored.file, stored.size)
	if err != nil {
		return err
	}
	defer func() { _ = opener.Close() }()
	// One byte takes the header and a chunk.
	if _, err := opener.Read(make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	shown.single(opener.Size())
	shown.Verified = true
	return nil
}

// claimed adds what the headers say, true or not.
func (shown *inspection) claimed(stored *storedObject) error {
	if stored.envelope.Kind == seal.Single {
		plain, err := seal.SinglePlain(stored.size)
		if err != nil {
			return err
		}
		raw, err := stored.headerAt(0)
		if err != nil {
			return err
		}
		kind, h, ok := claimedHeader(raw)
		if !ok || kind != seal.Single || h.Length != plain {
			return &seal.Damage{Part: 1, Chunk: -1, Problem: "the header is not that of a single object of this size"}
		}
		shown.single(plain)
		return nil
	}
	for offset := int64(0); offset < stored.size; {
		rank := len(shown.Parts) + 1
		raw, err := stored.headerAt(offset)
		if err != nil {
			return err
		}
		kind, h, ok := claimedHeader(raw)
		switch {
		case rank > seal.MaxParts:
			return &seal.Damage{Part: rank, Chunk: -1, Problem: "more parts than an upload can have"}
		case !ok || kind != seal.Multipart:
			return &seal.Damage{Part: rank, Chunk: -1, Problem: "there is no header of a part"}
		case h.Stored() > stored.size-offset:
			return &seal.Damage{Part: rank, Chunk: -1, Problem: "the file ends within the part"}
		}
		shown.add(h)
		offset += h.Stored()
	}
	if len(shown.Parts) == 0 {
		return seal.ErrSize
	}
	shown.total()
	return nil
}

// claimedHeader reads a header without a key: FORMAT.md of module/seal, section
// Header. Nothing of the result is authentic.
func claimedHeader(raw []byte) (seal.Kind, seal.Header, bool) {
	if len(raw) != seal.HeaderSize || !seal.HasMagic(raw) || raw[4] > 7 || raw[5] != 1 {
		return 0, seal.Header{}, false
	}
	length := binary.BigEndian.Uint64(raw[8:])
	h := seal.Header{Closing: raw[4]&4 != 0, Part: seal.Part{
		Number: int(binary.BigEndian.Uint16(raw[6:])), Length: int64(length), Final: raw[4]&2 != 0, //nolint:gosec // checked below
	}}
	kind, most := seal.Single, uint64(seal.MaxSingle)
	if raw[4]&1 != 0 {
		kind, most = seal.Multipart, seal.MaxPart
	}
	return kind, h, h.Number >= 1 && h.Number <= seal.MaxParts && length <= most
}

func (shown *inspection) single(plain int64) {
	shown.Parts = append(shown.Parts, inspectedPart{Number: 1, Stored: shown.Stored, Plain: plain, Final: true})
	shown.total()
}

// add appends a part of a multipart object.
func (shown *inspection) add(h seal.Header) {
	p := inspectedPart{Number: h.Number, Stored: h.Stored(), Plain: h.Length, Final: h.Final, Closing: h.Closing}
	if n := len(shown.Parts); n > 0 {
		last := shown.Parts[n-1]
		p.Offset, p.PlainOffset = last.Offset+last.Stored, last.PlainOffset+last.Plain
	}
	shown.Parts = append(shown.Parts, p)
}

// total adds the size of the plaintext, when all parts are there.
func (shown *inspection) total() {
	var plain int64
	for _, p := range shown.Parts {
		plain += p.Plain
	}
	shown.Plain = &plain
}

func (shown *inspection) print(w io.Writer) error {
	plain, headers := "not known", "not verified"
	if shown.Plain != nil {
		plain = strconv.FormatInt(*shown.Plain, 10) + " bytes"
	}
	if shown.Verified {
		headers = "authentic"
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"version", fmt.Sprintf("%d, suite %d", shown.Version, shown.Suite)},
		{"kind", shown.Kind + ", " + plural(len(shown.Parts), "part")},
		{"wrapped by", shown.KEK.String()},
		{"wrapped key", fmt.Sprintf("%d bytes, %s", shown.WrappedKey, shown.Wrap)},
		{"stored", fmt.Sprintf("%d bytes", shown.Stored)},
		{"plaintext", plain},
		{"headers", headers},
		{"problem", shown.Problem},
	} {
		if line[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
		}
	}
	if len(shown.Parts) > 0 {
		fmt.Fprintln(table, "\nPART\tSTORED AT\tSTORED\tPLAINTEXT AT\tPLAINTEXT\t")
	}
	for _, p := range shown.Parts {
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%d\t%s\n", p.Number, p.Offset, p.Stored, p.PlainOffset, p.Plain, p.note())
	}
	return table.Flush()
}

// note says what is special about a part.
func (p inspectedPart) note() string {
	var notes []string
	if p.Final {
		notes = append(notes, "final")
	}
	if p.Closing {
		notes = append(notes, "closing")
	}
	return strings.Join(notes, ", ")
}
