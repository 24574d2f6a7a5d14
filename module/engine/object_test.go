package engine

import (
	"net/http"
	"strings"
	"testing"
)

func TestPutObjectIsSentAsDecided(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		posture string
		header  []string
		want    map[string]string // headers at the store; "" = absent
	}{
		{"nothing asked, SSE-S3 decided", openPosture("mode: sse-s3"), nil,
			map[string]string{"X-Amz-Server-Side-Encryption": "AES256"}},
		{"nothing asked, SSE-KMS with key and bucket key decided", openPosture("mode: sse-kms", "key_id: key-a", "bucket_key: true"), nil,
			map[string]string{
				"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-a",
				"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true",
			}},
		{"nothing asked, DSSE decided", openPosture("mode: dsse-kms", "key_id: key-a"), nil,
			map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms:dsse", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-a"}},
		{"AES256 asked, SSE-KMS decided, replace", openPosture("mode: sse-kms", "key_id: key-a", "on_conflict: replace"),
			[]string{"X-Amz-Server-Side-Encryption: AES256"},
			map[string]string{"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "key-a"}},
		{"none decided", openPosture("mode: none"), nil, map[string]string{"X-Amz-Server-Side-Encryption": ""}},
		{"metadata and content headers pass", openPosture("mode: sse-s3"),
			[]string{"X-Amz-Meta-File_name: a.txt", "X-Amz-Meta-V1.0: x", "Cache-Control: no-cache", "Content-Type: text/x", "X-Amz-Storage-Class: STANDARD_IA"},
			map[string]string{"X-Amz-Meta-File_name": "a.txt", "X-Amz-Meta-V1.0": "x", "Cache-Control": "no-cache", "Content-Type": "text/x", "X-Amz-Storage-Class": "STANDARD_IA"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, tt.posture)
			reply := b.do(b.request(http.MethodPut, "/bucket/dir/a%20b%2Bc", "hello", tt.header...))
			if reply.StatusCode != http.StatusOK {
				t.Fatalf("status %d: %s", reply.StatusCode, reply.body)
			}
			got := b.store.only(t)
			if got.uri != "/bucket/dir/a%20b%2Bc" || string(got.body) != "hello" || !got.complete {
				t.Errorf("the store got %s %q", got.uri, got.body)
			}
			for name, want := range tt.want {
				if v := got.header.Get(name); v != want {
					t.Errorf("%s = %q at the store, want %q", name, v, want)
				}
			}
			if strings.Contains(got.header.Get("Authorization"), testKey) {
				t.Error("the client's own signature reached the store")
			}
			if reply.Header.Get("X-Amz-Request-Id") != b.lastRecord().ID {
				t.Error("the request id is not that of the decision record")
			}
		})
	}
}

func TestDeniedRequestsLeaveTheStoreUntouched(t *testing.T) {
	t.Parallel()
	kms := openPosture("mode: sse-kms", "key_id: key-a")
	tests := []struct {
		name    string
		posture string
		request func(b *bed) *http.Request
		status  int
		code    string
		rule    string
	}{
		{"weaker encryption asked", kms, func(b *bed) *http.Request {
			return b.request(http.MethodPut, "/bucket/key", "x", "X-Amz-Server-Side-Encryption: AES256")
		}, 403, "AccessDenied", "ENF-003"},
		{"foreign key asked", kms, func(b *bed) *http.Request {
			return b.request(http.MethodPut, "/bucket/key", "x", "X-Amz-Server-Side-Encryption: aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: evil")
		}, 403, "AccessDenied", "KEY-001"},
		{"no grant", "version: 1\nbuckets: {\"*\": {\"\": {mode: sse-s3}}}\ngrants: []\n", func(b *bed) *http.Request {
			return b.request(http.MethodPut, "/bucket/key", "x")
		}, 403, "AccessDenied", "GRT-000"},
		{"no posture for the bucket", "version: 1\nbuckets: {other: {\"\": {mode: sse-s3}}}\ngrants: [{id: all, principals: [app], actions: [\"s3:*\"], resources: [\"*\"]}]\n",
			func(b *bed) *http.Request { return b.request(http.MethodPut, "/bucket/key", "x") }, 403, "AccessDenied", "ENC-001"},
		{"sealing without a keyring", openPosture("mode: cse", "keyring: main"), func(b *bed) *http.Request {
			return b.request(http.MethodPut, "/bucket/key", "x")
		}, 501, "NotImplemented", ""},
		{"public ACL", openPosture("mode: sse-s3"), func(b *bed) *http.Request {
			return b.request(http.MethodPut, "/bucket/key", "x", "X-Amz-Acl: public-read")
		}, 403, "AccessDenied", "ACL-001"},
		{"anonymous", openPosture("mode: sse-s3"), func(b *bed) *http.Request {
			r, _ := http.NewRequest(http.MethodPut, b.gateway.URL+"/bucket/key", strings.NewReader("x"))
			return r
		}, 403, "AccessDenied", "GRT-000"},
		{"wrong signature", openPosture("mode: sse-s3"), func(b *bed) *http.Request {
			r := b.request(http.MethodPut, "/bucket/key", "x")
			signed := r.Header.Get("Authorization")
			last := "0"
			if strings.HasSuffix(signed, last) {
				last = "1"
			}
			r.Header.Set("Authorization", signed[:len(signed)-1]+last)
			return r
		}, 403, "SignatureDoesNotMatch", ""},
		{"header added after signing", openPosture("mode: sse-s3"), func(b *bed) *http.Request {
			r := b.request(http.MethodPut, "/bucket/key", "x")
			r.Header.Set("X-Amz-Copy-Source", "/bucket/other")
			return r
		}, 403, "AccessDenied", ""},
		{"wrong hash", openPosture("mode: sse-s3"), func(b *bed) *http.Request {
			return b.request(http.MethodPut, "/bucket/key", "x", "X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
		}, 400, "XAmzContentSHA256Mismatch", ""},
		{"object encryption on a store that does not know it", openPosture("mode: sse-s3"), func(b *bed) *http.Request {
			return b.request(http.MethodPut, "/bucket/key?encryption", "<ObjectEncryption/>")
		}, 501, "NotImplemented", ""},
		{"unknown sub-resource", openPosture("mode: sse-s3"), func(b *bed) *http.Request {
			return b.request(http.MethodPut, "/bucket/key?newthing", "x")
		}, 400, "InvalidArgument", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, tt.posture)
			reply := b.do(tt.request(b))
			e := reply.err(t)
			if reply.StatusCode != tt.status || e.Code != tt.code {
				t.Errorf("got %d %s (%s), want %d %s", reply.StatusCode, e.Code, e.Message, tt.status, tt.code)
			}
			if tt.rule != "" && !contains(e.RuleID, tt.rule) {
				t.Errorf("rule ids %v, want %s", e.RuleID, tt.rule)
			}
			b.store.untouched(t)
			rec := b.lastRecord()
			if e.RequestID != rec.ID || rec.Outcome == OutcomeOK {
				t.Errorf("record %s outcome %s does not fit the reply %s", rec.ID, rec.Outcome, e.RequestID)
			}
		})
	}
}

func contains(list []string, want string) bool {
	for _, v := range list {
		if v == want {
			return true
		}
	}
	return false
}
