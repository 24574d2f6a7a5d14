package tests

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// awsScenarios are what aws-sdk-go-v2 does.
var awsScenarios = []scenario{
	{name: "put get head delete", run: putGetHead},
	{name: "metadata", run: metadata},
	{name: "ranges", run: ranges},
	{name: "conditions on reads", run: readConditions},
	{name: "conditions on writes", run: writeConditions},
	{name: "empty objects", run: emptyObjects},
	{name: "checksums", run: checksums},
	{name: "unseekable streams", run: unseekableStreams, tls: true},
	{name: "tagging", run: tagging},
	{name: "hard keys", run: hardKeys},
	{name: "copies", run: copies},
	{name: "delete objects", run: deleteObjects},
	{name: "presigned URLs", run: presigned},
	{name: "versioning", run: versioning},
	{name: "multipart in any order", run: multipartUpload},
	{name: "multipart copies", run: multipartCopies},
	{name: "multipart checksums", run: multipartChecksums},
	{name: "multipart refusals", run: multipartRefusals},
	{name: "listing", run: listing},
	{name: "bucket settings", run: bucketSettings},
	{name: "object lock", run: objectLock},
	{name: "errors", run: errorReplies},
}

func putGetHead(t *testing.T, c *session) {
	c.create(t)
	for _, size := range []int{1, 5, 65535, 65536, 65537, 300_000, 3 << 20} {
		key, body := fmt.Sprint("size-", size), content(size, 1)
		c.put(t, key, body)
		_, err := c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: &key})
		c.ok(t, err)
		c.holds(t, key, body)
	}
	_, err := c.aws.DeleteObject(c.ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: aws.String("size-1")})
	c.ok(t, err)
	_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("size-1")})
	c.refused(t, err)
	_, err = c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("size-1")})
	c.refused(t, err)
	_, err = c.aws.DeleteObject(c.ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: aws.String("never-there")})
	c.ok(t, err)
}

func metadata(t *testing.T, c *session) {
	c.create(t)
	_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String("k"), Body: strings.NewReader("zipped, let us say"),
		Metadata: map[string]string{
			"plain": "value", "file_name": "with underscore", "v1.0": "with dot", "a_b.c-d": "all of it",
			"spaces": "two  spaces  inside", "long": strings.Repeat("x", 1000),
		},
		CacheControl: aws.String("max-age=60, private"), ContentDisposition: aws.String(`attachment; filename="a b.txt"`),
		ContentEncoding: aws.String("gzip"), ContentLanguage: aws.String("de, en"), ContentType: aws.String("text/x-strange; charset=utf-8"),
		Expires: aws.Time(time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC)),
	})
	c.ok(t, err)
	head, err := c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("k")})
	c.ok(t, err)
	if err == nil {
		for _, name := range []string{"plain", "file_name", "v1.0", "a_b.c-d"} {
			if _, ok := head.Metadata[name]; !ok {
				t.Errorf("%s: metadata %q is lost: %v", c.place.name, name, head.Metadata)
			}
		}
	}
	c.holds(t, "k", []byte("zipped, let us say"))
	got, err := c.aws.GetObject(c.ctx, &s3.GetObjectInput{
		Bucket: &c.bucket, Key: aws.String("k"), ResponseContentType: aws.String("text/plain"),
		ResponseContentDisposition: aws.String("inline"), ResponseCacheControl: aws.String("no-store"),
		ResponseContentLanguage: aws.String("fr"), ResponseContentEncoding: aws.String("identity"),
	})
	c.ok(t, err)
	if err == nil {
		got.Body.Close()
	}
	// Nothing is said about the type, and nothing may be made up.
	_, err = c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: aws.String("untyped"), Body: strings.NewReader("<html>")})
	c.ok(t, err)
	c.holds(t, "untyped", []byte("<html>"))
}

