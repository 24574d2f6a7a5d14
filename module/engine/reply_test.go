package engine

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealgate/sealgate/policy"
)

func TestRepliesKeepTheirForm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		method string
		header []string
		reply  func(http.ResponseWriter, *http.Request, []byte)
		status int
		length int64 // -1: not said
		body   string
	}{
		{"HEAD", http.MethodHead, nil, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Length", "12345")
		}, 200, 12345, ""},
		{"range", http.MethodGet, []string{"Range: bytes=1-3"}, func(w http.ResponseWriter, r *http.Request, _ []byte) {
			w.Header().Set("Content-Range", "bytes 1-3/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, r.Header.Get("Range")[6:])
		}, 206, 3, "1-3"},
		{"not modified", http.MethodGet, []string{`If-None-Match: "e"`}, func(w http.ResponseWriter, r *http.Request, _ []byte) {
			if r.Header.Get("If-None-Match") == `"e"` {
				w.WriteHeader(http.StatusNotModified)
			}
		}, 304, 0, ""},
		{"precondition failed", http.MethodGet, []string{`If-Match: "x"`}, func(w http.ResponseWriter, r *http.Request, _ []byte) {
			if r.Header.Get("If-Match") == `"x"` {
				w.WriteHeader(http.StatusPreconditionFailed)
				_, _ = io.WriteString(w, "<Error><Code>PreconditionFailed</Code><Condition>If-Match</Condition></Error>")
			}
		}, 412, -2, "<Condition>If-Match</Condition>"},
		{"no content", http.MethodDelete, nil, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(http.StatusNoContent)
		}, 204, 0, ""},
		{"no length", http.MethodGet, nil, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = io.WriteString(w, "one")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, strings.Repeat("two", 3000))
		}, 200, -1, "one" + strings.Repeat("two", 3000)},
		{"no type is made up", http.MethodGet, nil, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "<html>")
		}, 200, 6, "<html>"},
	}
	for _, tt := range tests {
		for _, version := range []string{"HTTP/1.1", "HTTP/2"} {
			t.Run(tt.name+" over "+version, func(t *testing.T) {
				t.Parallel()
				b := newBed(t, openPosture("mode: none"))
				if version == "HTTP/2" {
					b.secure()
				}
				b.store.setReply(func(w http.ResponseWriter, r *http.Request, body []byte) {
					w.Header().Set("ETag", `"e"`)
					w.Header().Set("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
					w.Header().Set("X-Amz-Meta-A", "b")
					tt.reply(w, r, body)
				})
				reply := b.do(b.request(tt.method, "/bucket/key", "", tt.header...))
				if reply.StatusCode != tt.status || tt.length != -2 && reply.ContentLength != tt.length || !strings.Contains(reply.body, tt.body) {
					t.Errorf("got %d, length %d, %q", reply.StatusCode, reply.ContentLength, reply.body)
				}
				if version == "HTTP/2" && reply.ProtoMajor != 2 {
					t.Errorf("the client spoke %s", reply.Proto)
				}
				if tt.status < 400 && reply.Header.Get("ETag") != `"e"` {
					t.Errorf("ETag %q", reply.Header.Get("ETag"))
				}
				if tt.name == "no type is made up" && reply.Header.Get("Content-Type") != "" {
					t.Errorf("type %q", reply.Header.Get("Content-Type"))
				}
				want := OutcomeOK
				if tt.status >= 400 {
					want = OutcomeStore
				}
				if rec := b.recordOf(reply); rec.Outcome != want || rec.Answered.Status != tt.status || rec.Answered.BytesOut != int64(len(reply.body)) {
					t.Errorf("record: outcome %s, status %d, %d bytes", rec.Outcome, rec.Answered.Status, rec.Answered.BytesOut)
				}
			})
		}
	}
}

