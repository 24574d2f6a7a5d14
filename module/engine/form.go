package engine

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/sealgate/sealgate/module/s3"
	"github.com/sealgate/sealgate/module/sigv4"
)

// serveForm serves a browser upload (PostObject): its fields are read and
// verified like headers, decided, and the file goes up as a PutObject that the
// gateway signs. The file part counts as an object body.
func (x *exchange) serveForm() error {
	if _, err := sigv4.ParseClaim(x.req); err != nil {
		return err // a form that brings credentials outside of its fields
	}
	if x.req.ContentLength < 0 {
		return s3.ErrMissingContentLength
	}
	inTime := x.hurry() // nobody has said yet who this is
	f, err := readForm(clientBody{x}, x.req.Header.Get("Content-Type"), x.req.ContentLength)
	inTime()
	if err != nil {
		return err
	}
	if f.get("key") == "" {
		return sigv4.MissingField("key")
	}
	fields, err := f.named()
	if err != nil {
		return err
	}
	if err := x.identifyForm(fields); err != nil {
		return err
	}
	put, err := x.formPut(fields)
	if err != nil {
		return err
	}
	x.rec.Resource.Key = put.Key
	asked, err := x.asked(put)
	if err != nil {
		return err
	}
	in, err := x.describe(put, asked)
	if err != nil {
		return err
	}
	as := *put
	as.Op, _ = s3.Lookup("PutObject")
	in.Request.Actions = as.Actions()
	d, err := x.decide(in)
	if err != nil {
		return err
	}
	p, err := x.plan(put, asked, d)
	if err != nil {
		return err
	}
	return x.putFile(f, fields, put, p)
}

// named gives the fields by lower-case name, with ${filename} replaced, which
// must not make them larger than fields may be.
func (f *form) named() (sigv4.Fields, error) {
	const placeholder = "${filename}"
	out := make(sigv4.Fields, len(f.fields))
	size := 0
	for _, field := range f.fields {
		size += len(field.value) + strings.Count(field.value, placeholder)*(len(f.filename)-len(placeholder))
		if size > maxFormFields {
			return nil, malformedForm(errFormTooLarge)
		}
		out[strings.ToLower(field.name)] = strings.ReplaceAll(field.value, placeholder, f.filename)
	}
	return out, nil
}

func (x *exchange) identifyForm(fields sigv4.Fields) error {
	claim, err := sigv4.ParseFormClaim(fields)
	if err != nil {
		return err
	}
	x.claimed(claim.Claim)
	if claim.Kind == sigv4.Anonymous {
		return nil
	}
	caller, err := x.lookup(claim.Credential.AccessKey)
	if err != nil {
		return err
	}
	proof, err := x.e.cfg.Verifier.VerifyForm(claim, caller.Secret.Reveal())
	if err != nil {
		return err
	}
	x.identified(caller, proof)
	allowed, err := sigv4.ParsePostPolicy(claim.Policy)
	if err != nil {
		return err
	}
	return allowed.Check(x.start, fields, x.req.Bucket)
}

// formHeaders are the fields that stand for a header of the same name.
var formHeaders = map[string]bool{
	"cache-control": true, "content-type": true, "content-disposition": true,
	"content-encoding": true, "content-language": true, "expires": true, "content-md5": true,
}

// formControls are fields that are about the form itself.
var formControls = map[string]bool{
	"key": true, "bucket": true, "policy": true, "x-amz-algorithm": true, "x-amz-credential": true, "x-amz-date": true,
	"x-amz-signature": true, "success_action_redirect": true, "redirect": true, "success_action_status": true,
}

// formPut is the PutObject a form stands for.
func (x *exchange) formPut(fields sigv4.Fields) (*s3.Request, error) {
	put := *x.req
	put.Method = http.MethodPut
	put.Key = fields["key"]
	if err := s3.CheckKey(put.Key); err != nil {
		return nil, err
	}
	if b, ok := fields["bucket"]; ok && b != x.req.Bucket {
		return nil, s3.ErrInvalidArgument.WithMessage("The field bucket does not name the bucket the form was sent to.").With("ArgumentName", "bucket")
	}
	put.Query = nil
	put.Header = make(http.Header, len(fields))
	op, _ := s3.Lookup("PutObject")
	for name, value := range fields {
		header := name
		switch {
		case formControls[name], strings.HasPrefix(name, "x-ignore-"):
			continue
		case name == "x-amz-write-offset-bytes":
			return nil, s3.ErrNotImplemented.WithMessage("Appending to objects is not supported.")
		case name == "acl":
			header = "x-amz-acl"
		case name == "tagging":
			tags, err := s3.ParseTagging([]byte(value))
			if err != nil {
				return nil, err
			}
			header, value = "x-amz-tagging", tags
		case formHeaders[name], strings.HasPrefix(name, "x-amz-meta-"), op.Headers[name]:
		case strings.HasPrefix(name, "x-amz-"):
			return nil, s3.ErrInvalidArgument.WithMessage("The form has a field that uploads do not take.").With("ArgumentName", name)
		default:
			continue // S3 has no meaning for it
		}
		if reservedMetadata(textproto.CanonicalMIMEHeaderKey(header)) {
			return nil, errReservedMetadata(header)
		}
		if err := s3.CheckMetadata(header); err != nil {
			return nil, err
		}
		if !validHeaderName(header) {
			return nil, s3.ErrInvalidArgument.WithMessage("The form has a field whose name no header can have.").With("ArgumentName", name)
		}
		if !validHeaderValue(value) {
			return nil, s3.ErrInvalidArgument.WithMessage("The field has a value that no header can have.").With("ArgumentName", name)
		}
		// White space around a value does not reach the store: what is decided must not see it.
		put.Header.Set(textproto.CanonicalMIMEHeaderKey(header), textproto.TrimString(value))
	}
	return &put, nil
}

