package tests

import "testing"

func TestSelf(t *testing.T) {
	t.Parallel()
	for client, scenarios := range map[string][]scenario{"aws-sdk-go-v2": awsScenarios, "minio-go": minioScenarios} {
		for _, s := range scenarios {
			t.Run("versity/"+client+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				p := direct(versityStore(t))
				a := newSession(t, p, "none", nil)
				s.run(t, a)
				b := newSession(t, p, "none", nil)
				s.run(t, b)
				same(t, a.entries, b.entries)
			})
			t.Run("minio/"+client+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				p := direct(minioStore(t))
				a := newSession(t, p, "none", nil)
				s.run(t, a)
				b := newSession(t, p, "none", nil)
				s.run(t, b)
				same(t, a.entries, b.entries)
			})
		}
	}
}
