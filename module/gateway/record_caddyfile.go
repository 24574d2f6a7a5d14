package gateway

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// recordOptions are those of every sink; the others are the writer's.
var recordOptions = []string{"input", "hash", "hash_key", "queue", "drain"}

// unmarshalRecord adds a sink. Syntax: see Handler.UnmarshalCaddyfile.
func (h *Handler) unmarshalRecord(d *caddyfile.Dispenser) error {
	var s RecordSink
	own, rest := splitRecord(d.NextSegment())
	for _, line := range own {
		if err := s.unmarshalOption(caddyfile.NewDispenser(line)); err != nil {
			return err
		}
	}
	if err := s.unmarshalWriter(caddyfile.NewDispenser(rest), len(own) > 0); err != nil {
		return err
	}
	h.Record = append(h.Record, s)
	return nil
}

// splitRecord takes the lines of options that every sink has out of a record block.
func splitRecord(segment caddyfile.Segment) (own []caddyfile.Segment, rest caddyfile.Segment) {
	depth, taking := 0, false
	for i, token := range segment {
		begins := i > 0 && (segment[i-1].File != token.File || segment[i-1].Line != token.Line)
		switch {
		case begins && depth == 1 && slices.Contains(recordOptions, token.Text):
			own, taking = append(own, caddyfile.Segment{token}), true
			continue
		case begins || token.Text == "}":
			taking = false
		}
		if taking {
			own[len(own)-1] = append(own[len(own)-1], token)
			continue
		}
		switch token.Text {
		case "{":
			depth++
		case "}":
			depth--
		}
		rest = append(rest, token)
	}
	return own, rest
}

func (s *RecordSink) unmarshalOption(d *caddyfile.Dispenser) error {
	d.Next()
	name := d.Val()
	set := map[string]bool{
		"input": s.Input != "", "hash": s.Hash != nil, "hash_key": s.HashKey != "", "queue": s.QueueRecords != 0, "drain": s.Drain != 0,
	}
	if set[name] {
		return d.Errf("%s is already specified", name)
	}
	switch name {
	case "input":
		return oneWord(d, &s.Input, recordInputWords)
	case "hash":
		if s.Hash = d.RemainingArgs(); len(s.Hash) == 0 {
			return d.ArgErr()
		}
		return nil
	case "hash_key":
		return onePlaceholder(d, &s.HashKey, errLiteralHashKey)
	case "queue":
		return countAndSize(d, &s.QueueRecords, &s.QueueSize)
	default: // drain
		return oneDuration(d, &s.Drain)
	}
}

// unmarshalWriter reads what remains of a record block: a writer and its options.
func (s *RecordSink) unmarshalWriter(d *caddyfile.Dispenser, hasOptions bool) error {
	d.Next() // consume subdirective name
	if !d.NextArg() {
		if !hasOptions {
			return d.ArgErr()
		}
		for d.NextBlock(0) {
			return d.Errf("record without a log writer has no option '%s'", d.Val())
		}
		return nil
	}
	name := d.Val()
	var opener caddy.WriterOpener
	switch name { // these three cannot unmarshal themselves from a Caddyfile
	case "stdout":
		opener = caddy.StdoutWriter{}
	case "stderr":
		opener = caddy.StderrWriter{}
	case "discard":
		opener = caddy.DiscardWriter{}
	case "http":
		s.Collector = new(RecordCollector)
		return s.Collector.unmarshal(d)
	default:
		guest, err := caddyfile.UnmarshalModule(d, "caddy.logging.writers."+name)
		if err != nil {
			return err
		}
		var ok bool
		if opener, ok = guest.(caddy.WriterOpener); !ok {
			return d.Errf("record '%s' is not a log writer", name)
		}
		s.WriterRaw = caddyconfig.JSONModuleObject(opener, "output", name, nil)
		return nil
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		return d.Errf("record %s has no option '%s'", name, d.Val())
	}
	s.WriterRaw = caddyconfig.JSONModuleObject(opener, "output", name, nil)
	return nil
}

func (c *RecordCollector) unmarshal(d *caddyfile.Dispenser) error {
	if err := oneArg(d, &c.URL); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		name := d.Val()
		if seen[name] && name != "label" {
			return d.Errf("%s is already specified", name)
		}
		seen[name] = true
		if err := c.unmarshalOption(d, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *RecordCollector) unmarshalOption(d *caddyfile.Dispenser, name string) (err error) {
	switch name {
	case "bearer_token":
		return onePlaceholder(d, &c.BearerToken, errLiteralToken)
	case "label":
		var label, value string
		if !d.AllArgs(&label, &value) {
			return d.ArgErr()
		}
		if _, ok := c.Labels[label]; ok {
			return d.Errf("label '%s' is already specified", label)
		}
		if c.Labels == nil {
			c.Labels = make(map[string]string)
		}
		c.Labels[label] = value
		return nil
	case "batch":
		var size int64
		err := countAndSize(d, &c.BatchRecords, &size)
		c.BatchSize = int(size)
		return err
	case "batch_wait":
		return oneDuration(d, &c.BatchWait)
	case "timeout":
		return oneDuration(d, &c.Timeout)
	case "give_up":
		return oneDuration(d, &c.GiveUp)
	case "insecure":
		c.Insecure = true
		if d.NextArg() {
			return d.ArgErr()
		}
		return nil
	case "transport":
		c.TransportRaw, err = transportGuest(d)
		return err
	default:
		return d.Errf("record http has no option '%s'", name)
	}
}

// onePlaceholder reads a secret's placeholder. Its errors do not quote the argument:
// it may be the secret itself.
func onePlaceholder(d *caddyfile.Dispenser, target *string, literal error) error {
	if !d.AllArgs(target) {
		return d.ArgErr()
	}
	if !placeholder.MatchString(*target) {
		return d.WrapErr(literal)
	}
	return nil
}

// countAndSize reads a number of records and, after it, a size such as 16MiB.
func countAndSize(d *caddyfile.Dispenser, count *int, size *int64) error {
	name, args := d.Val(), d.RemainingArgs()
	if len(args) != 1 && len(args) != 2 {
		return d.ArgErr()
	}
	n, err := strconv.Atoi(args[0])
	if err != nil || n <= 0 {
		return d.Errf("%s '%s' is not a positive number of records", name, args[0])
	}
	*count = n
	if len(args) == 2 {
		if *size = sizeOf(args[1]); *size <= 0 {
			return d.Errf("%s '%s' is not a size such as 16MiB", name, args[1])
		}
	}
	return nil
}

// sizeOf reads a whole number of bytes, KiB, MiB or GiB; 0 is none.
func sizeOf(text string) int64 {
	digits := strings.TrimRight(text, "BGKMi")
	unit, ok := map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[text[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || !ok {
		return 0
	}
	return n * unit
}
