package gateway

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/logging"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/records"
)

// openRecords sets up where the handler's decision records go: the sinks of the
// `record` field, or the app's logger. It decides what the engine records of inputs.
func (h *Handler) openRecords(ctx caddy.Context) error {
	sinks := h.Record
	if len(sinks) == 0 {
		sinks = RecordSinks{{}}
	}
	r := &resolver{replacer: caddy.NewReplacer()}
	inputs := make([]string, 0, len(sinks))
	for i := range sinks {
		s := &sinks[i]
		cfg := records.Config{Records: s.QueueRecords, Bytes: s.QueueSize, Drain: time.Duration(s.Drain)}
		cfg.Input = engine.RecordInput(r.word("record: input", cmp.Or(s.Input, string(h.settings.recordInput)), recordInputWords))
		cfg.Hasher = r.hasher(s, h.logger)
		if s.QueueRecords < 0 || s.QueueSize < 0 || s.Drain < 0 {
			r.fail(fmt.Errorf("record: queue and drain must not be negative"))
		}
		if r.err != nil {
			return r.err
		}
		inputs = append(inputs, string(cfg.Input))
		w, err := h.openSink(ctx, s, &cfg)
		if err != nil {
			return fmt.Errorf("record: %w", err)
		}
		cfg.Report = dropped{h.logger, cfg.Name, cfg.Place}.report
		h.records = append(h.records, h.app.records.open(cfg, w))
	}
	// The engine records what any sink wants; queues leave out what theirs does not.
	for _, word := range []engine.RecordInput{engine.RecordInputAll, engine.RecordInputDenied, engine.RecordInputNone} {
		if slices.Contains(inputs, string(word)) {
			h.settings.recordInput = word
			break
		}
	}
	h.recorder = noted{records.Fan(h.records)}
	return nil
}

// openSink gives the writer of a sink, and its names to cfg.
func (h *Handler) openSink(ctx caddy.Context, s *RecordSink, cfg *records.Config) (records.Writer, error) {
	switch {
	case s.WriterRaw != nil && s.Collector != nil:
		return nil, fmt.Errorf("a sink is a log writer or a collector, not both")
	case s.Collector != nil:
		return openCollector(ctx, s.Collector, cfg)
	case s.WriterRaw == nil:
		cfg.Name = "log"
		return records.Each(logRecorder{h.app.decisions}.write), nil
	}
	guest, err := ctx.LoadModule(s, "WriterRaw")
	if err != nil {
		return nil, fmt.Errorf("loading log writer: %w", err)
	}
	opener, ok := guest.(caddy.WriterOpener)
	if !ok {
		return nil, fmt.Errorf("%T is not a log writer", guest)
	}
	cfg.Name, cfg.Place = guest.(caddy.Module).CaddyModule().ID.Name(), opener.String()
	w, err := openRecordWriter(opener)
	if err != nil {
		return nil, err
	}
	return records.Lines(w), nil
}

// noted tells the access log entry of the same request what it needs of the record.
type noted struct{ next engine.Recorder }

// Record implements engine.Recorder.
func (n noted) Record(ctx context.Context, r *engine.Record) {
	if e, ok := ctx.Value(entryKey{}).(*entry); ok {
		e.id, e.operation, e.outcome, e.principal = r.ID, r.Operation, r.Outcome, r.Identity.Principal
	}
	n.next.Record(ctx, r)
}

// logRecorder writes records to a zap logger, the record's members on the top
// level of the entry.
type logRecorder struct{ logger *zap.Logger }

func (l logRecorder) write(r *engine.Record) error {
	if c := l.logger.Check(zapcore.InfoLevel, "decision"); c != nil {
		c.Write(zap.Inline(recordFields{r}))
	}
	return nil
}

// dropped logs that records were.
type dropped struct {
	logger      *zap.Logger
	sink, place string
}

func (d dropped) report(n uint64, reason string) {
	d.logger.Error("decision records dropped", zap.Uint64("dropped", n), zap.String("sink", d.sink),
		zap.String("place", d.place), zap.String("reason", reason))
}

// recordQueues are those of one configuration. They end together, after the last
// request: each takes its own time to drain, and none that of another.
type recordQueues struct {
	mu     sync.Mutex
	queues []*records.Queue
}

func (q *recordQueues) open(cfg records.Config, w records.Writer) *records.Queue {
	queue := records.Open(cfg, w)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queues = append(q.queues, queue)
	return queue
}

func (q *recordQueues) all() []*records.Queue {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.queues)
}

func (q *recordQueues) close() {
	if q == nil { // the configuration did not get that far
		return
	}
	var ending sync.WaitGroup
	for _, queue := range q.all() {
		ending.Go(queue.Close)
	}
	ending.Wait()
}

func recordStatus(queues []*records.Queue) []records.Status {
	list := make([]records.Status, len(queues))
	for i, q := range queues {
		list[i] = q.Status()
	}
	return list
}

// recordWriters shares open writers between handlers and over reloads: two
// configurations live side by side for a moment and must not write one file
// through two descriptors.
var recordWriters = caddy.NewUsagePool()

// recordWriter is one user's hold on a shared writer.
type recordWriter struct {
	io.Writer
	key string
}

// pooledWriter is a writer that its last user closes.
type pooledWriter struct{ io.WriteCloser }

// Destruct implements caddy.Destructor.
func (p pooledWriter) Destruct() error { return p.Close() }

func openRecordWriter(opener caddy.WriterOpener) (io.WriteCloser, error) {
	key := opener.WriterKey()
	pooled, _, err := recordWriters.LoadOrNew(key, func() (caddy.Destructor, error) {
		w, err := openWriter(opener)
		if err != nil {
			return nil, err
		}
		return pooledWriter{w}, nil
	})
	if err != nil {
		return nil, err
	}
	return recordWriter{pooled.(pooledWriter), key}, nil
}

// openWriter opens a log writer; a file is kept whole.
func openWriter(opener caddy.WriterOpener) (io.WriteCloser, error) {
	file, ok := opener.(*logging.FileWriter)
	if !ok {
		return opener.OpenWriter()
	}
	f := &records.File{Path: file.Filename, Open: opener.OpenWriter}
	return f, f.OpenNow()
}

// Close gives the writer back to the pool.
func (w recordWriter) Close() error {
	_, err := recordWriters.Delete(w.key)
	return err
}
