package engine

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// source answers HEAD of a copy's source with head and everything else as a
// finished copy.
func source(head func(http.Header)) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if r.Method == http.MethodHead {
			w.Header().Set("ETag", `"source"`)
			head(w.Header())
			return
		}
		echo(w.Header(), r.Header)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><CopyObjectResult><ETag>"copy"</ETag></CopyObjectResult>`)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	const copySource = "X-Amz-Copy-Source: /bucket/from/a%20b"
	grants := func(resources string) string {
		return "version: 1\nbuckets: {\"*\": {\"\": {mode: sse-s3}, \"weak/\": {mode: none}}}\n" +
			"grants: [{id: g, principals: [app], actions: [\"s3:*\"], resources: [" + resources + "]}]\n"
	}
	tests := []struct {
		name    string
		posture string
		path    string
		header  []string
		source  func(http.Header)
		status  int
		rule    string
		calls   int // requests at the store
	}{
		{"injected", openPosture("mode: sse-s3"), "/bucket/to", []string{copySource}, saying(sseHeader, "AES256"), 200, "", 2},
		{"of a stronger source is no downgrade", openPosture("mode: sse-s3"), "/bucket/to", []string{copySource}, saying(sseHeader, "aws:kms"), 403, "CPY-001", 1},
		{"of a stronger source, asking for as much", openPosture("mode: sse-s3", "on_conflict: keep-if-stronger", "allowed_keys: [k]"), "/bucket/to",
			[]string{copySource, sseHeader + ": aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id: k"}, saying(sseHeader, "aws:kms"), 200, "", 2},
		{"without a grant on the source leaves it unread", grants(`"bucket/to*"`), "/bucket/to", []string{copySource}, nil, 403, "GRT-000", 0},
		{"without a grant on the target leaves the source unread", grants(`"bucket/from*"`), "/bucket/to", []string{copySource}, nil, 403, "GRT-000", 0},
		{"into a prefix that asks for nothing", grants(`"*"`), "/bucket/weak/to", []string{copySource}, saying(sseHeader, "AES256"), 403, "CPY-001", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, tt.posture)
			if tt.source != nil {
				b.store.setReply(source(tt.source))
			}
			reply := b.do(b.request(http.MethodPut, tt.path, "", tt.header...))
			if reply.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", reply.StatusCode, tt.status, reply.body)
			}
			if tt.rule != "" && !contains(reply.err(t).RuleID, tt.rule) {
				t.Errorf("rule ids %v, want %s", reply.err(t).RuleID, tt.rule)
			}
			seen := b.store.seen()
			if len(seen) != tt.calls {
				t.Fatalf("%d calls to the store, want %d", len(seen), tt.calls)
			}
			if tt.calls == 2 {
				last := seen[1]
				if got := last.header.Get("X-Amz-Copy-Source"); !strings.HasSuffix(got, "bucket/from/a%20b") {
					t.Errorf("copy source %q", got)
				}
				if last.header.Get("X-Amz-Copy-Source-If-Match") != `"source"` {
					t.Error("the copy is not pinned to the source that was decided on")
				}
				if reply.Header.Get(sseHeader) == "" || last.header.Get(sseHeader) == "" {
					t.Error("no encryption was sent or told")
				}
			}
		})
	}
}

// A copy is of what policy saw: its own conditions are asked of the source
// before, and what goes to the store is bound to the source that was found.
func TestCopyConditions(t *testing.T) {
	t.Parallel()
	const prefix = "X-Amz-Copy-Source-If-"
	tests := []struct {
		name, header, asked string // asked: the header of the HEAD
		answer, status      int
	}{
		{"match", prefix + "Match: \"source\"", "If-Match", 200, 200},
		{"another match", prefix + "Match: \"other\"", "If-Match", 412, 412},
		{"none match", prefix + "None-Match: \"other\"", "If-None-Match", 200, 200},
		{"none match fails", prefix + "None-Match: \"source\"", "If-None-Match", 304, 412},
		{"modified since", prefix + "Modified-Since: Wed, 21 Oct 2015 07:28:00 GMT", "If-Modified-Since", 200, 200},
		{"unmodified since", prefix + "Unmodified-Since: Wed, 21 Oct 2015 07:28:00 GMT", "If-Unmodified-Since", 200, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, openPosture("mode: sse-s3"))
			finish := source(saying(sseHeader, "AES256"))
			b.store.setReply(func(w http.ResponseWriter, r *http.Request, body []byte) {
				if r.Method == http.MethodHead && tt.answer != http.StatusOK {
					w.WriteHeader(tt.answer)
					return
				}
				finish(w, r, body)
			})
			reply := b.do(b.request(http.MethodPut, "/bucket/to", "", "X-Amz-Copy-Source: /bucket/from", "X-Amz-Request-Payer: requester", tt.header))
			if reply.StatusCode != tt.status {
				t.Fatalf("status %d, want %d: %s", reply.StatusCode, tt.status, reply.body)
			}
			name, value, _ := strings.Cut(tt.header, ": ")
			seen := b.store.seen()
			if seen[0].header.Get("X-Amz-Request-Payer") != "requester" {
				t.Error("the source was asked for at the expense of its owner")
			}
			if got := seen[0].header.Get(tt.asked); got != value {
				t.Errorf("the source was asked for under %s: %q, want %q", tt.asked, got, value)
			}
			if tt.status != http.StatusOK {
				if len(seen) != 1 {
					t.Error("the copy was sent")
				}
				return
			}
			if got := seen[1].header.Get(prefix + "Match"); got != `"source"` {
				t.Errorf("the copy is bound to %q", got)
			}
			if name != prefix+"Match" && seen[1].header.Get(name) != "" {
				t.Errorf("%s went along, which may undo what binds the copy", name)
			}
		})
	}
}

func TestCopyErrorAfter200(t *testing.T) {
	t.Parallel()
	b := newBed(t, openPosture("mode: sse-s3"))
	b.store.setReply(func(w http.ResponseWriter, r *http.Request, _ []byte) {
		if r.Method == http.MethodPut {
			_, _ = io.WriteString(w, "<?xml version=\"1.0\"?>\n   <Error><Code>SlowDown</Code><Message>later</Message></Error>")
		}
	})
	reply := b.do(b.request(http.MethodPut, "/bucket/to", "", "X-Amz-Copy-Source: /bucket/from"))
	if e := reply.err(t); reply.StatusCode != http.StatusServiceUnavailable || e.Code != "SlowDown" {
		t.Errorf("got %d %s, want 503 SlowDown", reply.StatusCode, e.Code)
	}
	if rec := b.lastRecord(); rec.Outcome != OutcomeStore {
		t.Errorf("outcome %q", rec.Outcome)
	}
}
