package records

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealgate/sealgate/module/engine"
)

// Defaults of Config.
const (
	DefaultRecords = 8192
	DefaultBytes   = 16 << 20
	DefaultDrain   = 5 * time.Second
)

// Config says what goes through a Queue and how much of it may wait.
type Config struct {
	// Name is what metrics call the destination: a word from a closed set.
	Name string
	// Place is where it is, for people: a path, a URL. Never a secret.
	Place string
	// Records and Bytes bound what waits, 0 for DefaultRecords and DefaultBytes.
	Records int
	Bytes   int64
	// Drain bounds how long Close waits for what is left to be written, 0 for
	// DefaultDrain.
	Drain time.Duration
	// Input says which records show their input, where they have one. The zero
	// value is engine.RecordInputDenied.
	Input engine.RecordInput
	// Hasher may be nil: nothing is hashed.
	Hasher *Hasher
	// Report is told how many records were dropped since the last time, and why
	// the last one was. It is called at most once every ReportEvery, 0 for a minute,
	// and never by a request. It may be nil.
	Report      func(dropped uint64, reason string)
	ReportEvery time.Duration
}

// Writer takes the records of one queue: [Each], [Lines] or a [Collector].
type Writer interface {
	// run writes until the queue is closed and empty. Once ctx is done it drops
	// what is left.
	run(ctx context.Context, q *Queue)
}

// Queue stands between requests and a Writer.
type Queue struct {
	cfg    Config
	items  chan *item
	bytes  atomic.Int64
	cancel context.CancelFunc
	done   chan struct{} // closed when the writer has ended

	written atomic.Uint64
	dropped atomic.Uint64
	report  reporter

	closing sync.RWMutex // held for reading while an item is put into the queue
	closed  bool
	ending  chan struct{} // closed with closed
}

// Open starts a queue and the goroutine that writes for it, until Close.
func Open(cfg Config, w Writer) *Queue {
	cfg.Records = cmp.Or(cfg.Records, DefaultRecords)
	cfg.Bytes = cmp.Or(cfg.Bytes, DefaultBytes)
	cfg.Drain = cmp.Or(cfg.Drain, DefaultDrain)
	cfg.Input = cmp.Or(cfg.Input, engine.RecordInputDenied)
	ctx, cancel := context.WithCancel(context.Background())
	q := &Queue{
		cfg: cfg, items: make(chan *item, cfg.Records),
		cancel: cancel, done: make(chan struct{}), ending: make(chan struct{}),
		report: reporter{tell: cfg.Report, every: cmp.Or(cfg.ReportEvery, time.Minute)},
	}
	go func() {
		defer close(q.done)
		w.run(ctx, q)
	}()
	return q
}

// Record implements engine.Recorder: it never blocks, and copies what it keeps.
func (q *Queue) Record(_ context.Context, r *engine.Record) { q.offer(keep(r)) }

// Fan is an engine.Recorder that gives every record to all of its queues.
type Fan []*Queue

// Record implements engine.Recorder.
func (f Fan) Record(_ context.Context, r *engine.Record) {
	it := keep(r)
	for _, q := range f {
		q.offer(it)
	}
}

func (q *Queue) offer(it *item) {
	q.closing.RLock()
	defer q.closing.RUnlock()
	if q.closed {
		q.drop(1, "closed")
		return
	}
	if q.bytes.Add(it.size) <= q.cfg.Bytes {
		select {
		case q.items <- it:
			return
		default:
		}
	}
	q.bytes.Add(-it.size)
	q.drop(1, "queue full")
}

// took notes that an item has left the queue.
func (q *Queue) took(it *item) { q.bytes.Add(-it.size) }

// wrote counts records that are where they belong.
func (q *Queue) wrote(n int) { q.written.Add(uint64(n)) }

// drop counts records that are lost.
func (q *Queue) drop(n int, reason string) {
	if n > 0 {
		q.dropped.Add(uint64(n))
		q.report.add(uint64(n), reason)
	}
}

// fail counts records that could not be written.
func (q *Queue) fail(n int, err error) {
	q.report.failed(err)
	q.drop(n, err.Error())
}

// view is a record as this queue's destination may see it. It shares with the item
// what it does not change.
func (q *Queue) view(it *item) *engine.Record {
	r := it.rec
	if r.Input != nil && (q.cfg.Input == engine.RecordInputNone || q.cfg.Input == engine.RecordInputDenied && !refused(&r)) {
		r.Input = nil
	}
	if q.cfg.Hasher != nil {
		q.cfg.Hasher.apply(&r)
	}
	return &r
}

// refused reports whether a request was denied or could not be decided, or one of
// the keys it names.
func refused(r *engine.Record) bool {
	return r.Outcome == engine.OutcomeDenied || r.Outcome == engine.OutcomeFault || r.Keys != nil && r.Keys.Denied > 0
}

// endGrace is how long Close waits for a writer that was told to give up.
const endGrace = time.Second

// Close takes no more records, waits for what is left to be written, at most
// Config.Drain, and counts the rest as dropped. A writer that hangs in one write is
// left behind: it ends with that write. Close may be called more than once.
func (q *Queue) Close() {
	q.closing.Lock()
	first := !q.closed
	q.closed = true
	q.closing.Unlock()
	if first {
		close(q.ending)
		close(q.items)
	}
	timer := time.NewTimer(q.cfg.Drain)
	defer timer.Stop()
	select {
	case <-q.done:
	case <-timer.C:
		q.cancel()
		q.dropRest()
		timer.Reset(endGrace)
		select {
		case <-q.done:
		case <-timer.C:
		}
	}
	q.cancel()
	q.report.end()
}

// dropRest empties a closed queue.
func (q *Queue) dropRest() {
	n := 0
	for it := range q.items {
		q.took(it)
		n++
	}
	q.drop(n, "not written in time")
}

// Status is the state of a queue.
type Status struct {
	Sink  string `json:"sink"`
	Place string `json:"place,omitempty"`
	// Queued records wait to be written, of the Capacity that may.
	Queued      int    `json:"queued"`
	Capacity    int    `json:"capacity"`
	QueuedBytes int64  `json:"queued_bytes"`
	Written     uint64 `json:"written"`
	Dropped     uint64 `json:"dropped"`
	// Error is how the last write that failed did, absent if none has.
	Error   string     `json:"error,omitempty"`
	ErrorAt *time.Time `json:"error_at,omitempty"`
}

// Status returns the state of the queue since it was opened.
func (q *Queue) Status() Status {
	s := Status{
		Sink: q.cfg.Name, Place: q.cfg.Place, Queued: len(q.items), Capacity: q.cfg.Records, QueuedBytes: q.bytes.Load(),
		Written: q.written.Load(), Dropped: q.dropped.Load(),
	}
	var at time.Time
	if s.Error, at = q.report.lastError(); s.Error != "" {
		s.ErrorAt = &at
	}
	return s
}

// Interface guards
var (
	_ engine.Recorder = (*Queue)(nil)
	_ engine.Recorder = Fan(nil)
)
