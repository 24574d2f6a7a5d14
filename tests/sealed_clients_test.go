package tests

import (
	"bytes"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestSealedTools has every client program do what it does in TestTools, with
// everything sealed, each in front of one store: how they speak to the gateway is
// the same for both. rclone is told not to compute ETags of uploads by parts: it
// is the one setting that a client needs.
func TestSealedTools(t *testing.T) {
	t.Parallel()
	for i, tool := range tools {
		t.Run(tool.name, func(t *testing.T) {
			t.Parallel()
			gateway, store := sealedStores[[]string{"minio", "versitygw"}[i%2]](t)
			c := newConsole(t, tool, gateway, "sealed")
			c.env = append(c.env, "RCLONE_S3_USE_MULTIPART_ETAG=false")
			tool.steps(t, c)
			b := openSealed(t, gateway, store, "unused")
			left, err := b.raw.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &c.bucket})
			if err != nil || len(left.Contents) != 0 {
				t.Errorf("after the tool cleaned up: %v, %+v", err, left)
			}
		})
	}
}

// TestSealedResume: a container registry keeps no upload id; for every piece it
// looks for the upload in a listing, and its parts in another. It may be before
// another gateway by then, if those share their storage.
func TestSealedResume(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		gateway := sealing(t, b.store)
		gateway.Globals += "\tstorage file_system " + t.TempDir() + "\n"
		first := ownGateway(t, gateway)
		via := []*sealedBucket{b.via(first), b.via(ownGateway(t, gateway))}
		key := "docker/registry/v2/repositories/a/_uploads/b/data"
		created := via[0].begin(t, &s3.CreateMultipartUploadInput{Key: &key})
		parts := pieces(content(2*partSize+100, 131), partSize, 2*partSize)
		done := &types.CompletedMultipartUpload{}
		for i, body := range parts {
			c := via[i%2]
			if i == 2 {
				first.Close()
				c = b.via(ownGateway(t, gateway))
			}
			uploads, err := c.aws.ListMultipartUploads(c.ctx, &s3.ListMultipartUploadsInput{Bucket: &c.bucket, Prefix: &key})
			if err != nil || len(uploads.Uploads) != 1 || *uploads.Uploads[0].Key != key {
				t.Fatalf("the uploads are %+v, %v", uploads, err)
			}
			u := &upload{session: c.session, t: t, key: key, id: uploads.Uploads[0].UploadId, done: created.done}
			sizes := make(map[int32][]byte)
			for n := range i {
				sizes[int32(n+1)] = parts[n]
			}
			c.lists(u, sizes)
			u.part(int32(i+1), body, "")
			done.Parts = append(done.Parts, u.done[int32(i+1)])
			if i == len(parts)-1 {
				_, err := c.aws.CompleteMultipartUpload(c.ctx, &s3.CompleteMultipartUploadInput{Bucket: &c.bucket, Key: &key, UploadId: u.id, MultipartUpload: done})
				c.ok(t, err)
			}
		}
		b.byParts(key, parts...)
		if left, err := b.aws.ListMultipartUploads(b.ctx, &s3.ListMultipartUploadsInput{Bucket: &b.bucket, Prefix: aws.String("docker/")}); err != nil || len(left.Uploads) != 0 {
			t.Errorf("uploads are left: %+v, %v", left, err)
		}
		if stored := b.stored(key); bytes.Contains(stored.body, parts[0][:32]) {
			t.Error("the store has plaintext")
		}
	})
}
