package awscli

import (
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/sealgate/sealgate/module/cli/trial"
	"github.com/sealgate/sealgate/module/s3"
)

// partSize is how large parts are, and how large a file may be that goes in one
// request (multipart_chunksize and multipart_threshold of the AWS CLI), in bytes.
const partSize = 8 << 20

// transferOptions are those of cp, mv and sync.
var transferOptions = []string{
	"sse?", "sse-kms-key-id", "sse-c?", "sse-c-key", "sse-c-copy-source?", "sse-c-copy-source-key",
	"acl", "storage-class", "content-type", "content-language", "content-encoding", "content-disposition", "cache-control",
	"expires", "metadata", "metadata-directive", "copy-props", "website-redirect", "checksum-algorithm", "checksum-mode", "request-payer",
	"expected-size", "source-region", "exclude", "include", "page-size",
	"recursive!", "dryrun!", "quiet!", "only-show-errors!", "no-progress!", "no-guess-mime-type!", "follow-symlinks!", "no-follow-symlinks!",
	"force-glacier-transfer!", "ignore-glacier-warnings!", "no-overwrite!",
}

var high = map[string]command{
	"cp":   {transferOptions, (*arguments).transfer},
	"mv":   {append([]string{"validate-same-s3-paths!"}, transferOptions...), (*arguments).move},
	"sync": {append([]string{"delete!", "size-only!", "exact-timestamps!"}, transferOptions...), (*arguments).sync},
	"rm": {[]string{"recursive!", "dryrun!", "quiet!", "only-show-errors!", "exclude", "include", "request-payer", "page-size"},
		(*arguments).remove},
	"ls": {[]string{"recursive!", "human-readable!", "summarize!", "request-payer", "page-size", "bucket-name-prefix", "bucket-region"},
		(*arguments).list},
	"presign": {[]string{"expires-in"}, (*arguments).presign},
}

// transferHeaders are the headers of an object that is written.
var transferHeaders = map[string]string{
	"acl": "X-Amz-Acl", "storage-class": "X-Amz-Storage-Class", "content-type": "Content-Type", "content-language": "Content-Language",
	"content-encoding": "Content-Encoding", "content-disposition": "Content-Disposition", "cache-control": "Cache-Control",
	"expires": "Expires", "website-redirect": "X-Amz-Website-Redirect-Location", "request-payer": "X-Amz-Request-Payer",
}

// encryption sets what --sse and its kin ask for.
func (a *arguments) encryption(r *trial.Request) error {
	if v, ok := a.values["sse"]; ok {
		if v == "" {
			v = "AES256"
		}
		r.Header.Set("X-Amz-Server-Side-Encryption", v)
	}
	if v, ok := a.values["sse-kms-key-id"]; ok {
		r.Header.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", v)
	}
	return a.customerKey(r, "sse-c", "X-Amz-Server-Side-Encryption-Customer-")
}

// move is a copy, after which what is in the store is deleted.
func (a *arguments) move() ([]trial.Request, error) {
	out, err := a.transfer()
	if err != nil {
		return nil, err
	}
	if from, ok := a.source(); ok {
		out = append(out, request("delete what was moved", http.MethodDelete, from))
	}
	return out, nil
}

// manyName stands for the objects of a command that works on all that is there.
const manyName = "file"

// source is what is copied, if it is in the store.
func (a *arguments) source() (place, bool) {
	from, ok := parsePlace(a.words[0])
	if a.flag("recursive") {
		from.key = path.Join(from.key, manyName)
	}
	return from, ok
}

