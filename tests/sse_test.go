package tests

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sealgate/sealgate/tests/servers"
)

// plaintext is what must not be found on a store's disk.
var plaintext = []byte("this very sentence must never reach the disk of the store; ")

// applied is what a request must lead to, whoever asked for it.
type applied struct {
	header string // x-amz-server-side-encryption of the reply
	key    string // the key the key server was asked for; "" if none
	tenant string // the context it was asked with, beside the store's own entry
}

// ways to store an object: what policy demands must hold for each.
var ways = []struct {
	name  string
	store func(t *testing.T, c *session, key string) http.Header
}{
	{"put", func(t *testing.T, c *session, key string) http.Header {
		out, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, Body: bytes.NewReader(plaintext)})
		c.ok(t, err)
		if err != nil {
			return nil
		}
		return told(out.ServerSideEncryption, out.SSEKMSKeyId)
	}},
	{"large put", func(t *testing.T, c *session, key string) http.Header {
		out, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, Body: bytes.NewReader(bytes.Repeat(plaintext, 10_000))})
		c.ok(t, err)
		if err != nil {
			return nil
		}
		return told(out.ServerSideEncryption, out.SSEKMSKeyId)
	}},
	{"copy", func(t *testing.T, c *session, key string) http.Header {
		c.put(t, "source of copy", plaintext)
		out, err := c.aws.CopyObject(c.ctx, &s3.CopyObjectInput{Bucket: &c.bucket, Key: &key, CopySource: aws.String(c.bucket + "/source%20of%20copy")})
		c.ok(t, err)
		if err != nil {
			return nil
		}
		return told(out.ServerSideEncryption, out.SSEKMSKeyId)
	}},
	{"multipart", func(t *testing.T, c *session, key string) http.Header {
		u := c.begin(t, &s3.CreateMultipartUploadInput{Key: &key})
		u.part(2, plaintext, "")
		u.part(1, bytes.Repeat(plaintext, partSize/len(plaintext)+1), "")
		c.ok(t, u.complete(1, 2))
		return nil
	}},
	{"multipart copy", func(t *testing.T, c *session, key string) http.Header {
		c.put(t, "source of part", bytes.Repeat(plaintext, 100))
		u := c.begin(t, &s3.CreateMultipartUploadInput{Key: &key})
		out, err := c.aws.UploadPartCopy(c.ctx, &s3.UploadPartCopyInput{
			Bucket: &c.bucket, Key: &key, UploadId: u.id, PartNumber: aws.Int32(1), CopySource: aws.String(c.bucket + "/source%20of%20part"),
		})
		c.ok(t, err)
		if err == nil {
			u.done[1] = types.CompletedPart{PartNumber: aws.Int32(1), ETag: out.CopyPartResult.ETag}
			c.ok(t, u.complete(1))
		}
		return nil
	}},
	{"presigned put", func(t *testing.T, c *session, key string) http.Header {
		signed, err := s3.NewPresignClient(c.aws).PresignPutObject(c.ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(c.ctx, http.MethodPut, signed.URL, bytes.NewReader(plaintext))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Do(req)
		c.ok(t, err)
		if err != nil {
			return nil
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("presigned PUT: %s", resp.Status)
		}
		return resp.Header
	}},
	{"form", func(t *testing.T, c *session, key string) http.Header {
		return c.post(t, key, nil)
	}},
}

func told(mode types.ServerSideEncryption, key *string) http.Header {
	h := make(http.Header)
	h.Set("X-Amz-Server-Side-Encryption", string(mode))
	if key != nil {
		h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", *key)
	}
	return h
}

// TestPolicyEncrypts: clients that ask for nothing get what policy demands. The
// store says so, its key server was really asked, and the disk shows no plaintext.
func TestPolicyEncrypts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		bucket string
		want   applied
	}{
		{"none", applied{}},
		{"sse-s3", applied{header: "AES256", key: keyDefault}},
		{"sse-kms", applied{header: "aws:kms", key: keyA, tenant: "blue"}},
		{"sse-kms-keys", applied{header: "aws:kms", key: keyA}},
	} {
		for _, way := range ways {
			t.Run(tc.bucket+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				gateway, store := minioGateway(t)
				c := newSession(t, through(gateway), tc.bucket, nil)
				c.create(t)
				const key = "an object"
				reply := way.store(t, c, key)
				if got := reply.Get("X-Amz-Server-Side-Encryption"); reply != nil && got != tc.want.header {
					t.Errorf("the reply says %q, want %q", got, tc.want.header)
				}
				tc.want.check(t, store, c.bucket, key)
			})
		}
	}
}

