package tests

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// entry is what a listing says of an object.
type entry struct {
	size int64
	etag string
}

// listings are the ways to list, each in pages of three.
func (b *sealedBucket) listings() map[string]map[string]entry {
	b.t.Helper()
	out := map[string]map[string]entry{"v1": {}, "v2": {}, "v2 url": {}, "versions": {}}
	old := s3.ListObjectsInput{Bucket: &b.bucket, MaxKeys: aws.Int32(3)}
	for {
		page, err := b.aws.ListObjects(b.ctx, &old)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, o := range page.Contents {
			out["v1"][*o.Key] = entry{*o.Size, *o.ETag}
			old.Marker = o.Key
		}
		if !*page.IsTruncated {
			break
		}
	}
	for name, in := range map[string]*s3.ListObjectsV2Input{
		"v2":     {Bucket: &b.bucket, MaxKeys: aws.Int32(3)},
		"v2 url": {Bucket: &b.bucket, MaxKeys: aws.Int32(3), EncodingType: types.EncodingTypeUrl, FetchOwner: aws.Bool(true)},
	} {
		for pages := s3.NewListObjectsV2Paginator(b.aws, in); pages.HasMorePages(); {
			page, err := pages.NextPage(b.ctx)
			if err != nil {
				b.t.Fatal(err)
			}
			for _, o := range page.Contents {
				key := *o.Key
				if page.EncodingType != "" { // versitygw does not do it
					var err error
					if key, err = url.QueryUnescape(key); err != nil {
						b.t.Fatal(err)
					}
				}
				out[name][key] = entry{*o.Size, *o.ETag}
				if !strings.HasPrefix(key, "clear ") && (len(o.ChecksumAlgorithm) > 0 || o.ChecksumType != "") {
					b.t.Errorf("%s: %s is listed with the store's checksum", name, *o.Key)
				}
			}
		}
	}
	for pages := s3.NewListObjectVersionsPaginator(b.aws, &s3.ListObjectVersionsInput{Bucket: &b.bucket, MaxKeys: aws.Int32(3)}); pages.HasMorePages(); {
		page, err := pages.NextPage(b.ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, o := range page.Versions {
			if *o.IsLatest {
				out["versions"][*o.Key] = entry{*o.Size, *o.ETag}
			}
		}
	}
	return out
}

// TestSealedListing: a listing tells the sizes and ETags that HEAD tells, whatever
// the objects are, with others in the same bucket where those may be.
func TestSealedListing(t *testing.T) {
	eachSealed(t, []string{"sealed", "mixed"}, func(t *testing.T, b *sealedBucket) {
		want := make(map[string]int64)
		for _, size := range []int{0, 1, chunk, chunk + 1, 300_000} {
			key := fmt.Sprintf("a & b/ü+%d", size)
			b.put(t, key, content(size, 101))
			want[key] = int64(size)
		}
		for key, parts := range map[string][][]byte{
			"parts 1": {content(10, 102)}, "parts 2": {content(partSize, 103), content(1, 104)}, "parts 3": {content(partSize, 105)},
		} {
			u := b.begin(t, &s3.CreateMultipartUploadInput{Key: &key})
			var numbers []int32
			for i, p := range parts {
				u.part(int32(i+1), p, "")
				numbers = append(numbers, int32(i+1))
				want[key] += int64(len(p))
			}
			b.ok(t, u.complete(numbers...))
		}
		inClear := make(map[string]bool)
		if strings.HasPrefix(b.bucket, "mixed") {
			for _, size := range []int{0, 27, 92, 93, 64 + 28 + 1000, chunk + 92, 300_000} { // some of them have a sealed object's size
				key := fmt.Sprint("clear ", size)
				b.plant(key, storedObject{body: content(size, 106)})
				want[key], inClear[key] = int64(size), true
			}
			key := "clear by parts"
			b.plant(key, storedObject{body: content(partSize+50_000, 107), parts: []int{partSize, 50_000}})
			want[key], inClear[key] = partSize+50_000, true
		}
		for range 2 { // the second time from memory
			for name, got := range b.listings() {
				if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
					t.Errorf("%s lists %v", name, slices.Sorted(maps.Keys(got)))
				}
				for key, e := range got {
					head, err := b.aws.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key})
					if err != nil {
						t.Fatal(err)
					}
					if e.size != want[key] || e.size != *head.ContentLength || e.etag != *head.ETag {
						t.Errorf("%s: %s has %d bytes and ETag %s; HEAD says %d and %s, and it has %d",
							name, key, e.size, e.etag, *head.ContentLength, *head.ETag, want[key])
					}
					if !inClear[key] {
						b.tag(name+" of "+key, &e.etag)
					}
				}
			}
			for key := range inClear { // what is in clear is read as it is
				stored := b.stored(key)
				b.holds(t, key, stored.body)
				b.ranges(key, stored.body, [][2]int{{0, 0}, {10, 50}, {chunk - 1, chunk + 1}, {len(stored.body) - 1, len(stored.body)}})
			}
			b.put(t, "parts 1", plaintext) // another object, of another kind
			want["parts 1"] = int64(len(plaintext))
		}
	})
}

// TestSealedVersions: each version has a data key, a size and an ETag of its own.
func TestSealedVersions(t *testing.T) {
	eachSealed(t, []string{"sealed", "mixed"}, func(t *testing.T, b *sealedBucket) {
		_, err := b.aws.PutBucketVersioning(b.ctx, &s3.PutBucketVersioningInput{
			Bucket: &b.bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
		b.ok(t, err)
		versions := make(map[string][]byte)
		for i, size := range []int{10, 70_000, 10, 0} {
			body := content(size, uint64(110+i))
			put, err := b.aws.PutObject(b.ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String("k"), Body: bytes.NewReader(body)})
			b.ok(t, err)
			if err != nil {
				return
			}
			versions[*put.VersionId] = body
		}
		_, err = b.aws.DeleteObject(b.ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: aws.String("k")})
		b.ok(t, err)
		if _, _, err := b.read("k", ""); errorCode(err) != "NoSuchKey" {
			t.Errorf("behind a delete marker: %v", err)
		}
		page, err := b.aws.ListObjectVersions(b.ctx, &s3.ListObjectVersionsInput{Bucket: &b.bucket})
		b.ok(t, err)
		if err != nil || len(page.Versions) != len(versions) || len(page.DeleteMarkers) != 1 {
			t.Fatalf("%d versions and %d delete markers are listed", len(page.Versions), len(page.DeleteMarkers))
		}
		for _, v := range page.Versions {
			body := versions[*v.VersionId]
			b.tag("a version", v.ETag)
			if *v.Size != int64(len(body)) {
				t.Errorf("a version of %d bytes is listed with %d", len(body), *v.Size)
			}
			for _, span := range []*string{nil, aws.String("bytes=2-5")} {
				if span != nil && len(body) == 0 {
					continue
				}
				got, err := b.aws.GetObject(b.ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: aws.String("k"), VersionId: v.VersionId, Range: span})
				if err != nil {
					t.Error(err)
					continue
				}
				var read bytes.Buffer
				_, err = read.ReadFrom(got.Body)
				got.Body.Close()
				want := body
				if span != nil {
					want = body[2:6]
				}
				if err != nil || !bytes.Equal(read.Bytes(), want) || *got.ETag != *v.ETag {
					t.Errorf("a version of %d bytes reads as %d, or others (%v), ETag %s, listed as %s", len(want), read.Len(), err, *got.ETag, *v.ETag)
				}
			}
		}
	})
}
