package policy

import (
	"strings"
	"time"

	"github.com/sealgate/sealgate/policy/posture"
)

// maxKey is the longest object key S3 knows, in bytes. The bound also keeps the
// derived prefixes of a key of slashes small.
const maxKey = 1024

// TimeAt gives the facts of a moment, in UTC.
func TimeAt(t time.Time) Time {
	t = t.UTC()
	return Time{
		NS:      t.UnixNano(),
		RFC3339: t.Format(time.RFC3339),
		Date:    t.Format(time.DateOnly),
		Hour:    t.Hour(),
		Weekday: t.Weekday().String(),
	}
}

// complete makes the input total: it sets every derived field and replaces Go's
// zero values by the neutral values of the schema.
func (in *Input) complete(now func() time.Time) {
	in.Schema = InputSchema
	if in.Identity.AuthMethod == "" {
		in.Identity.AuthMethod = AuthAnonymous
	}
	if in.Request.Payload == "" {
		in.Request.Payload = PayloadNone
	}
	in.Request.Actions = in.Request.needed()
	if !in.CopySource.Present {
		in.CopySource = CopySource{}
	}
	if !in.Object.Known {
		in.Object = Object{}
	}
	if !in.Document.Present {
		in.Document = Document{}
	}
	in.Resource.Prefixes = prefixes(in.Resource.Key)
	in.CopySource.Resource.Prefixes = prefixes(in.CopySource.Resource.Key)
	in.CopySource.Encryption.complete()
	in.Encryption.Requested.complete()
	in.Encryption.BucketDefault.complete()
	in.Object.Encryption.complete()
	for i := range in.Document.Settings {
		in.Document.Settings[i].complete()
	}
	if !in.Transport.ClientCert.Present {
		in.Transport.ClientCert = ClientCert{}
	}
	in.Transport.TLSVersionNum = tlsVersionNumber(in.Transport)
	if in.Time.NS == 0 {
		in.Time = TimeAt(now())
	}
	in.Posture.complete()
}

// needed is every action on the resource. It is never empty: a request that names no
// action at all needs one without a name, which no grant covers.
func (r *Request) needed() List {
	if len(r.Actions) == 0 {
		return List{r.Action}
	}
	return r.Actions
}

func (r *Requested) complete() {
	if r.Mode == "" {
		r.Mode = None
	}
	r.Rank = r.Mode.Rank()
	r.BucketKey = r.BucketKey.orUnset()
}

func (o *Observed) complete() {
	if !o.Known || o.Mode.Rank() < 0 {
		*o = Observed{Mode: Unknown}
	}
	o.Rank = o.Mode.Rank()
	o.BucketKey = o.BucketKey.orUnset()
}

func (s *Setting) complete() {
	if s.Mode == "" {
		s.Mode = Unknown
	}
	s.Rank = s.Mode.Rank()
	s.BucketKey = s.BucketKey.orUnset()
}

func (p *Posture) complete() {
	p.Rank = p.Mode.Rank()
	p.BucketKey = p.BucketKey.orUnset()
	if p.OnConflict == "" {
		p.OnConflict = posture.OnConflictReject
	}
	if p.OnRead == "" {
		p.OnRead = posture.OnReadDecrypt
	}
	if p.Enforcement == "" {
		p.Enforcement = posture.EnforcementEnforce
	}
	if p.Presign == "" {
		p.Presign = posture.PresignAll
	}
	if p.Deletes == "" {
		p.Deletes = posture.DeletesAllow
	}
}

func (k BucketKey) orUnset() BucketKey {
	if k == "" {
		return BucketKeyUnset
	}
	return k
}

// prefixes lists every ancestor of a key that ends in a slash, shortest first.
func prefixes(key string) List {
	n := strings.Count(key, "/")
	if n == 0 {
		return nil
	}
	out := make(List, 0, n)
	for i := range len(key) {
		if key[i] == '/' {
			out = append(out, key[:i+1])
		}
	}
	return out
}

// tlsVersionNumber orders TLS versions: 0 means none or not one we know.
func tlsVersionNumber(t Transport) int {
	if !t.TLS {
		return 0
	}
	switch t.TLSVersion {
	case "1.0":
		return 10
	case "1.1":
		return 11
	case "1.2":
		return 12
	case "1.3":
		return 13
	}
	return 0
}
