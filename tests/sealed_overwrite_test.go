package tests

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// overwrites is how often an object is overwritten while it is read.
const overwrites = 1000

// generation is the object's n-th content: every word of it says n, and its
// length follows from n. Most are small, some have several chunks, and a few are
// uploaded by parts.
func generation(n int) []byte {
	words := 50 + n*37%1000
	switch {
	case n%125 == 124:
		words = (partSize + 8000) / 8 // by parts
	case n%3 == 0:
		words = 10_000 + n*37%5000
	}
	return bytes.Repeat(binary.BigEndian.AppendUint64(nil, uint64(n)), words)
}

// ofOne reports whether bytes that begin on a word's border are all of one
// generation, no older than oldest, and if all of it is wanted, whether they are
// all of it.
func ofOne(got []byte, oldest int, whole bool) error {
	if len(got) < 8 {
		return fmt.Errorf("%d bytes", len(got))
	}
	word := got[:8]
	n := int(binary.BigEndian.Uint64(word))
	if n >= overwrites || !bytes.Equal(got, bytes.Repeat(word, len(got)/8)) {
		return fmt.Errorf("%d bytes of several contents, or none; they begin with %x", len(got), word)
	}
	if n < oldest {
		return fmt.Errorf("content %d, which had been overwritten by %d before", n, oldest)
	}
	if whole && len(got) != len(generation(n)) {
		return fmt.Errorf("%d bytes of content %d, which has %d", len(got), n, len(generation(n)))
	}
	return nil
}

// TestSealedOverwritten: whoever reads an object that is overwritten meanwhile
// gets all of it as it was before or after, or an error.
func TestSealedOverwritten(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		transport := authority(t).Transport()
		defer transport.CloseIdleConnections()
		client := awsClient(b.place, transport) // without a transcript, which would grow
		overwrite := func(n int) error {
			body := generation(n)
			if len(body) <= partSize {
				_, err := client.PutObject(b.ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: aws.String("k"), Body: bytes.NewReader(body)})
				return err
			}
			created, err := client.CreateMultipartUpload(b.ctx, &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: aws.String("k")})
			if err != nil {
				return err
			}
			done := &types.CompletedMultipartUpload{}
			for i, part := range pieces(body, partSize) {
				number := aws.Int32(int32(i + 1))
				out, err := client.UploadPart(b.ctx, &s3.UploadPartInput{
					Bucket: &b.bucket, Key: aws.String("k"), UploadId: created.UploadId, PartNumber: number, Body: bytes.NewReader(part),
				})
				if err != nil {
					return err
				}
				done.Parts = append(done.Parts, types.CompletedPart{PartNumber: number, ETag: out.ETag})
			}
			_, err = client.CompleteMultipartUpload(b.ctx, &s3.CompleteMultipartUploadInput{
				Bucket: &b.bucket, Key: aws.String("k"), UploadId: created.UploadId, MultipartUpload: done,
			})
			return err
		}
		if err := overwrite(0); err != nil {
			t.Fatal(err)
		}
		over := make(chan struct{})
		var readers sync.WaitGroup
		end := sync.OnceFunc(func() { close(over); readers.Wait() })
		defer end()
		var whole, outside, failed, newest atomic.Int64
		for _, span := range []string{"", "bytes=65528-65543", "bytes=8-71999", "bytes=-80"} {
			readers.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
					}
					in := &s3.GetObjectInput{Bucket: &b.bucket, Key: aws.String("k")}
					if span != "" {
						in.Range = &span
					}
					oldest := int(newest.Load())
					got, err := client.GetObject(b.ctx, in)
					if err != nil {
						switch errorCode(err) {
						case "InvalidRange": // a small one has no such bytes
							outside.Add(1)
						case "ServiceUnavailable":
							failed.Add(1)
						default:
							t.Errorf("a read of %q: %v", span, err)
						}
						continue
					}
					body, err := io.ReadAll(got.Body)
					got.Body.Close()
					if err != nil {
						failed.Add(1)
						body = body[:len(body)/8*8]
						if len(body) == 0 {
							continue
						}
						if err := ofOne(body, oldest, false); err != nil {
							t.Errorf("a cut read of %q gave %v", span, err)
						}
						continue
					}
					whole.Add(1)
					if err := ofOne(body, oldest, span == ""); err != nil {
						t.Errorf("a read of %q gave %v", span, err)
					}
				}
			})
		}
		for n := 1; n < overwrites; n++ {
			if err := overwrite(n); err != nil {
				t.Fatalf("overwriting: %v", err)
			}
			newest.Store(int64(n))
		}
		end()
		if whole.Load() < overwrites/4 || failed.Load() > whole.Load()/4 {
			t.Errorf("%d reads succeeded and %d failed", whole.Load(), failed.Load())
		}
		t.Logf("%d reads succeeded, %d were outside of the object, and %d failed", whole.Load(), outside.Load(), failed.Load())
		b.holds(t, "k", generation(overwrites-1))
	})
}
