package s3

import "testing"

// copySource is the header that turns a write into a copy.
const copySource = "X-Amz-Copy-Source: source/key"

// TestAmbiguousPairs pins which of two operations of the same method and scope
// a request is, or that it is neither.
func TestAmbiguousPairs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, target string
		headers        []string
		want           string // operation, or "!Code: part of the message"
	}{
		{method: "PUT", target: "/bucket/k", want: "PutObject"},
		{method: "PUT", target: "/bucket/k?x-id=PutObject", want: "PutObject"},
		{method: "PUT", target: "/bucket/k", headers: []string{copySource}, want: "CopyObject"},
		{method: "PUT", target: "/bucket/k", headers: []string{"x-AMZ-copy-SOURCE: source/key"}, want: "CopyObject"},
		{method: "PUT", target: "/bucket/k", headers: []string{"X-Amz-Copy-Source: "}, want: "!InvalidArgument: Copy Source"},
		{method: "PUT", target: "/bucket/k?partNumber=1&uploadId=u", want: "UploadPart"},
		{method: "PUT", target: "/bucket/k?uploadId=u&partNumber=1", headers: []string{copySource}, want: "UploadPartCopy"},
		{method: "PUT", target: "/bucket/k?partNumber=1", want: "!InvalidArgument: Conflicting"},
		{method: "PUT", target: "/bucket/k?uploadId=u", want: "!InvalidArgument: Conflicting"},
		{method: "PUT", target: "/bucket/k?partNumber=1", headers: []string{copySource}, want: "!InvalidArgument"},
		{method: "PUT", target: "/bucket/k?partNumber=1&uploadId=", want: "!InvalidArgument: empty"},
		{method: "PUT", target: "/bucket/k?partNumber=1&uploadId=u&uploads", want: "!InvalidArgument"},
		{method: "PUT", target: "/bucket/k?partNumber=1&uploadId=u&acl", want: "!InvalidArgument: Conflicting"},
		{method: "GET", target: "/bucket/k?uploadId=u", want: "ListParts"},
		{method: "GET", target: "/bucket/k?partNumber=2", want: "GetObject"},
		{method: "GET", target: "/bucket/k?uploadId=u&partNumber=2", want: "!InvalidArgument"},
		{method: "GET", target: "/bucket?list-type=2", want: "ListObjectsV2"},
		{method: "GET", target: "/bucket?list-type=1", want: "!InvalidArgument"},
		{method: "GET", target: "/bucket?list-type=3", want: "!InvalidArgument"},
		{method: "GET", target: "/bucket?list-type", want: "!InvalidArgument"},
		{method: "GET", target: "/bucket?list-type=02", want: "!InvalidArgument"},
		{method: "GET", target: "/bucket?list-type=2&list-type=2", want: "!InvalidArgument: more than once"},
		{method: "GET", target: "/bucket?marker=a", want: "ListObjects"},
		{method: "GET", target: "/bucket?versions&prefix=a", want: "ListObjectVersions"},
		{method: "GET", target: "/bucket?versions&list-type=2", want: "!InvalidArgument"},
		{method: "GET", target: "/bucket?inventory", want: "ListBucketInventoryConfigurations"},
		{method: "GET", target: "/bucket?inventory&id=x", want: "GetBucketInventoryConfiguration"},
		{method: "GET", target: "/bucket?analytics&id=x", want: "GetBucketAnalyticsConfiguration"},
		{method: "GET", target: "/bucket?metrics", want: "ListBucketMetricsConfigurations"},
		{method: "GET", target: "/bucket?intelligent-tiering&id=x", want: "GetBucketIntelligentTieringConfiguration"},
		{method: "GET", target: "/bucket?inventory&analytics&id=x", want: "!InvalidArgument"},
		{method: "GET", target: "/bucket?id=x", want: "!InvalidArgument"},
		{method: "GET", target: "/bucket?inventory&id=", want: "!InvalidArgument: empty"},
		{method: "PUT", target: "/bucket?encryption", want: "PutBucketEncryption"},
		{method: "PUT", target: "/bucket/?encryption", want: "PutBucketEncryption"},
		{method: "PUT", target: "/bucket/k?encryption", want: "UpdateObjectEncryption"},
		{method: "GET", target: "/bucket/k?encryption", want: "!InvalidArgument"},
		{method: "DELETE", target: "/bucket/k?encryption", want: "!InvalidArgument"},
		{method: "GET", target: "/bucket/k?annotation", want: "ListObjectAnnotations"},
		{method: "GET", target: "/bucket/k?annotation&annotationName=n", want: "GetObjectAnnotation"},
		{method: "PUT", target: "/bucket/k?annotation", want: "!InvalidArgument"},
		{method: "PUT", target: "/bucket/k?annotationName=n", want: "!InvalidArgument"},
		{method: "DELETE", target: "/bucket/k?annotation", want: "!InvalidArgument"},
		{method: "GET", target: "/", want: "ListBuckets"},
		{method: "GET", target: "/?max-buckets=5&continuation-token=t", want: "ListBuckets"},
		{method: "POST", target: "/bucket?delete", want: "DeleteObjects"},
		{method: "POST", target: "/bucket/?delete=", want: "DeleteObjects"},
		{method: "POST", target: "/bucket", headers: []string{"Content-Type: multipart/form-data; boundary=x"}, want: "PostObject"},
		{method: "POST", target: "/bucket/", headers: []string{"Content-Type: Multipart/Form-Data;boundary=x"}, want: "PostObject"},
		{method: "POST", target: "/bucket", headers: []string{"Content-Type: multipart/form-datax"}, want: "!PreconditionFailed: enclosure-type"},
		{method: "POST", target: "/bucket", want: "!PreconditionFailed: enclosure-type"},
		{method: "POST", target: "/bucket?delete", headers: []string{"Content-Type: multipart/form-data; boundary=x"}, want: "!InvalidArgument: more than one operation"},
		{method: "POST", target: "/bucket?acl", headers: []string{"Content-Type: multipart/form-data; boundary=x"}, want: "!InvalidArgument"},
		{method: "GET", target: "/bucket/k?attributes", headers: []string{"X-Amz-Object-Attributes: ETag"}, want: "GetObjectAttributes"},
		{method: "GET", target: "/bucket/k?attributes", want: "!InvalidRequest: x-amz-object-attributes"},
		{method: "POST", target: "/bucket/k?restore&versionId=v", want: "RestoreObject"},
		{method: "POST", target: "/bucket/k?uploads", want: "CreateMultipartUpload"},
		{method: "POST", target: "/bucket/k?uploadId=u", want: "CompleteMultipartUpload"},
		{method: "POST", target: "/bucket/k?uploads&uploadId=u", want: "!InvalidArgument: more than one operation"},
		{method: "POST", target: "/bucket/k", want: "!MethodNotAllowed: not allowed against this resource"},
		{method: "POST", target: "/bucket/k?select", want: "!MethodNotAllowed"},
		{method: "HEAD", target: "/bucket", want: "HeadBucket"},
		{method: "HEAD", target: "/bucket/k?partNumber=1", want: "HeadObject"},
		{method: "HEAD", target: "/bucket/k?response-content-type=text%2Fplain", want: "HeadObject"},
		{method: "HEAD", target: "/", want: "!MethodNotAllowed"},
		{method: "PUT", target: "/", want: "!MethodNotAllowed"},
		{method: "DELETE", target: "/bucket", want: "DeleteBucket"},
		{method: "DELETE", target: "/bucket/k", want: "DeleteObject"},
		{method: "DELETE", target: "/bucket/k?uploadId=u", want: "AbortMultipartUpload"},
		{method: "DELETE", target: "/bucket/k?uploadId=u&versionId=v", want: "!InvalidArgument"},
		{method: "OPTIONS", target: "/bucket/k?anything=1", headers: []string{"Origin: https://a", "Access-Control-Request-Method: PUT"}, want: "OptionsPreflight"},
		{method: "OPTIONS", target: "/bucket", headers: []string{"Origin: https://a"}, want: "!BadRequest: Insufficient information"},
		{method: "GET", target: "/bucket/k?uploads", want: "!InvalidRequest: Key is not expected for the GET method ?uploads subresource"},
		{method: "GET", target: "/bucket/k?versions", want: "!InvalidRequest: There is no such thing as the ?versions sub-resource for a key"},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			t.Parallel()
			r, err := new(Parser).Parse(newRequest(c.method, "localhost", c.target, c.headers...))
			if c.want[0] == '!' {
				wantError(t, err, c.want[1:])
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Op.Name != c.want {
				t.Errorf("got %s, want %s", r.Op.Name, c.want)
			}
		})
	}
}

