package engine

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/policy"
)

// describe is the request as policy sees it. Every fact comes from the parsed
// request, the verified identity or this connection; secrets do not enter. It
// refuses what could be read in two ways.
func (x *exchange) describe(req *s3.Request, asked sse.Choice) (*policy.Input, error) {
	tags, err := headerTags(taggingHeader(req))
	if err != nil {
		return nil, err
	}
	in := &policy.Input{
		Identity: x.policyIdentity(),
		Request: policy.Request{
			ID: x.rec.ID, Operation: req.Op.Name, Action: req.Op.Action, Actions: actions(req),
			Class: string(req.Op.Class), Method: req.Method, ReadOnly: req.Op.ReadOnly,
			ContentLength: decodedLength(req),
			Multipart:     policy.Multipart{Active: req.UploadID != "", UploadID: req.UploadID, PartNumber: req.PartNumber},
			Checksum:      announcedChecksum(req.Header),
			ACL:           policy.ACL{Canned: req.Header.Get("X-Amz-Acl"), Public: publicGrants(req.Header)},
			Tags:          tags,
			StorageClass:  req.Header.Get("X-Amz-Storage-Class"),
			Presign:       x.presign(),
			Payload:       payloadName(x.proof.Payload, req.Op.Body),
			Headers:       policyHeaders(req.Header),
		},
		Resource: policy.Resource{Bucket: req.Bucket, Key: req.Key, VersionID: req.VersionID},
		Encryption: policy.EncryptionFacts{
			Requested: policy.Requested{
				Mode: policy.Mode(asked.Mode), KeyID: asked.KeyID, Context: asked.Context,
				BucketKey: policy.BucketKeyOf(asked.BucketKey),
			},
			Explicit: asked.Mode != "",
		},
		Transport: x.transport(),
		Time:      policy.TimeAt(x.start),
		Gateway:   policy.Gateway{Upstream: x.e.cfg.Upstream.Name(), Region: x.e.cfg.Region},
	}
	if prefix, ok := req.Query.Get("prefix"); ok {
		in.Request.Prefix = prefix
	}
	if c := req.CopySource; c != nil {
		in.Request.SourceActions = req.SourceActions()
		in.CopySource = policy.CopySource{
			Present:  true,
			Resource: policy.Resource{Bucket: c.Bucket, Key: c.Key, VersionID: c.VersionID},
		}
	}
	return in, nil
}

// preflightAction is what a grant must allow "anonymous" for browsers to ask a
// bucket's CORS rules. IAM has no action for a preflight; this is the one for
// reading the same rules.
const preflightAction = "s3:GetBucketCORS"

// actions are the IAM actions a request needs on its own resource.
func actions(req *s3.Request) []string {
	if list := req.Actions(); len(list) > 0 {
		return list
	}
	return []string{preflightAction}
}

func (x *exchange) policyIdentity() policy.Identity {
	return policy.Identity{
		AuthMethod: authMethod(x.proof.Kind), Verified: x.proof.Kind != sigv4.Anonymous,
		AccessKey: x.caller.AccessKey, Principal: x.caller.Principal,
		Groups: x.caller.Groups, Attributes: x.caller.Attributes,
	}
}

func (x *exchange) presign() policy.Presign {
	if x.proof.Kind != sigv4.Presigned {
		return policy.Presign{}
	}
	return policy.Presign{
		Active:   true,
		AgeS:     int64(x.start.Sub(x.proof.Time) / time.Second),
		ExpiresS: int64(x.proof.Expires / time.Second),
	}
}

func (x *exchange) transport() policy.Transport {
	t := policy.Transport{SourceIP: x.rec.Client.IP, Loopback: fromThisMachine(x.r)}
	if i := strings.IndexByte(t.SourceIP, '%'); i >= 0 {
		t.SourceIP = t.SourceIP[:i]
	}
	if s := x.r.TLS; s != nil {
		t.TLS, t.TLSVersion, t.SNI = true, tlsName(s.Version), s.ServerName
		t.Cipher, t.ClientCert = tls.CipherSuiteName(s.CipherSuite), clientCert(s)
	}
	return t
}

// clientCert is the certificate the client came with, if the TLS server verified it
// against the authorities it was given. One that was merely shown proves nothing.
func clientCert(s *tls.ConnectionState) policy.ClientCert {
	if len(s.VerifiedChains) == 0 || len(s.PeerCertificates) == 0 {
		return policy.ClientCert{}
	}
	leaf := s.PeerCertificates[0]
	out := policy.ClientCert{Present: true, Subject: leaf.Subject.String()}
	out.SANs = append(out.SANs, leaf.DNSNames...)
	out.SANs = append(out.SANs, leaf.EmailAddresses...)
	for _, ip := range leaf.IPAddresses {
		out.SANs = append(out.SANs, ip.String())
	}
	for _, u := range leaf.URIs {
		out.SANs = append(out.SANs, u.String())
	}
	return out
}

// fromThisMachine looks at the connection itself: its peer is a loopback
// address or a unix socket.
func fromThisMachine(r *http.Request) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return true
	}
	ip := net.ParseIP(peerAddress(r))
	return ip != nil && ip.IsLoopback()
}

