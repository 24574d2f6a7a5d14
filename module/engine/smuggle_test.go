package engine

import (
	"net/http"
	"strings"
	"testing"
)

// What a client sends beside what its operation takes does not reach the store.
func TestNothingBesideTheOperationReachesTheStore(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, path string
		header             []string
		absent             []string // header names
		query              string   // what is left of the query
	}{
		{"preflight", http.MethodOptions, "/bucket/key?acl&x=y", []string{
			"Origin: https://a.example", "Access-Control-Request-Method: PUT", "X-Amz-Storage-Class: GLACIER", "X-Amz-Copy-Source: /bucket/x", "X-Amz-Meta-A: b", "Range: bytes=0-1", "Content-Encoding: gzip",
		}, []string{"X-Amz-Storage-Class", "X-Amz-Copy-Source", "X-Amz-Meta-A", "Range", "Content-Encoding"}, ""},
		{"framing of one hop", http.MethodPost, "/bucket/key?uploads", []string{"Content-Encoding: aws-chunked"}, []string{"Content-Encoding"}, "?uploads="},
		{"range of a write", http.MethodPut, "/bucket/key", []string{"Range: bytes=0-1", "If-Range: x", "Content-Range: bytes 0-1/2"}, []string{"Range", "If-Range", "Content-Range"}, ""},
		{"headers of other protocols", http.MethodPut, "/bucket/key", []string{
			"X-Forwarded-For: 1.2.3.4", "X-Http-Method-Override: DELETE", "X-Goog-Acl: public-read", "X-Ms-Blob-Type: x", "Cookie: a=b", "X-Minio-Source-Mtime: x", "X-Minio-Force-Delete: true",
		}, []string{"X-Forwarded-For", "X-Http-Method-Override", "X-Goog-Acl", "X-Ms-Blob-Type", "Cookie", "X-Minio-Source-Mtime", "X-Minio-Force-Delete"}, ""},
		{"hop headers", http.MethodGet, "/bucket/key?x-id=GetObject&versionId=v", []string{"Te: trailers", "Upgrade: x"}, []string{"Te", "Upgrade"}, "?versionId=v"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: none"))
			reply := b.do(b.request(tt.method, tt.path, "", tt.header...))
			if reply.StatusCode != http.StatusOK {
				t.Fatalf("status %d: %s", reply.StatusCode, reply.body)
			}
			got := b.store.only(t)
			for _, name := range tt.absent {
				if v, ok := got.header[name]; ok {
					t.Errorf("%s: %q reached the store", name, v)
				}
			}
			if _, query, _ := strings.Cut(got.uri, "?"); query != strings.TrimPrefix(tt.query, "?") {
				t.Errorf("the store was asked for %s, want query %q", got.uri, tt.query)
			}
		})
	}
}

// Requests that two readers could read differently are refused.
func TestAmbiguousRequestsAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, path, body string
		header                   []string
	}{
		{"tags that name one key twice", http.MethodPut, "/bucket/key", "x", []string{"X-Amz-Tagging: class=public&class=secret"}},
		{"tags with another separator", http.MethodPut, "/bucket/key", "x", []string{"X-Amz-Tagging: class=public;class=secret"}},
		{"tags that cannot be decoded", http.MethodPost, "/bucket/key?uploads", "", []string{"X-Amz-Tagging: class=%zz"}},
		{"a parameter twice", http.MethodGet, "/bucket/key?versionId=a&versionId=b", "", nil},
		{"an unknown parameter", http.MethodPut, "/bucket/key?append", "x", nil},
		{"a hoisted header without a signed URL", http.MethodPut, "/bucket/key?x-amz-acl=public-read", "x", nil},
		{"an encryption header of a read", http.MethodGet, "/bucket/key", "", []string{sseHeader + ": AES256"}},
		{"an unknown encryption header", http.MethodPut, "/bucket/key", "x", []string{"X-Amz-Server-Side-Encryption-Level: low"}},
		{"a body where none belongs", http.MethodGet, "/bucket/key", "x", nil},
		{"a body of a new upload", http.MethodPost, "/bucket/key?uploads", "x", nil},
		{"a body of a copy", http.MethodPut, "/bucket/key", "x", []string{"X-Amz-Copy-Source: /bucket/from"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: none"))
			reply := b.do(b.request(tt.method, tt.path, tt.body, tt.header...))
			if reply.StatusCode != http.StatusBadRequest {
				t.Errorf("status %d, want 400: %s", reply.StatusCode, reply.body)
			}
			b.store.untouched(t)
		})
	}
}

const anonymousPosture = "version: 1\nbuckets: {\"*\": {\"\": {mode: none}}}\n" +
	"grants: [{id: everyone, principals: [anonymous], actions: [\"s3:GetObject\", \"s3:GetBucketCORS\", \"s3:PutObject\"], resources: [\"bucket\", \"bucket/*\"]}]\n"

func TestUnsignedRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, method, path string
		header             []string
		status             int
		code               string
	}{
		{"read", http.MethodGet, "/bucket/key", nil, 200, ""},
		{"read of what is not granted", http.MethodGet, "/other/key", nil, 403, "AccessDenied"},
		{"a read that dresses the object up", http.MethodGet, "/bucket/key?response-content-type=text/html", nil, 400, "InvalidRequest"},
		{"write", http.MethodPut, "/bucket/key", nil, 403, "AccessDenied"},
		{"preflight", http.MethodOptions, "/bucket/key", []string{"Origin: https://a.example", "Access-Control-Request-Method: PUT"}, 200, ""},
		{"preflight of what is not granted", http.MethodOptions, "/other/key", []string{"Origin: https://a.example", "Access-Control-Request-Method: PUT"}, 403, "AccessDenied"},
		{"preflight without an origin", http.MethodOptions, "/bucket/key", nil, 400, "BadRequest"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, anonymousPosture)
			b.store.setReply(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				w.Header().Set("Access-Control-Allow-Origin", "https://a.example")
			})
			r, err := http.NewRequest(tt.method, b.gateway.URL+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range tt.header {
				name, value, _ := strings.Cut(line, ": ")
				r.Header.Set(name, value)
			}
			reply := b.do(r)
			if reply.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", reply.StatusCode, tt.status, reply.body)
			}
			if tt.code == "" {
				if got := b.store.only(t); got.header.Get("Origin") != r.Header.Get("Origin") {
					t.Errorf("the store sees origin %q", got.header.Get("Origin"))
				}
				if reply.Header.Get("Access-Control-Allow-Origin") == "" {
					t.Error("the store's CORS header did not reach the client")
				}
				return
			}
			if e := reply.err(t); e.Code != tt.code {
				t.Errorf("code %s (%s), want %s", e.Code, e.Message, tt.code)
			}
			b.store.untouched(t)
		})
	}
}

// What is deleted is what was decided, whatever the spelling.
func TestDeleteSendsTheKeysDecided(t *testing.T) {
	t.Parallel()
	const posture = "version: 1\nbuckets: {\"*\": {\"\": {mode: none}}}\n" +
		"grants: [{id: mine, principals: [app], actions: [\"s3:DeleteObject\"], resources: [\"bucket/mine/*\"]}]\n"
	tests := []struct {
		name, keys string
		want       string // the Key elements at the store; "" = nothing sent
	}{
		{"character references", "<Key>mine/a&#13;&#10;b</Key>", "<Key>mine/a&#xD;&#xA;b</Key>"},
		{"CDATA and comments", "<Key>mine/<![CDATA[<x>]]><!-- yours/ -->y</Key>", "<Key>mine/&lt;x&gt;y</Key>"},
		{"a line end in the document", "<Key>mine/a\r\nb</Key>", "<Key>mine/a&#xA;b</Key>"},
		{"percent signs are no escapes", "<Key>mine/%2e%2e</Key>", "<Key>mine/%2e%2e</Key>"},
		{"dot segments are not resolved", "<Key>mine/x/../y</Key>", "<Key>mine/x/../y</Key>"},
		{"another namespace", `<Key xmlns="urn:x">mine/a</Key>`, "<Key>mine/a</Key>"},
		{"a control character", "<Key>mine/a&#1;</Key>", ""},
		{"two keys in one object", "<Key>mine/a</Key><Key>yours/a</Key>", ""},
		{"an unknown element", "<Key>mine/a</Key><Prefix>yours/</Prefix>", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, posture)
			reply := b.do(b.request(http.MethodPost, "/bucket?delete", "<Delete><Object>"+tt.keys+"</Object></Delete>"))
			if tt.want == "" {
				if reply.StatusCode != http.StatusBadRequest {
					t.Errorf("status %d, want 400", reply.StatusCode)
				}
				b.store.untouched(t)
				return
			}
			if got := b.store.only(t); !strings.Contains(string(got.body), "<Object>"+tt.want+"</Object>") {
				t.Errorf("the store was asked to delete %s, want %s", got.body, tt.want)
			}
		})
	}
}

// A store that keeps objects as files resolves what another takes for part of a
// key: such a key needs a grant under both names.
func TestNoKeyLeavesItsGrant(t *testing.T) {
	t.Parallel()
	const posture = "version: 1\nbuckets: {\"*\": {\"\": {mode: sse-s3}, secret/: {mode: sse-kms, key_id: k}}}\n" +
		"grants: [{id: mine, principals: [app], actions: [\"s3:*\"], resources: [\"bucket/mine/*\", \"open\", \"open/*\"]}]\n"
	tests := []struct{ name, method, path, body, header string }{
		{"read", http.MethodGet, "/bucket/mine/../yours", "", ""},
		{"encoded dots", http.MethodGet, "/bucket/mine/%2e%2e/yours", "", ""},
		{"encoded slashes", http.MethodGet, "/bucket/mine%2F..%2Fyours", "", ""},
		{"delete", http.MethodDelete, "/bucket/mine/./../yours", "", ""},
		{"delete of several", http.MethodPost, "/bucket?delete", "<Delete><Object><Key>mine/../yours</Key></Object></Delete>", ""},
		{"write under a laxer rule", http.MethodPut, "/open//secret/x", "x", ""},
		{"new upload under a laxer rule", http.MethodPost, "/open/./secret/x?uploads", "", ""},
		{"copy to a laxer rule", http.MethodPut, "/open//secret/x", "", "X-Amz-Copy-Source: /open/y"},
		{"copy of what is not granted", http.MethodPut, "/open/x", "", "X-Amz-Copy-Source: /bucket/mine/../yours"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, posture)
			var header []string
			if tt.header != "" {
				header = append(header, tt.header)
			}
			reply := b.do(b.request(tt.method, tt.path, tt.body, header...))
			if !strings.Contains(reply.body, "AccessDenied") {
				t.Errorf("status %d: %s", reply.StatusCode, reply.body)
			}
			for _, r := range b.store.seen() {
				if r.method != http.MethodHead || !strings.HasPrefix(tt.path, "/open") || strings.Contains(tt.header, "yours") {
					t.Errorf("the store was asked for %s %s", r.method, r.uri)
				}
			}
		})
	}
}
