package tests

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func copies(t *testing.T, c *session) {
	c.create(t)
	_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String("a b+c/ü"), Body: strings.NewReader("to be copied"),
		ContentType: aws.String("text/x-source"), Metadata: map[string]string{"from": "source"}, Tagging: aws.String("t=1"),
	})
	c.ok(t, err)
	const source = "/a%20b%2Bc/%C3%BC"
	for _, in := range []s3.CopyObjectInput{
		{Key: aws.String("as it is")},
		{
			Key: aws.String("metadata replaced"), MetadataDirective: types.MetadataDirectiveReplace,
			ContentType: aws.String("text/x-new"), Metadata: map[string]string{"made_by.me": "copy"},
		},
		{Key: aws.String("tags replaced"), TaggingDirective: types.TaggingDirectiveReplace, Tagging: aws.String("t=2")},
	} {
		in.Bucket, in.CopySource = &c.bucket, aws.String(c.bucket+source)
		_, err := c.aws.CopyObject(c.ctx, &in)
		c.ok(t, err)
		c.holds(t, *in.Key, []byte("to be copied"))
		_, err = c.aws.GetObjectTagging(c.ctx, &s3.GetObjectTaggingInput{Bucket: &c.bucket, Key: in.Key})
		c.ok(t, err)
	}
	_, err = c.aws.CopyObject(c.ctx, &s3.CopyObjectInput{Bucket: &c.bucket, Key: aws.String("leading slash"), CopySource: aws.String("/" + c.bucket + source)})
	c.ok(t, err)
	_, err = c.aws.CopyObject(c.ctx, &s3.CopyObjectInput{
		Bucket: &c.bucket, Key: aws.String("k"), CopySource: aws.String(c.bucket + source), CopySourceIfMatch: aws.String(`"00000000000000000000000000000000"`),
	})
	c.refused(t, err)
	_, err = c.aws.CopyObject(c.ctx, &s3.CopyObjectInput{
		Bucket: &c.bucket, Key: aws.String("k"), CopySource: aws.String(c.bucket + source), CopySourceIfModifiedSince: aws.Time(time.Now().Add(-time.Hour)),
	})
	c.ok(t, err)
	_, err = c.aws.CopyObject(c.ctx, &s3.CopyObjectInput{Bucket: &c.bucket, Key: aws.String("k"), CopySource: aws.String(c.bucket + "/not-there")})
	c.refused(t, err)
	_, err = c.aws.CopyObject(c.ctx, &s3.CopyObjectInput{Bucket: &c.bucket, Key: aws.String("k"), CopySource: aws.String("no-such-bucket-here/k")})
	c.refused(t, err)
	_, err = c.aws.CopyObject(c.ctx, &s3.CopyObjectInput{
		Bucket: &c.bucket, Key: aws.String("a b+c/ü"), CopySource: aws.String(c.bucket + source),
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"again": "x"},
	})
	c.ok(t, err)
	c.holds(t, "a b+c/ü", []byte("to be copied"))
}

func deleteObjects(t *testing.T, c *session) {
	c.create(t)
	keys := []string{"a", "b & c", "<d>", "é", "  spaced  ", "e+f%20g", `"quoted"`}
	for _, quiet := range []bool{false, true} {
		var objects []types.ObjectIdentifier
		for _, key := range keys {
			c.put(t, key, []byte("x"))
			objects = append(objects, types.ObjectIdentifier{Key: &key})
		}
		objects = append(objects, types.ObjectIdentifier{Key: aws.String("never-there")})
		_, err := c.aws.DeleteObjects(c.ctx, &s3.DeleteObjectsInput{Bucket: &c.bucket, Delete: &types.Delete{Objects: objects, Quiet: &quiet}})
		c.ok(t, err)
		left, err := c.aws.ListObjectsV2(c.ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket})
		c.ok(t, err)
		if err == nil && len(left.Contents) != 0 {
			t.Errorf("%s: %d objects are left", c.place.name, len(left.Contents))
		}
	}
	_, err := c.aws.DeleteBucket(c.ctx, &s3.DeleteBucketInput{Bucket: &c.bucket})
	c.ok(t, err)
	_, err = c.aws.HeadBucket(c.ctx, &s3.HeadBucketInput{Bucket: &c.bucket})
	c.refused(t, err)
}