// describeDocument adds what an XML body says about encryption.
func describeDocument(in *policy.Input, doc sse.Document) {
	in.Document = policy.Document{Present: true, Kind: doc.Kind, Blocked: doc.Blocked, Destinations: doc.Destinations}
	for _, s := range doc.Settings {
		in.Document.Settings = append(in.Document.Settings, policy.Setting{
			Path: s.Path, Mode: policy.Mode(s.Mode), KeyID: s.KeyID, BucketKey: policy.BucketKeyOf(s.BucketKey),
		})
	}
	if in.Request.Class == policy.ClassWrite && len(doc.Settings) > 0 {
		// UpdateObjectEncryption asks in its body what others ask in headers.
		s := doc.Settings[0]
		in.Encryption.Explicit = true
		in.Encryption.Requested = policy.Requested{Mode: policy.Mode(s.Mode), KeyID: s.KeyID, BucketKey: policy.BucketKeyOf(s.BucketKey)}
	}
}

// describeACL adds whether an ACL document opens a resource to everyone.
func describeACL(in *policy.Input, req *s3.Request, body []byte) error {
	if req.Op.Name != "PutObjectAcl" && req.Op.Name != "PutBucketAcl" || len(body) == 0 {
		return nil
	}
	public, err := s3.ParseACL(body)
	if err != nil {
		return err
	}
	in.Request.ACL.Public = in.Request.ACL.Public || public
	return nil
}

// describeTags adds the tags that a document sets.
func describeTags(in *policy.Input, req *s3.Request, body []byte) error {
	if req.Op.Name != "PutObjectTagging" {
		return nil
	}
	header, err := s3.ParseTagging(body)
	if err != nil {
		return err
	}
	in.Request.Tags, err = headerTags(header)
	return err
}

// describeSource adds how a copy's source is encrypted.
func describeSource(in *policy.Input, seen sse.Observed) {
	mode := policy.Mode(seen.Mode)
	if !seen.Reported {
		// The store answered and named no encryption.
		mode = policy.None
	}
	in.CopySource.Encryption = policy.Observed{Known: true, Mode: mode, KeyID: seen.KeyID, BucketKey: policy.BucketKeyOf(seen.BucketKey)}
}

// secretHeaders are named to policy but not shown.
var secretHeaders = map[string]bool{
	"X-Amz-Security-Token":                                      true,
	"X-Amz-Server-Side-Encryption-Customer-Key":                 true,
	"X-Amz-Server-Side-Encryption-Customer-Key-Md5":             true,
	"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key":     true,
	"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key-Md5": true,
	"X-Amz-Server-Side-Encryption-Context":                      true, // decoded in encryption.requested
}

func policyHeaders(h http.Header) policy.Map {
	out := make(policy.Map, 8)
	for name, v := range h {
		if !strings.HasPrefix(name, "X-Amz-") {
			continue
		}
		if secretHeaders[name] {
			out[strings.ToLower(name)] = "[present]"
			continue
		}
		out[strings.ToLower(name)] = strings.Join(v, ",")
	}
	return out
}

// decodedLength is the length of the object's bytes, -1 if it is not said.
func decodedLength(req *s3.Request) int64 {
	if v := req.Header.Get("X-Amz-Decoded-Content-Length"); v != "" {
		if n, ok := parseLength(v); ok {
			return n
		}
		return -1
	}
	return req.ContentLength
}

func parseLength(v string) (int64, bool) {
	if v == "" || len(v) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range []byte(v) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// announcedChecksum is the algorithm of a checksum header or trailer.
func announcedChecksum(h http.Header) string {
	const prefix = "X-Amz-Checksum-"
	if t := h.Get("X-Amz-Trailer"); len(t) > len(prefix) && strings.EqualFold(t[:len(prefix)], prefix) {
		return strings.ToLower(t[len(prefix):])
	}
	for name := range h {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			switch rest {
			case "Mode", "Type":
			case "Algorithm":
				return strings.ToLower(h.Get(name))
			default:
				return strings.ToLower(rest)
			}
		}
	}
	if h.Get("Content-Md5") != "" {
		return "md5"
	}
	return ""
}

// publicGrants looks for the groups that mean everyone in x-amz-grant-* headers.
func publicGrants(h http.Header) bool {
	for name, values := range h {
		if !strings.HasPrefix(name, "X-Amz-Grant-") {
			continue
		}
		for _, v := range values {
			v = strings.ToLower(v)
			if strings.Contains(v, "/groups/global/allusers") || strings.Contains(v, "/groups/global/authenticatedusers") {
				return true
			}
		}
	}
	return false
}

// taggingHeader is the header that sets tags, "" where it does not: a copy takes
// those of its source unless it says that it replaces them.
func taggingHeader(req *s3.Request) string {
	if req.Op.Name == "CopyObject" && req.Header.Get("X-Amz-Tagging-Directive") != "REPLACE" {
		return ""
	}
	return req.Header.Get("X-Amz-Tagging")
}

// headerTags reads x-amz-tagging, a URL query. The store must not find other
// tags in it than the policy did.
func headerTags(v string) (policy.Map, error) {
	if v == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(v)
	if err != nil {
		return nil, errTagging.WithCause(err)
	}
	out := make(policy.Map, len(values))
	for k, vs := range values {
		if len(vs) > 1 {
			return nil, errTagging
		}
		out[k] = vs[0]
	}
	return out, nil
}

var errTagging = s3.ErrInvalidArgument.
	WithMessage("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.").
	With("ArgumentName", "x-amz-tagging")

func payloadName(p sigv4.Payload, b s3.Body) string {
	if b == s3.BodyNone {
		return policy.PayloadNone
	}
	switch p {
	case sigv4.PayloadHash:
		return policy.PayloadHash
	case sigv4.PayloadSignedChunks:
		return policy.PayloadSignedChunks
	case sigv4.PayloadSignedChunksTrailer:
		return policy.PayloadSignedChunksTrailer
	case sigv4.PayloadUnsignedTrailer:
		return policy.PayloadUnsignedTrailer
	default:
		return policy.PayloadUnsigned
	}
}
