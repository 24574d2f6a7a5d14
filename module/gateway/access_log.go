package gateway

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/sealgate/sealgate/module/engine"
	"github.com/sealgate/sealgate/module/gateway/redact"
)

// Caddy copies a request for its access log before any handler runs and hides
// only cookies and Authorization in it: SSE-C keys and presigned signatures
// would be logged. So the handler tells Caddy to skip its entry and writes one
// of the same shape, redacted, to the same loggers.

// entry is the access log entry of one request while it is served.
type entry struct {
	request *http.Request // as it came, for the log only
	start   time.Time
	read    atomic.Int64
	reply   caddyhttp.ResponseRecorder

	// Of the decision record, once there is one.
	id, operation, principal string
	outcome                  engine.Outcome
}

// entryKey is the context key of the request's *entry.
type entryKey struct{}

// logAccess prepares the access log entry of r, if r is to be logged. done
// writes it; it must be deferred, so that cut connections are logged too.
func (h *Handler) logAccess(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, func()) {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	skip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool)
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	if skip || server == nil || !logged(server.Logs, r) {
		return w, r, func() {}
	}
	e := &entry{request: r, start: time.Now(), reply: caddyhttp.NewResponseRecorder(w, nil, nil)}
	out := r.WithContext(context.WithValue(r.Context(), entryKey{}, e))
	if r.Body != nil {
		out.Body = &countingBody{ReadCloser: r.Body, n: &e.read}
	}
	return e.reply, out, func() { h.write(e, server.Logs) }
}

// write emits the entry. It runs while a panic may be passing, and lets it pass.
func (h *Handler) write(e *entry, config *caddyhttp.ServerLogConfig) {
	status := e.reply.Status()
	level := zapcore.InfoLevel
	if status >= http.StatusInternalServerError {
		level = zapcore.ErrorLevel
	}
	var fields []zap.Field
	for _, logger := range loggers(h.accessLog, config, e.request) {
		c := logger.Check(level, "handled request")
		if c == nil {
			continue
		}
		if fields == nil {
			fields = e.fields()
		}
		c.Write(fields...)
	}
}

// fields are Caddy's own, in its order, and what ties the entry to its decision
// record.
func (e *entry) fields() []zap.Field {
	shown := e.request.WithContext(e.request.Context())
	shown.RequestURI = redact.URI(e.request.RequestURI)
	shown.Header = redact.Header(e.request.Header)
	fields := []zap.Field{
		zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: shown}),
		zap.Int64("bytes_read", e.read.Load()),
		zap.String("user_id", e.principal),
		zap.Duration("duration", time.Since(e.start)),
		zap.Int("size", e.reply.Size()),
		zap.Int("status", e.reply.Status()),
		zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: redact.Header(e.reply.Header())}),
	}
	if e.id != "" {
		fields = append(fields,
			zap.String("s3_request_id", e.id),
			zap.String("s3_operation", e.operation),
			zap.String("s3_outcome", string(e.outcome)))
	}
	return fields
}

// logged repeats Caddy's own test of whether a request has an access log entry.
func logged(config *caddyhttp.ServerLogConfig, r *http.Request) bool {
	if config == nil {
		return false
	}
	host := hostname(r)
	for pattern := range config.LoggerNames {
		if certmagic.MatchWildcard(host, pattern) {
			return true
		}
	}
	for _, pattern := range config.SkipHosts {
		if certmagic.MatchWildcard(host, pattern) {
			return false
		}
	}
	return !config.SkipUnmappedHosts
}

// loggers repeats Caddy's own choice of loggers: the log_name directive's, those
// of the host, those of a wildcard of it, or the server's default.
func loggers(base *zap.Logger, config *caddyhttp.ServerLogConfig, r *http.Request) []*zap.Logger {
	var named []*zap.Logger
	for _, name := range loggerNames(config, r) {
		if name == "" {
			named = append(named, base)
			continue
		}
		named = append(named, base.Named(name))
	}
	return named
}

func loggerNames(config *caddyhttp.ServerLogConfig, r *http.Request) []string {
	if names, ok := caddyhttp.GetVar(r.Context(), caddyhttp.AccessLoggerNameVarKey).([]any); ok {
		var chosen []string
		for _, n := range names {
			if s, ok := n.(string); ok {
				chosen = append(chosen, s)
			}
		}
		return chosen
	}
	host := strings.ToLower(hostname(r))
	if names, ok := config.LoggerNames[host]; ok {
		return names
	}
	labels := strings.Split(host, ".")
	for i := range labels {
		if labels[i] == "" {
			continue
		}
		labels[i] = "*"
		if names, ok := config.LoggerNames[strings.Join(labels, ".")]; ok {
			return names
		}
	}
	return []string{config.DefaultLoggerName}
}

// hostname is the request's host without port.
func hostname(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}

// countingBody counts what was read of a request body.
type countingBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}
