package tests

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestSealedWays: however an object gets into a sealed bucket, it is sealed.
func TestSealedWays(t *testing.T) {
	eachSealed(t, []string{"sealed", "mixed"}, func(t *testing.T, b *sealedBucket) {
		for _, way := range ways {
			key := "by " + way.name
			way.store(t, b.session, key)
			got, _, err := b.read(key, "")
			if err != nil || !bytes.HasPrefix(got, plaintext) {
				t.Errorf("%s: read %d bytes, or others: %v", way.name, len(got), err)
			}
			if b.stored(key).metadata[envelope] == "" || onDisk(t, filepath.Join(b.store.Data, b.bucket)) {
				t.Errorf("%s: it is stored without an envelope, or in clear", way.name)
			}
		}
		b.unseen()
	})
}

// copied copies within the bucket and wants the copy to be body.
func (b *sealedBucket) copied(from, to string, body []byte, change func(*s3.CopyObjectInput)) {
	b.t.Helper()
	in := &s3.CopyObjectInput{Bucket: &b.bucket, Key: &to, CopySource: aws.String(b.bucket + "/" + from)}
	if change != nil {
		change(in)
	}
	out, err := b.aws.CopyObject(b.ctx, in)
	if err != nil {
		b.t.Errorf("copying %s: %v", from, err)
		return
	}
	b.tag("copy", out.CopyObjectResult.ETag)
	b.holds(b.t, to, body)
	if stored := b.stored(to); stored.metadata[envelope] == "" || len(body) > 32 && bytes.Contains(stored.body, body[:32]) {
		b.t.Errorf("the copy of %s is stored in clear", from)
	}
	head, err := b.aws.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: &to})
	if err != nil || *head.ETag != *out.CopyObjectResult.ETag || *head.ContentLength != int64(len(body)) {
		b.t.Errorf("HEAD of the copy of %s: %v, %+v", from, err, head)
	}
}

// TestSealedCopies: a copy is sealed for its own name, of any source, and a
// source that cannot be read is not made readable by copying it.
func TestSealedCopies(t *testing.T) {
	eachSealed(t, []string{"sealed", "mixed"}, func(t *testing.T, b *sealedBucket) {
		parts := pieces(content(2*partSize+10, 151), partSize, 2*partSize)
		whole := bytes.Join(parts, nil)
		u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("parts"), Metadata: map[string]string{"a": "b"}})
		for i, p := range parts {
			u.part(int32(i+1), p, "")
		}
		b.ok(t, u.complete(1, 2, 3))
		b.copied("parts", "copy", whole, nil)
		b.ranges("copy", whole, [][2]int{{0, 9}, {partSize - 5, partSize + 5}, {2*partSize - 1, 2*partSize + 9}})
		b.copied("copy", "copy", whole, func(in *s3.CopyObjectInput) {
			in.MetadataDirective, in.Metadata = types.MetadataDirectiveReplace, map[string]string{"c": "d"}
		})
		if stored := b.stored("copy"); stored.metadata["c"] != "d" || stored.metadata["a"] != "" {
			t.Errorf("the store has metadata %v", stored.metadata)
		}
		head := b.header("HEAD", "parts", nil)
		b.copied("parts", "by condition", whole, func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = aws.String(head.Get("ETag")) })
		listed, err := b.aws.ListObjectsV2(b.ctx, &s3.ListObjectsV2Input{Bucket: &b.bucket})
		b.ok(t, err)
		if err == nil {
			for _, o := range listed.Contents {
				if *o.Size != int64(len(whole)) {
					t.Errorf("%s is listed with %d bytes, want %d", *o.Key, *o.Size, len(whole))
				}
			}
		}
		told, err := b.aws.GetObjectAttributes(b.ctx, &s3.GetObjectAttributesInput{
			Bucket: &b.bucket, Key: aws.String("parts"),
			ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesEtag, types.ObjectAttributesObjectSize, types.ObjectAttributesObjectParts, types.ObjectAttributesChecksum},
		})
		b.ok(t, err)
		if err == nil && (*told.ObjectSize != int64(len(whole)) || told.Checksum != nil || strings.Trim(*told.ETag, `"`) != strings.Trim(head.Get("ETag"), `"`) ||
			told.ObjectParts != nil && aws.ToInt32(told.ObjectParts.TotalPartsCount) != 3) {
			t.Errorf("the attributes are size %d, ETag %s, checksum %+v, parts %+v", *told.ObjectSize, *told.ETag, told.Checksum, told.ObjectParts)
		}

		b.plant("clear", storedObject{body: content(100_000, 152)})
		if strings.HasPrefix(b.bucket, "mixed") {
			b.copied("clear", "no more in clear", content(100_000, 152), nil)
		} else {
			b.refusesCopy("clear")
		}
		damaged := b.stored("copy")
		flip(-1000)(&damaged)
		damaged.metadata = b.stored("parts").metadata
		b.plant("moved", damaged)
		b.refusesCopy("moved")
	})
}

// refusesCopy wants no copy of an object to be readable.
func (b *sealedBucket) refusesCopy(key string) {
	b.t.Helper()
	_, err := b.aws.CopyObject(b.ctx, &s3.CopyObjectInput{Bucket: &b.bucket, Key: aws.String("laundered"), CopySource: aws.String(b.bucket + "/" + key)})
	if got, _, readErr := b.read("laundered", ""); err == nil && readErr == nil {
		b.t.Errorf("a copy of %q gives %d bytes", key, len(got))
	}
	u := b.begin(b.t, &s3.CreateMultipartUploadInput{Key: aws.String("laundered by parts")})
	if _, err := b.aws.UploadPartCopy(b.ctx, &s3.UploadPartCopyInput{
		Bucket: &b.bucket, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(1), CopySource: aws.String(b.bucket + "/" + key),
	}); err == nil {
		b.t.Errorf("%q was copied as a part", key)
	}
}