func ranges(t *testing.T, c *session) {
	c.create(t)
	body := content(200_000, 2)
	c.put(t, "k", body)
	c.put(t, "empty", nil)
	for _, r := range []string{
		"bytes=0-0", "bytes=0-9", "bytes=65535-65536", "bytes=100000-", "bytes=-1", "bytes=-70000", "bytes=0-99999999",
		"bytes=-99999999", "bytes=199999-", "bytes=200000-", "bytes=300000-300001", "bytes=-0", "bytes=0-1,5-6", "lines=1-2", "bytes=a-b",
	} {
		got, err := c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("k"), Range: &r})
		c.note(err)
		if err == nil {
			_, err = io.Copy(io.Discard, got.Body)
			c.ok(t, err)
			got.Body.Close()
		}
		_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("k"), Range: &r})
		c.note(err)
	}
	_, err := c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("empty"), Range: aws.String("bytes=0-0")})
	c.note(err)
}

func readConditions(t *testing.T, c *session) {
	c.create(t)
	c.put(t, "k", []byte("body"))
	head, err := c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("k")})
	c.ok(t, err)
	if err != nil {
		return
	}
	wrong, past, future := aws.String(`"00000000000000000000000000000000"`), aws.Time(time.Now().Add(-time.Hour)), aws.Time(time.Now().Add(time.Hour))
	for _, in := range []s3.GetObjectInput{
		{IfMatch: head.ETag}, {IfMatch: wrong}, {IfNoneMatch: head.ETag}, {IfNoneMatch: wrong},
		{IfModifiedSince: past}, {IfModifiedSince: future}, {IfUnmodifiedSince: past}, {IfUnmodifiedSince: future},
		{IfMatch: aws.String("*")}, {IfNoneMatch: aws.String("*")},
		{IfMatch: head.ETag, Range: aws.String("bytes=1-2")}, {IfMatch: wrong, Range: aws.String("bytes=1-2")},
	} {
		in.Bucket, in.Key = &c.bucket, aws.String("k")
		got, err := c.aws.GetObject(c.ctx, &in)
		c.note(err)
		if err == nil {
			got.Body.Close()
		}
		_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{
			Bucket: in.Bucket, Key: in.Key, IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch,
			IfModifiedSince: in.IfModifiedSince, IfUnmodifiedSince: in.IfUnmodifiedSince,
		})
		c.note(err)
	}
}

func writeConditions(t *testing.T, c *session) {
	c.create(t)
	put := func(key, body string, change func(*s3.PutObjectInput)) (*s3.PutObjectOutput, error) {
		in := &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, Body: strings.NewReader(body)}
		change(in)
		return c.aws.PutObject(c.ctx, in)
	}
	first, err := put("k", "one", func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") })
	c.ok(t, err)
	_, err = put("k", "two", func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") })
	c.refused(t, err)
	c.holds(t, "k", []byte("one"))
	_, err = put("k", "three", func(in *s3.PutObjectInput) { in.IfMatch = aws.String(`"00000000000000000000000000000000"`) })
	c.refused(t, err)
	if first != nil {
		_, err = put("k", "four", func(in *s3.PutObjectInput) { in.IfMatch = first.ETag })
		c.ok(t, err)
		c.holds(t, "k", []byte("four"))
	}
	_, err = put("absent", "five", func(in *s3.PutObjectInput) { in.IfMatch = aws.String(`"00000000000000000000000000000000"`) })
	c.refused(t, err)
	_, err = c.aws.DeleteObject(c.ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: aws.String("k"), IfMatch: aws.String(`"00"`)})
	c.note(err)
}

func emptyObjects(t *testing.T, c *session) {
	c.create(t)
	c.put(t, "empty", nil)
	c.holds(t, "empty", nil)
	c.put(t, "folder/", nil)
	c.holds(t, "folder/", nil)
	_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: aws.String("no-body")})
	c.ok(t, err)
	_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("no-body")})
	c.ok(t, err)
}

