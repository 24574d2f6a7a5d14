package diff

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealgate/sealgate/policy"
)

// factor is a part of a request and the values it is given. The first one is what an
// ordinary request has.
type factor struct {
	name   string
	paths  []string // below input
	values []value
}

type value struct {
	text string
	set  func(*policy.Input) // nil leaves what is there
}

// freshText is a text no policy knows.
const freshText = "unnamed"

// factors are the parts of a base's requests that either policy looks at.
func (b *base) factors(o Options, x *rules) []factor {
	m := maker{b: b, x: x, names: [2]names{mentioned(o.A), mentioned(o.B)}, now: o.Now}
	m.encryption()
	m.document()
	m.copySource()
	m.connection()
	m.signature()
	m.request()
	m.time()
	return m.out
}

type names struct {
	keys, regions, addresses []string
	moments                  []time.Time
}

func mentioned(g *policy.Generation) names {
	n := g.Mentioned()
	return names{keys: n.Keys, regions: n.Regions, addresses: n.Addresses, moments: n.Moments}
}

type maker struct {
	b     *base
	x     *rules
	names [2]names
	now   time.Time
	out   []factor
}

// add takes a factor if a policy reads any of it. Values that repeat are left out.
func (m *maker) add(name string, paths []string, values ...value) {
	if !m.x.isRead(paths...) {
		return
	}
	list := []value{{text: "as usual"}}
	seen := map[string]bool{}
	for _, v := range values {
		if !seen[v.text] {
			seen[v.text] = true
			list = append(list, v)
		}
	}
	if len(list) > 1 {
		m.out = append(m.out, factor{name: name, paths: paths, values: list})
	}
}

// texts are the values for a text: what rules compare it with, and a fresh one.
func (m *maker) texts(path string, set func(*policy.Input, string), more ...string) []value {
	var out []value
	for _, s := range append(append(slices.Clone(more), m.x.texts[path]...), freshText) {
		out = append(out, value{strconv.Quote(s), func(in *policy.Input) { set(in, s) }})
	}
	return out
}

// numbers are the values for a number: those rules compare it with, and their neighbours.
func (m *maker) numbers(path string, set func(*policy.Input, int64), more ...int64) []value {
	var out []value
	for _, c := range append(slices.Clone(more), m.x.numbers[path]...) {
		for _, n := range []int64{c, c - 1, c + 1} {
			out = append(out, value{strconv.FormatInt(n, 10), func(in *policy.Input) { set(in, n) }})
		}
	}
	return out
}

// entries are factors for what policies look up in a map.
func (m *maker) entries(path string, of func(*policy.Input) *policy.Map) {
	names := m.x.entries(path)
	if len(names) == 0 {
		names = []string{freshText}
	}
	for _, name := range names {
		at := path + "." + name
		m.add(at, []string{at}, m.texts(at, func(in *policy.Input, s string) {
			entries := of(in)
			next := policy.Map{name: s}
			for k, v := range *entries {
				if k != name {
					next[k] = v
				}
			}
			*entries = next
		})...)
	}
}

// encryption is the choices a client can make.
func (m *maker) encryption() {
	if !m.b.op.Encrypts {
		return
	}
	keys := []string{"", freshText + "-key"}
	contexts := map[string]policy.Map{"": {}}
	for _, p := range m.b.facts {
		keys = append(append(keys, p.KeyID), p.AllowedKeys...)
		needed := policy.Map{}
		for k, v := range p.Context {
			needed[k] = v
		}
		for _, k := range p.RequiredContext {
			if needed[k] == "" {
				needed[k] = "value"
			}
		}
		if len(needed) > 0 {
			contexts["with the context of its posture"] = needed
		}
	}
	keys = append(keys, m.x.texts["encryption.requested.key_id"]...)
	slices.Sort(keys)
	var values []value
	ask := func(text string, r policy.Requested) {
		values = append(values, value{text, func(in *policy.Input) { in.Encryption.Requested, in.Encryption.Explicit = r, true }})
	}
	ask("sse-s3", policy.Requested{Mode: policy.SSES3})
	ask("sse-c", policy.Requested{Mode: policy.SSEC})
	for _, mode := range []policy.Mode{policy.KMS, policy.DSSE} {
		for _, key := range slices.Compact(keys) {
			for text, context := range contexts {
				ask(strings.TrimSpace(string(mode)+" "+key+" "+text), policy.Requested{Mode: mode, KeyID: key, Context: context})
			}
		}
	}
	slices.SortStableFunc(values, func(a, b value) int { return strings.Compare(a.text, b.text) })
	m.add("encryption.requested", []string{"encryption.requested", "encryption.explicit"}, values...)
	m.add("encryption.requested.bucket_key", []string{"encryption.requested.bucket_key"},
		value{"yes", func(in *policy.Input) { in.Encryption.Requested.BucketKey = policy.BucketKeyYes }},
		value{"no", func(in *policy.Input) { in.Encryption.Requested.BucketKey = policy.BucketKeyNo }})
	for _, name := range m.x.entries("encryption.requested.context") {
		at := "encryption.requested.context." + name
		m.add(at, []string{at}, m.texts(at, func(in *policy.Input, s string) {
			r := &in.Encryption.Requested
			if !r.Mode.KMS() {
				r.Mode, in.Encryption.Explicit = policy.KMS, true
			}
			r.Context = policy.Map{name: s}
		})...)
	}
}

