package policy

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/sealgate/sealgate/policy/posture"
)

// The input is built as OPA's own value, field by field: the generic conversion
// from JSON costs more than evaluating the policy. Field names are made once, and
// so are the subtrees most requests have in their neutral form.

// fields are the names of one object, in the order its values are given.
type fields []*ast.Term

func names(list ...string) fields {
	out := make(fields, len(list))
	for i, name := range list {
		out[i] = ast.StringTerm(name)
	}
	return out
}

func (f fields) object(values ...*ast.Term) *ast.Term {
	var buffer [32][2]*ast.Term
	items := buffer[:len(f)]
	for i, value := range values {
		items[i] = [2]*ast.Term{f[i], value}
	}
	return ast.NewTerm(ast.NewObject(items...))
}

var (
	inputFields = names("schema", "identity", "request", "resource", "copy_source", "encryption",
		"object", "document", "transport", "time", "posture", "grants", "gateway")
	identityFields = names("auth_method", "verified", "access_key", "principal", "groups", "attributes")
	requestFields  = names("id", "operation", "action", "actions", "source_actions", "class", "method",
		"read_only", "content_length", "multipart", "checksum", "acl", "tags", "storage_class", "presign",
		"payload", "prefix", "headers", "key_count")
	multipartFields  = names("active", "upload_id", "part_number")
	aclFields        = names("canned", "public")
	presignFields    = names("active", "age_s", "expires_s")
	resourceFields   = names("bucket", "key", "version_id", "prefixes")
	copyFields       = names("present", "resource", "encryption", "tenant")
	encryptionFields = names("requested", "explicit", "bucket_default")
	requestedFields  = names("mode", "key_id", "context", "bucket_key", "rank")
	observedFields   = names("known", "mode", "key_id", "bucket_key", "rank")
	objectFields     = names("known", "exists", "size", "encryption")
	documentFields   = names("present", "kind", "settings", "blocked", "destinations", "opens", "suspends")
	settingFields    = names("path", "mode", "key_id", "bucket_key", "rank")
	transportFields  = names("tls", "tls_version", "tls_version_num", "source_ip", "loopback", "sni", "networks",
		"cipher", "client_cert")
	certFields    = names("present", "subject", "sans")
	timeFields    = names("ns", "rfc3339", "date", "hour", "weekday")
	postureFields = names("id", "bucket_glob", "prefix", "mode", "rank", "key_id", "allowed_keys",
		"keyring", "context", "bucket_key", "on_conflict", "on_read", "classification", "floor", "tenant",
		"enforcement", "residency", "networks", "checksum", "presign", "presign_max_s", "deletes",
		"max_delete_keys", "required_context", "tls_min", "client_cert", "key_tenants", "actions", "waivers")
	waiverFields  = names("rule", "kind", "id", "ticket", "until")
	grantsFields  = names("ids", "missing")
	gatewayFields = names("upstream", "region", "revision")
)

// Terms of values that occur in nearly every input. They are never written to.
var (
	schemaTerm  = ast.StringTerm(InputSchema)
	emptyArray  = ast.ArrayTerm()
	emptyObject = ast.ObjectTerm()
	words       = wordTerms()

	neutralMultipart  = multipartTerm(Multipart{})
	neutralACL        = aclTerm(ACL{})
	neutralPresign    = presignTerm(Presign{})
	unknownEncryption = newUnknown()
	neutralRequested  = newRequested()
	neutralCopy       = copyFields.object(ast.InternedTerm(false), resource(&Resource{}), unknownEncryption, text(""))
	neutralObject     = objectFields.object(ast.InternedTerm(false), ast.InternedTerm(false), number(0), unknownEncryption)
	neutralDocument   = documentFields.object(ast.InternedTerm(false), text(""), emptyArray, emptyArray, emptyArray, ast.InternedTerm(false), ast.InternedTerm(false))
	neutralEncryption = encryptionFields.object(neutralRequested, ast.InternedTerm(false), unknownEncryption)
	neutralCert       = certTerm(&ClientCert{})
)

func newUnknown() *ast.Term {
	var o Observed
	o.complete()
	return observedTerm(&o)
}

func newRequested() *ast.Term {
	var r Requested
	r.complete()
	return requestedTerm(&r)
}

