package tests

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sealgate/sealgate/tests/servers"
)

// sealedModes seals every object. Buckets whose names begin with "mixed" may have
// others beside them, and those with "pass" are given to clients as they are
// stored.
var sealedModes = posture(
	`  "*": {"": {mode: cse, keyring: main, sealed: all}}`,
	`  "mixed-*": {"": {mode: cse, keyring: main, sealed: mixed}}`,
	`  "pass-*": {"": {mode: cse, keyring: main, sealed: all, on_read: pass-through}}`,
	`  "reject-*": {"": {mode: cse, keyring: main, sealed: all, on_read: reject}}`,
)

// sealing is a gateway that seals what it stores in store. All of them have the
// same key file.
func sealing(t testing.TB, store *servers.Store) servers.Gateway {
	t.Helper()
	return servers.Gateway{
		Upstream: store.Endpoint, AccessKey: store.AccessKey, SecretKey: store.SecretKey,
		Globals: "s3_encryption {\n\t\tkeyring main local {$DIR}/main.keyring\n\t}\n",
		Files:   map[string]string{"posture.yaml": sealedModes, "main.keyring": value(t, bed.keyring)},
	}
}

// sealedStores are the shared gateways that seal, each in front of its store.
var sealedStores = map[string]func(testing.TB) (*servers.RunningGateway, *servers.Store){
	"minio": func(t testing.TB) (*servers.RunningGateway, *servers.Store) {
		t.Helper()
		store := minioStore(t)
		return sharedGateway(t, "sealed minio", sealing(t, store)), store
	},
	"versitygw": func(t testing.TB) (*servers.RunningGateway, *servers.Store) {
		t.Helper()
		store := versityStore(t)
		return sharedGateway(t, "sealed versitygw", sealing(t, store)), store
	},
}

// sealedBucket is a bucket of a test's own, seen through a gateway that seals
// and as it is stored.
type sealedBucket struct {
	*session
	t     *testing.T
	store *servers.Store
	raw   *s3.Client // past the gateway
}

// eachSealed runs a test in front of every store, in buckets of each prefix.
func eachSealed(t *testing.T, prefixes []string, test func(t *testing.T, b *sealedBucket)) {
	t.Parallel()
	for name, start := range sealedStores {
		for _, prefix := range prefixes {
			t.Run(name+"/"+prefix, func(t *testing.T) {
				t.Parallel()
				gateway, store := start(t)
				b := openSealed(t, gateway, store, prefix)
				b.create(t)
				test(t, b)
			})
		}
	}
}

// openSealed names a bucket and does not create it.
func openSealed(t *testing.T, gateway *servers.RunningGateway, store *servers.Store, prefix string) *sealedBucket {
	t.Helper()
	transport := authority(t).Transport()
	t.Cleanup(transport.CloseIdleConnections)
	return &sealedBucket{session: newSession(t, through(gateway), prefix, nil), t: t, store: store, raw: awsClient(direct(store), transport)}
}

// via is the same bucket through another gateway.
func (b *sealedBucket) via(gateway *servers.RunningGateway) *sealedBucket {
	c := newSession(b.t, through(gateway), "unused", nil)
	c.bucket = b.bucket
	return &sealedBucket{session: c, t: b.t, store: b.store, raw: b.raw}
}

// storedObject is an object as the store has it.
type storedObject struct {
	body     []byte
	metadata map[string]string
	parts    []int // sizes of the parts, of a multipart object
}

// envelope is the metadata that belongs to the gateway.
const envelope = "sealgate"

