package records

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/sealgate/sealgate/module/engine"
)

func lineOf(t testing.TB, r *engine.Record) []byte {
	t.Helper()
	var line bytes.Buffer
	if err := encode(&line, r, recordItself); err != nil {
		t.Fatal(err)
	}
	return line.Bytes()
}

// line is a record as a reader has it: its input as it is.
type line struct {
	ID       string
	Outcome  engine.Outcome
	Resource engine.RecordResource
	Identity engine.RecordIdentity
	Client   engine.RecordClient
	Cause    string
	Findings []map[string]string
	Input    map[string]any
	Hashed   []string
	Erased   []string
}

func decode(t testing.TB, text []byte) line {
	t.Helper()
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	return l
}

// decodeAll reads lines, each of which must be a record.
func decodeAll(t testing.TB, text []byte) []line {
	t.Helper()
	var all []line
	s := bufio.NewScanner(bytes.NewReader(text))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		all = append(all, decode(t, s.Bytes()))
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// safeBuffer is a bytes.Buffer for two goroutines.
type safeBuffer struct {
	mu     sync.Mutex
	b      bytes.Buffer
	closed bool
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *safeBuffer) lines(t *testing.T) []line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return decodeAll(t, s.b.Bytes())
}

// gate is a writer that hangs until it is opened.
type gate struct {
	entered chan struct{} // gets a value for every write that hangs
	open    chan struct{}
	safeBuffer
}

func newGate() *gate { return &gate{entered: make(chan struct{}, 1000), open: make(chan struct{})} }

func (g *gate) Write(p []byte) (int, error) {
	g.entered <- struct{}{}
	<-g.open
	return g.safeBuffer.Write(p)
}

func TestQueueWritesInOrder(t *testing.T) {
	t.Parallel()
	var out safeBuffer
	q := Open(Config{Name: "file"}, Lines(&out))
	for i := range 100 {
		q.Record(t.Context(), sample(fmt.Sprint(i)))
	}
	q.Close()
	for i, l := range out.lines(t) {
		if l.ID != fmt.Sprint(i) {
			t.Fatalf("record %d is %q", i, l.ID)
		}
	}
	s := q.Status()
	if s.Written != 100 || s.Dropped != 0 || s.Queued != 0 || s.QueuedBytes != 0 || !out.closed {
		t.Errorf("status %+v, closed %v", s, out.closed)
	}
	q.Record(t.Context(), sample("late"))
	q.Close()
	if s := q.Status(); s.Dropped != 1 {
		t.Errorf("a record after the end: %+v", s)
	}
}

// A full queue drops at once: by number, and by bytes.
func TestQueueFull(t *testing.T) {
	t.Parallel()
	size := keep(sample("A")).size
	for name, cfg := range map[string]Config{
		"records": {Records: 10},
		"bytes":   {Bytes: 10*size + size/2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := newGate()
			q := Open(cfg, Lines(out))
			q.Record(t.Context(), sample("A"))
			<-out.entered // the writer hangs in the first one
			for range 1000 {
				q.Record(t.Context(), sample("A"))
			}
			if s := q.Status(); s.Queued != 10 || s.Dropped != 990 || s.QueuedBytes != 10*size {
				t.Errorf("while full: %+v", s)
			}
			close(out.open)
			q.Close()
			if s := q.Status(); s.Written != 11 || s.Dropped != 990 || s.QueuedBytes != 0 {
				t.Errorf("at the end: %+v", s)
			}
		})
	}
}

// A writer that hangs holds up the end for as long as it may, and no record is
// forgotten in the count.
func TestQueueClosesInTime(t *testing.T) {
	t.Parallel()
	out := newGate()
	q := Open(Config{Drain: time.Millisecond}, Lines(out))
	for range 50 {
		q.Record(t.Context(), sample("A"))
	}
	<-out.entered
	q.Close()
	if s := q.Status(); s.Dropped != 49 || s.Queued != 0 || s.QueuedBytes != 0 {
		t.Errorf("status %+v, want 49 dropped and one in the hanging write", s)
	}
	close(out.open)
	<-q.done
	if s := q.Status(); s.Written != 1 {
		t.Errorf("status %+v, want the hanging write counted", s)
	}
}

// Every record is counted once, whoever gives it and whenever the end comes.
func TestQueueCountsAll(t *testing.T) {
	t.Parallel()
	var out safeBuffer
	q := Open(Config{Records: 50}, Lines(&out))
	fan := Fan{q}
	var work sync.WaitGroup
	const workers, each = 8, 500
	for w := range workers {
		work.Go(func() {
			for i := range each {
				fan.Record(context.Background(), sample(fmt.Sprintf("%d-%d", w, i)))
				if w == 0 && i == each/2 {
					go q.Close()
				}
			}
		})
	}
	work.Wait()
	q.Close()
	seen := make(map[string]bool)
	for _, l := range out.lines(t) {
		if seen[l.ID] {
			t.Errorf("%s is there twice", l.ID)
		}
		seen[l.ID] = true
	}
	if s := q.Status(); s.Written+s.Dropped != workers*each || int(s.Written) != len(seen) {
		t.Errorf("%d lines, status %+v; %d were given", len(seen), s, workers*each)
	}
}

