// Package gateway is the Caddy shell of Sealgate: the s3_encryption handler, the
// app its instances share, the Caddyfile, metrics, the admin API and the access
// log. The S3 work itself is done by package engine, which knows nothing of Caddy.
//
//	handler.go          the handler's fields and life: Provision, ServeHTTP, Cleanup
//	settings.go         fields after placeholders, checked
//	caddyfile.go        the s3_encryption directive and global option
//	app.go              what handlers of one configuration share
//	keyrings.go         the keyrings of a configuration
//	shared_keyring.go   what is remembered of a keyring over reloads
//	keyring_status.go   the state of keyrings
//	uploads.go          open uploads of sealed objects, in Caddy's storage
//	transport.go        the connection to the store
//	server.go           what has to happen before Caddy's own handler
//	metadata.go         x-amz-meta-* headers that Caddy would delete
//	expect.go           clients that wait for "100 Continue"
//	unanswered.go       requests that no site answers
//	access_log.go       the access log entry in place of Caddy's
//	redact/             what a log entry may show
//	records.go          decision records: their queues and log writers
//	record_sinks.go     the record field, record_caddyfile.go in a Caddyfile
//	record_collector.go the record field's HTTP collector
//	record_fields.go    a decision record as members of a log entry
//	metrics.go          Prometheus metrics, metrics_policy.go those of policies
//	admin.go            the routes of the admin API, GET /s3_encryption/status
//	admin_policy.go     the policy's part of it, reload and rollback
//	shared_policy.go    what is remembered of a policy over reloads
//	policy_bundle.go    a policy from a server
//	gate.go             what a changed policy has to pass
//	watch.go            files that change while the gateway runs
package gateway
