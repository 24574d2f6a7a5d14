package policy

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
)

// Stores that keep objects as files give one object several names: MinIO takes
// "/a" for "a", and versitygw "a//b", "./a/b" and "a/x/../b" for "a/b". To AWS these
// are different keys, so they are not refused; but such a request is decided under
// the plain name as well, and both answers must allow it and agree. Otherwise a slash
// would lead around every rule that looks at a key.

// alias is the request as a store understands it that keeps keys plain; ok is false
// if that is the request itself. It shares with in what is not about names.
func (in *Input) alias() (out *Input, ok bool) {
	key, differs := plainKey(in.Resource.Key)
	source, sourceDiffers := plainKey(in.CopySource.Resource.Key)
	if !differs && !sourceDiffers {
		return nil, false
	}
	other := *in
	other.Resource.Key, other.CopySource.Resource.Key = key, source
	return &other, true
}

// plainKey is key without its empty, "." and ".." parts, and whether it has any. A
// key of such parts alone is no object of such a store and stays what it is.
func plainKey(key string) (plain string, differs bool) {
	parts := 0
	for part := range strings.SplitSeq(key, "/") {
		parts += len(part) + 1
		last := parts > len(key)
		if part == "." || part == ".." || part == "" && !last {
			differs = true
			break
		}
	}
	if !differs {
		return key, false
	}
	plain = path.Clean("/" + key)[1:]
	if plain == "" {
		return key, false
	}
	if strings.HasSuffix(key, "/") {
		plain += "/"
	}
	return plain, true
}

// note adds a finding that does not deny, unless there is one of that id.
func (d *Decision) note(f Finding) {
	if !slices.ContainsFunc(d.Findings, func(g Finding) bool { return g.ID == f.ID }) {
		d.Findings = append(d.Findings, f)
	}
}

// agree denies what is decided otherwise of the same request under its plain name.
func (d *Decision) agree(other Decision, name string) {
	for _, f := range other.Findings {
		if f.Denies() {
			d.deny(f)
		} else {
			d.note(f)
		}
	}
	if !other.Allow {
		d.Allow = false
	}
	if d.Allow && (d.OnRead != other.OnRead || !reflect.DeepEqual(d.Encryption, other.Encryption)) {
		d.deny(Finding{
			ID:      FindingConflict,
			Message: fmt.Sprintf("some stores take this key for %q, of which something else is required", name),
			Path:    "resource.key",
		})
	}
}
