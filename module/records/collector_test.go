package records

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
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