// validHeaderName: a token (RFC 9110, 5.6.2), with something behind the prefix
// of user metadata.
func validHeaderName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		alphanumeric := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return name != "x-amz-meta-"
}

// validHeaderValue: no control characters but tab (RFC 9110, 5.5).
func validHeaderValue(v string) bool {
	for i := 0; i < len(v); i++ {
		if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// putFile sends the file up. Its length is not said anywhere: it is what the
// form's other parts leave of the body, and is checked against the form's end.
func (x *exchange) putFile(f *form, fields sigv4.Fields, put *s3.Request, p plan) error {
	const small = 64 << 10
	data, whole, err := f.file.whole(small)
	if err != nil {
		return err
	}
	var file io.Reader = bytes.NewReader(data)
	length := int64(len(data))
	if !whole {
		file, length = io.MultiReader(file, f.file), f.file.length
	}
	if err := checkFormLength(fields, length); err != nil {
		return err
	}
	sized := *put
	sized.ContentLength = length
	sized.TransferEncoding = nil
	sized.Wire = put.Header
	body, err := x.proof.Open(&sized, file)
	if err != nil {
		return err
	}
	b := &objectBody{Body: body, length: length, payload: sigv4.UnsignedPayload}
	defer func() { _ = b.Close() }()
	call := x.newCall(&sized, p)
	call.Method = http.MethodPut
	call.Interrupt = x.interrupt
	if p.seal != nil {
		resp, err := x.sendSealed(&call, b, p.seal) //nolint:bodyclose // answerFile closes it
		if err != nil {
			return err
		}
		return x.answerFile(resp, fields, put, p)
	}
	if err := b.attach(&call); err != nil {
		return err
	}
	resp, err := x.call(x.r.Context(), call) //nolint:bodyclose // answerFile closes it
	if err != nil {
		return err
	}
	return x.answerFile(resp, fields, put, p)
}

// checkFormLength holds the file's length against the form's policy.
func checkFormLength(fields sigv4.Fields, length int64) error {
	if fields["policy"] == "" {
		return nil
	}
	allowed, err := sigv4.ParsePostPolicy(fields["policy"])
	if err != nil {
		return err
	}
	return allowed.CheckLength(length)
}

// answerFile confirms what was written and answers the form.
func (x *exchange) answerFile(resp *http.Response, fields sigv4.Fields, put *s3.Request, p plan) error {
	defer func() { _ = resp.Body.Close() }()
	if err := x.storeError(resp); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorDocument))
	seen, err := x.confirm(p, resp.Header, written{
		bucket: put.Bucket, key: put.Key, versionID: resp.Header.Get("X-Amz-Version-Id"), visible: true,
	})
	if err != nil {
		return err
	}
	seen.Echo(resp.Header)
	if p.seal != nil {
		hideSealing(resp.Header)
	}
	resp.Header.Del("Content-Length")
	resp.Header.Del("Content-Type")
	x.req = put // Location and records speak of the object
	return x.answerForm(fields, put, resp)
}

// answerForm answers the way the form asked for: a redirect, 200, 201 with a
// document, or 204.
func (x *exchange) answerForm(fields sigv4.Fields, put *s3.Request, resp *http.Response) error {
	x.replyHeader(resp)
	h := x.w.Header()
	etag := resp.Header.Get("ETag")
	h.Set("Location", x.objectURL())
	target := fields["success_action_redirect"]
	if target == "" {
		target = fields["redirect"]
	}
	if u, err := url.Parse(target); err == nil && target != "" && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		q := u.RawQuery
		if q != "" {
			q += "&"
		}
		u.RawQuery = q + "bucket=" + s3.EscapeQuery(put.Bucket) + "&key=" + s3.EscapeQuery(put.Key) + "&etag=" + s3.EscapeQuery(etag)
		h.Set("Location", u.String())
		x.w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	switch fields["success_action_status"] {
	case "200":
		x.w.WriteHeader(http.StatusOK)
		return nil
	case "201":
	default:
		x.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	doc, err := xml.Marshal(struct {
		XMLName  xml.Name `xml:"PostResponse"`
		Location string
		Bucket   string
		Key      string
		ETag     string
	}{Location: x.objectURL(), Bucket: put.Bucket, Key: put.Key, ETag: etag})
	if err != nil {
		return s3.ErrInternalError.WithCause(err)
	}
	doc = append([]byte(xmlDeclaration), doc...)
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", itoa(int64(len(doc))))
	x.w.WriteHeader(http.StatusCreated)
	_, err = x.w.Write(doc)
	return err
}
