package tests

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// minioScenarios are what minio-go does: another signer, other payload modes
// (signed chunks without TLS, unsigned payloads with), other habits.
var minioScenarios = []scenario{
	{name: "put get stat remove", run: minioObjects},
	{name: "streams of unknown length", run: minioStreams},
	{name: "multipart", run: minioMultipart},
	{name: "copy and compose", run: minioCopies},
	{name: "listing and removing many", run: minioListing},
	{name: "presigned URLs and forms", run: minioPresigned},
	{name: "tags and versions", run: minioVersions},
}

func (c *session) make(t *testing.T) {
	t.Helper()
	c.ok(t, c.minio.MakeBucket(c.ctx, c.bucket, minio.MakeBucketOptions{}))
	c.encrypt(t)
}

// reads notes what minio-go reads of an object, and wants it to be body.
func (c *session) reads(t *testing.T, key string, body []byte, options minio.GetObjectOptions) {
	t.Helper()
	object, err := c.minio.GetObject(c.ctx, c.bucket, key, options)
	if err != nil {
		c.ok(t, err)
		return
	}
	defer func() { _ = object.Close() }()
	got, err := io.ReadAll(object)
	c.ok(t, err)
	if !bytes.Equal(got, body) {
		t.Errorf("%s: %q reads as %d bytes, want %d, or others", c.place.name, key, len(got), len(body))
	}
}

func minioObjects(t *testing.T, c *session) {
	c.make(t)
	for _, size := range []int{0, 1, 65536, 200_001, 1 << 20} {
		key, body := fmt.Sprintf("a dir/size=%d +é", size), content(size, 51)
		_, err := c.minio.PutObject(c.ctx, c.bucket, key, bytes.NewReader(body), int64(size), minio.PutObjectOptions{
			ContentType: "application/x-bytes", UserMetadata: map[string]string{"File_name": "x.y"}, DisableMultipart: true,
		})
		c.ok(t, err)
		info, err := c.minio.StatObject(c.ctx, c.bucket, key, minio.StatObjectOptions{})
		c.ok(t, err)
		if err == nil && info.UserMetadata["File_name"] != "x.y" {
			t.Errorf("%s: metadata is %v", c.place.name, info.UserMetadata)
		}
		c.reads(t, key, body, minio.GetObjectOptions{})
		c.ok(t, c.minio.RemoveObject(c.ctx, c.bucket, key, minio.RemoveObjectOptions{}))
	}
	_, err := c.minio.StatObject(c.ctx, c.bucket, "gone", minio.StatObjectOptions{})
	c.refused(t, err)
	body := content(100_000, 52)
	_, err = c.minio.PutObject(c.ctx, c.bucket, "summed", bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{
		SendContentMd5: true, DisableMultipart: true,
	})
	c.ok(t, err)
	var part minio.GetObjectOptions
	if err := part.SetRange(10, 70_000); err != nil {
		t.Fatal(err)
	}
	c.reads(t, "summed", body[10:70_001], part)
}

func minioStreams(t *testing.T, c *session) {
	c.make(t)
	for _, size := range []int{0, 1000, 5<<20 + 17} {
		key, body := fmt.Sprint("stream-", size), content(size, 53)
		_, err := c.minio.PutObject(c.ctx, c.bucket, key, io.MultiReader(bytes.NewReader(body)), -1, minio.PutObjectOptions{PartSize: 5 << 20})
		c.ok(t, err)
		c.reads(t, key, body, minio.GetObjectOptions{})
	}
}

func minioMultipart(t *testing.T, c *session) {
	c.make(t)
	body := content(3*partSize-5, 54)
	_, err := c.minio.PutObject(c.ctx, c.bucket, "k", bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{
		PartSize: partSize, NumThreads: 1, UserMetadata: map[string]string{"a.b": "c"}, UserTags: map[string]string{"t": "1"},
	})
	c.ok(t, err)
	_, err = c.minio.StatObject(c.ctx, c.bucket, "k", minio.StatObjectOptions{})
	c.ok(t, err)
	c.reads(t, "k", body, minio.GetObjectOptions{})
	core := minio.Core{Client: c.minio}
	id, err := core.NewMultipartUpload(c.ctx, c.bucket, "open", minio.PutObjectOptions{})
	c.ok(t, err)
	_, err = core.PutObjectPart(c.ctx, c.bucket, "open", id, 1, bytes.NewReader(body[:1000]), 1000, minio.PutObjectPartOptions{})
	c.ok(t, err)
	_, err = core.ListObjectParts(c.ctx, c.bucket, "open", id, 0, 10)
	c.ok(t, err)
	c.ok(t, core.AbortMultipartUpload(c.ctx, c.bucket, "open", id))
}

func minioCopies(t *testing.T, c *session) {
	c.make(t)
	body := content(2*partSize, 55)
	_, err := c.minio.PutObject(c.ctx, c.bucket, "from here", bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{DisableMultipart: true})
	c.ok(t, err)
	source := minio.CopySrcOptions{Bucket: c.bucket, Object: "from here"}
	_, err = c.minio.CopyObject(c.ctx, minio.CopyDestOptions{Bucket: c.bucket, Object: "to+there"}, source)
	c.ok(t, err)
	c.reads(t, "to+there", body, minio.GetObjectOptions{})
	_, err = c.minio.CopyObject(c.ctx, minio.CopyDestOptions{
		Bucket: c.bucket, Object: "new metadata", ReplaceMetadata: true, UserMetadata: map[string]string{"new": "1"},
	}, source)
	c.ok(t, err)
	_, err = c.minio.ComposeObject(c.ctx, minio.CopyDestOptions{Bucket: c.bucket, Object: "both"}, source,
		minio.CopySrcOptions{Bucket: c.bucket, Object: "to+there", MatchRange: true, Start: 5, End: 1004})
	c.ok(t, err)
	c.reads(t, "both", append(bytes.Clone(body), body[5:1005]...), minio.GetObjectOptions{})
}

