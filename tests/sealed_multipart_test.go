package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/minio-go/v7"
)

// byParts wants an object to be these parts, whole, in ranges across their
// borders, and one by one.
func (b *sealedBucket) byParts(key string, parts ...[]byte) {
	b.t.Helper()
	body := bytes.Join(parts, nil)
	b.holds(b.t, key, body)
	at := 0
	for i, part := range parts {
		b.ranges(key, body, [][2]int{{at, at}, {at - 1, at}, {at + 1, at + 2}, {at, at + len(part) - 1}, {at - 10, at + len(part) + 10}})
		at += len(part)
		number := aws.Int32(int32(i + 1))
		head, err := b.aws.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key, PartNumber: number})
		if err != nil || *head.ContentLength != int64(len(part)) || aws.ToInt32(head.PartsCount) != int32(len(parts)) {
			b.t.Errorf("HEAD of part %d of %s: %v, %+v; want %d bytes of %d parts", i+1, key, err, head, len(part), len(parts))
		}
		got, err := b.aws.GetObject(b.ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: &key, PartNumber: number})
		if err != nil {
			b.t.Errorf("part %d of %s: %v", i+1, key, err)
			continue
		}
		bytesOf, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil || !bytes.Equal(bytesOf, part) {
			b.t.Errorf("part %d of %s: %d bytes, or others: %v", i+1, key, len(bytesOf), err)
		}
	}
	if got, _, err := b.read(key, "bytes=-12345"); len(body) > 0 && (err != nil || !bytes.Equal(got, body[max(0, len(body)-12345):])) {
		b.t.Errorf("the end of %s: %d bytes, or others: %v", key, len(got), err)
	}
	_, err := b.aws.GetObject(b.ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: &key, PartNumber: aws.Int32(int32(len(parts) + 1))})
	if err == nil {
		b.t.Errorf("%s has a part more than it was made of", key)
	}
	head, err := b.aws.HeadObject(b.ctx, &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key})
	if err != nil || *head.ContentLength != int64(len(body)) {
		b.t.Errorf("HEAD of %s: %v, %+v; want %d bytes", key, err, head, len(body))
		return
	}
	b.tag("HEAD of "+key, head.ETag)
}

// TestSealedMultipart: parts of any size, in any order, with gaps and sent again.
func TestSealedMultipart(t *testing.T) {
	eachSealed(t, []string{"sealed", "mixed"}, func(t *testing.T, b *sealedBucket) {
		one, two, small := content(partSize, 91), content(partSize+chunk+1, 92), content(777, 93)
		for _, tc := range []struct {
			name    string
			send    []int32
			parts   map[int32][]byte
			refused string
		}{
			{name: "one small part", send: []int32{1}, parts: map[int32][]byte{1: small}},
			{name: "one empty part", send: []int32{1}, parts: map[int32][]byte{1: {}}},
			{name: "one large part", send: []int32{1}, parts: map[int32][]byte{1: one}},
			{name: "the last first", send: []int32{3, 1, 2}, parts: map[int32][]byte{1: two, 2: one, 3: small}},
			{name: "the last one large", send: []int32{2, 1}, parts: map[int32][]byte{1: one, 2: two}},
			{name: "gaps", send: []int32{9, 4}, parts: map[int32][]byte{4: one, 9: two}},
			{name: "gaps before a small one", send: []int32{2, 4}, parts: map[int32][]byte{2: one, 4: small}, refused: "InvalidRequest"},
			{name: "a small one in the middle", send: []int32{1, 2, 3}, parts: map[int32][]byte{1: one, 2: small, 3: two}, refused: "EntityTooSmall"},
			{name: "the last number", send: []int32{10000}, parts: map[int32][]byte{10000: one}, refused: "InvalidRequest"},
		} {
			if strings.HasPrefix(b.bucket, "mixed") && len(tc.send) != 2 {
				continue // the rest is no different there
			}
			u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String(tc.name), Metadata: map[string]string{"a": "b"}})
			var numbers []int32
			var parts [][]byte
			for _, n := range tc.send {
				u.part(n, content(100+int(n), 94), "") // does not count: it is sent again
				u.part(n, tc.parts[n], "")
			}
			for n := int32(1); n <= 10000; n++ {
				if part, ok := tc.parts[n]; ok {
					numbers, parts = append(numbers, n), append(parts, part)
				}
			}
			b.lists(u, tc.parts)
			err := u.complete(numbers...)
			if tc.refused != "" {
				if errorCode(err) != tc.refused {
					t.Errorf("%s: %v, want %s", tc.name, err, tc.refused)
				}
				b.absent(u.key)
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
				continue
			}
			b.byParts(u.key, parts...)
			if err := u.complete(numbers...); err != nil {
				t.Errorf("%s, completed again: %v", tc.name, err)
			}
			if stored := b.stored(u.key); len(stored.body) < len(bytes.Join(parts, nil))+14416*len(parts) || stored.metadata["a"] != "b" ||
				len(parts[0]) > 0 && bytes.Contains(stored.body, parts[0][:min(32, len(parts[0]))]) {
				t.Errorf("%s: the store has %d bytes with metadata %v, or plaintext", tc.name, len(stored.body), stored.metadata)
			}
		}
		b.unseen()
	})
}

