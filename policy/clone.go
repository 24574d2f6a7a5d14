package policy

import (
	"strings"
	"unsafe"
)

// Clone returns a copy to keep: it shares nothing that its request holds on to, above
// all no text, which may be a few bytes of a large header. What the posture says is
// shared with the generation that said it, and is not to be written to; Decide replaces
// it as a whole.
func (in *Input) Clone() *Input {
	out := new(Input)
	*out = *in
	var text strings.Builder
	n := 0
	out.texts(func(s *string) { n += len(*s) })
	text.Grow(n)
	own := func(s *string) {
		if *s == "" {
			return
		}
		start := text.Len()
		text.WriteString(*s)
		*s = text.String()[start:]
	}
	out.unshare()
	out.texts(own)
	for _, m := range []*Map{&out.Identity.Attributes, &out.Request.Tags, &out.Request.Headers, &out.Encryption.Requested.Context} {
		*m = m.detached()
	}
	if in.Resource.Prefixes != nil {
		out.Resource.Prefixes = prefixes(out.Resource.Key)
	}
	if in.CopySource.Resource.Prefixes != nil {
		out.CopySource.Resource.Prefixes = prefixes(out.CopySource.Resource.Key)
	}
	return out
}

// Clone returns a copy to keep: it shares nothing with d, nor text with its request.
func (d Decision) Clone() Decision {
	d, _ = d.detached()
	return d
}

// Size is about how many bytes a clone takes.
func (in *Input) Size() int {
	n := int(unsafe.Sizeof(*in))
	in.texts(func(s *string) { n += len(*s) })
	const header = int(unsafe.Sizeof(""))
	for _, l := range in.lists() {
		n += len(*l) * header
	}
	for _, m := range []Map{in.Identity.Attributes, in.Request.Tags, in.Request.Headers, in.Encryption.Requested.Context} {
		for k, v := range m {
			n += len(k) + len(v) + 3*header
		}
	}
	n += len(in.Document.Settings) * int(unsafe.Sizeof(Setting{}))
	return n + (strings.Count(in.Resource.Key, "/")+strings.Count(in.CopySource.Resource.Key, "/"))*header
}

// lists are those a caller fills in, and the grants.
func (in *Input) lists() [11]*List {
	return [...]*List{
		&in.Identity.Groups, &in.Request.Actions, &in.Request.SourceActions,
		&in.Document.Blocked, &in.Document.Destinations, &in.Transport.Networks, &in.Transport.ClientCert.SANs,
		&in.Grants.IDs, &in.Grants.Missing, &in.Resource.Prefixes, &in.CopySource.Resource.Prefixes,
	}
}

// unshare gives an input slices of its own. Those of prefixes follow from the keys.
func (in *Input) unshare() {
	all := in.lists()
	for _, l := range all[:len(all)-2] {
		if *l != nil {
			*l = append(make(List, 0, len(*l)), *l...)
		}
	}
	if in.Document.Settings != nil {
		in.Document.Settings = append(make(Settings, 0, len(in.Document.Settings)), in.Document.Settings...)
	}
}

// texts visits every text a request may have put into an input, but for maps.
func (in *Input) texts(visit func(*string)) {
	for _, s := range [...]*string{
		&in.Identity.AuthMethod, &in.Identity.AccessKey, &in.Identity.Principal,
		&in.Request.ID, &in.Request.Operation, &in.Request.Action, &in.Request.Class, &in.Request.Method,
		&in.Request.Multipart.UploadID, &in.Request.Checksum, &in.Request.ACL.Canned, &in.Request.StorageClass,
		&in.Request.Payload, &in.Request.Prefix,
		&in.Resource.Bucket, &in.Resource.Key, &in.Resource.VersionID,
		&in.CopySource.Resource.Bucket, &in.CopySource.Resource.Key, &in.CopySource.Resource.VersionID,
		&in.CopySource.Tenant, &in.CopySource.Encryption.KeyID, (*string)(&in.CopySource.Encryption.Mode),
		&in.Encryption.Requested.KeyID, (*string)(&in.Encryption.Requested.Mode),
		&in.Encryption.BucketDefault.KeyID, (*string)(&in.Encryption.BucketDefault.Mode),
		&in.Object.Encryption.KeyID, (*string)(&in.Object.Encryption.Mode),
		&in.Document.Kind,
		&in.Transport.TLSVersion, &in.Transport.SourceIP, &in.Transport.SNI, &in.Transport.Cipher, &in.Transport.ClientCert.Subject,
		&in.Time.RFC3339, &in.Time.Date,
		&in.Gateway.Upstream, &in.Gateway.Region,
	} {
		visit(s)
	}
	all := in.lists()
	for _, l := range all[:len(all)-2] {
		for i := range *l {
			visit(&(*l)[i])
		}
	}
	for i := range in.Document.Settings {
		s := &in.Document.Settings[i]
		visit(&s.Path)
		visit(&s.KeyID)
		visit((*string)(&s.Mode))
	}
}

// detached returns a copy with text of its own.
func (m Map) detached() Map {
	if m == nil {
		return nil
	}
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
	}
	var text strings.Builder
	text.Grow(n)
	own := func(s string) string {
		start := text.Len()
		text.WriteString(s)
		return text.String()[start:]
	}
	out := make(Map, len(m))
	for k, v := range m {
		out[own(k)] = own(v)
	}
	return out
}
