package awscli

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sealgate/sealgate/module/cli/trial"
	"github.com/sealgate/sealgate/module/s3"
)

// writeHeaders are the options of s3api that write an object, by their header.
var writeHeaders = map[string]string{
	"acl": "X-Amz-Acl", "cache-control": "Cache-Control", "content-disposition": "Content-Disposition",
	"content-encoding": "Content-Encoding", "content-language": "Content-Language", "content-type": "Content-Type",
	"expires": "Expires", "grant-full-control": "X-Amz-Grant-Full-Control", "grant-read": "X-Amz-Grant-Read",
	"grant-read-acp": "X-Amz-Grant-Read-Acp", "grant-write-acp": "X-Amz-Grant-Write-Acp",
	"server-side-encryption": "X-Amz-Server-Side-Encryption", "ssekms-key-id": "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
	"storage-class": "X-Amz-Storage-Class", "website-redirect-location": "X-Amz-Website-Redirect-Location",
	"sse-customer-algorithm": "X-Amz-Server-Side-Encryption-Customer-Algorithm", "tagging": "X-Amz-Tagging",
	"request-payer": "X-Amz-Request-Payer", "object-lock-mode": "X-Amz-Object-Lock-Mode",
	"object-lock-retain-until-date": "X-Amz-Object-Lock-Retain-Until-Date", "object-lock-legal-hold-status": "X-Amz-Object-Lock-Legal-Hold",
	"expected-bucket-owner": "X-Amz-Expected-Bucket-Owner", "if-match": "If-Match", "if-none-match": "If-None-Match",
}

var readHeaders = map[string]string{
	"if-match": "If-Match", "if-none-match": "If-None-Match", "range": "Range", "request-payer": "X-Amz-Request-Payer",
	"expected-bucket-owner": "X-Amz-Expected-Bucket-Owner", "sse-customer-algorithm": "X-Amz-Server-Side-Encryption-Customer-Algorithm",
}

var deleteHeaders = map[string]string{
	"mfa": "X-Amz-Mfa", "request-payer": "X-Amz-Request-Payer", "expected-bucket-owner": "X-Amz-Expected-Bucket-Owner", "if-match": "If-Match",
}

var bucketHeaders = map[string]string{
	"expected-bucket-owner": "X-Amz-Expected-Bucket-Owner", "acl": "X-Amz-Acl", "grant-full-control": "X-Amz-Grant-Full-Control",
	"grant-read": "X-Amz-Grant-Read", "grant-write": "X-Amz-Grant-Write", "grant-read-acp": "X-Amz-Grant-Read-Acp",
	"grant-write-acp": "X-Amz-Grant-Write-Acp",
}

func optionsOf(headers map[string]string, more ...string) []string {
	return append(slices.Sorted(maps.Keys(headers)), more...)
}

var customerOptions = []string{"sse-customer-key", "sse-customer-key-md5"}

var low = map[string]command{
	"put-object": {optionsOf(writeHeaders, append(customerOptions, "bucket", "key", "body", "metadata", "ssekms-encryption-context",
		"bucket-key-enabled!", "no-bucket-key-enabled!")...), (*arguments).putObject},
	"create-multipart-upload": {optionsOf(writeHeaders, append(customerOptions, "bucket", "key", "metadata", "ssekms-encryption-context",
		"bucket-key-enabled!", "no-bucket-key-enabled!")...), (*arguments).createUpload},
	"copy-object": {optionsOf(writeHeaders, append(customerOptions, "bucket", "key", "copy-source", "metadata", "metadata-directive",
		"tagging-directive", "ssekms-encryption-context", "bucket-key-enabled!", "no-bucket-key-enabled!")...), (*arguments).copyObject},
	"get-object":    {optionsOf(readHeaders, append(customerOptions, "bucket", "key", "version-id")...), (*arguments).getObject},
	"head-object":   {optionsOf(readHeaders, append(customerOptions, "bucket", "key", "version-id")...), (*arguments).headObject},
	"delete-object": {optionsOf(deleteHeaders, "bucket", "key", "version-id", "bypass-governance-retention!"), (*arguments).deleteObject},
	"delete-objects": {optionsOf(deleteHeaders, "bucket", "delete", "bypass-governance-retention!"),
		(*arguments).deleteObjects},
	"list-objects-v2": {[]string{"bucket", "prefix", "delimiter", "max-items", "max-keys", "page-size", "start-after"}, (*arguments).listObjects},
	"list-buckets": {nil, func(*arguments) ([]trial.Request, error) {
		return []trial.Request{request("list the buckets", http.MethodGet, place{})}, nil
	}},

	"put-object-acl":             {optionsOf(bucketHeaders, "bucket", "key", "version-id"), setting("acl", "")},
	"put-bucket-acl":             {optionsOf(bucketHeaders, "bucket"), setting("acl", "")},
	"put-bucket-encryption":      {[]string{"bucket", "server-side-encryption-configuration"}, setting("encryption", "server-side-encryption-configuration")},
	"put-bucket-versioning":      {[]string{"bucket", "versioning-configuration", "mfa"}, setting("versioning", "versioning-configuration")},
	"put-bucket-policy":          {[]string{"bucket", "policy"}, setting("policy", "policy")},
	"put-public-access-block":    {[]string{"bucket", "public-access-block-configuration"}, setting("publicAccessBlock", "public-access-block-configuration")},
	"put-bucket-tagging":         {[]string{"bucket", "tagging"}, setting("tagging", "tagging")},
	"delete-bucket-encryption":   {[]string{"bucket"}, removal("encryption")},
	"delete-bucket-policy":       {[]string{"bucket"}, removal("policy")},
	"delete-bucket":              {[]string{"bucket"}, removal("")},
	"delete-public-access-block": {[]string{"bucket"}, removal("publicAccessBlock")},
}