// transfer copies one object, or one of many.
func (a *arguments) transfer() ([]trial.Request, error) {
	if len(a.words) != 2 {
		return nil, usagef("%s takes what to copy and where to", a.name)
	}
	from, fromStore := a.source()
	to, toStore := parsePlace(a.words[1])
	if !fromStore && !toStore {
		return nil, usagef("%s: one of the two is a place such as s3://bucket/key", a.name)
	}
	name := path.Base(strings.TrimSuffix(a.words[0], "/"))
	var out []trial.Request
	if a.flag("recursive") {
		name = manyName
		a.note("of all that is there, one object named %q is shown", name)
		if whole, ok := parsePlace(a.words[0]); ok {
			out = append(out, listing(place{whole.bucket, ""}, whole.key, ""))
		}
		to.key = strings.TrimSuffix(to.key, "/") + "/"
		if to.key == "/" {
			to.key = ""
		}
	}
	if toStore && (to.key == "" || strings.HasSuffix(to.key, "/")) {
		to.key += name
	}
	var more []trial.Request
	var err error
	switch {
	case fromStore && toStore:
		more, err = a.copy(from, to)
	case toStore:
		more, err = a.upload(a.words[0], to)
	default:
		more, err = a.download(from)
	}
	if err != nil {
		return nil, err
	}
	return append(out, more...), nil
}

