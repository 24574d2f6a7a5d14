package records

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sealgate/sealgate/module/engine"
)

// service is a collector that takes decision logs, unless answer says otherwise.
type service struct {
	*httptest.Server
	t      *testing.T
	answer func(n, events int, w http.ResponseWriter) bool // n counts requests from 0; false: not taken

	mu       sync.Mutex
	requests int
	headers  []http.Header
	taken    []map[string]any
}

func newService(t *testing.T, answer func(n, events int, w http.ResponseWriter) bool) *service {
	t.Helper()
	s := &service{t: t, answer: answer}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/opa/logs" {
		s.t.Errorf("%s %s", r.Method, r.URL)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		s.t.Error(err)
		return
	}
	var events []map[string]any
	if err := json.NewDecoder(z).Decode(&events); err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	n := s.requests
	s.requests++
	s.headers = append(s.headers, r.Header)
	s.mu.Unlock()
	if s.answer != nil && !s.answer(n, len(events), w) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = append(s.taken, events...)
}

// ids are those of the events taken, in order.
func (s *service) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, e := range s.taken {
		ids = append(ids, fmt.Sprint(e["decision_id"]))
	}
	return ids
}

// openCollector starts a queue to a collector with short pauses.
func openCollector(t *testing.T, base string, cfg CollectorConfig, queue Config) *Queue {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	cfg.URL, cfg.Transport, cfg.FirstPause = u, transport, time.Millisecond
	if cfg.Labels == nil {
		cfg.Labels = map[string]string{"id": "gateway-1", "version": "v1"}
	}
	c, err := NewCollector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return Open(queue, c)
}

func numbers(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(i)
	}
	return list
}

func status(code int) func(int, int, http.ResponseWriter) bool {
	return func(n, _ int, w http.ResponseWriter) bool {
		if n < 3 {
			w.WriteHeader(code)
			return false
		}
		return true
	}
}

// Whatever is wrong with a collector for a while, every record arrives once it is
// over, in order and once.
func TestCollectorRetries(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(int, int, http.ResponseWriter) bool{
		"nothing wrong": nil,
		"500":           status(500),
		"503":           status(503),
		"429":           status(429),
		"401":           status(401), // until the token is replaced
		"404":           status(404),
		"307": func(n, _ int, w http.ResponseWriter) bool {
			if n < 2 {
				w.Header().Set("Location", "/elsewhere") // followed, this would be an error
				w.WriteHeader(307)
			}
			return n >= 2
		},
		"cuts the connection": func(n, _ int, _ http.ResponseWriter) bool {
			if n < 3 {
				panic(http.ErrAbortHandler)
			}
			return true
		},
		"takes seven at a time": func(_, events int, w http.ResponseWriter) bool {
			if events > 7 {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			}
			return events <= 7
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, answer)
			q := openCollector(t, s.URL+"/opa", CollectorConfig{BatchRecords: 40}, Config{})
			for _, id := range numbers(100) {
				q.Record(t.Context(), sample(id))
			}
			q.Close()
			if got := s.ids(); !slices.Equal(got, numbers(100)) {
				t.Errorf("the collector got %d: %q", len(got), got)
			}
			if st := q.Status(); st.Written != 100 || st.Dropped != 0 {
				t.Errorf("status %+v", st)
			}
		})
	}
}

// However much a collector has to say, no more than maxReply of it is read.
func TestCollectorLongReply(t *testing.T) {
	t.Parallel()
	var said endless
	c, err := NewCollector(CollectorConfig{
		URL: &url.URL{Scheme: "https", Host: "collector.example.net"},
		Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: &said}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	q := Open(Config{}, c)
	q.Record(t.Context(), sample("A"))
	q.Close()
	if s := q.Status(); s.Written != 1 || said.read > maxReply || !said.closed {
		t.Errorf("%d bytes were read, closed %v; status %+v", said.read, said.closed, s)
	}
}

// endless is a reply without end.
type endless struct {
	read   int
	closed bool
}

func (e *endless) Read(p []byte) (int, error) { e.read += len(p); return len(p), nil }
func (e *endless) Close() error               { e.closed = true; return nil }

// What a collector refuses for good is dropped, counted, and holds up nothing else.
func TestCollectorRefuses(t *testing.T) {
	t.Parallel()
	for code, wants := range map[int]string{400: "answered 400", 415: "answered 415", 422: "answered 422", 413: "too large"} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			s := newService(t, func(n, _ int, w http.ResponseWriter) bool {
				if n == 0 {
					w.WriteHeader(code)
				}
				return n > 0
			})
			q := openCollector(t, s.URL+"/opa", CollectorConfig{BatchRecords: 1}, Config{})
			for _, id := range numbers(3) {
				q.Record(t.Context(), sample(id))
			}
			q.Close()
			if got := s.ids(); !slices.Equal(got, []string{"1", "2"}) {
				t.Errorf("the collector got %q", got)
			}
			if st := q.Status(); st.Written != 2 || st.Dropped != 1 || !strings.Contains(st.Error, wants) {
				t.Errorf("status %+v", st)
			}
		})
	}
}