// bucket is where --bucket points to, and --key where there is one.
func (a *arguments) bucket() (place, error) {
	if len(a.words) > 0 && a.name != "aws s3api get-object" { // which takes a file to write to
		return place{}, usagef("%s: %q is no option", a.name, a.words[0])
	}
	p := place{a.values["bucket"], a.values["key"]}
	if p.bucket == "" {
		return place{}, usagef("%s needs --bucket", a.name)
	}
	return p, nil
}

// object is where --bucket and --key point to.
func (a *arguments) object() (place, error) {
	p, err := a.bucket()
	if err == nil && p.key == "" {
		err = usagef("%s needs --key", a.name)
	}
	return p, err
}

// write makes a request that writes an object.
func (a *arguments) write(name, method string) (trial.Request, error) {
	p, err := a.object()
	if err != nil {
		return trial.Request{}, err
	}
	r := request(name, method, p)
	if err := checkTags(a.values["tagging"]); err != nil {
		return r, err
	}
	a.with(&r, writeHeaders)
	if a.flag("bucket-key-enabled") {
		r.Header.Set("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", "true")
	}
	if a.flag("no-bucket-key-enabled") {
		r.Header.Set("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", "false")
	}
	if v, ok := a.values["ssekms-encryption-context"]; ok {
		if _, err := base64.StdEncoding.DecodeString(v); err != nil { // JSON, which the store wants in base64
			v = base64.StdEncoding.EncodeToString([]byte(v))
		}
		r.Header.Set("X-Amz-Server-Side-Encryption-Context", v)
	}
	if err := a.metadata(&r); err != nil {
		return r, err
	}
	return r, a.sseCustomer(&r)
}

// sseCustomer sets a customer's key, written as base64 or as it is.
func (a *arguments) sseCustomer(r *trial.Request) error {
	if !a.has("sse-customer-algorithm") {
		return nil
	}
	own := &arguments{name: a.name, values: map[string]string{"sse-c": a.values["sse-customer-algorithm"]}}
	if v, ok := a.values["sse-customer-key"]; ok {
		if key, err := base64.StdEncoding.DecodeString(v); err == nil && len(key) == 32 {
			v = string(key)
		}
		own.values["sse-c-key"] = v
	}
	return own.customerKey(r, "sse-c", "X-Amz-Server-Side-Encryption-Customer-")
}

func (a *arguments) putObject() ([]trial.Request, error) {
	r, err := a.write("upload", http.MethodPut)
	size := int64(0)
	if body, ok := a.values["body"]; ok {
		size = a.size(body)
	}
	r.Object = &size
	return []trial.Request{r}, err
}

func (a *arguments) createUpload() ([]trial.Request, error) {
	r, err := a.write("begin an upload in parts", http.MethodPost)
	r.Query = append(r.Query, s3.Pair{Name: "uploads"})
	return []trial.Request{r}, err
}

func (a *arguments) copyObject() ([]trial.Request, error) {
	source := strings.TrimPrefix(a.values["copy-source"], "/")
	if !strings.Contains(source, "/") {
		return nil, usagef("%s needs --copy-source bucket/key", a.name)
	}
	r, err := a.write("copy", http.MethodPut)
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Amz-Copy-Source", source)
	a.with(&r, map[string]string{"metadata-directive": "X-Amz-Metadata-Directive", "tagging-directive": "X-Amz-Tagging-Directive"})
	return []trial.Request{r}, nil
}

func (a *arguments) read(name, method string) ([]trial.Request, error) {
	p, err := a.object()
	if err != nil {
		return nil, err
	}
	r := request(name, method, p)
	a.with(&r, readHeaders)
	a.version(&r)
	return []trial.Request{r}, a.sseCustomer(&r)
}

func (a *arguments) version(r *trial.Request) {
	if v, ok := a.values["version-id"]; ok {
		ask(r, "versionId", v)
	}
}

func (a *arguments) getObject() ([]trial.Request, error) { return a.read("download", http.MethodGet) }