// check asks the store itself, its key server and its disk.
func (want applied) check(t *testing.T, store *servers.Store, bucket, key string) {
	t.Helper()
	transport := authority(t).Transport()
	defer transport.CloseIdleConnections()
	head, err := awsClient(direct(store), transport).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Errorf("HEAD at the store: %v", err)
		return
	}
	if got := string(head.ServerSideEncryption); got != want.header {
		t.Errorf("the store holds it as %q, want %q", got, want.header)
	}
	if got := strings.TrimPrefix(aws.ToString(head.SSEKMSKeyId), "arn:aws:kms:"); want.header == "aws:kms" && got != want.key {
		t.Errorf("the store names key %q, want %q", got, want.key)
	}
	asked := keyServer(t).Requests(bucket, key)
	if want.key == "" && len(asked) > 0 {
		t.Errorf("the key server was asked %+v", asked)
	}
	generated := false
	for _, r := range asked {
		context := maps.Clone(r.Context)
		delete(context, bucket) // the store's own entry
		if r.Operation != "generate" {
			continue
		}
		generated = true
		if r.Key != want.key || context["tenant"] != want.tenant {
			t.Errorf("the key server was asked for %s with context %v, want %s with tenant %q", r.Key, context, want.key, want.tenant)
		}
	}
	if want.key != "" && !generated {
		t.Error("the key server was never asked for a data key")
	}
	if found := onDisk(t, filepath.Join(store.Data, bucket, key)); found != (want.header == "") {
		t.Errorf("plaintext on the store's disk: %t", found)
	}
}

// onDisk reports whether a file below dir holds the plaintext.
func onDisk(t *testing.T, dir string) bool {
	t.Helper()
	found, files := false, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, plaintext)
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("looking for the object on disk: %d files, %v", files, err)
	}
	return found
}

// TestClientsAsk: what clients ask for themselves, and what becomes of it.
func TestClientsAsk(t *testing.T) {
	t.Parallel()
	const contextGreen = "eyJ0ZW5hbnQiOiJncmVlbiJ9" // {"tenant":"green"}
	for _, tc := range []struct {
		name, bucket string
		ask          s3.PutObjectInput
		want         applied
		refused      string
	}{
		{name: "more than none", bucket: "none", ask: s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAes256},
			want: applied{header: "AES256", key: keyDefault}, refused: "maybe"},
		{name: "what is demanded", bucket: "sse-s3-strict", ask: s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAes256},
			want: applied{header: "AES256", key: keyDefault}},
		{name: "another mode, rejected", bucket: "sse-s3-strict", ask: s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAwsKms},
			refused: "AccessDenied"},
		{name: "a weaker mode, replaced", bucket: "sse-kms", ask: s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAes256},
			want: applied{header: "aws:kms", key: keyA, tenant: "blue"}},
		{name: "another key and context, replaced", bucket: "sse-kms",
			ask: s3.PutObjectInput{
				ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(keyB), SSEKMSEncryptionContext: aws.String(contextGreen),
			},
			want: applied{header: "aws:kms", key: keyA, tenant: "blue"}},
		{name: "another allowed key", bucket: "sse-kms-keys",
			ask:  s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(keyB)},
			want: applied{header: "aws:kms", key: keyB}},
		{name: "the allowed key by its other name", bucket: "sse-kms-keys",
			ask:  s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String("arn:aws:kms:" + keyB)},
			want: applied{header: "aws:kms", key: keyB}},
		{name: "a key that is not allowed", bucket: "sse-kms-keys",
			ask:     s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(keyDefault)},
			refused: "AccessDenied"},
		{name: "no such mode", bucket: "sse-s3", ask: s3.PutObjectInput{ServerSideEncryption: "rot13"}, refused: "InvalidArgument"},
		{name: "two modes at once", bucket: "sse-s3",
			ask:     s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAes256, SSEKMSKeyId: aws.String(keyA)},
			refused: "InvalidArgument"},
		{name: "a context that is none", bucket: "sse-kms",
			ask:     s3.PutObjectInput{ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSEncryptionContext: aws.String("!")},
			refused: "InvalidArgument"},
		{name: "plaintext where a customer's key is demanded", bucket: "sse-c", refused: "AccessDenied"},
		{name: "what the store cannot do", bucket: "dsse-kms", refused: "maybe"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			gateway, store := minioGateway(t)
			c := newSession(t, through(gateway), tc.bucket, nil)
			c.create(t)
			tc.ask.Bucket, tc.ask.Key, tc.ask.Body = &c.bucket, aws.String("k"), bytes.NewReader(plaintext)
			_, err := c.aws.PutObject(c.ctx, &tc.ask)
			switch {
			case err == nil && (tc.refused == "" || tc.want.header != ""):
				tc.want.check(t, store, c.bucket, "k")
			case err == nil:
				t.Errorf("it was stored; want it refused with %s", tc.refused)
			case tc.refused != "maybe" && errorCode(err) != tc.refused:
				t.Errorf("it was refused with %s, want %q: %v", errorCode(err), tc.refused, err)
			default:
				if _, err := os.Stat(filepath.Join(store.Data, c.bucket, "k")); err == nil {
					t.Error("it was refused, and stored all the same")
				}
			}
		})
	}
}

