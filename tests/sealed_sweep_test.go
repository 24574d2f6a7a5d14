package tests

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealgate/sealgate/tests/servers"
)

// TestSealedSweep: what a gateway keeps of an upload goes when the upload ended
// past it, and stays while the upload is open.
func TestSealedSweep(t *testing.T) {
	t.Parallel()
	for name, start := range sealedStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, store := start(t)
			config := sealing(t, store)
			config.Globals = strings.Replace(config.Globals, "keyring main", "sweep_uploads 200ms\n\t\tkeyring main", 1)
			gateway := ownGateway(t, config)
			b := openSealed(t, gateway, store, "sealed")
			b.create(t)
			open := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("open")})
			open.part(1, content(1000, 250), "")
			b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("young")})
			kept := []string{b.record(gateway, "open"), b.record(gateway, "young")}
			age(t, kept[0])
			b.abortRaw("young") // its record is not old
			for _, key := range []string{"ended", "ended later"} {
				b.begin(t, &s3.CreateMultipartUploadInput{Key: &key})
				ended := b.record(gateway, key)
				b.abortRaw(key)
				age(t, ended)
				recovered(t, func() error {
					if _, err := os.Stat(ended); !errors.Is(err, fs.ErrNotExist) {
						return fmt.Errorf("the record of %q is still there: %w", key, err)
					}
					return nil
				})
			}
			// Between the two all records were looked at.
			for _, path := range kept {
				if _, err := os.Stat(path); err != nil {
					t.Error(err)
				}
			}
			b.ok(t, open.complete(1))
			b.holds(t, "open", content(1000, 250))
		})
	}
}

// upstreamID is the store's own id of the only upload of a key.
func (b *sealedBucket) upstreamID(key string) string {
	b.t.Helper()
	at, err := b.raw.ListMultipartUploads(b.ctx, &s3.ListMultipartUploadsInput{Bucket: &b.bucket})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, u := range at.Uploads {
		if *u.Key == key {
			return *u.UploadId
		}
	}
	// MinIO lists the uploads of one key at a time.
	if at, err = b.raw.ListMultipartUploads(b.ctx, &s3.ListMultipartUploadsInput{Bucket: &b.bucket, Prefix: &key}); err != nil || len(at.Uploads) != 1 {
		b.t.Fatalf("uploads of %s: %+v, %v", key, at, err)
	}
	return *at.Uploads[0].UploadId
}

// record is the path of what a gateway keeps of the only upload of a key.
func (b *sealedBucket) record(gateway *servers.RunningGateway, key string) string {
	b.t.Helper()
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(b.upstreamID(key))))
	found, err := filepath.Glob(filepath.Join(gateway.Dir, "caddy", "s3_encryption", "uploads", "*", b.bucket, id))
	if err != nil || len(found) != 1 {
		b.t.Fatalf("records of %s: %q, %v", key, found, err)
	}
	return found[0]
}

// abortRaw ends the upload of a key past the gateway.
func (b *sealedBucket) abortRaw(key string) {
	b.t.Helper()
	_, err := b.raw.AbortMultipartUpload(b.ctx, &s3.AbortMultipartUploadInput{Bucket: &b.bucket, Key: &key, UploadId: aws.String(b.upstreamID(key))})
	if err != nil {
		b.t.Fatal(err)
	}
}

// age makes a file look eight days old.
func age(t *testing.T, path string) {
	t.Helper()
	then := time.Now().Add(-8 * 24 * time.Hour)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
}