// A collector that is down or hangs costs a bounded time at the end and bounded
// memory before, and every record is counted.
func TestCollectorDown(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	hangs := newService(t, func(int, int, http.ResponseWriter) bool { <-release; return false })
	t.Cleanup(func() { close(release) })
	for name, base := range map[string]string{"down": "http://" + closed.Addr().String(), "hangs": hangs.URL + "/opa"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			size := keep(sample("A")).size
			q := openCollector(t, base, CollectorConfig{BatchRecords: 10}, Config{Records: 1000, Bytes: 50 * size, Drain: 10 * time.Millisecond})
			for range 2000 {
				q.Record(t.Context(), sample("A"))
			}
			if s := q.Status(); s.QueuedBytes > 50*size || s.Queued > 50 {
				t.Errorf("while it is down: %+v", s)
			}
			q.Close()
			if s := q.Status(); s.Dropped != 2000 || s.Written != 0 || s.Queued != 0 {
				t.Errorf("at the end: %+v", s)
			}
			select {
			case <-q.done:
			default:
				t.Error("the collector's goroutine is still there")
			}
		})
	}
}

// roundTrip is a transport of a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(code int, header http.Header) *http.Response {
	return &http.Response{StatusCode: code, Header: header, Body: http.NoBody}
}

// virtual opens a collector's queue in a bubble, where time is not real.
func virtual(t *testing.T, cfg CollectorConfig, queue Config) *Queue {
	t.Helper()
	cfg.URL = &url.URL{Scheme: "https", Host: "collector.example.net"}
	c, err := NewCollector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return Open(queue, c)
}