// lists wants ListParts to tell the parts as the client sent them.
func (b *sealedBucket) lists(u *upload, parts map[int32][]byte) {
	b.t.Helper()
	pages := s3.NewListPartsPaginator(b.aws, &s3.ListPartsInput{Bucket: &b.bucket, Key: &u.key, UploadId: u.id, MaxParts: aws.Int32(1)})
	seen := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(b.ctx)
		if err != nil {
			b.t.Errorf("ListParts of %s: %v", u.key, err)
			return
		}
		if *page.UploadId != *u.id {
			b.t.Errorf("ListParts of %s names upload %s", u.key, *page.UploadId)
		}
		for _, p := range page.Parts {
			seen++
			if want := parts[*p.PartNumber]; *p.Size != int64(len(want)) || *p.ETag != aws.ToString(u.done[*p.PartNumber].ETag) {
				b.t.Errorf("part %d of %s is listed with %d bytes and %s, want %d and %s",
					*p.PartNumber, u.key, *p.Size, *p.ETag, len(want), aws.ToString(u.done[*p.PartNumber].ETag))
			}
		}
	}
	if seen != len(parts) {
		b.t.Errorf("%d parts of %s are listed, want %d", seen, u.key, len(parts))
	}
}

// TestSealedLibraryUpload: minio-go uploads parts by itself, several at a time.
func TestSealedLibraryUpload(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		body := content(3*partSize+100, 95)
		_, err := b.minio.PutObject(b.ctx, b.bucket, "k", bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{PartSize: partSize, NumThreads: 4})
		b.ok(t, err)
		b.byParts("k", pieces(body, partSize, 2*partSize, 3*partSize)...)
	})
}

// TestSealedTwoGateways: parts of one upload go through two gateways that share
// nothing but the key file, and one of them is another process by the end.
func TestSealedTwoGateways(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		gateway := sealing(t, b.store)
		doomed, second := ownGateway(t, gateway), ownGateway(t, gateway)
		here, there := b.via(doomed), b.via(second)
		parts := pieces(content(3*partSize+50, 96), partSize, 2*partSize, 3*partSize)
		u := here.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("k")})
		other := &upload{session: there.session, t: t, key: u.key, id: u.id, done: u.done}
		u.part(4, parts[3], "")
		other.part(1, content(partSize, 97), "")
		u.part(1, parts[0], "")
		other.part(2, parts[1], "")
		there.lists(other, map[int32][]byte{1: parts[0], 2: parts[1], 4: parts[3]})
		doomed.Close()
		again := b.via(ownGateway(t, gateway))
		last := &upload{session: again.session, t: t, key: u.key, id: u.id, done: u.done}
		last.part(3, parts[2], "")
		b.ok(t, last.complete(1, 2, 3, 4))
		b.byParts("k", parts...)
		there.byParts("k", parts...)
		if err := other.complete(1, 2, 3, 4); err != nil {
			t.Errorf("completing what another gateway completed: %v", err)
		}
	})
}