func wordTerms() map[string]*ast.Term {
	terms := map[string]*ast.Term{}
	for _, list := range [][]string{
		{"", "us-east-1", "1.2", "1.3", "GET", "PUT", "POST", "HEAD", "DELETE"},
		{ClassRead, ClassWrite, ClassDelete, ClassList, ClassObjectConfig, ClassBucketConfig, ClassAdmin},
		{AuthAnonymous, AuthHeader, AuthPresigned, AuthPost},
		{PayloadNone, PayloadHash, PayloadUnsigned, PayloadSignedChunks, PayloadSignedChunksTrailer, PayloadUnsignedTrailer},
		{string(None), string(SSES3), string(SSEC), string(KMS), string(DSSE), string(CSE), string(Unknown)},
		{string(BucketKeyYes), string(BucketKeyNo), string(BucketKeyUnset)},
		{posture.OnConflictReject, posture.OnConflictReplace, posture.OnConflictKeepStronger, posture.OnConflictKeepIfAllowed},
		{posture.OnReadDecrypt, posture.OnReadPassThrough, posture.OnReadReject},
		{posture.EnforcementEnforce, posture.EnforcementWarn, posture.EnforcementAudit},
		{posture.PresignAll, posture.PresignRead, posture.DeletesAllow, posture.DeletesDeny, posture.Required, posture.ChecksumStrong},
	} {
		for _, word := range list {
			terms[word] = ast.StringTerm(word)
		}
	}
	return terms
}

func text(s string) *ast.Term {
	if len(s) <= 24 {
		if t, ok := words[s]; ok {
			return t
		}
	}
	return ast.StringTerm(s)
}

func number(n int64) *ast.Term { return ast.InternedTerm(int(n)) }

func list(values []string) *ast.Term {
	if len(values) == 0 {
		return emptyArray
	}
	terms := make([]*ast.Term, len(values))
	for i, v := range values {
		terms[i] = text(v)
	}
	return ast.NewTerm(ast.NewArray(terms...))
}

func object(values map[string]string) *ast.Term {
	if len(values) == 0 {
		return emptyObject
	}
	items := make([][2]*ast.Term, 0, len(values))
	for k, v := range values {
		items = append(items, [2]*ast.Term{text(k), text(v)})
	}
	return ast.NewTerm(ast.NewObject(items...))
}

// value converts a complete input. The posture term is handed in because it is the
// same for every request under one rule.
func (in *Input) value(postureTerm *ast.Term) ast.Value {
	return inputFields.object(
		schemaTerm,
		in.Identity.term(),
		in.Request.term(),
		resource(&in.Resource),
		in.CopySource.term(),
		in.Encryption.term(),
		in.Object.term(),
		in.Document.term(),
		in.Transport.term(),
		in.Time.term(),
		postureTerm,
		grantsFields.object(list(in.Grants.IDs), list(in.Grants.Missing)),
		gatewayFields.object(text(in.Gateway.Upstream), text(in.Gateway.Region), text(in.Gateway.Revision)),
	).Value
}

func (i *Identity) term() *ast.Term {
	return identityFields.object(text(i.AuthMethod), ast.InternedTerm(i.Verified), text(i.AccessKey),
		text(i.Principal), list(i.Groups), object(i.Attributes))
}

func (r *Request) term() *ast.Term {
	return requestFields.object(text(r.ID), text(r.Operation), text(r.Action), list(r.Actions),
		list(r.SourceActions), text(r.Class), text(r.Method), ast.InternedTerm(r.ReadOnly),
		number(r.ContentLength), multipart(r.Multipart), text(r.Checksum), acl(r.ACL), object(r.Tags),
		text(r.StorageClass), presign(r.Presign), text(r.Payload), text(r.Prefix), object(r.Headers), number(int64(r.KeyCount)))
}

func multipart(m Multipart) *ast.Term {
	if m == (Multipart{}) {
		return neutralMultipart
	}
	return multipartTerm(m)
}

func multipartTerm(m Multipart) *ast.Term {
	return multipartFields.object(ast.InternedTerm(m.Active), text(m.UploadID), number(int64(m.PartNumber)))
}

func acl(a ACL) *ast.Term {
	if a == (ACL{}) {
		return neutralACL
	}
	return aclTerm(a)
}

func aclTerm(a ACL) *ast.Term {
	return aclFields.object(text(a.Canned), ast.InternedTerm(a.Public))
}

func presign(p Presign) *ast.Term {
	if p == (Presign{}) {
		return neutralPresign
	}
	return presignTerm(p)
}

func presignTerm(p Presign) *ast.Term {
	return presignFields.object(ast.InternedTerm(p.Active), number(p.AgeS), number(p.ExpiresS))
}

func resource(r *Resource) *ast.Term {
	return resourceFields.object(text(r.Bucket), text(r.Key), text(r.VersionID), list(r.Prefixes))
}