func checksums(t *testing.T, c *session) {
	c.create(t)
	body := content(150_000, 3)
	for _, algorithm := range []types.ChecksumAlgorithm{
		types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
	} {
		key := string(algorithm)
		_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
			Bucket: &c.bucket, Key: &key, Body: bytes.NewReader(body), ChecksumAlgorithm: algorithm,
		})
		c.ok(t, err)
		_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
		c.ok(t, err)
		c.holds(t, key, body)
		_, err = c.aws.GetObjectAttributes(c.ctx, &s3.GetObjectAttributesInput{
			Bucket: &c.bucket, Key: &key,
			ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesChecksum, types.ObjectAttributesObjectSize, types.ObjectAttributesEtag},
		})
		c.note(err)
	}
	// Ready-made checksums of "hello", right and wrong. A wrong one has another
	// code on MinIO than on AWS: that it is refused is enough.
	outside := awsClient(c.place, c.next)
	for _, tc := range []struct {
		in    s3.PutObjectInput
		right bool
	}{
		{s3.PutObjectInput{ChecksumCRC32: aws.String("NhCmhg==")}, true},
		{s3.PutObjectInput{ChecksumSHA256: aws.String("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")}, true},
		{s3.PutObjectInput{ContentMD5: aws.String("XUFAKrxLKna5cZ2REBfFkg==")}, true},
		{s3.PutObjectInput{ChecksumCRC32: aws.String("AAAAAA==")}, false},
		{s3.PutObjectInput{ChecksumSHA256: aws.String("AAAAul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")}, false},
		{s3.PutObjectInput{ContentMD5: aws.String("1B2M2Y8AsgTpgAmY7PhCfg==")}, false},
	} {
		tc.in.Bucket, tc.in.Key, tc.in.Body = &c.bucket, aws.String("right"), strings.NewReader("hello")
		if !tc.right {
			tc.in.Key = aws.String("wrong")
		}
		_, err := outside.PutObject(c.ctx, &tc.in)
		if (err == nil) != tc.right {
			t.Errorf("%s: checksum right %t, but %v", c.place.name, tc.right, err)
		}
	}
	_, err := c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("wrong")})
	c.refused(t, err)
}

func unseekableStreams(t *testing.T, c *session) {
	c.create(t)
	for _, size := range []int64{0, 1, 65536, 1_000_000} {
		key, body := fmt.Sprint("stream-", size), content(int(size), 4)
		_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
			Bucket: &c.bucket, Key: &key, Body: io.MultiReader(bytes.NewReader(body)), ContentLength: &size,
		})
		c.ok(t, err)
		c.holds(t, key, body)
	}
	_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String("endless"), Body: io.MultiReader(strings.NewReader("how long is this?")),
	})
	c.note(err) // 411: neither says how long it is
	c.forget()  // versitygw takes what is left of the body for the next request
	_, err = c.aws.PutObject(c.ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String("unsigned"), Body: io.MultiReader(strings.NewReader("as it comes")), ContentLength: aws.Int64(11),
	}, s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
	c.note(err)
}

func tagging(t *testing.T, c *session) {
	c.create(t)
	_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String("k"), Body: strings.NewReader("x"), Tagging: aws.String("a=1&b=with%20space"),
	})
	c.ok(t, err)
	get := func() {
		_, err := c.aws.GetObjectTagging(c.ctx, &s3.GetObjectTaggingInput{Bucket: &c.bucket, Key: aws.String("k")})
		c.ok(t, err)
	}
	get()
	_, err = c.aws.PutObjectTagging(c.ctx, &s3.PutObjectTaggingInput{
		Bucket: &c.bucket, Key: aws.String("k"),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("c d"), Value: aws.String("e+f = @g")}}},
	})
	c.ok(t, err)
	get()
	_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("k")})
	c.ok(t, err)
	_, err = c.aws.DeleteObjectTagging(c.ctx, &s3.DeleteObjectTaggingInput{Bucket: &c.bucket, Key: aws.String("k")})
	c.ok(t, err)
	get()
}

