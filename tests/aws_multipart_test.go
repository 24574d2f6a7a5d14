package tests

import (
	"bytes"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const partSize = 5 << 20 // the least S3 takes for a part that is not the last

// upload is a multipart upload in the making.
type upload struct {
	*session
	t    *testing.T
	key  string
	id   *string
	done map[int32]types.CompletedPart
}

func (c *session) begin(t *testing.T, in *s3.CreateMultipartUploadInput) *upload {
	t.Helper()
	in.Bucket = &c.bucket
	out, err := c.aws.CreateMultipartUpload(c.ctx, in)
	c.ok(t, err)
	if err != nil {
		t.FailNow()
	}
	return &upload{session: c, t: t, key: *in.Key, id: out.UploadId, done: make(map[int32]types.CompletedPart)}
}

func (u *upload) part(number int32, body []byte, algorithm types.ChecksumAlgorithm) {
	u.t.Helper()
	out, err := u.aws.UploadPart(u.ctx, &s3.UploadPartInput{
		Bucket: &u.bucket, Key: &u.key, UploadId: u.id, PartNumber: &number, Body: bytes.NewReader(body), ChecksumAlgorithm: algorithm,
	})
	u.ok(u.t, err)
	if err != nil {
		return
	}
	done := types.CompletedPart{PartNumber: &number, ETag: out.ETag}
	if algorithm != "" { // else the upload has none, and must not be completed with one
		done.ChecksumCRC32, done.ChecksumCRC32C, done.ChecksumCRC64NVME = out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME
		done.ChecksumSHA1, done.ChecksumSHA256 = out.ChecksumSHA1, out.ChecksumSHA256
	}
	u.done[number] = done
}

func (u *upload) complete(numbers ...int32) error {
	in := &s3.CompleteMultipartUploadInput{Bucket: &u.bucket, Key: &u.key, UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{}}
	for _, n := range numbers {
		in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, u.done[n])
	}
	_, err := u.aws.CompleteMultipartUpload(u.ctx, in)
	return err
}

func multipartUpload(t *testing.T, c *session) {
	c.create(t)
	u := c.begin(t, &s3.CreateMultipartUploadInput{
		Key: aws.String("dir/a key"), ContentType: aws.String("text/x-parts"), Metadata: map[string]string{"m_1.x": "v"}, CacheControl: aws.String("no-cache"),
	})
	one, two, last := content(partSize, 11), content(partSize+12345, 12), content(777, 13)
	u.part(7, last, "")
	u.part(1, one, "")
	u.part(3, content(partSize, 99), "")
	u.part(3, two, "") // sent again, and it is this one that counts
	_, err := c.aws.ListParts(c.ctx, &s3.ListPartsInput{Bucket: &c.bucket, Key: &u.key, UploadId: u.id})
	c.ok(t, err)
	_, err = c.aws.ListParts(c.ctx, &s3.ListPartsInput{Bucket: &c.bucket, Key: &u.key, UploadId: u.id, MaxParts: aws.Int32(1), PartNumberMarker: aws.String("1")})
	c.ok(t, err)
	_, err = c.aws.ListMultipartUploads(c.ctx, &s3.ListMultipartUploadsInput{Bucket: &c.bucket, Prefix: aws.String("dir/")})
	c.ok(t, err)
	c.ok(t, u.complete(1, 3, 7))
	c.holds(t, u.key, bytes.Join([][]byte{one, two, last}, nil))

	for _, n := range []int32{1, 2, 3, 4} {
		_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: &u.key, PartNumber: &n})
		c.note(err)
		got, err := c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: &u.key, PartNumber: &n})
		c.note(err)
		if err == nil {
			_, _ = io.Copy(io.Discard, got.Body)
			got.Body.Close()
		}
	}
	for _, r := range []string{"bytes=5242870-5242890", "bytes=-1000", "bytes=10485760-10500000"} {
		got, err := c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: &u.key, Range: &r})
		c.ok(t, err)
		if err == nil {
			_, _ = io.Copy(io.Discard, got.Body)
			got.Body.Close()
		}
	}
	abandoned := c.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("abandoned")})
	abandoned.part(1, last, "")
	_, err = c.aws.AbortMultipartUpload(c.ctx, &s3.AbortMultipartUploadInput{Bucket: &c.bucket, Key: &abandoned.key, UploadId: abandoned.id})
	c.ok(t, err)
	_, err = c.aws.ListMultipartUploads(c.ctx, &s3.ListMultipartUploadsInput{Bucket: &c.bucket})
	c.ok(t, err)
	_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: &abandoned.key})
	c.refused(t, err)
}