// TestSealedCompleteRace: two clients complete one upload at once, through two
// gateways. At least one succeeds, and the object is what was asked for.
func TestSealedCompleteRace(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		gateway := sealing(t, b.store)
		there := b.via(ownGateway(t, gateway))
		parts := pieces(content(2*partSize, 98), partSize)
		for i := range 3 {
			u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String(fmt.Sprint("k", i))})
			u.part(1, parts[0], "")
			u.part(2, parts[1], "")
			other := &upload{session: there.session, t: t, key: u.key, id: u.id, done: u.done}
			ended := make(chan error)
			for _, one := range []*upload{u, other} {
				go func() { ended <- one.complete(1, 2) }()
			}
			if first, second := <-ended, <-ended; first != nil && second != nil {
				t.Errorf("neither completed it: %v", errors.Join(first, second))
				continue
			}
			b.byParts(u.key, parts...)
		}
	})
}

// TestSealedUploadIDs: an id is good for the name it was made for and no other,
// and an upload that is not sealed cannot be gone on with.
func TestSealedUploadIDs(t *testing.T) {
	eachSealed(t, []string{"sealed"}, func(t *testing.T, b *sealedBucket) {
		u := b.begin(t, &s3.CreateMultipartUploadInput{Key: aws.String("k")})
		u.part(1, content(1000, 99), "")
		plain, err := b.raw.CreateMultipartUpload(b.ctx, &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: aws.String("k")})
		if err != nil {
			t.Fatal(err)
		}
		id := *u.id
		flipped := []byte(id)
		flipped[len(flipped)-3] ^= 1
		gateway, store := sealedStores[storeOf(t)](t)
		second := openSealed(t, gateway, store, "sealed")
		second.create(t)
		for name, tc := range map[string]struct {
			c       *session
			key, id string
		}{
			"another key":        {b.session, "other", id},
			"another bucket":     {second.session, "k", id},
			"a changed id":       {b.session, "k", string(flipped)},
			"a shorter id":       {b.session, "k", id[:len(id)-4]},
			"a longer id":        {b.session, "k", id + "AAAA"},
			"a padded id":        {b.session, "k", id + "="},
			"an upload in clear": {b.session, "k", *plain.UploadId},
		} {
			refused := func(call string, err error) {
				if code := errorCode(err); err == nil || code != "NoSuchUpload" {
					t.Errorf("%s with %s: %v, want NoSuchUpload", call, name, err)
				}
			}
			_, err := tc.c.aws.UploadPart(tc.c.ctx, &s3.UploadPartInput{
				Bucket: &tc.c.bucket, Key: &tc.key, UploadId: &tc.id, PartNumber: aws.Int32(1), Body: bytes.NewReader(plaintext),
			})
			refused("UploadPart", err)
			_, err = tc.c.aws.ListParts(tc.c.ctx, &s3.ListPartsInput{Bucket: &tc.c.bucket, Key: &tc.key, UploadId: &tc.id})
			refused("ListParts", err)
			_, err = tc.c.aws.CompleteMultipartUpload(tc.c.ctx, &s3.CompleteMultipartUploadInput{
				Bucket: &tc.c.bucket, Key: &tc.key, UploadId: &tc.id,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{u.done[1]}},
			})
			refused("CompleteMultipartUpload", err)
		}
		b.ok(t, u.complete(1))
		b.holds(t, "k", content(1000, 99))
	})
}
