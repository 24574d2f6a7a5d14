package tests

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealgate/sealgate/tests/servers"
)

// exactly sends a signed request for a path as it is written.
func exactly(t *testing.T, c *session, method, path string, body []byte, header map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.place.endpoint, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = "//" + req.URL.Host + path
	for name, v := range header {
		req.Header.Set(name, v)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	sign(t, req, c.place, hash)
	resp, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

// TestStoresReadMoreThanS3: what a store makes of a request beyond S3 must not lead
// around what was decided.
func TestStoresReadMoreThanS3(t *testing.T) {
	t.Parallel()
	rules := posture(`  "*": {"": {mode: sse-s3}, "payments/": {mode: sse-kms, key_id: ` + keyA + `}}`)
	plain := posture(`  "*": {"": {mode: none}, "payments/": {mode: sse-s3}}`)
	minio, versity := minioStore(t), versityStore(t)
	before := map[string]*servers.RunningGateway{
		"minio": ownGateway(t, servers.Gateway{
			Upstream: minio.Endpoint, AccessKey: minio.AccessKey, SecretKey: minio.SecretKey, Files: map[string]string{"posture.yaml": rules},
		}),
		"versitygw": ownGateway(t, servers.Gateway{
			Upstream: versity.Endpoint, AccessKey: versity.AccessKey, SecretKey: versity.SecretKey, Files: map[string]string{"posture.yaml": plain},
		}),
	}
	for name, gateway := range before {
		c := newSession(t, through(gateway), "attack", nil)
		c.create(t)
		for _, key := range []string{"/payments/a", "//payments/b", "./payments/c", "x/../payments/d", "%2fpayments/e", "%2e/payments/f"} {
			if resp, body := exactly(t, c, http.MethodPut, "/"+c.bucket+"/"+key, []byte("x"), nil); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: a write of %s under another rule: %d %s", name, key, resp.StatusCode, body)
			}
		}
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		if err := w.WriteHeader(&tar.Header{Name: "payments/unpacked", Size: 1, Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("x"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		resp, body := exactly(t, c, http.MethodPut, "/"+c.bucket+"/a.tar", archive.Bytes(), map[string]string{"X-Amz-Meta-Snowball-Auto-Extract": "true"})
		if resp.StatusCode != http.StatusNotImplemented {
			t.Errorf("%s: an archive to unpack: %d %s", name, resp.StatusCode, body)
		}
		for _, path := range []string{"/minio/admin/v3/export-iam", "/minio/admin/v3/info", "/minio/kms/v1/status"} {
			if resp, body := exactly(t, c, http.MethodGet, path, nil, nil); resp.StatusCode != http.StatusNotImplemented {
				t.Errorf("%s: the store's administration at %s: %d, %d bytes", name, path, resp.StatusCode, len(body))
			}
		}
		listed, err := c.aws.ListObjectsV2(c.ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range listed.Contents {
			t.Errorf("%s: %s was written", name, *o.Key)
		}
		// Where nothing differs, the key is the store's business.
		if resp, body := exactly(t, c, http.MethodPut, "/"+c.bucket+"//top", []byte("x"), nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: a leading slash under one rule: %d %s", name, resp.StatusCode, body)
		}
	}
}
