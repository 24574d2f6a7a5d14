package servers_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sealgate/sealgate/tests/servers"
)

func authority(t *testing.T) *servers.Authority {
	t.Helper()
	a, err := servers.NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func client(a *servers.Authority, s *servers.Store) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint, Region: servers.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
		HTTPClient:  &http.Client{Transport: a.Transport()},
	})
}

func TestMinIOAsksTheKeyServer(t *testing.T) {
	t.Parallel()
	ctx, a := t.Context(), authority(t)
	keys, err := servers.StartKeyServer(a, "key-default", "key-a")
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	store, err := servers.MinIO{Authority: a, Keys: keys}.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := client(a, store)
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, key, want string
		sse             types.ServerSideEncryption
	}{
		{"named key", "key-a", "key-a", types.ServerSideEncryptionAwsKms},
		{"default key", "", "key-default", types.ServerSideEncryptionAwsKms},
		{"store's own", "", "key-default", types.ServerSideEncryptionAes256},
	} {
		in := &s3.PutObjectInput{
			Bucket: aws.String("bucket"), Key: aws.String(tc.name), Body: strings.NewReader("plain"),
			ServerSideEncryption: tc.sse,
		}
		if tc.key != "" {
			in.SSEKMSKeyId = &tc.key
		}
		if _, err := c.PutObject(ctx, in); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		got, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: in.Bucket, Key: in.Key})
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		body, err := io.ReadAll(got.Body)
		got.Body.Close()
		if err != nil || string(body) != "plain" {
			t.Fatalf("%s: read %q, %v", tc.name, body, err)
		}
		asked := keys.Requests("bucket", tc.name)
		if len(asked) == 0 || asked[0].Operation != "generate" || asked[0].Key != tc.want {
			t.Errorf("%s: key server was asked %+v, want to generate with %s", tc.name, asked, tc.want)
		}
	}
	if _, err := c.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("k"), Body: strings.NewReader("plain"),
		ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String("key-unknown"),
	}); err == nil {
		t.Error("a key the key server does not know was accepted")
	}
}

func TestVersityServes(t *testing.T) {
	t.Parallel()
	a := authority(t)
	for name, tls := range map[string]*servers.Authority{"plain": nil, "tls": a} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, err := servers.Versity{Authority: tls}.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if _, err := client(a, store).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(store.Data + "/bucket"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStopEndsTheChild(t *testing.T) {
	t.Parallel()
	store, err := servers.Versity{}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
	store.Close() // twice is harmless
	if resp, err := http.Get(store.Endpoint); err == nil {
		resp.Body.Close()
		t.Error("it still answers")
	}
	if _, err := os.Stat(store.Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its data is still there: %v", err)
	}
}

func TestMissingBinaryNamesTheTarget(t *testing.T) {
	t.Setenv("SEALGATE_CACHE", t.TempDir())
	_, err := servers.MinIO{}.Start(context.Background())
	if !errors.Is(err, servers.ErrMissing) || !strings.Contains(err.Error(), "make servers") {
		t.Errorf("error is %v", err)
	}
}

func TestRecorderKeepsTheWire(t *testing.T) {
	t.Parallel()
	a := authority(t)
	r, err := servers.StartRecorder(a, &servers.EchoStore{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := &http.Client{Transport: a.Transport()}
	for _, body := range []string{"first", "second"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.Endpoint+"/b/a%2Fb", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header["x-amz-meta-file_name"] = []string{body}
		req.Header.Set("x-amz-server-side-encryption", "aws:kms:dsse")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if got := resp.Header.Get("x-amz-server-side-encryption"); got != "aws:kms:dsse" {
			t.Errorf("reply shows encryption %q", got)
		}
	}
	seen := r.Requests()
	if len(seen) != 2 || r.Connections() != 1 {
		t.Fatalf("%d requests over %d connections, want 2 over 1", len(seen), r.Connections())
	}
	for i, body := range []string{"first", "second"} {
		wire := seen[i].Wire
		if !bytes.HasPrefix(wire, []byte("PUT /b/a%2Fb HTTP/1.1\r\n")) || !bytes.HasSuffix(wire, []byte("\r\n\r\n"+body)) ||
			!bytes.Contains(wire, []byte("x-amz-meta-file_name: "+body)) {
			t.Errorf("request %d on the wire:\n%q", i, wire)
		}
		if string(seen[i].Body) != body || !seen[i].Complete {
			t.Errorf("request %d: body %q, complete %t", i, seen[i].Body, seen[i].Complete)
		}
	}
}