func (a *arguments) headObject() ([]trial.Request, error) {
	return a.read("look at the object", http.MethodHead)
}

func (a *arguments) deleteObject() ([]trial.Request, error) {
	p, err := a.object()
	if err != nil {
		return nil, err
	}
	r := request("delete", http.MethodDelete, p)
	a.with(&r, deleteHeaders)
	a.version(&r)
	a.bypass(&r)
	return []trial.Request{r}, nil
}

func (a *arguments) bypass(r *trial.Request) {
	if a.flag("bypass-governance-retention") {
		r.Header.Set("X-Amz-Bypass-Governance-Retention", "true")
	}
}

func (a *arguments) deleteObjects() ([]trial.Request, error) {
	p, err := a.bucket()
	if err != nil {
		return nil, err
	}
	text, err := a.content("delete")
	if err != nil {
		return nil, err
	}
	doc, err := shorthand(text)
	if err != nil {
		return nil, usagef("%s: --delete: %v", a.name, err)
	}
	objects, ok := doc["Objects"].([]any)
	if !ok || len(objects) == 0 {
		return nil, usagef("%s: --delete names no Objects", a.name)
	}
	r := request("delete", http.MethodPost, p)
	r.Query = append(r.Query, s3.Pair{Name: "delete"})
	a.with(&r, deleteHeaders)
	a.bypass(&r)
	r.Document = []byte(element("Delete", map[string]any{"Object": objects, "Quiet": doc["Quiet"]}))
	return []trial.Request{r}, nil
}

func (a *arguments) listObjects() ([]trial.Request, error) {
	p, err := a.bucket()
	if err != nil {
		return nil, err
	}
	r := request("list", http.MethodGet, p)
	ask(&r, "list-type", "2")
	for _, name := range []string{"prefix", "delimiter", "start-after", "max-keys"} {
		if v, ok := a.values[name]; ok {
			ask(&r, name, v)
		}
	}
	ask(&r, "encoding-type", "url")
	return []trial.Request{r}, nil
}

// roots are the documents of settings, and what repeated elements of them are called.
var roots = map[string]struct {
	root string
	each map[string]string
}{
	"encryption":        {"ServerSideEncryptionConfiguration", map[string]string{"Rules": "Rule"}},
	"versioning":        {"VersioningConfiguration", nil},
	"publicAccessBlock": {"PublicAccessBlockConfiguration", nil},
	"tagging":           {"Tagging", nil},
}

// setting makes a command that sets a sub-resource, from a document in an option or
// from headers alone.
func setting(name, option string) func(*arguments) ([]trial.Request, error) {
	return func(a *arguments) ([]trial.Request, error) {
		p, err := a.bucket()
		if err != nil {
			return nil, err
		}
		if a.name == "aws s3api put-object-acl" && p.key == "" {
			return nil, usagef("%s needs --key", a.name)
		}
		r := request("change the setting", http.MethodPut, p)
		r.Query = append(r.Query, s3.Pair{Name: name})
		a.version(&r)
		a.with(&r, bucketHeaders)
		if option == "" {
			return []trial.Request{r}, nil
		}
		text, err := a.content(option)
		if err != nil {
			return nil, err
		}
		if text == "" {
			return nil, usagef("%s needs --%s", a.name, option)
		}
		if name == "policy" {
			r.Document = []byte(text)
			return []trial.Request{r}, nil
		}
		doc, err := shorthand(text)
		if err != nil {
			return nil, usagef("%s: --%s: %v", a.name, option, err)
		}
		form := roots[name]
		for from, to := range form.each {
			if list, ok := doc[from]; ok {
				delete(doc, from)
				doc[to] = list
			}
		}
		if set, ok := doc["TagSet"].([]any); ok {
			doc["TagSet"] = map[string]any{"Tag": set}
		}
		r.Document = []byte(element(form.root, doc))
		return []trial.Request{r}, nil
	}
}

func removal(name string) func(*arguments) ([]trial.Request, error) {
	return func(a *arguments) ([]trial.Request, error) {
		p, err := a.bucket()
		if err != nil {
			return nil, err
		}
		r := request("delete the setting", http.MethodDelete, p)
		if name == "" {
			r.Name = "delete the bucket"
			return []trial.Request{r}, nil
		}
		r.Query = append(r.Query, s3.Pair{Name: name})
		return []trial.Request{r}, nil
	}
}

// element writes a value as XML: a list as one element for each of its members.
func element(name string, value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []any:
		var out strings.Builder
		for _, each := range v {
			out.WriteString(element(name, each))
		}
		return out.String()
	case map[string]any:
		var out strings.Builder
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out.WriteString(element(k, v[k]))
		}
		return "<" + name + ">" + out.String() + "</" + name + ">"
	}
	var text strings.Builder
	_ = xml.EscapeText(&text, []byte(fmt.Sprint(value))) // a strings.Builder takes everything
	return "<" + name + ">" + text.String() + "</" + name + ">"
}
