package policy

// leaf is a part of the input document that is written into a key as a whole.
type leaf struct {
	path  string // below input
	write func(key, *Input) key
	// entries is set for maps, of which a policy may read single entries.
	entries func(*Input) map[string]string
	// unique says that nearly every request has another value, so that remembering a
	// decision under it is of no use.
	unique bool
}

func part(path string, write func(key, *Input) key) leaf { return leaf{path: path, write: write} }

func table(path string, entries func(*Input) map[string]string) leaf {
	return leaf{path: path, entries: entries, write: func(k key, in *Input) key { return k.object(entries(in)) }}
}

// constant is the same for all requests to one generation.
func constant(path string) leaf {
	return leaf{path: path, write: func(k key, _ *Input) key { return k }}
}

func unique(path string) leaf { return leaf{path: path, unique: true} }

// leaves cover the input document. A derived field is written as what it is derived
// from, and parts that are rarely set, or set together, as one: a key that tells more
// inputs apart than necessary is right, too. The posture is written as the identity of
// its rule and the epoch, on which everything else in it depends within one generation,
// and the waivers.
var leaves = []leaf{
	constant("schema"),

	part("identity.auth_method", func(k key, in *Input) key { return k.text(in.Identity.AuthMethod) }),
	part("identity.verified", func(k key, in *Input) key { return k.flag(in.Identity.Verified) }),
	part("identity.access_key", func(k key, in *Input) key { return k.text(in.Identity.AccessKey) }),
	part("identity.principal", func(k key, in *Input) key { return k.text(in.Identity.Principal) }),
	part("identity.groups", func(k key, in *Input) key { return k.list(in.Identity.Groups) }),
	table("identity.attributes", func(in *Input) map[string]string { return in.Identity.Attributes }),

	unique("request.id"),
	part("request.operation", func(k key, in *Input) key { return k.text(in.Request.Operation) }),
	part("request.action", func(k key, in *Input) key { return k.text(in.Request.Action) }),
	part("request.actions", func(k key, in *Input) key { return k.list(in.Request.Actions) }),
	part("request.source_actions", func(k key, in *Input) key { return k.list(in.Request.SourceActions) }),
	part("request.class", func(k key, in *Input) key { return k.text(in.Request.Class) }),
	part("request.method", func(k key, in *Input) key { return k.text(in.Request.Method) }),
	part("request.read_only", func(k key, in *Input) key { return k.flag(in.Request.ReadOnly) }),
	part("request.content_length", func(k key, in *Input) key { return k.number(in.Request.ContentLength) }),
	part("request.multipart.active", func(k key, in *Input) key { return k.flag(in.Request.Multipart.Active) }),
	part("request.multipart.upload_id", func(k key, in *Input) key { return k.text(in.Request.Multipart.UploadID) }),
	part("request.multipart.part_number", func(k key, in *Input) key { return k.number(int64(in.Request.Multipart.PartNumber)) }),
	part("request.checksum", func(k key, in *Input) key { return k.text(in.Request.Checksum) }),
	part("request.acl", func(k key, in *Input) key { return k.text(in.Request.ACL.Canned).flag(in.Request.ACL.Public) }),
	table("request.tags", func(in *Input) map[string]string { return in.Request.Tags }),
	part("request.storage_class", func(k key, in *Input) key { return k.text(in.Request.StorageClass) }),
	part("request.presign.active", func(k key, in *Input) key { return k.flag(in.Request.Presign.Active) }),
	part("request.presign.age_s", func(k key, in *Input) key { return k.number(in.Request.Presign.AgeS) }),
	part("request.presign.expires_s", func(k key, in *Input) key { return k.number(in.Request.Presign.ExpiresS) }),
	part("request.payload", func(k key, in *Input) key { return k.text(in.Request.Payload) }),
	part("request.prefix", func(k key, in *Input) key { return k.text(in.Request.Prefix) }),
	part("request.key_count", func(k key, in *Input) key { return k.number(int64(in.Request.KeyCount)) }),
	table("request.headers", func(in *Input) map[string]string { return in.Request.Headers }),

	part("resource.bucket", func(k key, in *Input) key { return k.text(in.Resource.Bucket) }),
	part("resource.key", func(k key, in *Input) key { return k.text(in.Resource.Key) }),
	part("resource.version_id", func(k key, in *Input) key { return k.text(in.Resource.VersionID) }),
	part("resource.prefixes", func(k key, in *Input) key { return k.ancestors(in.Resource.Key) }),

	part("copy_source.present", func(k key, in *Input) key { return k.flag(in.CopySource.Present) }),
	part("copy_source.resource.bucket", func(k key, in *Input) key { return k.text(in.CopySource.Resource.Bucket) }),
	part("copy_source.resource.key", func(k key, in *Input) key { return k.text(in.CopySource.Resource.Key) }),
	part("copy_source.resource.version_id", func(k key, in *Input) key { return k.text(in.CopySource.Resource.VersionID) }),
	part("copy_source.resource.prefixes", func(k key, in *Input) key { return k.ancestors(in.CopySource.Resource.Key) }),
	part("copy_source.tenant", func(k key, in *Input) key { return k.text(in.CopySource.Tenant) }),
	part("copy_source.encryption", func(k key, in *Input) key { return k.observed(&in.CopySource.Encryption) }),

	part("encryption.requested.mode", func(k key, in *Input) key { return k.text(string(in.Encryption.Requested.Mode)) }),
	part("encryption.requested.rank", func(k key, in *Input) key { return k.number(int64(in.Encryption.Requested.Rank)) }),
	part("encryption.requested.key_id", func(k key, in *Input) key { return k.text(in.Encryption.Requested.KeyID) }),
	part("encryption.requested.bucket_key", func(k key, in *Input) key { return k.text(string(in.Encryption.Requested.BucketKey)) }),
	table("encryption.requested.context", func(in *Input) map[string]string { return in.Encryption.Requested.Context }),
	part("encryption.explicit", func(k key, in *Input) key { return k.flag(in.Encryption.Explicit) }),
	part("encryption.bucket_default", func(k key, in *Input) key { return k.observed(&in.Encryption.BucketDefault) }),

	part("object.known", func(k key, in *Input) key { return k.flag(in.Object.Known) }),
	part("object.exists", func(k key, in *Input) key { return k.flag(in.Object.Exists) }),
	part("object.size", func(k key, in *Input) key { return k.number(in.Object.Size) }),
	part("object.encryption", func(k key, in *Input) key { return k.observed(&in.Object.Encryption) }),

	part("document", func(k key, in *Input) key { return k.document(&in.Document) }),

	part("transport.tls", func(k key, in *Input) key { return k.flag(in.Transport.TLS) }),
	part("transport.tls_version", func(k key, in *Input) key { return k.text(in.Transport.TLSVersion) }),
	part("transport.tls_version_num", func(k key, in *Input) key { return k.number(int64(in.Transport.TLSVersionNum)) }),
	part("transport.source_ip", func(k key, in *Input) key { return k.text(in.Transport.SourceIP) }),
	part("transport.loopback", func(k key, in *Input) key { return k.flag(in.Transport.Loopback) }),
	part("transport.sni", func(k key, in *Input) key { return k.text(in.Transport.SNI) }),
	part("transport.networks", func(k key, in *Input) key { return k.list(in.Transport.Networks) }),
	part("transport.cipher", func(k key, in *Input) key { return k.text(in.Transport.Cipher) }),
	part("transport.client_cert", func(k key, in *Input) key { return k.cert(&in.Transport.ClientCert) }),

	unique("time.ns"),
	unique("time.rfc3339"),
	part("time.date", func(k key, in *Input) key { return k.text(in.Time.Date) }),
	part("time.hour", func(k key, in *Input) key { return k.number(int64(in.Time.Hour)) }),
	part("time.weekday", func(k key, in *Input) key { return k.text(in.Time.Weekday) }),

	part("posture", func(k key, in *Input) key { return k.posture(&in.Posture) }),

	part("grants.ids", func(k key, in *Input) key { return k.list(in.Grants.IDs) }),
	part("grants.missing", func(k key, in *Input) key { return k.list(in.Grants.Missing) }),

	part("gateway.upstream", func(k key, in *Input) key { return k.text(in.Gateway.Upstream) }),
	part("gateway.region", func(k key, in *Input) key { return k.text(in.Gateway.Region) }),
	constant("gateway.revision"),
}
