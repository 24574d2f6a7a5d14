package engine

import (
	"bytes"
	"crypto/fips140"
	"crypto/md5" //nolint:gosec // Content-MD5 is what S3's protocol asks for
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sse"
	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// serveDocument serves operations whose body is a document: it is read and
// verified after a bucket-level grant check, then decided once.
func (x *exchange) serveDocument() error {
	data, err := x.readDocument()
	if err != nil {
		return err
	}
	asked, err := x.asked(x.req)
	if err != nil {
		return err
	}
	in, err := x.describe(x.req, asked)
	if err != nil {
		return err
	}
	if err := describeTags(in, x.req, data); err != nil {
		return err
	}
	doc, found, err := sse.ParseDocument(x.req.Op.Name, data)
	if err != nil {
		return err
	}
	if found {
		describeDocument(in, doc)
	}
	describeProtection(in, x.req.Op.Name, data)
	if err := describeACL(in, x.req, data); err != nil {
		return err
	}
	d, err := x.decide(in)
	if err != nil {
		return err
	}
	if x.req.Op.Name == "PutBucketWebsite" && x.sealedRule(objectName{bucket: x.req.Bucket}) != nil {
		return notOnSealed(x.req.Op) // the store would serve ciphertext
	}
	if x.req.Op.Name == "CompleteMultipartUpload" {
		return x.complete(asked, d, data)
	}
	p, err := x.planDocument(asked, d, doc)
	if err != nil {
		return err
	}
	call := x.newCall(x.req, p)
	if x.req.Op.Name == "PutBucketEncryption" {
		if data, err = x.bucketEncryption(doc, d.Encryption, data); err != nil {
			return err
		}
	}
	attachDocument(&call, data)
	resp, err := x.call(x.r.Context(), call) //nolint:bodyclose // relay closes it
	if err != nil {
		return err
	}
	if p.expectsConfirmation() {
		return x.relayWritten(resp, p, written{bucket: x.req.Bucket, key: x.req.Key, versionID: x.req.VersionID, visible: true})
	}
	return x.relay(resp)
}

// planDocument: a document that changes an object's encryption
// (UpdateObjectEncryption) is allowed or refused as sent, and the object looked
// at afterwards; no other document takes a choice.
func (x *exchange) planDocument(asked sse.Choice, d policy.Decision, doc sse.Document) (plan, error) {
	if x.req.Op.Class == s3.ClassWrite && len(doc.Settings) > 0 {
		s := doc.Settings[0]
		chosen := sse.Choice{Mode: s.Mode, KeyID: s.KeyID, BucketKey: s.BucketKey}
		x.rec.Asked = recordChoice(chosen)
		p, err := x.plan(x.req, chosen, d)
		p.send = sse.Choice{}
		return p, err
	}
	return plan{mode: policy.Unchanged, send: asked}, nil
}

// bucketEncryption replaces the default a bucket is given where the decision
// says so; otherwise the document goes as it was sent.
func (x *exchange) bucketEncryption(doc sse.Document, e policy.Encryption, data []byte) ([]byte, error) {
	if e.Mode == policy.Unchanged || e.Mode == policy.None || e.Mode == policy.CSE || e.Mode == policy.SSEC || e.OnConflict != "replace" {
		return data, nil
	}
	want := sse.Setting{Mode: sse.Mode(e.Mode), KeyID: e.KeyID, BucketKey: e.BucketKey}
	if len(doc.Settings) == 1 {
		have := doc.Settings[0]
		stronger := policy.Mode(have.Mode).Rank() > e.Mode.Rank()
		same := have.Mode == want.Mode && (want.KeyID == "" || sse.SameKey(want.KeyID, have.KeyID))
		if stronger || same {
			return data, nil
		}
	}
	x.sent(sse.Choice{Mode: want.Mode, KeyID: want.KeyID, BucketKey: want.BucketKey})
	return sse.BucketEncryptionXML(want, doc.Blocked), nil
}

// readDocument identifies nothing more: it checks that some grant could cover
// the request, then reads and verifies the body.
func (x *exchange) readDocument() ([]byte, error) {
	actions := x.req.Actions()
	if x.req.Op.Name == "DeleteObjects" {
		actions = append(actions, "s3:DeleteObjectVersion") // named in the document, if at all
	}
	if !x.gen.Granted(x.policyIdentity(), actions, x.req.Bucket) {
		return nil, x.notGranted()
	}
	defer x.hurry()()
	data, err := x.proof.ReadDocument(x.req, clientBody{x}, s3.MaxDocument)
	if err != nil {
		return nil, err
	}
	return data, checkDocument(x.req.Op, data)
}

// notGranted denies a request whose document is not worth reading. Policy is
// asked for the words; without its grants it has no other answer.
func (x *exchange) notGranted() error {
	asked, err := x.asked(x.req)
	if err != nil {
		return err
	}
	in, err := x.describe(x.req, asked)
	if err != nil {
		return err
	}
	if _, err := x.decide(in); err != nil {
		return err
	}
	return s3.ErrInternalError.WithCause(errors.New("a request without its grants was allowed"))
}

// checkDocument refuses XML that its readers could read in different ways, also in
// documents that go to the store unread. The policy of a bucket is JSON.
func checkDocument(op *s3.Operation, data []byte) error {
	if len(data) == 0 || op.Name == "PutBucketPolicy" {
		return nil
	}
	return s3.DecodeXML(data, new(struct{}))
}

// hurryTime is how long a document, or the fields of a form, may take to arrive.
const hurryTime = time.Minute

// hurry bounds how long reads of the client's body may take until done is called.
func (x *exchange) hurry() (done func()) {
	control := http.NewResponseController(x.w)
	if control.SetReadDeadline(time.Now().Add(hurryTime)) != nil {
		return func() {}
	}
	return func() { _ = control.SetReadDeadline(time.Time{}) }
}

// attachDocument makes data the payload of call, with the digests S3 demands
// of some documents and that this one may have lost by being re-written.
func attachDocument(call *upstream.Call, data []byte) {
	for name := range call.Header {
		if strings.HasPrefix(name, "X-Amz-Checksum-") && name != "X-Amz-Checksum-Type" && name != "X-Amz-Checksum-Algorithm" && name != "X-Amz-Checksum-Mode" {
			call.Header.Del(name)
		}
	}
	sum := sha256.Sum256(data)
	call.PayloadHash = hex.EncodeToString(sum[:])
	call.Header.Set("Content-Md5", contentMD5(data))
	call.Data = data
}

// contentMD5 detects damage and protects nothing, so it stands outside FIPS
// enforcement.
func contentMD5(data []byte) string {
	var sum [md5.Size]byte
	fips140.WithoutEnforcement(func() { sum = md5.Sum(data) }) //nolint:gosec // see above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// complete forwards CompleteMultipartUpload. Only now can the object be looked
// at, so a store that does not report in its reply is asked by HEAD.
func (x *exchange) complete(asked sse.Choice, d policy.Decision, data []byte) error {
	if _, err := s3.ParseCompleteMultipart(data); err != nil {
		return err
	}
	p, err := x.plan(x.req, asked, d)
	if err != nil {
		return err
	}
	if p.seal != nil {
		return x.completeSealed(p, data)
	}
	call := x.newCall(x.req, p)
	checksums := bodyChecksums(call.Header)
	attachDocument(&call, data)
	// Here x-amz-checksum-* is the whole object's checksum, not the document's.
	setAll(call.Header, checksums)
	call.Once = true // a repeated Complete could answer NoSuchUpload for a success
	resp, err := x.call(x.r.Context(), call)
	if err != nil {
		return err
	}
	return x.lateReply(resp, func(doc []byte) (late, error) {
		seen, err := x.confirm(p, resp.Header, written{
			bucket: x.req.Bucket, key: x.req.Key, versionID: resp.Header.Get("X-Amz-Version-Id"), visible: true,
		})
		return late{doc: x.clientDocument(doc), seen: seen}, err
	})
}

func bodyChecksums(h http.Header) http.Header {
	out := make(http.Header)
	for name, v := range h {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			out[name] = v
		}
	}
	return out
}

// clientDocument replaces the Location of a completion, which names the
// store's host, by the client's own way to the object.
func (x *exchange) clientDocument(doc []byte) []byte {
	start, end := elementText(doc, "Location")
	if start < 0 {
		return doc
	}
	var out bytes.Buffer
	out.Write(doc[:start])
	_ = xml.EscapeText(&out, []byte(x.objectURL())) // a bytes.Buffer does not fail
	out.Write(doc[end:])
	return out.Bytes()
}

// elementText finds where the content of the root's child of that name begins
// and ends; -1 if it has none.
func elementText(doc []byte, name string) (start, end int) {
	dec := xml.NewDecoder(bytes.NewReader(doc))
	start = -1
	for depth := 0; ; {
		at := int(dec.InputOffset())
		tok, err := dec.Token()
		if err != nil {
			return -1, -1
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if depth++; depth == 2 && t.Name.Local == name {
				start = int(dec.InputOffset())
			}
		case xml.EndElement:
			if depth--; depth == 1 && start >= 0 {
				if at == start && doc[start-2] == '/' {
					return -1, -1 // <Location/>
				}
				return start, at
			}
		}
	}
}