func minioListing(t *testing.T, c *session) {
	c.make(t)
	for i := range 25 {
		key := fmt.Sprintf("dir %d/object+%d", i%3, i)
		_, err := c.minio.PutObject(c.ctx, c.bucket, key, bytes.NewReader([]byte(key)), int64(len(key)), minio.PutObjectOptions{})
		c.ok(t, err)
	}
	for _, options := range []minio.ListObjectsOptions{
		{Recursive: true}, {}, {Prefix: "dir 1/"}, {Recursive: true, UseV1: true}, {Recursive: true, MaxKeys: 7}, {Recursive: true, StartAfter: "dir 2/"},
	} {
		for o := range c.minio.ListObjectsIter(c.ctx, c.bucket, options) {
			c.ok(t, o.Err)
			c.say("%s %d", o.Key, o.Size)
		}
	}
	doomed := make(chan minio.ObjectInfo)
	go func() {
		defer close(doomed)
		for i := range 25 {
			doomed <- minio.ObjectInfo{Key: fmt.Sprintf("dir %d/object+%d", i%3, i)}
		}
	}()
	for e := range c.minio.RemoveObjects(c.ctx, c.bucket, doomed, minio.RemoveObjectsOptions{}) {
		c.ok(t, e.Err)
	}
	c.ok(t, c.minio.RemoveBucket(c.ctx, c.bucket))
}

func minioPresigned(t *testing.T, c *session) {
	c.make(t)
	do := func(req *http.Request, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Do(req)
		c.ok(t, err)
		if err == nil {
			resp.Body.Close()
		}
	}
	put, err := c.minio.PresignedPutObject(c.ctx, c.bucket, "signed +é", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	do(http.NewRequestWithContext(c.ctx, http.MethodPut, put.String(), bytes.NewReader([]byte("signed for"))))
	get, err := c.minio.PresignedGetObject(c.ctx, c.bucket, "signed +é", time.Hour, url.Values{"response-content-type": {"text/x-asked"}})
	if err != nil {
		t.Fatal(err)
	}
	do(http.NewRequestWithContext(c.ctx, http.MethodGet, get.String(), http.NoBody))

	for _, form := range []struct {
		name, body string
		extra      map[string]string // fields the policy knows nothing of
		status     string
	}{
		{name: "204", body: "posted"},
		{name: "200", body: "posted and confirmed", status: "200"},
		{name: "too long", body: string(content(2000, 56))},
		{name: "unforeseen field", body: "posted", extra: map[string]string{"x-amz-meta-unforeseen": "1"}},
	} {
		policy := minio.NewPostPolicy()
		for _, err := range []error{
			policy.SetBucket(c.bucket), policy.SetKey("form " + form.name), policy.SetExpires(time.Now().Add(time.Hour)),
			policy.SetContentType("text/plain"), policy.SetContentLengthRange(1, 1000), policy.SetUserMetadata("m", "v"),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if form.status != "" {
			if err := policy.SetSuccessStatusAction(form.status); err != nil {
				t.Fatal(err)
			}
		}
		target, fields, err := c.minio.PresignedPostPolicy(c.ctx, policy)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range form.extra {
			fields[name] = v
		}
		kind, body := multipartForm(t, fields, form.body)
		req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, target.String(), bytes.NewReader(body))
		if err == nil {
			req.Header.Set("Content-Type", kind)
		}
		do(req, err)
		_, err = c.minio.StatObject(c.ctx, c.bucket, "form "+form.name, minio.StatObjectOptions{})
		c.note(err)
	}
	c.reads(t, "form 204", []byte("posted"), minio.GetObjectOptions{})
}

// multipartForm lays out an HTML form as a browser does, the file last.
func multipartForm(t *testing.T, fields map[string]string, file string) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, v := range fields {
		if err := w.WriteField(name, v); err != nil {
			t.Fatal(err)
		}
	}
	part, err := w.CreateFormFile("file", "a file.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(part, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

func minioVersions(t *testing.T, c *session) {
	c.make(t)
	c.ok(t, c.minio.EnableVersioning(c.ctx, c.bucket))
	for i := range 2 {
		body := fmt.Sprint("version ", i)
		_, err := c.minio.PutObject(c.ctx, c.bucket, "k", bytes.NewReader([]byte(body)), int64(len(body)), minio.PutObjectOptions{})
		c.ok(t, err)
	}
	set, err := tags.NewTags(map[string]string{"one": "1"}, true)
	if err != nil {
		t.Fatal(err)
	}
	c.ok(t, c.minio.PutObjectTagging(c.ctx, c.bucket, "k", set, minio.PutObjectTaggingOptions{}))
	_, err = c.minio.GetObjectTagging(c.ctx, c.bucket, "k", minio.GetObjectTaggingOptions{})
	c.ok(t, err)
	c.ok(t, c.minio.RemoveObject(c.ctx, c.bucket, "k", minio.RemoveObjectOptions{}))
	for o := range c.minio.ListObjectsIter(c.ctx, c.bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		c.ok(t, o.Err)
		c.say("%s %d latest %t marker %t", o.Key, o.Size, o.IsLatest, o.IsDeleteMarker)
	}
}
