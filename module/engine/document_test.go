package engine

import (
	"context"
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/module/upstream"
	"github.com/sealgate/sealgate/policy"
)

// likeAWS gives the store a name of AWS's; connections go to dial's address.
func likeAWS(t *testing.T, dial *string) bedOption {
	t.Helper()
	return func(c *Config, _ *policy.Options) {
		transport := upstream.NewTransport()
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", *dial)
		}
		t.Cleanup(transport.CloseIdleConnections)
		var err error
		c.Upstream, err = upstream.New(upstream.Config{
			Endpoint: &url.URL{Scheme: "http", Host: "s3.us-east-1.amazonaws.com"}, Insecure: true, Region: testRegion, Transport: transport,
			Credentials: upstream.Static(upstream.Credentials{AccessKey: "AKGATEWAY", Secret: upstream.NewSecret("gateway-secret-gateway-secret")}),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// UpdateObjectEncryption goes to AWS as it was sent, if the key is the one
// decided; the object is looked at afterwards.
func TestUpdateObjectEncryption(t *testing.T) {
	t.Parallel()
	const keyA, keyB = "arn:aws:kms:us-east-1:111122223333:key/a", "arn:aws:kms:us-east-1:111122223333:key/b"
	tests := []struct {
		name, asked, stored string
		posture             []string
		status              int
		rule                string
	}{
		{"the key decided", keyA, keyA, nil, 200, ""},
		{"another key", keyB, keyB, nil, 403, "KEY-001"},
		{"an allowed key that is not decided, replace", keyB, keyB, []string{"on_conflict: replace", "allowed_keys: [" + keyB + "]"}, 200, ""},
		{"the store does otherwise", keyA, keyB, nil, 502, "ENF-002"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var dial string
			b := newBed(t, openPosture(append([]string{"mode: sse-kms", "key_id: " + keyA}, tt.posture...)...), likeAWS(t, &dial))
			dial = b.store.Listener.Addr().String()
			b.store.setReply(func(w http.ResponseWriter, r *http.Request, _ []byte) {
				if r.Method == http.MethodHead && r.URL.Query().Get("versionId") == "v" {
					w.Header().Set(sseHeader, "aws:kms")
					w.Header().Set(sseHeader+"-Aws-Kms-Key-Id", tt.stored)
				}
			})
			body := "<ObjectEncryption><SSE-KMS><KMSKeyArn>" + tt.asked + "</KMSKeyArn></SSE-KMS></ObjectEncryption>"
			reply := b.do(b.request(http.MethodPut, "/bucket/key?encryption&versionId=v", body))
			if reply.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", reply.StatusCode, tt.status, reply.body)
			}
			if tt.rule != "" && !contains(reply.err(t).RuleID, tt.rule) {
				t.Errorf("rule ids %v, want %s", reply.err(t).RuleID, tt.rule)
			}
			if tt.status == http.StatusForbidden {
				b.store.untouched(t)
			} else if sent := b.store.seen()[0]; string(sent.body) != body {
				t.Errorf("the store got %s", sent.body)
			}
		})
	}
}

// A bucket's default goes up as decided, or not at all.
func TestBucketEncryption(t *testing.T) {
	t.Parallel()
	document := func(algorithm, key string) string {
		if key != "" {
			key = "<KMSMasterKeyID>" + key + "</KMSMasterKeyID>"
		}
		return "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>" + algorithm + "</SSEAlgorithm>" +
			key + "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
	}
	tests := []struct {
		name, conflict, algorithm, key string
		status                         int
		mode, sent                     string // algorithm and key at the store
	}{
		{"as decided", "reject", "aws:kms", "key-a", 200, "aws:kms", "key-a"},
		{"weaker", "reject", "AES256", "", 403, "", ""},
		{"weaker, replaced", "replace", "AES256", "", 200, "aws:kms", "key-a"},
		{"without a key, replaced", "replace", "aws:kms", "", 200, "aws:kms", "key-a"},
		{"stronger, kept", "replace", "aws:kms:dsse", "key-a", 200, "aws:kms:dsse", "key-a"},
		{"another key", "replace", "aws:kms", "key-x", 403, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: sse-kms", "key_id: key-a", "on_conflict: "+tt.conflict))
			reply := b.do(b.request(http.MethodPut, "/bucket?encryption", document(tt.algorithm, tt.key)))
			if reply.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", reply.StatusCode, tt.status, reply.body)
			}
			if tt.mode == "" {
				b.store.untouched(t)
				return
			}
			var got struct {
				Rule struct {
					Apply struct{ SSEAlgorithm, KMSMasterKeyID string } `xml:"ApplyServerSideEncryptionByDefault"`
				}
			}
			if err := xml.Unmarshal(b.store.only(t).body, &got); err != nil {
				t.Fatal(err)
			}
			if rec := b.recordOf(reply); tt.conflict == "replace" && tt.algorithm == "AES256" && rec.Sent.KeyID != tt.sent {
				t.Errorf("the record says %+v was sent", rec.Sent)
			}
			if a := got.Rule.Apply; a.SSEAlgorithm != tt.mode || a.KMSMasterKeyID != tt.sent {
				t.Errorf("the store got %+v", a)
			}
		})
	}
}

// The largest completion S3 allows with the checksums most clients send.
func TestLargeCompletion(t *testing.T) {
	t.Parallel()
	var parts strings.Builder
	parts.WriteString("<CompleteMultipartUpload>")
	for n := 1; n <= 10_000; n++ {
		fmt.Fprintf(&parts, "<Part><ChecksumSHA256>%s</ChecksumSHA256><ETag>&#34;%s&#34;</ETag><PartNumber>%d</PartNumber></Part>", strings.Repeat("x", 44), strings.Repeat("e", 32), n)
	}
	parts.WriteString("</CompleteMultipartUpload>")
	b := newBed(t, openPosture("mode: none"))
	if reply := b.do(b.request(http.MethodPost, "/bucket/key?uploadId=u", parts.String())); reply.StatusCode != http.StatusOK {
		t.Errorf("%d bytes: %d %s", parts.Len(), reply.StatusCode, reply.body)
	}
}
