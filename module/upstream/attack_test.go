package upstream

import (
	"net/url"
	"testing"
)

// MinIO serves its administration under /minio/ on every host name: a key must
// not lead there.
func TestAttackNoKeyLeadsToAdministration(t *testing.T) {
	c, err := New(Config{Endpoint: &url.URL{Scheme: "https", Host: "minio.example.com"}, Region: "us-east-1", Addressing: VirtualHost})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"minio/admin/v3/export-iam": "https://minio.example.com/bucket/minio/admin/v3/export-iam",
		"minio":                     "https://bucket.minio.example.com/minio",
		"minio-x/y":                 "https://bucket.minio.example.com/minio-x/y",
	} {
		u, err := c.locate(&Call{Bucket: "bucket", Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if u.String() != want {
			t.Errorf("%s goes to %s, want %s", key, u, want)
		}
	}
}
