package records

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/sealgate/sealgate/module/engine"
)

// Defaults of CollectorConfig.
const (
	DefaultBatchRecords = 1000
	DefaultBatchBytes   = 1 << 20
	DefaultBatchWait    = 5 * time.Second
	DefaultTimeout      = 10 * time.Second
	DefaultGiveUp       = 5 * time.Minute
)

// The pause after a batch was not taken doubles from the first to the last; half of it
// is left to chance, so that gateways do not come back together.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// CollectorConfig says where a Collector sends records and how.
type CollectorConfig struct {
	// URL is the service's base URL; batches go to URL/logs. Required.
	URL *url.URL
	// Transport carries the requests. Required.
	Transport http.RoundTripper
	// Token gives the bearer token for each request, so that one which is replaced is
	// picked up; "" sends none. It may be nil. Its error must not hold the token.
	Token func() (string, error)
	// Labels say which gateway events come from. They must have an id.
	Labels map[string]string
	// A batch is sent once it has BatchRecords records or BatchBytes of JSON, or the
	// first of its records has waited for BatchWait.
	BatchRecords int
	BatchBytes   int
	BatchWait    time.Duration
	// Timeout bounds one request, reply included.
	Timeout time.Duration
	// GiveUp is how long a batch is tried before it is dropped. Meanwhile records
	// wait in the queue.
	GiveUp time.Duration
	// FirstPause is the pause after a first failure, 0 for a second.
	FirstPause time.Duration
}

// Collector is a Writer that sends records as OPA's decision logs: batches of events,
// a JSON array that is compressed with gzip, POSTed to URL/logs. It follows no
// redirect, which would carry records and token to somewhere else. A Collector is for
// one queue; between the two, memory is bounded by the queue's bytes and a few times
// BatchBytes.
type Collector struct {
	cfg    CollectorConfig
	url    string
	client *http.Client
	zipped bytes.Buffer
	zipper *gzip.Writer
}

// NewCollector returns a Collector. It connects to nothing yet.
func NewCollector(cfg CollectorConfig) (*Collector, error) {
	switch {
	case cfg.URL == nil:
		return nil, errors.New("collector: no URL")
	case cfg.Transport == nil:
		return nil, errors.New("collector: no transport")
	}
	cfg.BatchRecords = cmp.Or(cfg.BatchRecords, DefaultBatchRecords)
	cfg.BatchBytes = cmp.Or(cfg.BatchBytes, DefaultBatchBytes)
	cfg.BatchWait = cmp.Or(cfg.BatchWait, DefaultBatchWait)
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	cfg.GiveUp = cmp.Or(cfg.GiveUp, DefaultGiveUp)
	cfg.FirstPause = cmp.Or(cfg.FirstPause, firstPause)
	return &Collector{
		cfg: cfg,
		url: cfg.URL.JoinPath("logs").String(), zipper: gzip.NewWriter(io.Discard),
		client: &http.Client{
			Transport: cfg.Transport, Timeout: cfg.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// batch is events on their way: their JSON, a comma behind each, and where each ends.
type batch struct {
	events bytes.Buffer
	ends   []int
}

func (b *batch) reset() {
	b.events.Reset()
	b.ends = b.ends[:0]
}

// slice is the JSON of the events from one to another.
func (b *batch) slice(from, to int) []byte {
	start := 0
	if from > 0 {
		start = b.ends[from-1]
	}
	return b.events.Bytes()[start:b.ends[to-1]]
}

func (c *Collector) run(ctx context.Context, q *Queue) {
	defer c.client.CloseIdleConnections()
	form := collectorForm{labels: c.cfg.Labels}
	var b batch
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		send, open := false, true
		select {
		case it, ok := <-q.items:
			if open = ok; !ok {
				break
			}
			q.took(it)
			if err := form.add(&b, q.view(it)); err != nil {
				q.fail(1, err)
				break
			}
			if len(b.ends) == 1 {
				timer.Reset(c.cfg.BatchWait)
			}
			send = len(b.ends) >= c.cfg.BatchRecords || b.events.Len() >= c.cfg.BatchBytes
		case <-timer.C:
			send = true
		}
		if send || !open {
			timer.Stop()
			c.deliver(ctx, q, &b)
			b.reset()
		}
		if !open {
			return
		}
	}
}

// collectorForm encodes records as events.
type collectorForm struct {
	labels map[string]string
	line   bytes.Buffer
}

func (f *collectorForm) add(b *batch, r *engine.Record) error {
	if err := encode(&f.line, r, func(r *engine.Record) any { return eventOf(r, f.labels) }); err != nil {
		return err
	}
	f.line.Truncate(f.line.Len() - 1) // the newline
	b.events.Write(f.line.Bytes())
	b.events.WriteByte(',')
	b.ends = append(b.ends, b.events.Len())
	return nil
}

// part is a run of a batch's events.
type part struct{ from, to int }

// deliver sends a batch, in parts where it is too large for the collector, and
// counts what became of it.
func (c *Collector) deliver(ctx context.Context, q *Queue, b *batch) {
	if len(b.ends) == 0 {
		return
	}
	until := time.Now().Add(c.cfg.GiveUp)
	for parts := []part{{0, len(b.ends)}}; len(parts) > 0; {
		last := len(parts) - 1
		p := parts[last]
		parts = parts[:last]
		n := p.to - p.from
		err := c.persist(ctx, q, attempt{b.slice(p.from, p.to), until})
		switch {
		case err == nil:
			q.wrote(n)
		case errors.Is(err, errTooLarge) && n > 1:
			middle := p.from + n/2
			parts = append(parts, part{middle, p.to}, part{p.from, middle})
		default:
			q.fail(n, err)
		}
	}
}

// attempt is what is sent, and until when it is tried.
type attempt struct {
	events []byte
	until  time.Time
}

// persist sends events until the collector takes them, refuses them for good, or it
// has been long enough.
func (c *Collector) persist(ctx context.Context, q *Queue, a attempt) error {
	pause := c.cfg.FirstPause
	for {
		if ctx.Err() != nil {
			return errors.New("not sent in time")
		}
		err := c.post(ctx, a.events)
		var again *retryError
		if err == nil || !errors.As(err, &again) {
			return err
		}
		q.report.failed(err)
		wait := max(pause/2+rand.N(pause/2+1), min(again.after, lastPause)) //nolint:gosec // no secret
		pause = min(2*pause, lastPause)
		if time.Now().Add(wait).After(a.until) {
			return err
		}
		if !c.rest(ctx, q, wait) {
			return err
		}
	}
}

// rest waits. Once the queue is being closed there is little time: then it waits for
// the first pause at most. It reports whether there is time to go on.
func (c *Collector) rest(ctx context.Context, q *Queue, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-q.ending:
	}
	timer.Reset(min(wait, c.cfg.FirstPause))
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