// Nothing of a reply that S3's API does not know reaches the client: it would
// show the store, what stands before it, or who the gateway is there.
func TestRepliesShowNothingElse(t *testing.T) {
	t.Parallel()
	const parts = `<CompleteMultipartUpload><Part><ETag>"e"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`
	tests := []struct {
		name, method, path, body string
		reply                    func(http.ResponseWriter, *http.Request, []byte)
	}{
		{"headers", http.MethodGet, "/bucket/key", "", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			for _, name := range []string{"Set-Cookie", "X-Served-By", "X-Powered-By", "X-Backend", "Link", "Alt-Svc", "Refresh", "Content-Location-X"} {
				w.Header().Set(name, "store.internal")
			}
		}},
		{"a location without a scheme", http.MethodPut, "/bucket", "", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Location", "//store.internal/bucket")
		}},
		{"a location with an attribute", http.MethodPost, "/bucket/key?uploadId=u", parts, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = io.WriteString(w, `<CompleteMultipartUploadResult><x:Location xmlns:x="urn:x" a="b">http://store.internal/bucket/key</x:Location><ETag>"e"</ETag></CompleteMultipartUploadResult>`)
		}},
		{"session token", http.MethodGet, "/bucket/key", "", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `<Error><Code>SomethingNew</Code><Message>m</Message><Token-0>store.internal</Token-0><Server>store.internal</Server></Error>`)
		}},
		{"who the gateway is", http.MethodGet, "/bucket/key", "", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::111122223333:assumed-role/store.internal/x is not authorized</Message></Error>`)
		}},
		{"who the gateway is, of one key", http.MethodPost, "/bucket?delete", "<Delete><Object><Key>k</Key></Object></Delete>", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = io.WriteString(w, `<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code><Message>User: arn:aws:iam::111122223333:user/store.internal is not authorized</Message></Error></DeleteResult>`)
		}},
		{"error in a good reply", http.MethodPost, "/bucket/key?uploadId=u", parts, func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = io.WriteString(w, `<Error><Code>InternalError</Code><HostId>store.internal</HostId></Error>`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: none"))
			b.store.setReply(tt.reply)
			reply := b.do(b.request(tt.method, tt.path, tt.body))
			var all strings.Builder
			_ = reply.Header.Write(&all)
			all.WriteString(reply.body)
			if strings.Contains(all.String(), "store.internal") {
				t.Errorf("reached the client: %s", all.String())
			}
		})
	}
}

// The reply of a completion or copy is a success only if it says so.
func TestLateReplies(t *testing.T) {
	t.Parallel()
	const parts = `<CompleteMultipartUpload><Part><ETag>"e"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`
	const good = `<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>`
	tests := []struct {
		name    string
		reply   string
		status  int
		code    string
		outcome Outcome
	}{
		{"good", good, 200, "", OutcomeOK},
		{"good with a declaration of its own", `<?xml version='1.0'?>` + good, 200, "", OutcomeOK},
		{"error", `<Error><Code>InternalError</Code><Message>m</Message></Error>`, 500, "InternalError", OutcomeStore},
		{"error after whitespace", "<?xml version=\"1.0\"?>\n\n  <Error><Code>SlowDown</Code></Error>", 503, "SlowDown", OutcomeStore},
		{"error without a code", `<Error><Message>m</Message></Error>`, 502, "BadGateway", OutcomeStore},
		{"error cut short", `<Error><Code>InternalError</Code>`, 502, "BadGateway", OutcomeStore},
		{"nothing", "", 502, "BadGateway", OutcomeStore},
		{"no XML", "it works", 502, "BadGateway", OutcomeStore},
		{"another document", "<html/>", 502, "BadGateway", OutcomeStore},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: none"))
			b.store.setReply(func(w http.ResponseWriter, _ *http.Request, _ []byte) { _, _ = io.WriteString(w, tt.reply) })
			reply := b.do(b.request(http.MethodPost, "/bucket/key?uploadId=u", parts))
			if reply.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", reply.StatusCode, tt.status, reply.body)
			}
			if tt.code != "" && reply.err(t).Code != tt.code {
				t.Errorf("code %s, want %s", reply.err(t).Code, tt.code)
			}
			if rec := b.recordOf(reply); rec.Outcome != tt.outcome {
				t.Errorf("outcome %s, want %s", rec.Outcome, tt.outcome)
			}
		})
		// The same, after the client was kept waiting: the status is out.
		t.Run(tt.name+", late", func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: none"))
			b.engine.pause = time.Millisecond
			waiting := make(chan struct{})
			b.store.setReply(func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				_ = http.NewResponseController(w).Flush()
				<-waiting
				_, _ = io.WriteString(w, tt.reply)
			})
			resp, err := b.client.RoundTrip(b.request(http.MethodPost, "/bucket/key?uploadId=u", parts))
			if err != nil {
				close(waiting)
				t.Fatal(err)
			}
			close(waiting)
			data, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			a := answer{resp, string(data)}
			root, err := rootElement(data)
			if err != nil || strings.Count(a.body, "<?xml") != 1 {
				t.Errorf("the client cannot read %q: %v", a.body, err)
			}
			if tt.code != "" && a.err(t).Code != tt.code || tt.code == "" && root != "CompleteMultipartUploadResult" {
				t.Errorf("got %s", a.body)
			}
			if rec := b.recordOf(a); rec.Outcome != tt.outcome {
				t.Errorf("outcome %s, want %s", rec.Outcome, tt.outcome)
			}
		})
	}
}

// A client that goes away while the store works leaves nothing running, and
// one record.
func TestLateReplyToNobody(t *testing.T) {
	t.Parallel()
	b := newBed(t, openPosture("mode: none"))
	b.engine.pause = time.Millisecond
	asked := make(chan struct{})
	b.store.setReply(func(w http.ResponseWriter, r *http.Request, _ []byte) {
		_ = http.NewResponseController(w).Flush()
		close(asked)
		<-r.Context().Done()
	})
	resp, err := b.client.RoundTrip(b.request(http.MethodPost, "/bucket/key?uploadId=u",
		`<CompleteMultipartUpload><Part><ETag>"e"</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`))
	if err != nil {
		t.Fatal(err)
	}
	<-asked
	_ = resp.Body.Close()
	if rec := b.lastRecord(); rec.Outcome == OutcomeOK {
		t.Errorf("outcome %s", rec.Outcome)
	}
}

// A bug in what runs beside the handler must not end the process.
func TestPanicBesideTheHandler(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{time.Millisecond, time.Hour} {
		t.Run(fmt.Sprint(pause), func(t *testing.T) {
			t.Parallel()
			panics := func(c *Config, _ *policy.Options) { c.Observer = panicking{} }
			b := newBed(t, openPosture("mode: sse-s3"), panics)
			b.engine.pause = pause
			b.store.setReply(func(w http.ResponseWriter, r *http.Request, _ []byte) {
				if r.Method == http.MethodPut {
					w.Header().Set(sseHeader, "none of ours")
					_, _ = io.WriteString(w, result(r))
				}
			})
			reply := b.do(b.request(http.MethodPut, "/bucket/key", "", "X-Amz-Copy-Source: /bucket/from"))
			if e := reply.err(t); e.Code != "InternalError" {
				t.Errorf("got %d %s", reply.StatusCode, reply.body)
			}
			if rec := b.recordOf(reply); rec.Outcome == OutcomeOK || !strings.Contains(rec.Cause, "panic") {
				t.Errorf("outcome %s, cause %.40q", rec.Outcome, rec.Cause)
			}
		})
	}
}

type panicking struct{ discard }

func (panicking) WeakReply()   { panic("a bug") }
func (panicking) OpenFailure() {}