func versioning(t *testing.T, c *session) {
	c.create(t)
	_, err := c.aws.PutBucketVersioning(c.ctx, &s3.PutBucketVersioningInput{
		Bucket: &c.bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	c.ok(t, err)
	_, err = c.aws.GetBucketVersioning(c.ctx, &s3.GetBucketVersioningInput{Bucket: &c.bucket})
	c.ok(t, err)
	var ids []*string
	for i := range 3 {
		out, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: aws.String("k"), Body: strings.NewReader(fmt.Sprint("version ", i))})
		c.ok(t, err)
		if err != nil {
			return
		}
		ids = append(ids, out.VersionId)
	}
	for _, id := range ids {
		_, err := c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("k"), VersionId: id})
		c.ok(t, err)
		got, err := c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("k"), VersionId: id})
		c.ok(t, err)
		if err == nil {
			got.Body.Close()
		}
	}
	_, err = c.aws.CopyObject(c.ctx, &s3.CopyObjectInput{
		Bucket: &c.bucket, Key: aws.String("copy"), CopySource: aws.String(c.bucket + "/k?versionId=" + aws.ToString(ids[0])),
	})
	c.ok(t, err)
	c.holds(t, "copy", []byte("version 0"))
	_, err = c.aws.PutObjectTagging(c.ctx, &s3.PutObjectTaggingInput{
		Bucket: &c.bucket, Key: aws.String("k"), VersionId: ids[1],
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}},
	})
	c.note(err)
	_, err = c.aws.DeleteObject(c.ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: aws.String("k")})
	c.ok(t, err)
	_, err = c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("k")})
	c.refused(t, err)
	_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("k")})
	c.refused(t, err)
	_, err = c.aws.ListObjectVersions(c.ctx, &s3.ListObjectVersionsInput{Bucket: &c.bucket})
	c.ok(t, err)
	_, err = c.aws.ListObjectVersions(c.ctx, &s3.ListObjectVersionsInput{Bucket: &c.bucket, Prefix: aws.String("c"), MaxKeys: aws.Int32(1)})
	c.ok(t, err)
	_, err = c.aws.DeleteObject(c.ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: aws.String("k"), VersionId: ids[1]})
	c.ok(t, err)
	_, err = c.aws.DeleteObjects(c.ctx, &s3.DeleteObjectsInput{Bucket: &c.bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("k"), VersionId: ids[0]}, {Key: aws.String("copy")},
	}}})
	c.ok(t, err)
	_, err = c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("k"), VersionId: ids[0]})
	c.refused(t, err)
	_, err = c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("k"), VersionId: aws.String("not-a-version")})
	c.refused(t, err)
}

func listing(t *testing.T, c *session) {
	c.create(t)
	for _, key := range []string{"a", "a/1", "a/2", "a/b/3", "b", "b c", "c/", "c/x", "d&e", "é"} {
		if key == "a" || key == "c/" { // a folder of a file system cannot be a file too
			continue
		}
		c.put(t, key, []byte(key))
	}
	for _, in := range []s3.ListObjectsV2Input{
		{}, {Delimiter: aws.String("/")}, {Prefix: aws.String("a/")}, {Prefix: aws.String("a/"), Delimiter: aws.String("/")},
		{StartAfter: aws.String("a/2")}, {MaxKeys: aws.Int32(0)}, {FetchOwner: aws.Bool(true)}, {Prefix: aws.String("nothing")},
		{EncodingType: types.EncodingTypeUrl, Delimiter: aws.String(" ")},
	} {
		in.Bucket = &c.bucket
		_, err := c.aws.ListObjectsV2(c.ctx, &in)
		c.ok(t, err)
	}
	pages := s3.NewListObjectsV2Paginator(c.aws, &s3.ListObjectsV2Input{Bucket: &c.bucket, MaxKeys: aws.Int32(3)})
	for n := 0; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(c.ctx)
		c.ok(t, err)
		if err != nil || n > 10 {
			break
		}
		for _, o := range page.Contents {
			c.say("page %d: %s %d", n, *o.Key, *o.Size)
		}
	}
	for _, in := range []s3.ListObjectsInput{
		{}, {Delimiter: aws.String("/")}, {Prefix: aws.String("a/")}, {Marker: aws.String("a/2"), MaxKeys: aws.Int32(2)},
	} {
		in.Bucket = &c.bucket
		_, err := c.aws.ListObjects(c.ctx, &in)
		c.ok(t, err)
	}
	_, err := c.aws.ListObjectVersions(c.ctx, &s3.ListObjectVersionsInput{Bucket: &c.bucket, Delimiter: aws.String("/")})
	c.ok(t, err)
	_, err = c.aws.ListObjectsV2(c.ctx, &s3.ListObjectsV2Input{Bucket: &c.other})
	c.refused(t, err)
}