func multipartCopies(t *testing.T, c *session) {
	c.create(t)
	source := content(2*partSize+999, 21)
	c.put(t, "source of/it+all", source)
	u := c.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("assembled")})
	copyPart := func(number int32, part string, condition *string) error {
		in := &s3.UploadPartCopyInput{
			Bucket: &c.bucket, Key: &u.key, UploadId: u.id, PartNumber: &number,
			CopySource: aws.String(c.bucket + "/source%20of/it%2Ball"), CopySourceIfMatch: condition,
		}
		if part != "" {
			in.CopySourceRange = &part
		}
		out, err := c.aws.UploadPartCopy(c.ctx, in)
		if err == nil {
			u.done[number] = types.CompletedPart{PartNumber: &number, ETag: out.CopyPartResult.ETag}
		}
		return err
	}
	c.ok(t, copyPart(2, "", nil))
	c.ok(t, copyPart(1, "bytes=0-5242879", nil))
	c.ok(t, copyPart(4, "bytes=5242880-5242999", nil))
	c.refused(t, copyPart(5, "bytes=0-99999999", nil))
	c.refused(t, copyPart(5, "bytes=5-1", nil))
	c.refused(t, copyPart(6, "bytes=0-5242879", aws.String(`"00000000000000000000000000000000"`)))
	u.part(3, content(partSize, 22), "")
	c.ok(t, u.complete(1, 2, 3, 4))
	c.holds(t, "assembled", bytes.Join([][]byte{source[:partSize], source, content(partSize, 22), source[partSize : partSize+120]}, nil))
}

func multipartChecksums(t *testing.T, c *session) {
	c.create(t)
	one, two := content(partSize, 31), content(1000, 32)
	for _, kind := range []struct {
		algorithm types.ChecksumAlgorithm
		typ       types.ChecksumType
	}{
		{types.ChecksumAlgorithmCrc32, types.ChecksumTypeComposite},
		{types.ChecksumAlgorithmSha256, types.ChecksumTypeComposite},
		{types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject},
		{types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject},
	} {
		u := c.begin(t, &s3.CreateMultipartUploadInput{
			Key: aws.String(string(kind.algorithm + "-" + types.ChecksumAlgorithm(kind.typ))), ChecksumAlgorithm: kind.algorithm, ChecksumType: kind.typ,
		})
		u.part(2, two, kind.algorithm)
		u.part(1, one, kind.algorithm)
		_, err := c.aws.ListParts(c.ctx, &s3.ListPartsInput{Bucket: &c.bucket, Key: &u.key, UploadId: u.id})
		c.ok(t, err)
		c.ok(t, u.complete(1, 2))
		c.holds(t, u.key, append(bytes.Clone(one), two...))
		_, err = c.aws.HeadObject(c.ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: &u.key, ChecksumMode: types.ChecksumModeEnabled})
		c.ok(t, err)
	}
}

func multipartRefusals(t *testing.T, c *session) {
	c.create(t)
	u := c.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("k")})
	u.part(1, content(1000, 41), "")
	u.part(2, content(1000, 42), "")
	c.refused(t, u.complete(1, 2)) // EntityTooSmall
	ordered := c.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("ordered")})
	ordered.part(1, content(partSize, 43), "")
	ordered.part(2, content(partSize, 44), "")
	c.refused(t, ordered.complete(2, 1)) // InvalidPartOrder
	u.done[3] = types.CompletedPart{PartNumber: aws.Int32(3), ETag: u.done[1].ETag}
	c.refused(t, u.complete(1, 3)) // InvalidPart
	_, err := c.aws.UploadPart(c.ctx, &s3.UploadPartInput{
		Bucket: &c.bucket, Key: &u.key, UploadId: aws.String("no-such-upload"), PartNumber: aws.Int32(1), Body: bytes.NewReader([]byte("x")),
	})
	c.refused(t, err)
	_, err = c.aws.UploadPart(c.ctx, &s3.UploadPartInput{
		Bucket: &c.bucket, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(10001), Body: bytes.NewReader([]byte("x")),
	})
	c.refused(t, err)
	_, err = c.aws.CompleteMultipartUpload(c.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &c.bucket, Key: &u.key, UploadId: aws.String("no-such-upload"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: u.done[1].ETag}}},
	})
	c.refused(t, err)
	_, err = c.aws.AbortMultipartUpload(c.ctx, &s3.AbortMultipartUploadInput{Bucket: &c.bucket, Key: &u.key, UploadId: aws.String("no-such-upload")})
	c.note(err)
	c.ok(t, u.complete(1))
	c.holds(t, "k", content(1000, 41))
	_, err = c.aws.AbortMultipartUpload(c.ctx, &s3.AbortMultipartUploadInput{Bucket: &c.bucket, Key: &u.key, UploadId: u.id})
	c.note(err)
}
