package tests

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// post uploads the plaintext with a browser's form that allows it, and returns
// the headers of the reply.
func (c *session) post(t *testing.T, key string, fields map[string]string) http.Header {
	t.Helper()
	policy := minio.NewPostPolicy()
	for _, err := range []error{policy.SetBucket(c.bucket), policy.SetKey(key), policy.SetExpires(time.Now().Add(time.Hour))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	target, signed, err := c.minio.PresignedPostPolicy(c.ctx, policy)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range fields {
		signed[name] = v
	}
	kind, body := multipartForm(t, signed, string(plaintext))
	req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := c.http.Do(req)
	c.ok(t, err)
	if err != nil {
		return nil
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Errorf("form: %s", resp.Status)
	}
	return resp.Header
}
