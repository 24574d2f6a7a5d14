package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// policyGauges joins the state of the policies of several handlers: the newest, the
// oldest, the worst.
type policyGauges struct {
	revisions map[string]bool
	sources   map[[2]string]bool
	failures  map[string]uint64
	loaded    time.Time
	age       time.Duration
	stale     bool
	failed    time.Time // the last failure of one that is not mended
	bad       bool
}

func (g *policyGauges) add(h *Handler) {
	if g.revisions == nil {
		g.revisions, g.sources, g.failures = make(map[string]bool), make(map[[2]string]bool), make(map[string]uint64)
	}
	s := h.policy.Status()
	g.revisions[s.Revision] = true
	g.sources[[2]string{h.sourceKind(), s.Source.Revision}] = true
	for step, n := range s.Failures {
		g.failures[step] += n
	}
	if s.LoadedAt.After(g.loaded) {
		g.loaded = s.LoadedAt
	}
	g.age = max(g.age, s.Source.Age)
	g.stale = g.stale || s.Source.Stale
	if s.Err != "" {
		g.bad = true
		if s.ErrAt.After(g.failed) {
			g.failed = s.ErrAt
		}
	}
}

func (g *policyGauges) send(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for revision := range g.revisions {
		send(policyInfo, 1, revision)
	}
	for source := range g.sources {
		send(policySource, 1, source[:]...)
	}
	for step, n := range g.failures {
		ch <- prometheus.MustNewConstMetric(policyFailures, prometheus.CounterValue, float64(n), step)
	}
	send(policyLoaded, seconds(g.loaded))
	send(policyAge, g.age.Seconds())
	send(policyStale, gauge(g.stale))
	send(policyLastError, seconds(g.failed))
	send(reloadSuccessful, gauge(!g.bad), "policy")
}

// seconds is a moment since the epoch, 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1e3
}