// document is what an XML document can say.
func (m *maker) document() {
	if !m.b.op.Document {
		return
	}
	if m.b.op.Name == "PutBucketEncryption" {
		keys := []string{"", freshText + "-key", m.b.facts[0].KeyID, m.b.facts[1].KeyID}
		slices.Sort(keys)
		var values []value
		for _, mode := range []policy.Mode{policy.SSES3, policy.KMS, policy.DSSE} {
			for _, key := range slices.Compact(keys) {
				if key != "" && !mode.KMS() {
					continue
				}
				values = append(values, value{strings.TrimSpace(string(mode) + " " + key), func(in *policy.Input) {
					in.Document.Settings = policy.Settings{{Path: "Rule", Mode: mode, KeyID: key}}
				}})
			}
		}
		m.add("document.settings", []string{"document.settings"}, values...)
		m.add("document.blocked", []string{"document.blocked"}, m.texts("document.blocked", func(in *policy.Input, s string) {
			in.Document.Blocked = policy.List{s}
		}, "NONE", "SSE-C")...)
	}
	m.add("document.kind", []string{"document.kind"}, m.texts("document.kind", func(in *policy.Input, s string) { in.Document.Kind = s })...)
	m.add("document.destinations", []string{"document.destinations"}, m.texts("document.destinations", func(in *policy.Input, s string) {
		in.Document.Destinations = policy.List{s}
	}, m.b.in.Resource.Bucket)...)
	m.add("document.opens", []string{"document.opens"}, value{"true", func(in *policy.Input) { in.Document.Opens = true }})
	m.add("document.suspends", []string{"document.suspends"}, value{"true", func(in *policy.Input) { in.Document.Suspends = true }})
}

// copySource is what a copy reads.
func (m *maker) copySource() {
	if !m.b.op.Copies {
		return
	}
	var values []value
	for _, mode := range []policy.Mode{policy.None, policy.SSES3, policy.SSEC, policy.KMS, policy.DSSE, policy.CSE} {
		values = append(values, value{string(mode), func(in *policy.Input) {
			in.CopySource.Encryption = policy.Observed{Known: true, Mode: mode}
		}})
	}
	m.add("copy_source.encryption", []string{"copy_source.encryption"}, values...)
	m.add("copy_source.resource", []string{"copy_source.resource", "copy_source.tenant"},
		m.texts("copy_source.resource.bucket", func(in *policy.Input, s string) { in.CopySource.Resource.Bucket = s })...)
}

