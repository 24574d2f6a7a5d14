package tests

import (
	"testing"

	"github.com/sealgate/sealgate/tests/servers"
)

// TestDifferential runs every scenario against a store and through the gateway
// in front of that store, and compares all that a client can see.
func TestDifferential(t *testing.T) {
	t.Parallel()
	took.module(t, "github.com/aws/aws-sdk-go-v2/service/s3")
	took.module(t, "github.com/minio/minio-go/v7")
	setups := []struct {
		name, bucket string
		start        func(testing.TB) (*servers.RunningGateway, *servers.Store)
		place        func(*servers.RunningGateway) place
		omit         []string // headers of which only the gateway is sure to tell
	}{
		{name: "versitygw", bucket: "none", start: versityGateway, place: through},
		{name: "versitygw over http", bucket: "none", start: versityGateway, place: throughPlain},
		{name: "minio", bucket: "none", start: minioGateway, place: through},
		{
			name: "minio with sse-s3", bucket: "sse-s3", start: minioGateway, place: through,
			omit: []string{"x-amz-server-side-encryption"},
		},
	}
	for _, setup := range setups {
		for client, scenarios := range map[string][]scenario{"aws-sdk-go-v2": awsScenarios, "minio-go": minioScenarios} {
			for _, s := range scenarios {
				if s.tls && setup.name == "versitygw over http" {
					continue
				}
				t.Run(setup.name+"/"+client+"/"+s.name, func(t *testing.T) {
					t.Parallel()
					gateway, store := setup.start(t)
					there := newSession(t, direct(store), setup.bucket, setup.omit)
					there.encrypted = setup.bucket == "sse-s3"
					s.run(t, there)
					here := newSession(t, setup.place(gateway), setup.bucket, setup.omit)
					s.run(t, here)
					same(t, there.entries, here.entries)
				})
			}
		}
	}
}