// stored reads an object past the gateway.
func (b *sealedBucket) stored(key string) storedObject {
	b.t.Helper()
	got, err := b.raw.GetObject(b.t.Context(), &s3.GetObjectInput{Bucket: &b.bucket, Key: &key})
	if err != nil {
		b.t.Fatalf("%s at the store: %v", key, err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return storedObject{body: body, metadata: got.Metadata}
}

// plant puts an object into the store past the gateway, by parts if it has any.
func (b *sealedBucket) plant(key string, o storedObject) {
	b.t.Helper()
	ctx := b.t.Context()
	if len(o.parts) == 0 {
		_, err := b.raw.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(o.body), Metadata: o.metadata})
		if err != nil {
			b.t.Fatal(err)
		}
		return
	}
	created, err := b.raw.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.bucket, Key: &key, Metadata: o.metadata})
	if err != nil {
		b.t.Fatal(err)
	}
	done, at := &types.CompletedMultipartUpload{}, 0
	for i, size := range o.parts {
		number := aws.Int32(int32(i + 1))
		out, err := b.raw.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &b.bucket, Key: &key, UploadId: created.UploadId, PartNumber: number, Body: bytes.NewReader(o.body[at : at+size]),
		})
		if err != nil {
			b.t.Fatal(err)
		}
		done.Parts = append(done.Parts, types.CompletedPart{PartNumber: number, ETag: out.ETag})
		at += size
	}
	if _, err := b.raw.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &b.bucket, Key: &key, UploadId: created.UploadId, MultipartUpload: done,
	}); err != nil {
		b.t.Fatal(err)
	}
}

// absent wants the store to have nothing under a key.
func (b *sealedBucket) absent(key string) {
	b.t.Helper()
	if _, err := b.raw.HeadObject(b.t.Context(), &s3.HeadObjectInput{Bucket: &b.bucket, Key: &key}); err == nil {
		b.t.Errorf("the store has %q", key)
	}
}

// read gives the bytes a client gets for a range of an object, "" for all of it,
// with what it was told of them.
func (b *sealedBucket) read(key, span string) ([]byte, *s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{Bucket: &b.bucket, Key: &key}
	if span != "" {
		in.Range = &span
	}
	got, err := b.aws.GetObject(b.ctx, in)
	if err != nil {
		return nil, nil, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return body, got, err
}

// ranges wants ranges of an object to be those of body.
func (b *sealedBucket) ranges(key string, body []byte, spans [][2]int) {
	b.t.Helper()
	for _, s := range spans {
		from, to := s[0], min(s[1], len(body)-1)
		if from < 0 || from > to {
			continue
		}
		span := fmt.Sprintf("bytes=%d-%d", from, s[1])
		got, told, err := b.read(key, span)
		if err != nil || !bytes.Equal(got, body[from:to+1]) {
			b.t.Errorf("%s of %s: %d bytes, %v; want %d, or others", span, key, len(got), err, to-from+1)
			continue
		}
		if want := fmt.Sprintf("bytes %d-%d/%d", from, to, len(body)); aws.ToString(told.ContentRange) != want || *told.ContentLength != int64(len(got)) {
			b.t.Errorf("%s of %s: Content-Range %q and length %d, want %q", span, key, aws.ToString(told.ContentRange), *told.ContentLength, want)
		}
	}
}

// tagForms are the ETags of sealed objects: the store's with "-0" behind it, or
// that of a multipart upload.
var tagForms = regexp.MustCompile(`^"[0-9a-f]{32}-(0|[1-9][0-9]*)"$`)

// tag wants an ETag to be of the form that sealed objects have.
func (b *sealedBucket) tag(where string, etag *string) {
	b.t.Helper()
	if !tagForms.MatchString(aws.ToString(etag)) {
		b.t.Errorf("%s: ETag %s", where, aws.ToString(etag))
	}
}

// unseen wants the replies so far to show nothing of the sealing, and nothing the
// store computed from it.
func (b *sealedBucket) unseen() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		for _, line := range strings.Split(e, "\n")[1:] {
			if lower := strings.ToLower(line); strings.Contains(lower, "x-amz-meta-"+envelope) || strings.Contains(lower, "x-amz-object-size") {
				b.t.Errorf("a client saw %q in the reply to %s", line, firstLine(e))
			}
		}
	}
}

// header sends a request of the test's own making and returns the reply's headers.
func (b *sealedBucket) header(method, path string, header map[string]string) http.Header {
	b.t.Helper()
	resp, _ := exactly(b.t, b.session, method, "/"+b.bucket+"/"+path, nil, header)
	return resp.Header
}

// pieces of body, cut at these places.
func pieces(body []byte, at ...int) [][]byte {
	var out [][]byte
	from := 0
	for _, to := range append(slices.Clone(at), len(body)) {
		out = append(out, body[from:to])
		from = to
	}
	return out
}

// storeOf is the store of a test of eachSealed.
func storeOf(t *testing.T) string {
	names := strings.Split(t.Name(), "/")
	return names[len(names)-2]
}
