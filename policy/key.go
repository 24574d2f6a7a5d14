package policy

import (
	"encoding/binary"
	"slices"
	"strings"
)

// keyLimit is the longest key a decision is remembered under, in bytes. A request
// whose key is longer is evaluated every time.
const keyLimit = 2 << 10

// key is a projection of an input as bytes. Every method appends one value in a form
// that says where it ends, so that two sequences of the same kinds of values are the
// same bytes only if they are the same values. What would grow beyond keyLimit is cut
// off, which leaves a key longer than that and therefore one that is not used.
type key []byte

func (k key) text(s string) key {
	if len(k) > keyLimit {
		return k
	}
	k = binary.AppendUvarint(k, uint64(len(s)))
	return append(k, s[:min(len(s), keyLimit)]...)
}

func (k key) flag(b bool) key {
	if b {
		return append(k, 1)
	}
	return append(k, 0)
}

func (k key) number(n int64) key { return binary.AppendVarint(k, n) }

func (k key) list(values []string) key {
	k = k.number(int64(len(values)))
	for _, v := range values {
		k = k.text(v)
	}
	return k
}

func (k key) object(values map[string]string) key {
	k = k.number(int64(len(values)))
	if len(values) == 0 {
		return k
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		k = k.text(name).text(values[name])
	}
	return k
}

// entry appends one entry of a map, or that there is none.
func (k key) entry(values map[string]string, name string) key {
	v, ok := values[name]
	if k = k.flag(ok); ok {
		k = k.text(v)
	}
	return k
}

// ancestors appends what the prefixes of an object key are made from.
func (k key) ancestors(object string) key {
	return k.text(object[:strings.LastIndexByte(object, '/')+1])
}

func (k key) observed(o *Observed) key {
	return k.flag(o.Known).text(string(o.Mode)).text(o.KeyID).text(string(o.BucketKey))
}

func (k key) posture(p *Posture) key {
	k = k.text(p.ID).number(int64(p.epoch)).number(int64(len(p.Waivers)))
	for i := range p.Waivers {
		w := &p.Waivers[i]
		if len(k) > keyLimit {
			return k
		}
		k = k.text(w.Rule).text(w.Kind).text(w.ID).text(w.Ticket).text(w.Until)
	}
	return k
}

func (k key) cert(c *ClientCert) key {
	return k.flag(c.Present).text(c.Subject).list(c.SANs)
}

func (k key) document(d *Document) key {
	k = k.flag(d.Present).text(d.Kind).list(d.Blocked).list(d.Destinations).flag(d.Opens).flag(d.Suspends).number(int64(len(d.Settings)))
	for i := range d.Settings {
		s := &d.Settings[i]
		if len(k) > keyLimit {
			return k
		}
		k = k.text(s.Path).text(string(s.Mode)).text(s.KeyID).text(string(s.BucketKey))
	}
	return k
}