// Batches go when they are full or old, pauses grow to a minute, and a batch that
// nobody takes goes in the end.
func TestCollectorTimes(t *testing.T) {
	t.Parallel()
	t.Run("waits for others", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var at []time.Duration
			q := virtual(t, CollectorConfig{BatchRecords: 3, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				at = append(at, time.Since(start))
				return reply(200, nil), nil
			})}, Config{})
			for range 4 { // three at once, one on its own
				q.Record(t.Context(), sample("A"))
			}
			synctest.Wait()
			<-time.After(time.Minute) // in no time at all
			synctest.Wait()
			q.Close()
			if want := []time.Duration{0, DefaultBatchWait}; !slices.Equal(at, want) {
				t.Errorf("sent at %v, want %v", at, want)
			}
		})
	})
	t.Run("size", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			sent := 0
			q := virtual(t, CollectorConfig{BatchBytes: 1, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				sent++
				return reply(200, nil), nil
			})}, Config{})
			q.Record(t.Context(), sample("A"))
			q.Record(t.Context(), sample("B"))
			synctest.Wait()
			if sent != 2 {
				t.Errorf("%d batches, want 2", sent)
			}
			q.Close()
		})
	})
	t.Run("pauses", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			q := virtual(t, CollectorConfig{BatchRecords: 1, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				at = append(at, time.Now())
				return nil, errors.New("connection refused")
			})}, Config{})
			q.Record(t.Context(), sample("A"))
			<-time.After(2 * DefaultGiveUp) // in no time at all
			synctest.Wait()
			for i := range len(at) - 1 {
				pause, want := at[i+1].Sub(at[i]), min(time.Second<<i, lastPause)
				if pause < want/2 || pause > want {
					t.Errorf("pause %d is %v, want %v to %v", i, pause, want/2, want)
				}
			}
			if n := len(at); n < 9 || at[n-1].Sub(at[0]) > DefaultGiveUp {
				t.Errorf("%d tries in %v", n, at[n-1].Sub(at[0]))
			}
			if s := q.Status(); s.Dropped != 1 || !strings.Contains(s.Error, "connection refused") {
				t.Errorf("status %+v", s)
			}
			q.Close()
		})
	})
	for value, want := range map[string]time.Duration{"30": 30 * time.Second, "86400": lastPause, "soon": firstPause, "-1": firstPause} {
		t.Run("Retry-After "+value, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var at []time.Time
				q := virtual(t, CollectorConfig{BatchRecords: 1, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					if at = append(at, time.Now()); len(at) == 1 {
						return reply(429, http.Header{"Retry-After": {value}}), nil
					}
					return reply(200, nil), nil
				})}, Config{})
				q.Record(t.Context(), sample("A"))
				<-time.After(2 * lastPause) // in no time at all
				synctest.Wait()
				q.Close()
				if len(at) != 2 || at[1].Sub(at[0]) > want || at[1].Sub(at[0]) < want/2 {
					t.Errorf("tried at %v, want a pause of %v", at, want)
				}
			})
		})
	}
	t.Run("the end cuts pauses short", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			up := false
			q := virtual(t, CollectorConfig{BatchRecords: 1, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				if up {
					return reply(200, nil), nil
				}
				return reply(503, http.Header{"Retry-After": {"60"}}), nil
			})}, Config{})
			q.Record(t.Context(), sample("A"))
			synctest.Wait()
			up = true
			q.Close()
			if s := q.Status(); s.Written != 1 {
				t.Errorf("status %+v", s)
			}
		})
	})
	t.Run("a transport that never answers", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			q := virtual(t, CollectorConfig{BatchRecords: 1, GiveUp: time.Minute, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				tries++
				<-r.Context().Done()
				return nil, r.Context().Err()
			})}, Config{})
			q.Record(t.Context(), sample("A"))
			<-time.After(2 * time.Minute) // in no time at all
			synctest.Wait()
			if s := q.Status(); s.Dropped != 1 || tries < 3 {
				t.Errorf("%d tries, status %+v", tries, s)
			}
			q.Close()
		})
	})
}

// opaEvent are the members of an event of OPA 1.22's decision logs, EventV1 of its
// package v1/plugins/logs, and the JSON they hold.
var opaEvent = map[string]string{
	"labels": "object", "decision_id": "string", "batch_decision_id": "string", "trace_id": "string", "span_id": "string",
	"revision": "string", "bundles": "object", "path": "string", "query": "string", "input": "any", "result": "any",
	"intermediate_results": "object", "mapped_result": "any", "nd_builtin_cache": "any", "erased": "array", "masked": "array",
	"error": "object", "requested_by": "string", "timestamp": "string", "metrics": "object", "req_id": "number",
	"rule_labels": "array", "request_context": "object", "custom": "object",
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}

