package tests

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"

	"github.com/sealgate/sealgate/tests/servers"
)

// checksumming is a gateway that seals and treats checksums as told.
func checksumming(t *testing.T, store *servers.Store, how string) servers.Gateway {
	t.Helper()
	g := sealing(t, store)
	g.Options = "sealed_checksum " + how
	return g
}

// TestSealedStoreChecksums: the store is sent a checksum of what it stores, keeps it,
// and no client is shown it.
func TestSealedStoreChecksums(t *testing.T) {
	t.Parallel()
	for name, start := range sealedStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, store := start(t)
			b := openSealed(t, ownGateway(t, checksumming(t, store, "crc64nvme")), store, "sealed")
			b.create(t)
			for _, size := range []int{0, 1, chunk, chunk + 1, 300_000, 5<<20 + 7} {
				key, body := fmt.Sprint("size-", size), content(size, 260)
				_, err := b.aws.PutObject(b.ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(body), ContentEncoding: aws.String("gzip")})
				b.ok(t, err)
				b.checksummed(key)
				_, err = b.aws.CopyObject(b.ctx, &s3.CopyObjectInput{Bucket: &b.bucket, Key: aws.String("copy of " + key), CopySource: aws.String(b.bucket + "/" + key)})
				b.ok(t, err)
				for _, key := range []string{key, "copy of " + key} {
					got, told, err := b.read(key, "")
					if err != nil || !bytes.Equal(got, body) || aws.ToString(told.ContentEncoding) != "gzip" {
						t.Errorf("%s: %d bytes, or others, %+v: %v", key, len(got), told, err)
					}
				}
			}
			parts := pieces(content(2*partSize, 261), partSize)
			u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("parts")})
			u.part(1, parts[0], "")
			u.part(2, parts[1], "")
			b.lists(u, map[int32][]byte{1: parts[0], 2: parts[1]})
			_, err := b.aws.ListMultipartUploads(b.ctx, &s3.ListMultipartUploadsInput{Bucket: &b.bucket, Prefix: aws.String("parts")})
			b.ok(t, err)
			b.ok(t, u.complete(1, 2)) // with a closing part
			b.checksummed("parts")
			b.byParts("parts", parts...)
			u = b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("copied parts")})
			copied, err := b.aws.UploadPartCopy(b.ctx, &s3.UploadPartCopyInput{
				Bucket: &b.bucket, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(1), CopySource: aws.String(b.bucket + "/parts"), CopySourceRange: aws.String("bytes=0-99999"),
			})
			b.ok(t, err)
			u.done[1] = types.CompletedPart{PartNumber: aws.Int32(1), ETag: copied.CopyPartResult.ETag}
			b.ok(t, u.complete(1))
			b.checksummed("copied parts")
			b.byParts("copied parts", parts[0][:100_000])

			for _, key := range []string{"size-300000", "parts"} {
				_, err = b.aws.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
				b.ok(t, err)
				_, err = b.aws.GetObjectAttributes(b.ctx, &s3.GetObjectAttributesInput{Bucket: &b.bucket, Key: &key, ObjectAttributes: types.ObjectAttributes("").Values()})
				b.ok(t, err)
			}
			_, err = b.aws.ListObjectsV2(b.ctx, &s3.ListObjectsV2Input{Bucket: &b.bucket})
			b.ok(t, err)
			_, err = b.aws.ListObjectVersions(b.ctx, &s3.ListObjectVersionsInput{Bucket: &b.bucket})
			b.ok(t, err)
			b.unseen()
			for _, e := range b.entries {
				if lower := strings.ToLower(e); strings.Contains(lower, "crc64nvme") || strings.Contains(lower, "full_object") || strings.Contains(lower, "aws-chunked") {
					t.Errorf("a client saw the store's checksum:\n%s", e)
				}
			}
		})
	}
}

// checksummed wants the store to have the checksum of what it stores.
func (b *sealedBucket) checksummed(key string) {
	b.t.Helper()
	head, err := b.raw.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		b.t.Errorf("%s at the store: %v", key, err)
		return
	}
	sum := binary.BigEndian.AppendUint64(nil, crc64nvme.Checksum(b.stored(key).body))
	if got, want := aws.ToString(head.ChecksumCRC64NVME), base64.StdEncoding.EncodeToString(sum); got != want {
		b.t.Errorf("the store has checksum %q of %s, want %q", got, key, want)
	}
}

// flipping passes on requests to the store, and changes one bit in the middle of
// the body of each PUT.
func flipping(t *testing.T, store *servers.Store) string {
	t.Helper()
	target, err := url.Parse(store.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := authority(t).Transport()
	t.Cleanup(transport.CloseIdleConnections)
	server := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, r.In.Host
			if r.In.Method == http.MethodPut && r.In.ContentLength > 0 {
				r.Out.Body = struct {
					io.Reader
					io.Closer
				}{&flipped{r.In.Body, r.In.ContentLength / 2}, r.In.Body}
			}
		},
	})
	t.Cleanup(server.Close)
	return server.URL
}

