package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/sealgate/sealgate/module/records"
)

var (
	errLiteralHashKey = errors.New("record: hash_key must be a placeholder, {env.NAME} or {file./path}, not the key itself")
	errLiteralToken   = errors.New("bearer_token must be a placeholder, {env.NAME} or {file./path}, not the token itself")
)

// hasher gives a sink's Hasher, nil if it hashes nothing. Errors never show the key.
func (r *resolver) hasher(s *RecordSink, logger *zap.Logger) *records.Hasher {
	if len(s.Hash) == 0 {
		if s.HashKey != "" {
			r.fail(errors.New("record: hash_key without hash"))
		}
		return nil
	}
	key := ""
	switch {
	case s.HashKey == "":
		logger.Warn("record: no hash_key; hashes of records can be compared only until the configuration is loaded anew")
	case !placeholder.MatchString(s.HashKey):
		r.fail(errLiteralHashKey)
	default:
		if key = r.text("record: hash_key", s.HashKey); key == "" {
			r.fail(fmt.Errorf("record: hash_key: %s is empty or cannot be read", s.HashKey))
		}
	}
	h, err := records.NewHasher([]byte(key), s.Hash...)
	if err != nil {
		r.fail(fmt.Errorf("record: %w", err))
	}
	return h
}

// openCollector gives the writer that sends records to a service.
func openCollector(ctx caddy.Context, c *RecordCollector, cfg *records.Config) (records.Writer, error) {
	r := &resolver{replacer: caddy.NewReplacer()}
	to := r.collectorURL(c)
	labels := map[string]string{"app": "sealgate", "version": Version()}
	for name, value := range c.Labels {
		labels[name] = r.text("collector: label "+name, value)
	}
	token := r.bearerToken(c.BearerToken)
	if min(c.BatchRecords, c.BatchSize) < 0 || min(c.BatchWait, c.Timeout, c.GiveUp) < 0 {
		r.fail(errors.New("collector: sizes and times must not be negative"))
	}
	if r.err != nil {
		return nil, r.err
	}
	if labels["id"] == "" {
		labels["id"] = instance()
	}
	transport, err := c.loadTransport(ctx)
	if err != nil {
		return nil, err
	}
	cfg.Name, cfg.Place = "http", to.String()
	return records.NewCollector(records.CollectorConfig{
		URL: to, Transport: transport, Token: token, Labels: labels,
		BatchRecords: c.BatchRecords, BatchBytes: c.BatchSize, BatchWait: time.Duration(c.BatchWait),
		Timeout: time.Duration(c.Timeout), GiveUp: time.Duration(c.GiveUp),
	})
}

// collectorURL parses the service's URL and refuses plaintext beyond this machine.
func (r *resolver) collectorURL(c *RecordCollector) *url.URL {
	v := r.text("collector: url", c.URL)
	if v == "" {
		r.unset("collector: url", c.URL, "URL")
		return nil
	}
	u, err := url.Parse(v)
	switch {
	// What is wrong with it is not shown: it may hold a password.
	case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https":
		r.fail(errors.New("collector: url is not an http:// or https:// URL"))
	case u.User != nil:
		r.fail(errors.New("collector: a URL with a user name or password is not accepted; use bearer_token"))
	case u.RawQuery != "" || u.Fragment != "":
		r.fail(errors.New("collector: a URL with a query or fragment is not accepted"))
	case u.Scheme == "http" && !c.Insecure && !loopback(u.Hostname()):
		r.fail(fmt.Errorf("collector: %s would carry records in plaintext over a network; use https://, or say insecure", u.Redacted()))
	}
	return u
}

// bearerToken gives what reads the token for each batch, nil where there is none.
func (r *resolver) bearerToken(value string) func() (string, error) {
	if value == "" {
		return nil
	}
	if !placeholder.MatchString(value) {
		r.fail(fmt.Errorf("collector: %w", errLiteralToken))
		return nil
	}
	read := func() (string, error) {
		now := &resolver{replacer: caddy.NewReplacer()}
		token := now.text("collector: bearer_token", value)
		if now.err == nil && token == "" {
			now.fail(fmt.Errorf("collector: bearer_token: %s is empty or cannot be read", value))
		}
		return token, now.err
	}
	if _, err := read(); err != nil {
		r.fail(err)
	}
	return read
}

// loadTransport gives the connection to the service.
func (c *RecordCollector) loadTransport(ctx caddy.Context) (http.RoundTripper, error) {
	if c.TransportRaw == nil {
		return &http.Transport{
			ForceAttemptHTTP2: true, MaxIdleConns: 2, IdleConnTimeout: 90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		}, nil
	}
	var fields map[string]any
	if err := json.Unmarshal(c.TransportRaw, &fields); err != nil {
		return nil, fmt.Errorf("collector: decoding transport: %w", err)
	}
	if fields["protocol"] != "http" {
		return nil, fmt.Errorf("collector: transport %q is not available; only http is", fields["protocol"])
	}
	if _, ok := fields["forward_proxy_url"]; !ok {
		setDefaults(fields, map[string]any{"network_proxy": map[string]any{"from": "none"}})
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("collector: encoding transport: %w", err)
	}
	loading := &RecordCollector{TransportRaw: raw}
	guest, err := ctx.LoadModule(loading, "TransportRaw")
	if err != nil {
		return nil, fmt.Errorf("collector: loading transport: %w", err)
	}
	t, ok := guest.(*reverseproxy.HTTPTransport)
	if !ok {
		return nil, fmt.Errorf("collector: transport %T is not http", guest)
	}
	return guestTransport{t}, nil
}

// instance names this gateway: Caddy's id of the instance, else the host.
func instance() string {
	if id, err := caddy.InstanceID(); err == nil {
		return id.String()
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