func TestQueueFailedWrites(t *testing.T) {
	t.Parallel()
	n := 0
	q := Open(Config{}, Each(func(*engine.Record) error {
		if n++; n == 2 {
			return errors.New("no space left")
		}
		return nil
	}))
	for range 3 {
		q.Record(t.Context(), sample("A"))
	}
	q.Close()
	if s := q.Status(); s.Written != 2 || s.Dropped != 1 || s.Error != "no space left" || s.ErrorAt == nil {
		t.Errorf("status %+v", s)
	}
}

// Drops are told at once, then at intervals, each one once; never by who drops.
func TestReports(t *testing.T) {
	t.Parallel()
	told := make(chan uint64, 100)
	out := newGate()
	tell := make(chan struct{})
	q := Open(Config{Records: 1, ReportEvery: time.Hour, Report: func(n uint64, reason string) {
		<-tell // a log that blocks
		if reason != "queue full" {
			t.Errorf("reason %q", reason)
		}
		told <- n
	}}, Lines(out))
	q.Record(t.Context(), sample("A"))
	<-out.entered
	for range 101 {
		q.Record(t.Context(), sample("A")) // would hang if it told
	}
	close(tell)
	first := <-told
	for range 10 {
		q.Record(t.Context(), sample("A"))
	}
	close(out.open)
	q.Close()
	if rest := <-told; first == 0 || first+rest != 110 {
		t.Errorf("told %d, then %d; 110 were dropped", first, rest)
	}
	if len(told) != 0 {
		t.Errorf("told more often")
	}
}

func TestReportsComeBack(t *testing.T) {
	t.Parallel()
	told := make(chan uint64)
	r := reporter{every: time.Millisecond, tell: func(n uint64, _ string) { told <- n }}
	for range 3 { // also after it has rested
		r.add(1, "x")
		if n := <-told; n != 1 {
			t.Errorf("told %d", n)
		}
	}
	r.end()
}

// Each destination sees the inputs it is to see, whatever others of the same
// request do.
func TestInputs(t *testing.T) {
	t.Parallel()
	denied, allowed, partly := sample("denied"), sample("allowed"), sample("partly")
	allowed.Outcome, partly.Outcome = engine.OutcomeOK, engine.OutcomeOK
	partly.Keys = &engine.RecordKeys{Named: 2, Denied: 1}
	fault := sample("fault")
	fault.Outcome = engine.OutcomeFault
	outs := make(map[engine.RecordInput]*safeBuffer)
	var fan Fan
	for _, word := range []engine.RecordInput{engine.RecordInputAll, engine.RecordInputDenied, engine.RecordInputNone, ""} {
		outs[word] = new(safeBuffer)
		fan = append(fan, Open(Config{Input: word}, Lines(outs[word])))
	}
	for _, r := range []*engine.Record{denied, allowed, partly, fault} {
		fan.Record(t.Context(), r)
	}
	for _, q := range fan {
		q.Close()
	}
	for word, want := range map[engine.RecordInput]string{
		engine.RecordInputAll: "denied allowed partly fault", engine.RecordInputDenied: "denied partly fault",
		engine.RecordInputNone: "", "": "denied partly fault",
	} {
		var got []string
		for _, l := range outs[word].lines(t) {
			if l.Input != nil {
				got = append(got, l.ID)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: inputs of %q, want %q", word, got, want)
		}
	}
}

// No text can end a line, begin another or make it something else than JSON.
func FuzzLines(f *testing.F) {
	for _, s := range []string{
		"a\nb", "\r\n{\"id\":\"FORGED\"}\n", "\x00\x01\x1f\x7f", "\xff\xfe", "\u2028\u2029", `"},{"id":"x"`, "\xed\xa0\x80", "<script>&", "\u0085",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := sample("REAL")
		r.Resource.Key, r.Client.Path, r.Client.UserAgent, r.Cause, r.Identity.AccessKey = s, s, s, s, s
		r.Findings[0].Message, r.Input.Resource.Key = s, s
		r.Input.Request.Headers = map[string]string{s: s}
		it := keep(r)
		q := Queue{cfg: Config{Input: engine.RecordInputAll}}
		text := lineOf(t, q.view(it))
		if n := bytes.Count(text, []byte("\n")); n != 1 || text[len(text)-1] != '\n' || bytes.ContainsRune(text, '\r') {
			t.Fatalf("%d ends of lines in %q", n, text)
		}
		l := decode(t, text)
		if l.ID != "REAL" || len(s) <= maxText && utf8.ValidString(s) && l.Resource.Key != s {
			t.Errorf("key %q was recorded as %q", s, l.Resource.Key)
		}
	})
}

// However many are dropped, and for however long, they are told of once a minute.
func TestReportsAreRare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		times, sum := 0, uint64(0)
		r := reporter{every: time.Minute, tell: func(n uint64, _ string) { times, sum = times+1, sum+n }}
		for range 10 * 60 {
			r.add(2, "queue full")
			<-time.After(time.Second) // in no time at all
		}
		synctest.Wait()
		r.end()
		if times < 10 || times > 12 || sum != 1200 {
			t.Errorf("told %d times of %d records, want 10 to 12 times of 1200", times, sum)
		}
	})
}
