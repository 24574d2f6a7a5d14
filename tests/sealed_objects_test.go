package tests

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/minio/minio-go/v7"
)

const chunk = 64 << 10 // of plaintext, in single objects

// TestSealedObjects: any size, whole and in ranges, is what was put; the store
// has something else, and of exactly the size that the format says.
func TestSealedObjects(t *testing.T) {
	eachSealed(t, []string{"sealed", "mixed"}, func(t *testing.T, b *sealedBucket) {
		for _, size := range []int{0, 1, 27, 28, chunk - 1, chunk, chunk + 1, 2*chunk - 1, 2 * chunk, 2*chunk + 1, 5<<20 - 1, 5 << 20} {
			key := fmt.Sprint("size-", size)
			body := bytes.Repeat(plaintext, size/len(plaintext)+1)[:size]
			put, err := b.aws.PutObject(b.ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(body)})
			b.ok(t, err)
			if err != nil {
				continue
			}
			b.tag("PUT", put.ETag)
			head, err := b.aws.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key})
			b.ok(t, err)
			if err == nil && (*head.ContentLength != int64(size) || *head.ETag != *put.ETag) {
				t.Errorf("HEAD of %d bytes: %d, ETag %s, which was %s", size, *head.ContentLength, *head.ETag, *put.ETag)
			}
			got, told, err := b.read(key, "")
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes are read as %d, or others: %v", size, len(got), err)
			} else if *told.ETag != *put.ETag || *told.ContentLength != int64(size) {
				t.Errorf("GET of %d bytes: length %d, ETag %s, which was %s", size, *told.ContentLength, *told.ETag, *put.ETag)
			}
			b.ranges(key, body, [][2]int{
				{0, 0}, {0, chunk - 1}, {0, chunk}, {chunk - 1, chunk - 1}, {chunk - 1, chunk}, {chunk, chunk}, {chunk, 2*chunk - 1},
				{chunk + 1, 3 * chunk}, {size / 2, size/2 + 100}, {size - 1, size - 1}, {size - 1, size + 1000}, {1, 1 << 40},
			})
			for _, suffix := range []int{1, 100, chunk, chunk + 1, size, size + 1} {
				n := min(suffix, size)
				if got, _, err := b.read(key, fmt.Sprint("bytes=-", suffix)); n > 0 && (err != nil || !bytes.Equal(got, body[size-n:])) {
					t.Errorf("the last %d of %d bytes are read as %d, or others: %v", suffix, size, len(got), err)
				}
			}
			_, _, err = b.read(key, fmt.Sprintf("bytes=%d-", size))
			if code := errorCode(err); err == nil || code != "InvalidRange" {
				t.Errorf("the bytes after %d: %v, want InvalidRange", size, err)
			}
			stored := b.stored(key)
			if want := 64 + size + 28*max(1, (size+chunk-1)/chunk); len(stored.body) != want || stored.metadata[envelope] == "" {
				t.Errorf("%d bytes are stored as %d, want %d; metadata %v", size, len(stored.body), want, stored.metadata)
			}
			if bytes.Contains(stored.body, plaintext[:min(size, len(plaintext))]) && size > 8 || size > 1000 && onDisk(t, filepath.Join(b.store.Data, b.bucket)) {
				t.Errorf("the store has plaintext of %d bytes", size)
			}
		}
		b.unseen()
	})
}

// TestSealedMetadata: what is said of an object survives, and what the gateway
// adds does not show.
func TestSealedMetadata(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		metadata(t, &session{ctx: b.ctx, place: b.place, bucket: bed.bucketName("sealed"), aws: b.aws, transcript: b.transcript})
		put := func(metadata map[string]string) error {
			_, err := b.aws.PutObject(b.ctx, &s3.PutObjectInput{
				Bucket: &b.bucket, Key: aws.String("k"), Body: strings.NewReader("x"), Metadata: metadata, Tagging: aws.String("a=1&b=2"),
			})
			return err
		}
		for _, name := range []string{"sealgate", "Sealgate", "sealgate-x"} {
			if err := put(map[string]string{name: "mine"}); errorCode(err) != "InvalidArgument" {
				t.Errorf("metadata %s: %v, want InvalidArgument", name, err)
			}
		}
		if err := put(map[string]string{"long": strings.Repeat("x", 1900)}); errorCode(err) != "MetadataTooLarge" {
			t.Errorf("1,900 bytes of metadata: %v, want MetadataTooLarge", err)
		}
		b.absent("k")
		b.ok(t, put(map[string]string{"long": strings.Repeat("x", 1800)}))
		if stored := b.stored("k"); len(stored.metadata) != 2 || len(stored.metadata["long"]) != 1800 {
			t.Errorf("the store has metadata %v", stored.metadata)
		}
		tags, err := b.aws.GetObjectTagging(b.ctx, &s3.GetObjectTaggingInput{Bucket: &b.bucket, Key: aws.String("k")})
		b.ok(t, err)
		if err == nil && len(tags.TagSet) != 2 {
			t.Errorf("the tags are %v", tags.TagSet)
		}
		b.unseen()
	})
}