// upload is one request, or several for a large file.
func (a *arguments) upload(file string, to place) ([]trial.Request, error) {
	size := int64(DefaultSize)
	if v, ok := a.values["expected-size"]; ok {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 {
			return nil, usagef("%s: --expected-size %q is no size", a.name, v)
		}
		size = n
	} else {
		size = a.size(file)
	}
	if size <= partSize {
		r := request("upload", http.MethodPut, to)
		if err := a.describe(&r); err != nil {
			return nil, err
		}
		r.Object = &size
		return []trial.Request{r}, nil
	}
	create := request("begin an upload in parts", http.MethodPost, to)
	create.Query = append(create.Query, flagParameter("uploads"))
	create.Header.Set("X-Amz-Checksum-Algorithm", "CRC64NVME")
	if err := a.describe(&create); err != nil {
		return nil, err
	}
	parts := (size + partSize - 1) / partSize
	first := int64(partSize)
	part := request(fmt.Sprintf("part 1 of %d", parts), http.MethodPut, to)
	part.Object, part.Times = &first, int(parts-1)
	ask(&part, "partNumber", "1")
	ask(&part, "uploadId", trial.UploadID)
	complete := request("complete the upload", http.MethodPost, to)
	ask(&complete, "uploadId", trial.UploadID)
	complete.Document = []byte("<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + trial.ETag + "</ETag></Part></CompleteMultipartUpload>")
	for _, r := range []*trial.Request{&part, &complete} {
		if err := a.customerKey(r, "sse-c", "X-Amz-Server-Side-Encryption-Customer-"); err != nil {
			return nil, err
		}
	}
	return []trial.Request{create, part, complete}, nil
}

// describe sets the headers of an object that is written.
func (a *arguments) describe(r *trial.Request) error {
	a.with(r, transferHeaders)
	if v := a.values["checksum-algorithm"]; v != "" && v != "CRC64NVME" {
		return usagef("%s: --checksum-algorithm %s is not understood; CRC64NVME is what is sent without it", a.name, v)
	}
	if err := a.metadata(r); err != nil {
		return err
	}
	return a.encryption(r)
}

func flagParameter(name string) s3.Pair { return s3.Pair{Name: name} }

// copy looks at the source and copies within the store.
func (a *arguments) copy(from, to place) ([]trial.Request, error) {
	head := request("look at the source", http.MethodHead, from)
	if err := a.customerKey(&head, "sse-c-copy-source", "X-Amz-Server-Side-Encryption-Customer-"); err != nil {
		return nil, err
	}
	r := request("copy", http.MethodPut, to)
	r.Header.Set("X-Amz-Copy-Source", from.source())
	if v, ok := a.values["metadata-directive"]; ok {
		r.Header.Set("X-Amz-Metadata-Directive", v)
	}
	if err := a.describe(&r); err != nil {
		return nil, err
	}
	a.note("an object larger than %d MiB would be copied in parts", partSize>>20)
	return []trial.Request{head, r}, a.customerKey(&r, "sse-c-copy-source", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-")
}

func (a *arguments) download(from place) ([]trial.Request, error) {
	head, get := request("look at the object", http.MethodHead, from), request("download", http.MethodGet, from)
	for _, r := range []*trial.Request{&head, &get} {
		a.with(r, transferHeaders, "request-payer")
		if err := a.customerKey(r, "sse-c", "X-Amz-Server-Side-Encryption-Customer-"); err != nil {
			return nil, err
		}
	}
	return []trial.Request{head, get}, nil
}

func (a *arguments) sync() ([]trial.Request, error) {
	a.values["recursive"] = "true"
	var out []trial.Request
	if len(a.words) == 2 {
		if to, ok := parsePlace(a.words[1]); ok {
			out = append(out, listing(place{to.bucket, ""}, to.key, ""))
		}
	}
	more, err := a.transfer()
	if err != nil {
		return nil, err
	}
	if to, ok := parsePlace(a.words[1]); ok && a.flag("delete") {
		more = append(more, request("delete what is gone", http.MethodDelete, place{to.bucket, path.Join(to.key, "no-longer-there")}))
	}
	return append(out, more...), nil
}

func (a *arguments) remove() ([]trial.Request, error) {
	if len(a.words) != 1 {
		return nil, usagef("%s takes what to delete", a.name)
	}
	p, ok := parsePlace(a.words[0])
	if !ok {
		return nil, usagef("%s: %q is no place such as s3://bucket/key", a.name, a.words[0])
	}
	if !a.flag("recursive") {
		if p.key == "" {
			return nil, usagef("%s: %q names no object", a.name, a.words[0])
		}
		return []trial.Request{request("delete", http.MethodDelete, p)}, nil
	}
	a.note("of all that is there, one object named %q is shown", manyName)
	return []trial.Request{
		listing(place{p.bucket, ""}, p.key, ""),
		request("delete", http.MethodDelete, place{p.bucket, path.Join(p.key, manyName)}),
	}, nil
}

// listing is one page of what is there, in folders if there is a delimiter.
func listing(bucket place, prefix, delimiter string) trial.Request {
	r := request("list", http.MethodGet, bucket)
	ask(&r, "list-type", "2")
	ask(&r, "prefix", prefix)
	if delimiter != "" {
		ask(&r, "delimiter", delimiter)
	}
	ask(&r, "encoding-type", "url")
	return r
}

func (a *arguments) list() ([]trial.Request, error) {
	switch len(a.words) {
	case 0:
		return []trial.Request{request("list the buckets", http.MethodGet, place{})}, nil
	case 1:
	default:
		return nil, usagef("%s takes one place to look at", a.name)
	}
	word := a.words[0]
	if !strings.HasPrefix(word, "s3://") {
		word = "s3://" + word
	}
	if word == "s3://" {
		return []trial.Request{request("list the buckets", http.MethodGet, place{})}, nil
	}
	p, _ := parsePlace(word)
	delimiter := "/"
	if a.flag("recursive") {
		delimiter = ""
	}
	r := listing(place{p.bucket, ""}, p.key, delimiter)
	a.with(&r, transferHeaders, "request-payer")
	return []trial.Request{r}, nil
}

// maxLink is how long a link may be valid, in seconds: seven days.
const maxLink = 604800

func (a *arguments) presign() ([]trial.Request, error) {
	if len(a.words) != 1 {
		return nil, usagef("%s takes the object to make a link to", a.name)
	}
	p, ok := parsePlace(a.words[0])
	if !ok {
		p, ok = parsePlace("s3://" + a.words[0])
	}
	if !ok || p.key == "" {
		return nil, usagef("%s: %q names no object", a.name, a.words[0])
	}
	seconds := int64(3600)
	if v, given := a.values["expires-in"]; given {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1 || n > maxLink {
			return nil, usagef("%s: --expires-in %q is not between 1 and %d seconds", a.name, v, int64(maxLink))
		}
		seconds = n
	}
	r := request("follow the link", http.MethodGet, p)
	r.Presigned = time.Duration(seconds) * time.Second
	a.note("making a link sends nothing; what is shown is following it at once")
	return []trial.Request{r}, nil
}
