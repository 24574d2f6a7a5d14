package gateway

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealgate/sealgate/module/engine"
)

// metrics are shared by all handlers of a configuration. Labels are words from
// closed sets; bucket and key names never become labels.
type metrics struct {
	requests     *prometheus.CounterVec
	decisions    prometheus.Histogram
	upstream     prometheus.Histogram
	weakReplies  prometheus.Counter
	openFailures prometheus.Counter
}

func newMetrics() *metrics {
	return &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sealgate_requests_total",
			Help: "Finished requests by operation, encryption mode decided and outcome.",
		}, []string{"operation", "mode", "outcome"}),
		decisions: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sealgate_decision_seconds",
			Help:    "Time one policy decision took.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025},
		}),
		upstream: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sealgate_upstream_seconds",
			Help:    "Time from sending a call to the store to its reply headers.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}),
		weakReplies: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sealgate_weak_reply_total",
			Help: "Replies of the store that showed weaker encryption than decided.",
		}),
		openFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sealgate_open_failures_total",
			Help: "Sealed objects that could not be opened.",
		}),
	}
}

// register adds the metrics to a configuration's registry; each configuration
// has its own registry, and one app.
func (m *metrics) register(into *prometheus.Registry, app *App) error {
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.decisions, m.upstream, m.weakReplies, m.openFailures, stateCollector{app}, recordCollector{app}, shadowCollector{app}} {
		errs = append(errs, into.Register(c))
	}
	return errors.Join(errs...)
}

// Request implements engine.Observer.
func (m *metrics) Request(operation, mode, outcome string) {
	m.requests.WithLabelValues(operation, mode, outcome).Inc()
}

// Decision implements engine.Observer.
func (m *metrics) Decision(d time.Duration) { m.decisions.Observe(d.Seconds()) }

// Upstream implements engine.Observer.
func (m *metrics) Upstream(d time.Duration) { m.upstream.Observe(d.Seconds()) }

// WeakReply implements engine.Observer.
func (m *metrics) WeakReply() { m.weakReplies.Inc() }

// OpenFailure implements engine.Observer.
func (m *metrics) OpenFailure() { m.openFailures.Inc() }

var (
	policyInfo = prometheus.NewDesc("sealgate_policy_info",
		"Always 1; the label names the policy revision in force.", []string{"revision"}, nil)
	policyLoaded = prometheus.NewDesc("sealgate_policy_loaded_timestamp_seconds",
		"When the policy in force was loaded, the newest if several handlers have one.", nil, nil)
	policySource = prometheus.NewDesc("sealgate_policy_source_info",
		"Always 1; the labels say where the policy in force is from (library, directory, bundle) and what a bundle calls itself.", []string{"source", "bundle_revision"}, nil)
	policyAge = prometheus.NewDesc("sealgate_policy_age_seconds",
		"How long ago the newest policy was last known to be in force, the longest if several handlers have one.", nil, nil)
	policyStale = prometheus.NewDesc("sealgate_policy_stale",
		"Whether that is longer than max_staleness (1), of any handler.", nil, nil)
	policyFailures = prometheus.NewDesc("sealgate_policy_activation_failures_total",
		"How often a policy was kept out of force since the configuration was loaded, by the step that it did not pass.", []string{"step"}, nil)
	policyLastError = prometheus.NewDesc("sealgate_policy_last_error_timestamp_seconds",
		"When the newest policy was last kept out of force, 0 when it is in force.", nil, nil)
	reloadSuccessful = prometheus.NewDesc("sealgate_reload_successful",
		"Whether the newest state of the watched files could be loaded (1) or the last good one is in force (0).", []string{"files"}, nil)
)

// stateCollector reads the state of handlers and keyrings when it is scraped.
type stateCollector struct{ app *App }

// Describe implements prometheus.Collector.
func (stateCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- policyInfo
	ch <- policyLoaded
	ch <- policySource
	ch <- policyAge
	ch <- policyStale
	ch <- policyFailures
	ch <- policyLastError
	ch <- reloadSuccessful
}

// Collect implements prometheus.Collector. Handlers may share a revision, and a
// metric may be sent once only.
func (c stateCollector) Collect(ch chan<- prometheus.Metric) {
	if good, any := c.app.keyrings.files(); any {
		ch <- prometheus.MustNewConstMetric(reloadSuccessful, prometheus.GaugeValue, gauge(good), "keyrings")
	}
	handlers := c.app.gateways.joined()
	if len(handlers) == 0 {
		return
	}
	clientsGood := true
	var policies policyGauges
	for _, h := range handlers {
		clientsGood = clientsGood && h.clients.Status().Err == ""
		policies.add(h)
	}
	policies.send(ch)
	ch <- prometheus.MustNewConstMetric(reloadSuccessful, prometheus.GaugeValue, gauge(clientsGood), "clients")
}

func gauge(good bool) float64 {
	if good {
		return 1
	}
	return 0
}

// Interface guards
var (
	_ engine.Observer      = (*metrics)(nil)
	_ prometheus.Collector = stateCollector{}
)