// TestAttacks holds requests that mean one thing to one reader and another to
// the next. None may parse.
func TestAttacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, target string
		headers              []string
		want                 string
	}{
		{name: "two sub-resources", method: "PUT", target: "/bucket/k?acl&tagging", want: "InvalidArgument"},
		{name: "bucket policy behind acl", method: "PUT", target: "/bucket?acl&policy", want: "InvalidArgument"},
		{name: "sub-resource and copy", method: "PUT", target: "/bucket/k?acl", headers: []string{copySource}, want: "InvalidArgument"},
		{name: "tagging and copy", method: "PUT", target: "/bucket/k?tagging", headers: []string{copySource}, want: "InvalidArgument"},
		{name: "re-encryption and copy", method: "PUT", target: "/bucket/k?encryption", headers: []string{copySource}, want: "InvalidArgument"},
		{name: "copy source on a bucket", method: "PUT", target: "/bucket?acl", headers: []string{copySource}, want: "InvalidArgument: x-amz-copy-source header is not supported"},
		{name: "copy source on CreateBucket", method: "PUT", target: "/bucket", headers: []string{copySource}, want: "InvalidArgument"},
		{name: "copy source on a read", method: "GET", target: "/bucket/k", headers: []string{copySource}, want: "InvalidArgument"},
		{name: "two copy sources", method: "PUT", target: "/bucket/k", headers: []string{copySource, "x-amz-copy-source: source/other"}, want: "InvalidArgument: more than once"},
		{name: "copy source in the query", method: "PUT", target: "/bucket/k?x-amz-copy-source=source%2Fkey", want: "InvalidArgument: not supported"},
		{name: "encryption in the query, unsigned", method: "PUT", target: "/bucket/k?x-amz-server-side-encryption=AES256", want: "InvalidArgument"},
		{name: "unknown sub-resource", method: "PUT", target: "/bucket/k?newthing", want: "InvalidArgument"},
		{name: "sub-resource in another case", method: "PUT", target: "/bucket/k?ACL", want: "InvalidArgument"},
		{name: "flag with a value", method: "PUT", target: "/bucket/k?acl=x", want: "InvalidArgument: does not take a value"},
		{name: "encoded flag twice", method: "PUT", target: "/bucket/k?acl&%61cl", want: "InvalidArgument: more than once"},
		{name: "wrong method for delete", method: "DELETE", target: "/bucket?delete", want: "InvalidArgument"},
		{name: "delete on a key", method: "POST", target: "/bucket/k?delete", want: "MethodNotAllowed"},
		{name: "semicolon separator", method: "PUT", target: "/bucket/k?x-id=PutObject&versionId=a;acl", want: "InvalidArgument"},
		{name: "semicolon in a name", method: "GET", target: "/bucket?prefix=a;list-type=2", want: "InvalidArgument"},
		{name: "plus in a prefix", method: "GET", target: "/bucket?list-type=2&prefix=a+b", want: "InvalidArgument: percent-encoded"},
		{name: "plus in a version", method: "GET", target: "/bucket/k?versionId=a+b", want: "InvalidArgument"},
		{name: "plus in a name", method: "PUT", target: "/bucket/k?acl+", want: "InvalidArgument"},
		{name: "bad escape in the query", method: "GET", target: "/bucket?prefix=%zz", want: "InvalidURI"},
		{name: "NUL in the query", method: "GET", target: "/bucket?prefix=%00", want: "InvalidURI"},
		{name: "not UTF-8 in the query", method: "GET", target: "/bucket?prefix=%ff", want: "InvalidURI"},
		{name: "repeated upload id", method: "PUT", target: "/bucket/k?partNumber=1&uploadId=a&uploadId=b", want: "InvalidArgument: more than once"},
		{name: "repeated version", method: "DELETE", target: "/bucket/k?versionId=a&versionId=b", want: "InvalidArgument: more than once"},
		{name: "repeated signature", method: "GET", target: "/bucket/k?X-Amz-Signature=a&X-Amz-Signature=b", want: "InvalidArgument: more than once"},
		{name: "authentication key in lower case", method: "GET", target: "/bucket/k?X-Amz-Algorithm=a&x-amz-expires=9", want: "InvalidArgument"},
		{name: "fragment", method: "PUT", target: "/bucket/k#?acl", want: "InvalidURI"},
		{name: "dot segments before the bucket", method: "GET", target: "/./bucket/k", want: "InvalidBucketName"},
		{name: "encoded slash as separator", method: "GET", target: "/bucket%2F..%2Fother/k", want: "InvalidBucketName"},
		{name: "twice encoded bucket", method: "GET", target: "/%2562ucket/k", want: "InvalidBucketName"},
		{name: "backslash", method: "GET", target: "/bucket\\k", want: "InvalidBucketName"},
		{name: "method override in the query", method: "POST", target: "/bucket/k?_method=DELETE", want: "MethodNotAllowed"},
		{name: "lower-case method", method: "put", target: "/bucket/k", want: "MethodNotAllowed"},
		{name: "PATCH", method: "PATCH", target: "/bucket/k", want: "MethodNotAllowed"},
		{name: "TRACE", method: "TRACE", target: "/bucket/k", want: "MethodNotAllowed"},
		{name: "CONNECT", method: "CONNECT", target: "bucket:443", want: "MethodNotAllowed"},
		{name: "WebDAV", method: "PROPFIND", target: "/bucket/k", want: "MethodNotAllowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := new(Parser).Parse(newRequest(c.method, "localhost", c.target, c.headers...))
			wantError(t, err, c.want)
		})
	}
}

