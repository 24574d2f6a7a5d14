package gateway

import (
	"bytes"
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// RecordSinks are the places decision records go to, each by itself: one that is slow
// or down does not hold up another.
type RecordSinks []RecordSink

// UnmarshalJSON also takes what there was before there could be several: one log
// writer, without a list around it.
func (s *RecordSinks) UnmarshalJSON(text []byte) error {
	if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 && trimmed[0] == '{' {
		*s = RecordSinks{{WriterRaw: append(json.RawMessage(nil), trimmed...)}}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode((*[]RecordSink)(s))
}

// RecordSink is one place decision records go to: a log writer, a collector or, with
// neither, the logger `s3_encryption.decision`.
type RecordSink struct {
	// A Caddy log writer, which gets one JSON object per line. A file is kept whole: a
	// line that was cut off when the process was killed goes before the next is written.
	WriterRaw json.RawMessage `json:"writer,omitempty" caddy:"namespace=caddy.logging.writers inline_key=output"`

	// A service that takes OPA's decision logs.
	Collector *RecordCollector `json:"collector,omitempty"`

	// Which of its records hold the input document that policy was asked about:
	// `denied` (denials and faults), `all` or `none`. Default: `record_input`.
	Input string `json:"input,omitempty"`

	// Values to replace by HMAC-SHA-256, wherever a record shows them: `key`,
	// `bucket`, `version_id`, `principal`, `access_key`, `groups`, `attributes`,
	// `source_ip`, `user_agent`, `tags`, `metadata`, `context`, or the path of a
	// single text, such as `input.request.tags.project`. Equal values have equal
	// hashes. A record says what was hashed in it; a decision whose input is hashed
	// cannot be replayed. Default: none.
	Hash []string `json:"hash,omitempty"`

	// The key of those hashes: a single `{env.NAME}` or `{file./path}` placeholder,
	// never the key itself, of at least 16 characters. It is read when the
	// configuration is loaded. Default: a random one, so that hashes can be compared
	// only until the configuration is loaded anew.
	HashKey string `json:"hash_key,omitempty"`

	// How many records may wait to be written, and how many bytes of them. When
	// either is reached records are dropped and counted; requests never wait.
	// Default: 8192 records, 16 MiB.
	QueueRecords int   `json:"queue_records,omitempty"`
	QueueSize    int64 `json:"queue_size,omitempty"`

	// How long a configuration that ends waits for its records to be written; the
	// rest is dropped and counted. Default: `5s`.
	Drain caddy.Duration `json:"drain,omitempty"`
}

// RecordCollector is a service that takes OPA's decision logs: gzip-compressed JSON
// arrays of events, POSTed to `<url>/logs`. Redirects are not followed. Batches that
// it does not take are sent again, after a pause that grows to a minute; one that it
// finds too large (413) is halved; one that it finds malformed (400, 415, 422) is
// dropped. Placeholders are replaced when the configuration is loaded.
type RecordCollector struct {
	// The base URL of the service. An `http://` URL is accepted for this machine only,
	// unless `insecure` is set. Required.
	URL string `json:"url,omitempty"`

	// The bearer token: a single `{env.NAME}` or `{file./path}` placeholder, never the
	// token itself. It is read for every batch. Default: none.
	BearerToken string `json:"bearer_token,omitempty"`

	// Labels of every event, besides `id` (of this Caddy instance, unless it is set
	// here), `version` and `app`.
	Labels map[string]string `json:"labels,omitempty"`

	// A batch goes once it has this many records or bytes of JSON.
	// Default: 1000 records, 1 MiB.
	BatchRecords int `json:"batch_records,omitempty"`
	BatchSize    int `json:"batch_size,omitempty"`

	// How long the first record of a batch waits for others. Default: `5s`.
	BatchWait caddy.Duration `json:"batch_wait,omitempty"`

	// How long one request may take, its reply included. Default: `10s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How long a batch is tried before it is dropped. Default: `5m`.
	GiveUp caddy.Duration `json:"give_up,omitempty"`

	// Allows an `http://` URL that is not this machine. Records and token then cross
	// the network in plaintext. Default: false.
	Insecure bool `json:"insecure,omitempty"`

	// The connection to the service, configured as Caddy's reverse_proxy transport
	// `http`: TLS trust, client certificates, dialling. No proxy is taken from the
	// environment. Default: one for TLS by the system's roots.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`
}