// TestSealedConditions: conditions are about the ETag that clients see, for
// ranges too, and come out as they do for an object that the store has in clear.
// Neither store knows If-Range or more than one ETag in a condition.
func TestSealedConditions(t *testing.T) {
	eachSealed(t, []string{"sealed", "mixed"}, func(t *testing.T, b *sealedBucket) {
		body := content(3*chunk, 81)
		clear := newSession(t, direct(b.store), "none", nil)
		clear.create(t)
		b.put(t, "k", body)
		clear.put(t, "k", body)
		ask := func(c *session, header map[string]string) (*http.Response, string) {
			resp, got := exactly(t, c, http.MethodGet, "/"+c.bucket+"/k", nil, header)
			return resp, got
		}
		said := func(c *session, of string) string {
			resp, _ := ask(c, nil)
			return resp.Header.Get(of)
		}
		const other = `"00000000000000000000000000000000-0"`
		for _, tc := range []struct {
			name, value, span string
			right             bool // the value and the ETag
			status            int  // where the stores do as S3 does
		}{
			{name: "If-Match", right: true, status: 200},
			{name: "If-Match", value: "*"},
			{name: "If-Match", value: other, status: 412},
			{name: "If-Match", value: other + ", ", right: true},
			{name: "If-None-Match", right: true, status: 304},
			{name: "If-None-Match", value: other, status: 200},
			{name: "If-None-Match", value: other + ", ", right: true},
			{name: "If-Match", right: true, span: "bytes=70000-70009", status: 206},
			{name: "If-Match", value: other, span: "bytes=70000-70009", status: 412},
			{name: "If-None-Match", right: true, span: "bytes=70000-70009", status: 304},
			{name: "If-Range", right: true, span: "bytes=70000-70009", status: 206},
			{name: "If-Range", value: other, span: "bytes=70000-70009"},
			{name: "If-Range", value: "Mon, 01 Jan 2001 00:00:00 GMT", span: "bytes=70000-70009"},
			{name: "If-Modified-Since", value: "Mon, 01 Jan 2001 00:00:00 GMT", status: 200},
			{name: "If-Unmodified-Since", value: "Mon, 01 Jan 2001 00:00:00 GMT", status: 412},
		} {
			header := func(c *session) map[string]string {
				h := map[string]string{tc.name: tc.value}
				if tc.right {
					h[tc.name] += said(c, "ETag")
				}
				if tc.span != "" {
					h["Range"] = tc.span
				}
				return h
			}
			want, clearBody := ask(clear, header(clear))
			got, gotBody := ask(b.session, header(b.session))
			if got.StatusCode != want.StatusCode || tc.status != 0 && got.StatusCode != tc.status || got.StatusCode < 400 && gotBody != clearBody {
				t.Errorf("%+v: %d and %d bytes, want %d and %d", tc, got.StatusCode, len(gotBody), want.StatusCode, len(clearBody))
			}
			if etag := got.Header.Get("ETag"); etag != "" && got.StatusCode < 400 {
				b.tag("reply to a condition", &etag)
			}
		}
	})
}

// TestSealedChecksums: what a client says of its bytes is held against its bytes,
// and what the store says of the sealed ones is not shown.
func TestSealedChecksums(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		checksums(t, &session{ctx: b.ctx, place: b.place, bucket: bed.bucketName("sealed"), aws: b.aws, transcript: b.transcript})
		body := content(150_000, 82)
		put, err := b.aws.PutObject(b.ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String("k"), Body: bytes.NewReader(body)})
		b.ok(t, err)
		if err == nil && aws.ToString(put.ChecksumCRC32) != crc32Of(body) {
			t.Errorf("the SDK's own CRC32 comes back as %q, want %q", aws.ToString(put.ChecksumCRC32), crc32Of(body))
		}
		_, err = b.minio.PutObject(b.ctx, b.bucket, "m", bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{SendContentMd5: true})
		b.ok(t, err)
		for _, key := range []string{"k", "m"} {
			for name := range b.header(http.MethodGet, key, map[string]string{"X-Amz-Checksum-Mode": "ENABLED"}) {
				if strings.HasPrefix(name, "X-Amz-Checksum-") || name == "Content-Md5" {
					t.Errorf("%s of the sealed bytes is shown", name)
				}
			}
		}
	})
}

// TestSealedBadBodies: what is not what its sender promised is not sealed either.
func TestSealedBadBodies(t *testing.T) {
	t.Parallel()
	for name, start := range sealedStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway, _ := start(t)
			badBodies(t, gateway)
			brokenOff(t, gateway)
		})
	}
}

// TestSealedReaders: policy may give a reader the stored bytes, or nothing.
func TestSealedReaders(t *testing.T) {
	eachSealed(t, []string{"pass", "reject"}, func(t *testing.T, b *sealedBucket) {
		b.put(t, "k", plaintext)
		stored := b.stored("k")
		got, told, err := b.read("k", "")
		if strings.HasPrefix(b.bucket, "pass") {
			if err != nil || !bytes.Equal(got, stored.body) || told.Metadata[envelope] != stored.metadata[envelope] {
				t.Errorf("passed through are %d bytes with metadata %v (%v); stored are %d", len(got), told.Metadata, err, len(stored.body))
			}
			return
		}
		if code := errorCode(err); err == nil || code != "AccessDenied" {
			t.Errorf("it was read: %v, want AccessDenied", err)
		}
		_, err = b.aws.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: aws.String("k")})
		var api smithy.APIError
		if !errors.As(err, &api) {
			t.Errorf("HEAD: %v, want it refused", err)
		}
	})
}

// TestSealedLogs: no key and no envelope stands in what a gateway writes.
func TestSealedLogs(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		gateway, _ := sealedStores[storeOf(t)](t)
		b.put(t, "k", plaintext)
		b.holds(t, "k", plaintext)
		stored := b.stored("k")
		last := b.header(http.MethodHead, "k", nil).Get("x-amz-request-id")
		if _, err := gateway.Decision(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		key := strings.Fields(value(t, bed.keyring))
		for _, name := range []string{"sealgate.log", "decisions.json"} {
			log, err := os.ReadFile(filepath.Join(gateway.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{key[len(key)-1], stored.metadata[envelope]} {
				if bytes.Contains(log, []byte(secret)) {
					t.Errorf("%s has a key or an envelope", name)
				}
			}
		}
	})
}