// connection is how and from where a request comes.
func (m *maker) connection() {
	var versions []value
	for _, version := range []string{"1.2", "1.1", ""} {
		versions = append(versions, value{strconv.Quote(version), func(in *policy.Input) {
			in.Transport.TLS, in.Transport.TLSVersion = version != "", version
			if version == "" {
				in.Transport.SNI, in.Transport.Cipher, in.Transport.ClientCert = "", "", policy.ClientCert{}
			}
		}})
	}
	m.add("transport.tls_version", []string{"transport.tls", "transport.tls_version", "transport.tls_version_num"}, versions...)
	addresses := append(slices.Clone(m.names[0].addresses), m.names[1].addresses...)
	m.add("transport.source_ip", []string{"transport.source_ip", "transport.networks"},
		m.texts("transport.source_ip", func(in *policy.Input, s string) {
			if s == freshText {
				s = "198.51.100.253"
			}
			in.Transport.SourceIP = s
		}, addresses...)...)
	m.add("transport.loopback", []string{"transport.loopback"}, value{"true", func(in *policy.Input) {
		in.Transport.Loopback, in.Transport.SourceIP = true, "127.0.0.1"
	}})
	m.add("transport.sni", []string{"transport.sni"}, m.texts("transport.sni", func(in *policy.Input, s string) { in.Transport.SNI = s })...)
	m.add("transport.cipher", []string{"transport.cipher"}, m.texts("transport.cipher", func(in *policy.Input, s string) { in.Transport.Cipher = s })...)
	certs := m.texts("transport.client_cert.subject", func(in *policy.Input, s string) {
		in.Transport.ClientCert = policy.ClientCert{Present: true, Subject: s}
	})
	for _, v := range m.texts("transport.client_cert.sans", func(in *policy.Input, s string) {
		in.Transport.ClientCert = policy.ClientCert{Present: true, Subject: "CN=client", SANs: policy.List{s}}
	}) {
		certs = append(certs, value{"for " + v.text, v.set})
	}
	certs = append(certs, value{"none", func(in *policy.Input) { in.Transport.ClientCert = policy.ClientCert{} }})
	m.add("transport.client_cert", []string{"transport.client_cert"}, certs...)
	m.add("gateway.region", []string{"gateway.region"}, m.texts("gateway.region", func(in *policy.Input, s string) { in.Gateway.Region = s },
		append(slices.Clone(m.names[0].regions), m.names[1].regions...)...)...)
	m.add("gateway.upstream", []string{"gateway.upstream"}, m.texts("gateway.upstream", func(in *policy.Input, s string) { in.Gateway.Upstream = s })...)
}

// signature is how a request is signed.
func (m *maker) signature() {
	if m.b.in.Identity.AuthMethod == policy.AuthHeader {
		presigned := func(expires, age int64) func(*policy.Input) {
			return func(in *policy.Input) {
				in.Identity.AuthMethod = policy.AuthPresigned
				in.Request.Presign = policy.Presign{Active: true, AgeS: age, ExpiresS: expires}
				in.Request.Payload = policy.PayloadUnsigned
			}
		}
		lives := []int64{300}
		for _, p := range m.b.facts {
			if p.PresignMaxS > 0 {
				lives = append(lives, int64(p.PresignMaxS), int64(p.PresignMaxS)+1)
			}
		}
		for _, c := range m.x.numbers["request.presign.expires_s"] {
			lives = append(lives, c-1, c, c+1)
		}
		var values []value
		for _, n := range lives {
			if n > 0 {
				values = append(values, value{"presigned for " + strconv.FormatInt(n, 10) + " s", presigned(n, 1)})
			}
		}
		for _, c := range m.x.numbers["request.presign.age_s"] {
			for _, n := range []int64{c - 1, c, c + 1} {
				if n >= 0 {
					values = append(values, value{"presigned " + strconv.FormatInt(n, 10) + " s ago", presigned(604800, n)})
				}
			}
		}
		m.add("request.presign", []string{"request.presign", "identity.auth_method"}, values...)
	}
	if m.b.in.Identity.Verified {
		m.add("identity.access_key", []string{"identity.access_key"}, m.texts("identity.access_key", func(in *policy.Input, s string) { in.Identity.AccessKey = s })...)
		m.entries("identity.attributes", func(in *policy.Input) *policy.Map { return &in.Identity.Attributes })
	}
}

