package engine

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/sealgate/sealgate/policy"
)

// silent answers writes without a word on encryption, and HEAD as told.
func silent(head func(h http.Header)) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) {
		w.Header().Set("ETag", `"e"`)
		if r.Method == http.MethodHead && head != nil {
			head(w.Header())
		}
		_, _ = io.WriteString(w, result(r))
	}
}

func saying(name, value string) func(http.Header) {
	return func(h http.Header) { h.Set(name, value) }
}

const sseHeader = "X-Amz-Server-Side-Encryption"

func verifying(v Verify) bedOption {
	return func(c *Config, _ *policy.Options) { c.Verify = v }
}

func TestReplyIsHeldAgainstTheDecision(t *testing.T) {
	t.Parallel()
	kms := openPosture("mode: sse-kms", "key_id: key-a")
	tests := []struct {
		name    string
		verify  Verify
		reply   func(http.ResponseWriter, *http.Request, []byte)
		status  int
		rule    string
		mode    string // what the client is told
		outcome Outcome
	}{
		{"echoed", VerifyRequired, nil, 200, "", "aws:kms", OutcomeOK},
		{"silent, HEAD confirms", VerifyRequired, silent(func(h http.Header) {
			h.Set(sseHeader, "aws:kms")
			h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "arn:aws:kms:key-a")
		}), 200, "", "aws:kms", OutcomeOK},
		{"silent, HEAD shows another key", VerifyRequired, silent(func(h http.Header) {
			h.Set(sseHeader, "aws:kms")
			h.Set("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", "arn:aws:kms:key-b")
		}), 502, "ENF-002", "", OutcomeWeak},
		{"silent, HEAD weaker", VerifyRequired, silent(saying(sseHeader, "AES256")), 502, "ENF-002", "", OutcomeWeak},
		{"silent, HEAD silent", VerifyRequired, silent(nil), 502, "ENF-002", "", OutcomeWeak},
		{"silent is tolerated, and not made up", VerifyIfReported, silent(nil), 200, "", "", OutcomeOK},
		{"weaker reply is not tolerated", VerifyIfReported, func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.Header().Set(sseHeader, "AES256") }, 502, "ENF-002", "", OutcomeWeak},
		{"off looks at nothing", VerifyOff, func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.Header().Set(sseHeader, "AES256") }, 200, "", "AES256", OutcomeOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, kms, verifying(tt.verify))
			b.store.setReply(tt.reply)
			reply := b.do(b.request(http.MethodPut, "/bucket/key", "hello"))
			if reply.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", reply.StatusCode, tt.status, reply.body)
			}
			if got := reply.Header.Get(sseHeader); got != tt.mode {
				t.Errorf("the client is told %q, want %q", got, tt.mode)
			}
			rec := b.lastRecord()
			if rec.Outcome != tt.outcome {
				t.Errorf("outcome %q, want %q", rec.Outcome, tt.outcome)
			}
			if tt.rule == "" {
				return
			}
			if e := reply.err(t); !contains(e.RuleID, tt.rule) {
				t.Errorf("rule ids %v, want %s", e.RuleID, tt.rule)
			}
			before := len(b.store.seen())
			again := b.do(b.request(http.MethodPut, "/bucket/key", "hello"))
			if again.StatusCode != http.StatusNotImplemented || len(b.store.seen()) != before {
				t.Errorf("after a weak reply: status %d with %d more requests at the store, want 501 and none", again.StatusCode, len(b.store.seen())-before)
			}
		})
	}
}

func TestMultipartIsConfirmedWhenItCompletes(t *testing.T) {
	t.Parallel()
	encrypted := false
	b := newBed(t, openPosture("mode: sse-s3"))
	b.store.setReply(func(w http.ResponseWriter, r *http.Request, _ []byte) {
		switch {
		case r.Method == http.MethodHead && encrypted:
			w.Header().Set(sseHeader, "AES256")
		case r.URL.Query().Has("uploads"):
			_, _ = io.WriteString(w, `<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`)
		case r.Method == http.MethodPost:
			_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><CompleteMultipartUploadResult><Location>http://store.internal:9000/bucket/key</Location><ETag>"e-1"</ETag></CompleteMultipartUploadResult>`)
		}
	})
	create := b.do(b.request(http.MethodPost, "/bucket/key?uploads", ""))
	if create.StatusCode != http.StatusOK || create.Header.Get(sseHeader) != "AES256" {
		t.Fatalf("create: %d, told %q", create.StatusCode, create.Header.Get(sseHeader))
	}
	if got := b.store.only(t).header.Get(sseHeader); got != "AES256" {
		t.Fatalf("create was sent with %q", got)
	}
	const parts = `<CompleteMultipartUpload><Part><ETag>"e"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`
	weak := b.do(b.request(http.MethodPost, "/bucket/key?uploadId=u", parts))
	if weak.StatusCode != http.StatusBadGateway {
		t.Fatalf("complete of an unencrypted object: %d %s", weak.StatusCode, weak.body)
	}

	encrypted = true
	b2 := newBed(t, openPosture("mode: sse-s3"))
	b2.store.setReply(b.store.reply)
	done := b2.do(b2.request(http.MethodPost, "/bucket/key?uploadId=u", parts))
	if done.StatusCode != http.StatusOK || done.Header.Get(sseHeader) != "AES256" {
		t.Fatalf("complete: %d, told %q: %s", done.StatusCode, done.Header.Get(sseHeader), done.body)
	}
	if strings.Contains(done.body, "store.internal") || !strings.Contains(done.body, "<Location>"+b2.gateway.URL+"/bucket/key</Location>") {
		t.Errorf("the location is not the gateway's: %s", done.body)
	}
}

