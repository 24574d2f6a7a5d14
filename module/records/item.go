package records

import (
	"strings"
	"unsafe"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/policy"
)

// MaxRecord bounds a record as it waits in a queue, in bytes of text.
const MaxRecord = 256 << 10

// The shares of MaxRecord: what an input, all findings and any single text may take.
const (
	maxInput    = 192 << 10
	maxFindings = 48 << 10
	maxText     = 4 << 10
)

// item is the copy of one record. It is shared by the queues it waits in, none of
// which writes to it.
type item struct {
	rec  engine.Record
	size int64 // bytes it holds on to
}

// keep copies a record, so that it holds on to nothing of its request: no text, which
// may be a few bytes of a large header, no slice and no map.
func keep(r *engine.Record) *item {
	it := &item{rec: *r}
	c := &it.rec
	c.Hashed, c.Erased = nil, nil
	c.Input = nil
	if r.Input != nil {
		if size := r.Input.Size(); size > maxInput {
			c.Erased = append(c.Erased, "input")
		} else {
			c.Input, it.size = r.Input.Clone(), int64(size)
		}
	}
	c.Identity.Groups = append(make([]string, 0, len(r.Identity.Groups)), r.Identity.Groups...)
	for _, e := range encryptions(c) {
		e.Context = append([]string(nil), e.Context...)
		if e.BucketKey != nil {
			said := *e.BucketKey
			e.BucketKey = &said
		}
	}
	if r.Keys != nil {
		keys := *r.Keys
		c.Keys = &keys
	}
	c.Findings = fitting(r.Findings)
	if len(c.Findings) < len(r.Findings) {
		c.Erased = append(c.Erased, "findings")
	}
	it.size += int64(ownTexts(c)) + int64(unsafe.Sizeof(*it)) + int64(len(c.Findings))*int64(unsafe.Sizeof(policy.Finding{}))
	return it
}

// fitting copies the findings that fit into a record.
func fitting(all []policy.Finding) []policy.Finding {
	room, n := maxFindings, 0
	for ; n < len(all); n++ {
		f := &all[n]
		if room -= int(unsafe.Sizeof(*f)) + len(f.ID) + min(len(f.Message), maxText) + min(len(f.Path), maxText) + len(f.Action) + len(f.Waiver); room < 0 {
			break
		}
	}
	return append(make([]policy.Finding, 0, n), all[:n]...)
}

func encryptions(r *engine.Record) [3]*engine.RecordEncryption {
	return [...]*engine.RecordEncryption{&r.Asked, &r.Decided, &r.Sent}
}

// ownTexts shortens what is too long and gives the record text of its own, in one
// piece. It returns the length of that.
func ownTexts(r *engine.Record) int {
	var room [64]*string
	all := texts(r, room[:0])
	n := 0
	for i, s := range all {
		if len(*s) > maxText {
			*s = (*s)[:maxText]
			if i < len(textPaths) {
				erase(r, textPaths[i])
			} else {
				erase(r, "findings")
			}
		}
		n += len(*s)
	}
	var text strings.Builder
	text.Grow(n)
	for _, s := range all {
		if len(*s) > 0 {
			start := text.Len()
			text.WriteString(*s)
			*s = text.String()[start:]
		}
	}
	return n
}

// erase notes that something is left out of a record.
func erase(r *engine.Record, path string) {
	for _, e := range r.Erased {
		if e == path {
			return
		}
	}
	r.Erased = append(r.Erased, path)
}

// textPaths are the paths of what texts begins with.
var textPaths = [...]string{
	"id", "revision", "operation", "outcome", "cause",
	"identity.auth_method", "identity.access_key", "identity.principal",
	"resource.bucket", "resource.key", "resource.version_id", "resource.copy_source",
	"answered.code", "answered.mode", "answered.key_id", "answered.version_id", "answered.upstream_request_id",
	"client.ip", "client.host", "client.method", "client.path", "client.proto", "client.tls", "client.user_agent",
	"asked.mode", "asked.key_id", "asked.keyring", "asked.on_conflict",
	"decided.mode", "decided.key_id", "decided.keyring", "decided.on_conflict",
	"sent.mode", "sent.key_id", "sent.keyring", "sent.on_conflict",
}

// texts appends every text of a record to a list, but those of its input. Lists and
// findings are at its end.
func texts(r *engine.Record, list []*string) []*string {
	list = append(list,
		&r.ID, &r.Revision, &r.Operation, (*string)(&r.Outcome), &r.Cause,
		&r.Identity.AuthMethod, &r.Identity.AccessKey, &r.Identity.Principal,
		&r.Resource.Bucket, &r.Resource.Key, &r.Resource.VersionID, &r.Resource.CopySource,
		&r.Answered.Code, &r.Answered.Mode, &r.Answered.KeyID, &r.Answered.VersionID, &r.Answered.UpstreamRequestID,
		&r.Client.IP, &r.Client.Host, &r.Client.Method, &r.Client.Path, &r.Client.Proto, &r.Client.TLS, &r.Client.UserAgent,
	)
	for _, e := range encryptions(r) {
		list = append(list, &e.Mode, &e.KeyID, &e.Keyring, &e.OnConflict)
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		list = append(list, &f.ID, &f.Message, &f.Path, &f.Action, &f.Waiver)
	}
	for i := range r.Identity.Groups {
		list = append(list, &r.Identity.Groups[i])
	}
	for _, e := range encryptions(r) {
		for i := range e.Context {
			list = append(list, &e.Context[i])
		}
	}
	return list
}