func TestMethodOverrideIsNotHonoured(t *testing.T) {
	t.Parallel()
	if r := parse(t, "PUT", "/bucket/k", "X-Http-Method-Override: DELETE"); r.Op.Name != "PutObject" {
		t.Errorf("got %s", r.Op.Name)
	}
}

// TestDoubleEncodingIsDecodedOnce keeps "%252e" from becoming "." on the way.
func TestDoubleEncodingIsDecodedOnce(t *testing.T) {
	t.Parallel()
	if r := parse(t, "GET", "/bucket/%252e%252e%252fother"); r.Key != "%2e%2e%2fother" {
		t.Errorf("got key %q", r.Key)
	}
}

func TestRefusedOperations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, target string
		headers        []string
		op             string
	}{
		{"GET", "/bucket?session", nil, "CreateSession"},
		{"POST", "/bucket/k?select&select-type=2", nil, "SelectObjectContent"},
		{"PUT", "/bucket/k?renameObject", []string{"X-Amz-Rename-Source: /bucket/old"}, "RenameObject"},
		{"POST", lambdaPath, []string{"X-Amz-Request-Route: r", "X-Amz-Request-Token: t"}, "WriteGetObjectResponse"},
		{"PUT", "/bucket/k", []string{"X-Amz-Write-Offset-Bytes: 0"}, "PutObject"},
		{"PUT", "/bucket/k?X-Amz-Algorithm=a&x-amz-write-offset-bytes=5", nil, "PutObject"},
		{"GET", "/bucket/k", []string{"X-Amz-S3session-Token: t"}, "GetObject"},
	} {
		t.Run(c.op+" "+c.target, func(t *testing.T) {
			t.Parallel()
			r := parse(t, c.method, c.target, c.headers...)
			if r.Op.Name != c.op || r.Op.Refused == "" {
				t.Errorf("got %s, refused %q", r.Op.Name, r.Op.Refused)
			}
		})
	}
	if op, _ := Lookup("PutObject"); op.Refused != "" {
		t.Error("refusing one request changed the table")
	}
}