func TestStoreNeverShowsItself(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		reply func(http.ResponseWriter, *http.Request, []byte)
	}{
		{"redirect", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Location", "http://bucket.store.internal/key")
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.WriteHeader(http.StatusTemporaryRedirect)
			_, _ = io.WriteString(w, `<Error><Code>TemporaryRedirect</Code><Message>elsewhere</Message><Endpoint>bucket.store.internal</Endpoint></Error>`)
		}},
		{"error document", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `<Error><Code>NoSuchKey</Code><Message>m</Message><HostId>store.internal</HostId><Resource>/store.internal/x</Resource><Endpoint>store.internal</Endpoint></Error>`)
		}},
		{"headers", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			for _, name := range []string{"Server", "X-Amz-Id-2", "X-Amz-Request-Id", "Location", "Via"} {
				w.Header().Set(name, "http://store.internal/x")
			}
		}},
		{"own credentials refused", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<Error><Code>InvalidAccessKeyId</Code><Message>store.internal does not know it</Message><AWSAccessKeyId>AKGATEWAY</AWSAccessKeyId></Error>`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: none"))
			b.store.setReply(tt.reply)
			reply := b.do(b.request(http.MethodGet, "/bucket/key", ""))
			var all strings.Builder
			_ = reply.Header.Write(&all)
			all.WriteString(reply.body)
			for _, leak := range []string{"store.internal", "AKGATEWAY"} {
				if strings.Contains(all.String(), leak) {
					t.Errorf("%q reached the client:\n%s", leak, all.String())
				}
			}
			if reply.StatusCode/100 == 3 {
				t.Errorf("the client was redirected: %d", reply.StatusCode)
			}
		})
	}
}

// An upload created under another decision is found out, but is no failure of
// the store: other uploads go on.
func TestWeakUploadDoesNotRefuseTheMode(t *testing.T) {
	t.Parallel()
	const parts = `<CompleteMultipartUpload><Part><ETag>"e"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`
	b := newBed(t, openPosture("mode: sse-kms", "key_id: key-a"))
	b.store.setReply(func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if echo(w.Header(), r.Header); r.URL.Query().Has("uploadId") {
			w.Header().Set(sseHeader, "AES256")
		}
		_, _ = io.WriteString(w, result(r))
	})
	for name, r := range map[string]*http.Request{
		"part":       b.request(http.MethodPut, "/bucket/key?partNumber=1&uploadId=u", "x"),
		"completion": b.request(http.MethodPost, "/bucket/key?uploadId=u", parts),
	} {
		reply := b.do(r)
		if reply.StatusCode != http.StatusBadGateway || !contains(reply.err(t).RuleID, "ENF-002") {
			t.Errorf("%s: %d %s", name, reply.StatusCode, reply.body)
		}
	}
	if reply := b.do(b.request(http.MethodPut, "/bucket/other", "x")); reply.StatusCode != http.StatusOK {
		t.Errorf("another object: %d %s", reply.StatusCode, reply.body)
	}
}

// A client that goes away behind its object does not keep the store from being
// asked how it is encrypted.
func TestConfirmedWithoutTheClient(t *testing.T) {
	t.Parallel()
	served := make(chan context.Context, 1)
	b := newBed(t, openPosture("mode: sse-s3"), func(c *Config, _ *policy.Options) {
		c.ClientIP = func(r *http.Request) string {
			served <- r.Context()
			return peerAddress(r)
		}
	})
	gone, heads := make(chan struct{}), make(chan struct{})
	b.store.setReply(func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if r.Method == http.MethodHead {
			close(heads)
			<-gone
			if r.Context().Err() != nil {
				return
			}
			w.Header().Set(sseHeader, "aws:kms")
		}
	})
	ctx, leave := context.WithCancel(context.Background())
	go func() {
		<-heads
		leave()
	}()
	if resp, err := b.client.RoundTrip(b.request(http.MethodPut, "/bucket/key", "x").WithContext(ctx)); err == nil {
		_ = resp.Body.Close()
		t.Fatal("the client got an answer")
	}
	<-(<-served).Done()
	close(gone)
	if rec := b.lastRecord(); rec.Answered.Mode != "sse-kms" || rec.Outcome == OutcomeWeak {
		t.Errorf("the record has mode %q, outcome %s, cause %s", rec.Answered.Mode, rec.Outcome, rec.Cause)
	}
}