// request is the rest of what a request says.
func (m *maker) request() {
	if m.b.in.Request.Payload != policy.PayloadNone {
		var payloads []value
		for _, word := range []string{policy.PayloadUnsigned, policy.PayloadSignedChunks, policy.PayloadSignedChunksTrailer, policy.PayloadUnsignedTrailer} {
			payloads = append(payloads, value{word, func(in *policy.Input) { in.Request.Payload = word }})
		}
		m.add("request.payload", []string{"request.payload"}, payloads...)
		m.add("request.checksum", []string{"request.checksum"}, m.texts("request.checksum", func(in *policy.Input, s string) {
			in.Request.Checksum = s
		}, "", "crc64nvme", "sha256")...)
		m.add("request.content_length", []string{"request.content_length"},
			m.numbers("request.content_length", func(in *policy.Input, n int64) { in.Request.ContentLength = max(n, -1) }, 0)...)
	}
	acls := m.texts("request.acl.canned", func(in *policy.Input, s string) {
		in.Request.ACL.Canned, in.Request.ACL.Public = s, strings.HasPrefix(s, "public") || s == "authenticated-read"
	}, "public-read", "private")
	acls = append(acls, value{"a grant to everyone", func(in *policy.Input) { in.Request.ACL.Public = true }})
	if m.b.op.Encrypts || strings.Contains(m.b.op.Name, "Acl") || m.b.op.Name == "CreateBucket" {
		m.add("request.acl", []string{"request.acl"}, acls...)
	}
	if m.b.op.Encrypts {
		m.add("request.storage_class", []string{"request.storage_class"}, m.texts("request.storage_class", func(in *policy.Input, s string) { in.Request.StorageClass = s })...)
		m.entries("request.tags", func(in *policy.Input) *policy.Map { return &in.Request.Tags })
	}
	if m.b.op.Class == policy.ClassList {
		m.add("request.prefix", []string{"request.prefix"}, m.texts("request.prefix", func(in *policy.Input, s string) { in.Request.Prefix = s })...)
	}
	if m.b.in.Request.Multipart.Active {
		m.add("request.multipart", []string{"request.multipart.part_number"},
			m.numbers("request.multipart.part_number", func(in *policy.Input, n int64) { in.Request.Multipart.PartNumber = int(max(n, 1)) })...)
	}
	if m.b.in.Request.KeyCount > 0 {
		var most []int64
		for _, p := range m.b.facts {
			if p.MaxDeleteKeys > 0 {
				most = append(most, int64(p.MaxDeleteKeys))
			}
		}
		m.add("request.key_count", []string{"request.key_count"},
			m.numbers("request.key_count", func(in *policy.Input, n int64) { in.Request.KeyCount = int(max(n, 1)) }, most...)...)
	}
	if m.b.op.Object {
		m.add("resource.version_id", []string{"resource.version_id"}, m.texts("resource.version_id", func(in *policy.Input, s string) { in.Resource.VersionID = s })...)
	}
	m.entries("request.headers", func(in *policy.Input) *policy.Map { return &in.Request.Headers })
}

// time is when a request comes: around what the postures date, and at the hours, days
// and dates that rules name.
func (m *maker) time() {
	var values []value
	at := func(t time.Time) {
		values = append(values, value{t.Format(time.RFC3339Nano), func(in *policy.Input) { in.Time = policy.TimeAt(t) }})
	}
	for _, n := range m.names {
		for _, t := range n.moments {
			at(t)
			at(t.Add(-time.Second))
		}
	}
	if m.x.isRead("time.hour") {
		midnight := m.now.Truncate(24 * time.Hour)
		for _, c := range m.x.numbers["time.hour"] {
			for _, hour := range []int64{c - 1, c, c + 1} {
				if hour >= 0 && hour < 24 {
					at(midnight.Add(time.Duration(hour) * time.Hour))
				}
			}
		}
	}
	if m.x.isRead("time.weekday") {
		for day := range 7 {
			at(m.now.AddDate(0, 0, day))
		}
	}
	for _, path := range []string{"time.date", "time.rfc3339"} {
		for _, text := range m.x.texts[path] {
			for _, layout := range []string{time.DateOnly, time.RFC3339} {
				if t, err := time.Parse(layout, text); err == nil {
					at(t)
					at(t.Add(-time.Second))
					at(t.Add(24 * time.Hour))
				}
			}
		}
	}
	for _, c := range m.x.numbers["time.ns"] {
		for _, ns := range []int64{c - 1, c, c + 1} {
			at(time.Unix(0, ns))
		}
	}
	paths := []string{"time"}
	if len(m.names[0].moments)+len(m.names[1].moments) > 0 {
		paths = append(paths, "posture") // which is read in any case
	}
	m.add("time", paths, values...)
}