func (c *CopySource) term() *ast.Term {
	if !c.Present {
		return neutralCopy
	}
	return copyFields.object(ast.InternedTerm(true), resource(&c.Resource), observed(&c.Encryption), text(c.Tenant))
}

func (e *EncryptionFacts) term() *ast.Term {
	r := &e.Requested
	if !e.Explicit && !e.BucketDefault.Known && r.Mode == None && r.KeyID == "" &&
		len(r.Context) == 0 && r.BucketKey == BucketKeyUnset {
		return neutralEncryption
	}
	return encryptionFields.object(requestedTerm(r), ast.InternedTerm(e.Explicit), observed(&e.BucketDefault))
}

func requestedTerm(r *Requested) *ast.Term {
	return requestedFields.object(text(string(r.Mode)), text(r.KeyID), object(r.Context),
		text(string(r.BucketKey)), number(int64(r.Rank)))
}

func observed(o *Observed) *ast.Term {
	if !o.Known {
		return unknownEncryption
	}
	return observedTerm(o)
}

func observedTerm(o *Observed) *ast.Term {
	return observedFields.object(ast.InternedTerm(o.Known), text(string(o.Mode)), text(o.KeyID),
		text(string(o.BucketKey)), number(int64(o.Rank)))
}

func (o *Object) term() *ast.Term {
	if !o.Known {
		return neutralObject
	}
	return objectFields.object(ast.InternedTerm(true), ast.InternedTerm(o.Exists), number(o.Size), observed(&o.Encryption))
}

func (d *Document) term() *ast.Term {
	if !d.Present {
		return neutralDocument
	}
	settings := make([]*ast.Term, len(d.Settings))
	for i := range d.Settings {
		s := &d.Settings[i]
		settings[i] = settingFields.object(text(s.Path), text(string(s.Mode)), text(s.KeyID),
			text(string(s.BucketKey)), number(int64(s.Rank)))
	}
	return documentFields.object(ast.InternedTerm(true), text(d.Kind), ast.NewTerm(ast.NewArray(settings...)),
		list(d.Blocked), list(d.Destinations), ast.InternedTerm(d.Opens), ast.InternedTerm(d.Suspends))
}

func (t *Transport) term() *ast.Term {
	return transportFields.object(ast.InternedTerm(t.TLS), text(t.TLSVersion), number(int64(t.TLSVersionNum)),
		text(t.SourceIP), ast.InternedTerm(t.Loopback), text(t.SNI), list(t.Networks), text(t.Cipher), t.ClientCert.term())
}

func (c *ClientCert) term() *ast.Term {
	if !c.Present {
		return neutralCert
	}
	return certTerm(c)
}

func certTerm(c *ClientCert) *ast.Term {
	return certFields.object(ast.InternedTerm(c.Present), text(c.Subject), list(c.SANs))
}

func (t *Time) term() *ast.Term {
	return timeFields.object(number(t.NS), text(t.RFC3339), text(t.Date), number(int64(t.Hour)), text(t.Weekday))
}

func (p *Posture) term() *ast.Term {
	return postureFields.object(text(p.ID), text(p.BucketGlob), text(p.Prefix), text(string(p.Mode)),
		number(int64(p.Rank)), text(p.KeyID), list(p.AllowedKeys), text(p.Keyring), object(p.Context),
		text(string(p.BucketKey)), text(p.OnConflict), text(p.OnRead), text(p.Classification), text(string(p.Floor)),
		text(p.Tenant), text(p.Enforcement), list(p.Residency), list(p.Networks), text(p.Checksum), text(p.Presign),
		number(int64(p.PresignMaxS)), text(p.Deletes), number(int64(p.MaxDeleteKeys)), list(p.RequiredContext),
		number(int64(p.TLSMin)), text(p.ClientCert), p.KeyTenants.term(), object(p.Actions), p.Waivers.term())
}

func (l Lists) term() *ast.Term {
	if len(l) == 0 {
		return emptyObject
	}
	items := make([][2]*ast.Term, 0, len(l))
	for k, v := range l {
		items = append(items, [2]*ast.Term{text(k), list(v)})
	}
	return ast.NewTerm(ast.NewObject(items...))
}

func (w Waivers) term() *ast.Term {
	if len(w) == 0 {
		return emptyArray
	}
	terms := make([]*ast.Term, len(w))
	for i := range w {
		terms[i] = waiverFields.object(text(w[i].Rule), text(w[i].Kind), text(w[i].ID), text(w[i].Ticket), text(w[i].Until))
	}
	return ast.NewTerm(ast.NewArray(terms...))
}