func bucketSettings(t *testing.T, c *session) {
	c.create(t)
	_, err := c.aws.CreateBucket(c.ctx, &s3.CreateBucketInput{Bucket: &c.bucket})
	c.note(err)
	_, err = c.aws.HeadBucket(c.ctx, &s3.HeadBucketInput{Bucket: &c.bucket})
	c.ok(t, err)
	_, err = c.aws.GetBucketLocation(c.ctx, &s3.GetBucketLocationInput{Bucket: &c.bucket})
	c.note(err)
	_, err = c.aws.GetBucketVersioning(c.ctx, &s3.GetBucketVersioningInput{Bucket: &c.bucket})
	c.ok(t, err)
	_, err = c.aws.PutBucketTagging(c.ctx, &s3.PutBucketTaggingInput{Bucket: &c.bucket, Tagging: &types.Tagging{
		TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b & c")}},
	}})
	c.note(err)
	_, err = c.aws.GetBucketTagging(c.ctx, &s3.GetBucketTaggingInput{Bucket: &c.bucket})
	c.note(err)
	_, err = c.aws.DeleteBucketTagging(c.ctx, &s3.DeleteBucketTaggingInput{Bucket: &c.bucket})
	c.note(err)
	_, err = c.aws.GetBucketTagging(c.ctx, &s3.GetBucketTaggingInput{Bucket: &c.bucket})
	c.note(err)
	_, err = c.aws.GetBucketPolicy(c.ctx, &s3.GetBucketPolicyInput{Bucket: &c.bucket})
	c.note(err)
	_, err = c.aws.GetBucketCors(c.ctx, &s3.GetBucketCorsInput{Bucket: &c.bucket})
	c.note(err)
	_, err = c.aws.GetBucketAcl(c.ctx, &s3.GetBucketAclInput{Bucket: &c.bucket})
	c.note(err)
	_, err = c.aws.DeleteBucket(c.ctx, &s3.DeleteBucketInput{Bucket: &c.bucket})
	c.ok(t, err)
	_, err = c.aws.DeleteBucket(c.ctx, &s3.DeleteBucketInput{Bucket: &c.bucket})
	c.refused(t, err)
}

func objectLock(t *testing.T, c *session) {
	_, err := c.aws.CreateBucket(c.ctx, &s3.CreateBucketInput{Bucket: &c.bucket, ObjectLockEnabledForBucket: aws.Bool(true)})
	c.ok(t, err)
	_, err = c.aws.GetObjectLockConfiguration(c.ctx, &s3.GetObjectLockConfigurationInput{Bucket: &c.bucket})
	c.ok(t, err)
	until := time.Now().Add(24 * time.Hour).Truncate(24 * time.Hour).Add(48 * time.Hour)
	put, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String("kept"), Body: strings.NewReader("for long"),
		ObjectLockMode: types.ObjectLockModeGovernance, ObjectLockRetainUntilDate: &until,
	})
	c.ok(t, err)
	if err != nil {
		return
	}
	_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("kept")})
	c.ok(t, err)
	_, err = c.aws.GetObjectRetention(c.ctx, &s3.GetObjectRetentionInput{Bucket: &c.bucket, Key: aws.String("kept")})
	c.ok(t, err)
	_, err = c.aws.DeleteObject(c.ctx, &s3.DeleteObjectInput{Bucket: &c.bucket, Key: aws.String("kept"), VersionId: put.VersionId})
	c.refused(t, err)
	_, err = c.aws.PutObjectLegalHold(c.ctx, &s3.PutObjectLegalHoldInput{
		Bucket: &c.bucket, Key: aws.String("kept"), LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn},
	})
	c.ok(t, err)
	_, err = c.aws.GetObjectLegalHold(c.ctx, &s3.GetObjectLegalHoldInput{Bucket: &c.bucket, Key: aws.String("kept")})
	c.ok(t, err)
	_, err = c.aws.DeleteObject(c.ctx, &s3.DeleteObjectInput{
		Bucket: &c.bucket, Key: aws.String("kept"), VersionId: put.VersionId, BypassGovernanceRetention: aws.Bool(true),
	})
	c.refused(t, err)
	_, err = c.aws.PutObjectLegalHold(c.ctx, &s3.PutObjectLegalHoldInput{
		Bucket: &c.bucket, Key: aws.String("kept"), LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOff},
	})
	c.ok(t, err)
	_, err = c.aws.DeleteObject(c.ctx, &s3.DeleteObjectInput{
		Bucket: &c.bucket, Key: aws.String("kept"), VersionId: put.VersionId, BypassGovernanceRetention: aws.Bool(true),
	})
	c.note(err)
}

// errorReplies: what goes wrong goes wrong in the same way.
func errorReplies(t *testing.T, c *session) {
	c.create(t)
	_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.other, Key: aws.String("k"), Body: strings.NewReader("x")})
	c.refused(t, err)
	_, err = c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.other, Key: aws.String("k")})
	c.refused(t, err)
	for name, p := range map[string]place{
		"wrong secret": {"", c.place.endpoint, c.place.accessKey, "not-the-secret-at-all"},
		"unknown key":  {"", c.place.endpoint, "NOBODYSACCESSKEY1", c.place.secretKey},
	} {
		_, err := awsClient(p, c.next).GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("k")})
		if err == nil {
			t.Errorf("%s: %s was accepted", c.place.name, name)
		}
	}
	anonymous, err := http.NewRequestWithContext(c.ctx, http.MethodGet, c.place.endpoint+"/"+c.bucket+"/k", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.http.Do(anonymous)
	c.ok(t, err)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: an anonymous request got %s", c.place.name, resp.Status)
		}
	}
}