func TestEventsAreOPAs(t *testing.T) {
	t.Parallel()
	h, err := NewHasher([]byte(hashKey), "key", "source_ip", "metadata")
	if err != nil {
		t.Fatal(err)
	}
	allowed, refused := sample("allowed"), &engine.Record{ID: "refused", Time: at, Outcome: engine.OutcomeRefused}
	allowed.Outcome, allowed.Findings = engine.OutcomeOK, allowed.Findings[:0]
	s := newService(t, nil)
	token := ""
	q := openCollector(t, s.URL+"/opa/", CollectorConfig{
		BatchRecords: 1, Token: func() (string, error) { token += "x"; return token, nil },
	}, Config{Hasher: h})
	for _, r := range []*engine.Record{sample("denied"), allowed, refused} {
		q.Record(t.Context(), r)
	}
	q.Close()
	for i, e := range s.taken {
		for name, v := range e {
			if want, ok := opaEvent[name]; !ok || want != "any" && want != kind(v) {
				t.Errorf("%s is %s, OPA has %q", name, kind(v), want)
			}
		}
		if e["path"] != "sealgate/main/decision" || e["timestamp"] != "2026-01-02T03:04:05.0000006Z" {
			t.Errorf("path %v at %v", e["path"], e["timestamp"])
		}
		if fmt.Sprint(e["labels"]) != "map[id:gateway-1 version:v1]" {
			t.Errorf("labels %v", e["labels"])
		}
		h := s.headers[i]
		if h.Get("Authorization") != "Bearer "+strings.Repeat("x", i+1) || h.Get("Content-Encoding") != "gzip" || h.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", h)
		}
	}
	denied := s.taken[0]
	sum := hashPrefix + mac(hashKey, "secret/plan.pdf")
	for pointer, want := range map[string]any{
		"/decision_id":                            "denied",
		"/revision":                               "r1",
		"/bundles/sealgate/revision":              "r1",
		"/result/allow":                           false,
		"/result/findings/0/id":                   "KEY-001",
		"/result/encryption/mode":                 "sse-kms",
		"/metrics/timer_rego_query_eval_ns":       40000.,
		"/metrics/timer_server_handler_ns":        900000.,
		"/input/schema":                           "sealgate.input/v1",
		"/input/resource/key":                     sum,
		"/custom/record/resource/key":             sum,
		"/custom/record/outcome":                  "denied",
		"/requested_by":                           hashPrefix + mac(hashKey, "192.0.2.7"),
		"/input/request/headers/x-amz-acl":        "private",
		"/custom/record/answered/status":          403.,
		"/input/request/headers/x-amz-meta-owner": hashPrefix + mac(hashKey, "alice@example.com"),
	} {
		if got := member(denied, pointer); got != want {
			t.Errorf("%s is %v, want %v", pointer, got, want)
		}
	}
	masked := denied["masked"].([]any)
	for _, pointer := range masked {
		if text := fmt.Sprint(member(denied, pointer.(string))); !strings.Contains(text, hashPrefix) && !strings.Contains(text, hashedText) {
			t.Errorf("%s is masked and shows %s", pointer, text)
		}
	}
	if len(masked) < 9 || !slices.Contains(masked, any("/requested_by")) {
		t.Errorf("masked %q", masked)
	}
	if text, _ := json.Marshal(denied); strings.Contains(string(text), "plan.pdf") || strings.Contains(string(text), "192.0.2.7") {
		t.Errorf("what is hashed shows: %s", text)
	}
	if e := s.taken[1]; member(e, "/result/allow") != true || fmt.Sprint(e["erased"]) != "[/input]" || e["input"] != nil {
		t.Errorf("allowed: %v, erased %v", e["result"], e["erased"])
	}
	if e := s.taken[2]; e["result"] != nil || e["erased"] != nil || e["bundles"] != nil {
		t.Errorf("never decided: %v", slices.Sorted(maps.Keys(e)))
	}
}

// member finds what a JSON pointer without escapes points at.
func member(v any, pointer string) any {
	for _, name := range strings.Split(pointer, "/")[1:] {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			i, _ := strconv.Atoi(name)
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// What goes wrong with a token is told without it.
func TestCollectorToken(t *testing.T) {
	t.Parallel()
	const secret = "a-token\nwith-a-newline"
	s := newService(t, nil)
	q := openCollector(t, s.URL+"/opa", CollectorConfig{GiveUp: time.Millisecond, Token: func() (string, error) { return secret, nil }}, Config{})
	q.Record(t.Context(), sample("A"))
	q.Close()
	if st := q.Status(); st.Dropped != 1 || st.Error == "" || strings.Contains(st.Error, "a-token") || strings.Contains(st.Error, "with-a-newline") {
		t.Errorf("status %+v", st)
	}
	if len(s.ids()) != 0 {
		t.Error("records went without the token")
	}
}

func TestPointers(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"input.resource.key":                     "/input/resource/key",
		"input.request.headers.x-amz-meta-a.b/c": "/input/request/headers/x-amz-meta-a.b~1c",
		"client.ip":                              "/custom/record/client/ip /requested_by",
		"findings":                               "/custom/record/findings /result/findings",
		"cause":                                  "/custom/record/cause",
	} {
		if got := strings.Join(pointers(path), " "); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// What a record had to leave out, its event names where it would be.
func TestEventErased(t *testing.T) {
	t.Parallel()
	r := sample("A")
	r.Input.Request.Tags["large"] = strings.Repeat("v", maxInput)
	r.Cause = strings.Repeat("c", maxText+1)
	q := Queue{cfg: Config{Input: engine.RecordInputAll}}
	e := eventOf(q.view(keep(r)), nil)
	slices.Sort(e.Erased)
	if want := []string{"/custom/record/cause", "/input"}; e.Input != nil || !slices.Equal(e.Erased, want) {
		t.Errorf("erased %q, want %q", e.Erased, want)
	}
}
