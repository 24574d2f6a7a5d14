package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2"

	"github.com/sealgate/sealgate/module/engine"
)

// openRecords sets up where the handler's decision records go: the app's logger,
// or the writer that the `record` field names.
func (h *Handler) openRecords(ctx caddy.Context) error {
	if h.RecordRaw == nil {
		h.recorder = noted{logRecorder{h.app.decisions}}
		return nil
	}
	guest, err := ctx.LoadModule(h, "RecordRaw")
	if err != nil {
		return fmt.Errorf("loading record writer: %w", err)
	}
	opener, ok := guest.(caddy.WriterOpener)
	if !ok {
		return fmt.Errorf("record: %T is not a log writer", guest)
	}
	w, err := openRecordWriter(opener, h.logger)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	h.recorder, h.closeRecords = noted{w}, w.Close
	return nil
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

// Record implements engine.Recorder.
func (l logRecorder) Record(_ context.Context, r *engine.Record) {
	c := l.logger.Check(zapcore.InfoLevel, "decision")
	if c == nil {
		return
	}
	c.Write(zap.Inline(recordFields{r}))
}

// recordWriters shares open writers between handlers and over reloads: two
// configurations live side by side for a moment and must not write one file
// through two descriptors.
var recordWriters = caddy.NewUsagePool()

// recordWriter writes one JSON object per line.
type recordWriter struct {
	key    string
	out    io.Writer
	logger *zap.Logger
}

// pooledWriter is a writer that its last user closes.
type pooledWriter struct{ io.WriteCloser }

// Destruct implements caddy.Destructor.
func (p pooledWriter) Destruct() error { return p.Close() }

func openRecordWriter(opener caddy.WriterOpener, logger *zap.Logger) (*recordWriter, error) {
	key := opener.WriterKey()
	pooled, _, err := recordWriters.LoadOrNew(key, func() (caddy.Destructor, error) {
		w, err := opener.OpenWriter()
		if err != nil {
			return nil, err
		}
		return pooledWriter{w}, nil
	})
	if err != nil {
		return nil, err
	}
	return &recordWriter{key: key, out: pooled.(pooledWriter), logger: logger}, nil
}

// Record implements engine.Recorder.
func (w *recordWriter) Record(_ context.Context, r *engine.Record) {
	line, err := json.Marshal(r)
	if err == nil {
		_, err = w.out.Write(append(line, '\n'))
	}
	if err != nil {
		w.logger.Error("writing decision record", zap.String("id", r.ID), zap.Error(err))
	}
}

// Close gives the writer back to the pool.
func (w *recordWriter) Close() error {
	_, err := recordWriters.Delete(w.key)
	return err
}