// hardKeys: keys that proxies and path handling like to change. What a store
// refuses, the gateway passes on as refused.
func hardKeys(t *testing.T, c *session) {
	c.create(t)
	for _, key := range []string{
		"a b", "a+b", "a%2Fb", "a%b", "a%25b", "100%", "a//b", "a/b//", "/lead", "//lead", ".", "..", "a/./b", "a/../b", "../b",
		"ünïcødé/日本語/🔑", "e\u0301", "a&b=c?d#e", `quotes"'<>|\^{}[]`, "a:b@c;d,e$f!g*h(i)~j", "tab\there", "new\nline",
		"trailing/", "a b/c d/e+f%20g", strings.Repeat("k", 255), strings.Repeat("0123456789abcde/", 63) + "0123456789abcdef",
		strings.Repeat("x", 1025), "folder/../../escape", "?versionId=1", "acl", "uploads", "a=b",
	} {
		_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, Body: strings.NewReader("body of " + key)})
		c.note(err)
		if err != nil {
			continue
		}
		c.holds(t, key, []byte("body of "+key))
		_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: &key})
		c.ok(t, err)
		_, err = c.aws.GetObjectTagging(c.ctx, &s3.GetObjectTaggingInput{Bucket: &c.bucket, Key: &key})
		c.note(err)
	}
	_, err := c.aws.ListObjectsV2(c.ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket})
	c.note(err)
	_, err = c.aws.ListObjectsV2(c.ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket, EncodingType: types.EncodingTypeUrl})
	c.ok(t, err)
	for _, prefix := range []string{"a b", "a+", "a%", "ü", "/", "a//"} {
		_, err := c.aws.ListObjectsV2(c.ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl})
		c.note(err)
	}
}

func presigned(t *testing.T, c *session) {
	c.create(t)
	// Else the SDK asks for checksums in the URL, where not every store looks.
	signer := s3.NewPresignClient(c.aws, s3.WithPresignClientFromClientOptions(func(o *s3.Options) {
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}))
	fetch := func(method, url string, header http.Header, body string) {
		req, err := http.NewRequestWithContext(c.ctx, method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range header {
			if !strings.EqualFold(name, "host") {
				req.Header[name] = values
			}
		}
		if body == "" {
			req.Body = http.NoBody
		}
		resp, err := c.http.Do(req)
		c.ok(t, err)
		if err == nil {
			resp.Body.Close()
		}
	}
	put, err := signer.PresignPutObject(c.ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String("a key/with+specials"), ContentType: aws.String("text/plain"), Metadata: map[string]string{"m": "v"},
	})
	c.ok(t, err)
	fetch(put.Method, put.URL, put.SignedHeader, "presigned body")
	get, err := signer.PresignGetObject(c.ctx, &s3.GetObjectInput{
		Bucket: &c.bucket, Key: aws.String("a key/with+specials"), ResponseContentType: aws.String("text/x-other"),
	})
	c.ok(t, err)
	fetch(get.Method, get.URL, get.SignedHeader, "")
	ranged := get.SignedHeader.Clone()
	ranged.Set("Range", "bytes=2-5")
	fetch(get.Method, get.URL, ranged, "")
	fetch(http.MethodHead, get.URL, get.SignedHeader, "")                                     // signed for GET
	fetch(get.Method, strings.Replace(get.URL, "with%2B", "without%2B", 1), nil, "")          // another key
	fetch(get.Method, get.URL+"&versionId=null", nil, "")                                     // more than was signed
	fetch(get.Method, get.URL[:strings.Index(get.URL, "X-Amz-Signature")]+"X-Amz-Signature="+ //
		strings.Repeat("0", 64), nil, "")
	expired, err := signer.PresignGetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("a key/with+specials")},
		s3.WithPresignExpires(time.Second), func(o *s3.PresignOptions) { o.Presigner = inThePast{v4.NewSigner()} })
	c.ok(t, err)
	fetch(expired.Method, expired.URL, expired.SignedHeader, "")
	del, err := signer.PresignDeleteObject(c.ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: aws.String("a key/with+specials")})
	c.ok(t, err)
	fetch(del.Method, del.URL, del.SignedHeader, "")
}
