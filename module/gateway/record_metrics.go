package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealgate/sealgate/module/records"
)

var (
	recordsDropped = prometheus.NewDesc("sealgate_records_dropped_total",
		"Decision records that were not written: the queue was full, the write failed, or the configuration ended.", []string{"sink"}, nil)
	recordsWritten = prometheus.NewDesc("sealgate_records_written_total",
		"Decision records that were written.", []string{"sink"}, nil)
	recordsQueued = prometheus.NewDesc("sealgate_records_queued",
		"Decision records that wait to be written.", []string{"sink"}, nil)
)

// recordCollector reads the state of record queues when it is scraped. Queues of the
// same kind are one sink: where they lead never becomes a label.
type recordCollector struct{ app *App }

// Describe implements prometheus.Collector.
func (recordCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- recordsDropped
	ch <- recordsWritten
	ch <- recordsQueued
}

// Collect implements prometheus.Collector.
func (c recordCollector) Collect(ch chan<- prometheus.Metric) {
	sums := make(map[string]records.Status)
	for _, s := range recordStatus(c.app.records.all()) {
		sum := sums[s.Sink]
		sum.Dropped += s.Dropped
		sum.Written += s.Written
		sum.Queued += s.Queued
		sums[s.Sink] = sum
	}
	for sink, s := range sums {
		ch <- prometheus.MustNewConstMetric(recordsDropped, prometheus.CounterValue, float64(s.Dropped), sink)
		ch <- prometheus.MustNewConstMetric(recordsWritten, prometheus.CounterValue, float64(s.Written), sink)
		ch <- prometheus.MustNewConstMetric(recordsQueued, prometheus.GaugeValue, float64(s.Queued), sink)
	}
}

// Interface guards
var _ prometheus.Collector = recordCollector{}
