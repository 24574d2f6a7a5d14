package s3

import (
	"slices"
	"strings"
	"testing"
)

const presignedQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261123%2Fus-east-1%2Fs3%2Faws4_request" +
	"&X-Amz-Date=20261123T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host;x-amz-date&X-Amz-Signature=00"

func TestHeaderRules(t *testing.T) {
	t.Parallel()
	const object, bucket = "/bucket/k", "/bucket"
	for _, c := range []struct {
		name, method, target string
		headers              []string
		want                 string // "" = accepted
	}{
		{"SSE on a write", "PUT", object, []string{"X-Amz-Server-Side-Encryption: AES256"}, ""},
		{"SSE on GET", "GET", object, []string{"X-Amz-Server-Side-Encryption: AES256"}, "InvalidArgument: x-amz-server-side-encryption header is not supported for this operation."},
		{"SSE on HEAD", "HEAD", object, []string{"X-Amz-Server-Side-Encryption: aws:kms"}, "InvalidArgument: not supported for this operation"},
		{"SSE on a part", "PUT", object + "?partNumber=1&uploadId=u", []string{"X-Amz-Server-Side-Encryption: AES256"}, "InvalidArgument"},
		{"SSE-C on GET", "GET", object, []string{"X-Amz-Server-Side-Encryption-Customer-Algorithm: AES256"}, ""},
		{"SSE-C on DELETE", "DELETE", object, []string{"X-Amz-Server-Side-Encryption-Customer-Key: c2VjcmV0"}, "InvalidArgument"},
		{"source SSE-C on a plain write", "PUT", object, []string{"X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key: x"}, "InvalidArgument"},
		{"misnamed bucket key", "PUT", object, []string{"X-Amz-Server-Side-Encryption-Aws-Bucket-Key-Enabled: true"}, "InvalidArgument"},
		{"unknown header", "PUT", object, []string{"X-Amz-New-Thing: 1"}, "InvalidArgument: x-amz-new-thing header is not supported"},
		{"prefix only", "PUT", object, []string{"X-Amz-: 1"}, "InvalidArgument"},
		{"metadata", "PUT", object, []string{"X-Amz-Meta-Any_thing.else: 1"}, ""},
		{"metadata without a name", "PUT", object, []string{"X-Amz-Meta-: 1"}, "InvalidArgument"},
		{"metadata on GET", "GET", object, []string{"X-Amz-Meta-A: 1"}, "InvalidArgument"},
		{"metadata on a part", "PUT", object + "?partNumber=1&uploadId=u", []string{"X-Amz-Meta-A: 1"}, "InvalidArgument"},
		{"event hold", "PUT", object, []string{"X-Amz-Object-Lock-Event-Hold: ON", "X-Amz-Object-Lock-Event-Hold-Duration-Days: 3"}, ""},
		{"annotation directive on a copy", "PUT", object, []string{copySource, "X-Amz-Object-Annotation-Directive: EXCLUDE"}, ""},
		{"annotation directive on a write", "PUT", object, []string{"X-Amz-Object-Annotation-Directive: EXCLUDE"}, "InvalidArgument"},
		{"MinIO's annotation directive", "PUT", object, []string{copySource, "X-Amz-Annotation-Directive: EXCLUDE"}, "InvalidArgument"},

		{"signing headers", "GET", object, []string{"X-Amz-Date: d", "X-Amz-Content-Sha256: h", "X-Amz-Security-Token: t", "X-Amz-User-Agent: aws-sdk-js"}, ""},
		{"owner and payer anywhere", "GET", "/", []string{"X-Amz-Expected-Bucket-Owner: 1", "X-Amz-Request-Payer: requester"}, ""},
		{"trailer upload", "PUT", object, []string{"X-Amz-Trailer: x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length: 1", "X-Amz-Sdk-Checksum-Algorithm: CRC32"}, ""},
		{"trailer on a read", "GET", object, []string{"X-Amz-Trailer: x-amz-checksum-crc32"}, "InvalidArgument"},
		{"checksum on a document", "PUT", bucket + "?notification", []string{"X-Amz-Checksum-Crc32: AAAAAA=="}, ""},
		{"newest checksum", "PUT", object, []string{"X-Amz-Checksum-Xxhash128: x"}, ""},
		{"checksum on a read", "GET", object, []string{"X-Amz-Checksum-Crc32: AAAAAA=="}, "InvalidArgument"},
		{"unknown checksum", "PUT", object, []string{"X-Amz-Checksum-Crc16: AAA="}, "InvalidArgument"},
		{"minio-go repeats SSE on complete", "POST", object + "?uploadId=u", []string{"X-Amz-Server-Side-Encryption: aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: k", "X-Amz-Server-Side-Encryption-Context: e30="}, ""},
		{"s3cmd modify", "PUT", object, []string{copySource, "X-Amz-Metadata-Directive: REPLACE", "X-Amz-Tagging-Count: 1", "X-Amz-Replication-Status: REPLICA"}, ""},
		{"reply header on a write", "PUT", object, []string{"X-Amz-Replication-Status: REPLICA"}, "InvalidArgument"},

		{"two content types", "PUT", object, []string{"Content-Type: a/b", "Content-Type: c/d"}, "InvalidArgument: content-type is present more than once"},
		{"two ranges", "GET", object, []string{"Range: bytes=0-1", "Range: bytes=5-6"}, "InvalidArgument"},
		{"two conditions", "GET", object, []string{"If-Match: a", "If-Match: b"}, "InvalidArgument"},
		{"two SSE lines", "PUT", object, []string{"X-Amz-Server-Side-Encryption: AES256", "X-Amz-Server-Side-Encryption: aws:kms"}, "InvalidArgument: more than once"},
		{"two identical SSE lines", "PUT", object, []string{"X-Amz-Acl: private", "X-Amz-Acl: private"}, "InvalidArgument"},
		{"two Content-MD5", "PUT", object, []string{"Content-Md5: a", "Content-Md5: b"}, "InvalidArgument"},
		{"two authorizations", "PUT", object, []string{"Authorization: a", "Authorization: b"}, "InvalidArgument"},
		{"two content encodings", "PUT", object, []string{"Content-Encoding: gzip", "Content-Encoding: aws-chunked"}, ""},
		{"two metadata lines", "PUT", object, []string{"X-Amz-Meta-A: 1", "X-Amz-Meta-A: 2"}, ""},
		{"attributes list", "GET", object + "?attributes", []string{"X-Amz-Object-Attributes: ETag", "X-Amz-Object-Attributes: Checksum"}, ""},
		{"two accepts", "GET", object, []string{"Accept: a/b", "Accept: c/d"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := new(Parser).Parse(newRequest(c.method, "localhost", c.target, c.headers...))
			if c.want != "" {
				wantError(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNonCanonicalHeaderNames(t *testing.T) {
	t.Parallel()
	r := newRequest("PUT", "h", "/bucket/k")
	r.Header["x-amz-acl"] = []string{"public-read"}
	got, err := new(Parser).Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("X-Amz-Acl") != "public-read" {
		t.Error("a header in lower case was lost")
	}
	r.Header.Set("X-Amz-Acl", "private")
	_, err = new(Parser).Parse(r)
	wantError(t, err, "InvalidArgument: more than once")
}

func TestSecretsAreNotRepeatedInErrors(t *testing.T) {
	t.Parallel()
	_, err := new(Parser).Parse(newRequest("DELETE", "h", "/bucket/k", "X-Amz-Server-Side-Encryption-Customer-Key: c2VjcmV0"))
	if doc := string(AsError(err).document(Reply{})); strings.Contains(doc, "c2VjcmV0") {
		t.Errorf("the key is in the answer: %s", doc)
	}
}

func TestMultipleLinesAreJoined(t *testing.T) {
	t.Parallel()
	r := parse(t, "PUT", "/bucket/k", "X-Amz-Meta-A: 1", "X-Amz-Meta-A: 2", "Content-Encoding: gzip", "Content-Encoding: aws-chunked", "Accept: a", "Accept: b")
	for name, want := range map[string][]string{"X-Amz-Meta-A": {"1,2"}, "Content-Encoding": {"gzip,aws-chunked"}, "Accept": {"a", "b"}} {
		if got := r.Header[name]; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := r.MetadataSize(); got != len("a")+len("1,2") {
		t.Errorf("metadata size %d", got)
	}
}

func TestDroppedHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, target, header string }{
		{"GET", "/bucket/k", "X-Amz-Te"},
		{"POST", "/bucket/k?uploadId=u", "X-Amz-Server-Side-Encryption"},
	} {
		r := parse(t, c.method, c.target, c.header+": x")
		if r.Header.Get(c.header) != "" || r.Wire.Get(c.header) != "x" {
			t.Errorf("%s: effective %q, wire %q", c.header, r.Header.Get(c.header), r.Wire.Get(c.header))
		}
	}
}

func TestExemptionsHaveReasonsAndOperations(t *testing.T) {
	t.Parallel()
	for name, e := range exemptions {
		if e.reason == "" || name != strings.ToLower(name) {
			t.Errorf("%s: no reason, or not lower-case", name)
		}
		for op := range strings.FieldsSeq(e.ops) {
			if _, ok := Lookup(op); !ok {
				t.Errorf("%s: unknown operation %s", name, op)
			}
		}
	}
}

func TestPresignedQuery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, query string
		headers             []string
		header, value       string // what Header must hold
		op, want            string
	}{
		{name: "plain", method: "GET", query: "", op: "GetObject"},
		{name: "SSE", method: "PUT", query: "&x-amz-server-side-encryption=aws%3Akms", header: "X-Amz-Server-Side-Encryption", value: "aws:kms", op: "PutObject"},
		{name: "SSE in SDK spelling", method: "PUT", query: "&X-Amz-Server-Side-Encryption-Bucket-Key-Enabled=true", header: "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", value: "true", op: "PutObject"},
		{name: "metadata", method: "PUT", query: "&x-amz-meta-a=%20b%20", header: "X-Amz-Meta-A", value: "b", op: "PutObject"},
		{name: "copy source", method: "PUT", query: "&x-amz-copy-source=source%2Fkey", header: headerCopySource, value: "source/key", op: "CopyObject"},
		{name: "checksum mode", method: "GET", query: "&x-amz-checksum-mode=ENABLED", header: "X-Amz-Checksum-Mode", value: "ENABLED", op: "GetObject"},
		{name: "checksum is ignored", method: "PUT", query: "&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32", header: "X-Amz-Checksum-Crc32", op: "PutObject"},
		{name: "checksum announcement is ignored", method: "PUT", query: "&x-amz-sdk-checksum-algorithm=CRC32", header: "X-Amz-Sdk-Checksum-Algorithm", op: "PutObject"},
		{name: "checksum algorithm counts", method: "POST", query: "&uploads&x-amz-checksum-algorithm=CRC32", header: "X-Amz-Checksum-Algorithm", value: "CRC32", op: "CreateMultipartUpload"},
		{name: "same in header", method: "PUT", query: "&x-amz-acl=private", headers: []string{"X-Amz-Acl: private"}, header: "X-Amz-Acl", value: "private", op: "PutObject"},
		{name: "differs from header", method: "PUT", query: "&x-amz-acl=private", headers: []string{"X-Amz-Acl: public-read"}, want: "InvalidArgument: differ"},
		{name: "two spellings", method: "PUT", query: "&x-amz-acl=private&X-Amz-Acl=private", want: "InvalidArgument"},
		{name: "two spellings that differ", method: "PUT", query: "&x-amz-acl=private&X-Amz-Acl=public-read", want: "InvalidArgument"},
		{name: "not for this operation", method: "GET", query: "&x-amz-server-side-encryption=AES256", want: "InvalidArgument: not supported for this operation"},
		{name: "unknown header", method: "PUT", query: "&x-amz-new-thing=1", want: "InvalidArgument"},
		{name: "line break", method: "PUT", query: "&x-amz-meta-a=b%0d%0aX-Amz-Acl:public-read", want: "InvalidArgument: cannot be read as a header"},
		{name: "bad header name", method: "PUT", query: "&x-amz-meta-a%20b=c", want: "InvalidArgument: cannot be read as a header"},
		{name: "plus in a value", method: "PUT", query: "&x-amz-meta-a=b+c", want: "InvalidArgument: percent-encoded"},
		{name: "tagging sub-resource", method: "PUT", query: "&tagging", op: "PutObjectTagging"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := new(Parser).Parse(newRequest(c.method, "localhost", "/bucket/k?"+presignedQuery+c.query, c.headers...))
			if c.want != "" {
				wantError(t, err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Op.Name != c.op || r.Header.Get(c.header) != c.value {
				t.Errorf("got %s with %s %q; want %s, %q", r.Op.Name, c.header, r.Header.Get(c.header), c.op, c.value)
			}
			if c.header != "" && len(c.headers) == 0 && r.Wire.Get(c.header) != "" {
				t.Error("Wire was changed")
			}
		})
	}
}

func TestAnnotationDirectiveQueryKey(t *testing.T) {
	t.Parallel()
	r := parse(t, "PUT", "/bucket/k?x-amz-object-annotation-directive=EXCLUDE", copySource)
	if r.Op.Name != "CopyObject" || r.Header.Get("X-Amz-Object-Annotation-Directive") != "EXCLUDE" {
		t.Errorf("got %s, directive %q", r.Op.Name, r.Header.Get("X-Amz-Object-Annotation-Directive"))
	}
	for _, bad := range []*struct{ method, target, header string }{
		{"PUT", "/bucket/k?x-amz-object-annotation-directive=EXCLUDE", "A: b"},
		{"GET", "/bucket/k?x-amz-object-annotation-directive=EXCLUDE", "A: b"},
		{"PUT", "/bucket/k?x-amz-object-annotation-directive=EXCLUDE&x-amz-object-annotation-directive=COPY", copySource},
	} {
		_, err := new(Parser).Parse(newRequest(bad.method, "h", bad.target, bad.header))
		wantError(t, err, "InvalidArgument")
	}
}