// customerKey is a key of SSE-C, in the headers' forms.
func customerKey(fill byte) (key, sum string) {
	k := bytes.Repeat([]byte{fill}, 32)
	hash := md5.Sum(k)
	return base64.StdEncoding.EncodeToString(k), base64.StdEncoding.EncodeToString(hash[:])
}

// TestCustomerKeys: SSE-C works end to end where policy wants it.
func TestCustomerKeys(t *testing.T) {
	t.Parallel()
	gateway, store := minioGateway(t)
	c := newSession(t, through(gateway), "sse-c", nil)
	c.create(t)
	key, sum := customerKey('k')
	other, otherSum := customerKey('o')
	algorithm := aws.String("AES256")
	_, err := c.aws.PutObject(c.ctx, &s3.PutObjectInput{
		Bucket: &c.bucket, Key: aws.String("k"), Body: bytes.NewReader(plaintext),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: &key, SSECustomerKeyMD5: &sum,
	})
	c.ok(t, err)
	if err != nil {
		return
	}
	if onDisk(t, filepath.Join(store.Data, c.bucket, "k")) {
		t.Error("plaintext on the store's disk")
	}
	got, err := c.aws.GetObject(c.ctx, &s3.GetObjectInput{
		Bucket: &c.bucket, Key: aws.String("k"), SSECustomerAlgorithm: algorithm, SSECustomerKey: &key, SSECustomerKeyMD5: &sum,
	})
	c.ok(t, err)
	if err == nil {
		var body bytes.Buffer
		if _, err := body.ReadFrom(got.Body); err != nil || !bytes.Equal(body.Bytes(), plaintext) {
			t.Errorf("read %d bytes, %v", body.Len(), err)
		}
		got.Body.Close()
	}
	_, err = c.aws.GetObject(c.ctx, &s3.GetObjectInput{
		Bucket: &c.bucket, Key: aws.String("k"), SSECustomerAlgorithm: algorithm, SSECustomerKey: &other, SSECustomerKeyMD5: &otherSum,
	})
	c.refused(t, err)
	_, err = c.aws.GetObject(c.ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("k")})
	c.refused(t, err)
	_, err = c.aws.CopyObject(c.ctx, &s3.CopyObjectInput{
		Bucket: &c.bucket, Key: aws.String("copy"), CopySource: aws.String(c.bucket + "/k"),
		CopySourceSSECustomerAlgorithm: algorithm, CopySourceSSECustomerKey: &key, CopySourceSSECustomerKeyMD5: &sum,
		SSECustomerAlgorithm: algorithm, SSECustomerKey: &other, SSECustomerKeyMD5: &otherSum,
	})
	c.ok(t, err)

	u := &s3.CreateMultipartUploadInput{Bucket: &c.bucket, Key: aws.String("parts"), SSECustomerAlgorithm: algorithm, SSECustomerKey: &key, SSECustomerKeyMD5: &sum}
	created, err := c.aws.CreateMultipartUpload(c.ctx, u)
	c.ok(t, err)
	if err != nil {
		return
	}
	part, err := c.aws.UploadPart(c.ctx, &s3.UploadPartInput{
		Bucket: &c.bucket, Key: u.Key, UploadId: created.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(plaintext),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: &key, SSECustomerKeyMD5: &sum,
	})
	c.ok(t, err)
	if err == nil {
		_, err = c.aws.CompleteMultipartUpload(c.ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &c.bucket, Key: u.Key, UploadId: created.UploadId,
			MultipartUpload:      &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}},
			SSECustomerAlgorithm: algorithm, SSECustomerKey: &key, SSECustomerKeyMD5: &sum,
		})
		c.ok(t, err)
	}
	for _, secret := range []string{key, other} {
		log, err := os.ReadFile(filepath.Join(gateway.Dir, "sealgate.log"))
		if err != nil {
			t.Fatal(err)
		}
		if records, err := gateway.Decisions(); err != nil || bytes.Contains(records, []byte(secret)) || bytes.Contains(log, []byte(secret)) {
			t.Errorf("a customer's key stands in a log (%v)", err)
		}
	}
}