// flipped changes a bit of the byte at that offset.
type flipped struct {
	io.Reader
	at int64
}

func (f *flipped) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if 0 <= f.at && f.at < int64(n) {
		p[f.at] ^= 4
	}
	f.at -= int64(n)
	return n, err
}

// TestSealedStoreChecksumRefused: bytes that change on the way are refused by the store
// that was sent a checksum; without one they are stored, and found out on reading.
func TestSealedStoreChecksumRefused(t *testing.T) {
	t.Parallel()
	for name, start := range sealedStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, store := start(t)
			for _, how := range []string{"crc64nvme", "none"} {
				config := checksumming(t, store, how)
				clear := openSealed(t, ownGateway(t, config), store, "sealed")
				clear.create(t)
				config.Upstream = flipping(t, store)
				b := clear.via(ownGateway(t, config))
				for _, size := range []int{1000, 300_000} {
					key := fmt.Sprint(size)
					_, err := b.aws.PutObject(b.ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(content(size, 262))})
					if how == "crc64nvme" {
						b.refused(t, err)
						b.absent(key)
						continue
					}
					b.ok(t, err)
					if got, _, err := clear.read(key, ""); err == nil {
						t.Errorf("%d bytes that were changed on the way are read", len(got))
					}
				}
				u := clear.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("parts")})
				_, err := b.aws.UploadPart(b.ctx, &s3.UploadPartInput{
					Bucket: &b.bucket, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(1), Body: bytes.NewReader(content(300_000, 263)),
				})
				if (err == nil) != (how == "none") {
					t.Errorf("%s: a part that was changed on the way: %v", how, err)
				}
			}
		})
	}
}

// TestSealedObjectLock: sealed objects are locked as any others, by a request of
// the client's or a rule of the bucket's, with the gateway's defaults.
func TestSealedObjectLock(t *testing.T) {
	t.Parallel()
	for name, start := range sealedStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway, store := start(t)
			b := openSealed(t, gateway, store, "sealed")
			_, err := b.aws.CreateBucket(b.ctx, &s3.CreateBucketInput{Bucket: &b.bucket, ObjectLockEnabledForBucket: aws.Bool(true)})
			if err != nil {
				t.Fatal(err)
			}
			until := time.Now().Add(time.Hour).UTC()
			locked := func(key string, size int) {
				t.Helper()
				b.holds(t, key, content(size, 264))
				head, err := b.aws.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key})
				if err != nil {
					t.Error(err)
					return
				}
				// versitygw goes by the bucket's rule and does not show it here.
				if head.ObjectLockMode != types.ObjectLockModeGovernance && !strings.HasPrefix(key, "rule") {
					t.Errorf("%s has lock mode %q", key, head.ObjectLockMode)
				}
				_, err = b.aws.DeleteObject(b.ctx, &s3.DeleteObjectInput{Bucket: &b.bucket, Key: &key, VersionId: head.VersionId})
				b.refused(t, err)
				b.holds(t, key, content(size, 264))
			}
			for _, size := range []int{100, 300_000} {
				key := fmt.Sprint("asked-", size)
				_, err := b.aws.PutObject(b.ctx, &s3.PutObjectInput{
					Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(content(size, 264)),
					ObjectLockMode: types.ObjectLockModeGovernance, ObjectLockRetainUntilDate: &until,
				})
				b.ok(t, err)
				locked(key, size)
			}
			u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("parts"), ObjectLockMode: types.ObjectLockModeGovernance, ObjectLockRetainUntilDate: &until})
			u.part(1, content(100, 264), "")
			b.ok(t, u.complete(1))
			locked("parts", 100)

			_, err = b.aws.PutObjectLockConfiguration(b.ctx, &s3.PutObjectLockConfigurationInput{Bucket: &b.bucket, ObjectLockConfiguration: &types.ObjectLockConfiguration{
				ObjectLockEnabled: types.ObjectLockEnabledEnabled,
				Rule:              &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: types.ObjectLockRetentionModeGovernance, Days: aws.Int32(1)}},
			}})
			b.ok(t, err)
			for _, size := range []int{100, 300_000} {
				b.put(t, fmt.Sprint("rule-", size), content(size, 264))
				locked(fmt.Sprint("rule-", size), size)
			}
			u = b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("rule-parts")})
			u.part(1, content(100, 264), "")
			b.ok(t, u.complete(1))
			locked("rule-parts", 100)
		})
	}
}
