package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// IssuerStats is the state of one trusted issuer at one moment.
type IssuerStats struct {
	Name        string         // of its entry, the only label that says who
	State       string         // healthy, stale, failing, neverFetched or disabled
	Age         *time.Duration // since the last fetch that succeeded; nil where there was none
	UnknownKids uint64         // tokens whose kid was not among the keys, in all
	Failures    uint64         // fetches that failed, in all
}

// issuers collects the state of the trust list at each scrape, so that an entry
// that is gone leaves no series behind.
type issuers struct {
	stats                      func() []IssuerStats
	state, age, kids, failures *prometheus.Desc
}

// WatchIssuers registers the metrics of the trust list; stats is asked at each
// scrape.
func (m *Metrics) WatchIssuers(stats func() []IssuerStats) {
	label := []string{"issuer"}
	m.registry.MustRegister(&issuers{
		stats:    stats,
		state:    prometheus.NewDesc("strait_issuer_state", "Always 1; the labels say how each trusted issuer is.", []string{"issuer", "state"}, nil),
		age:      prometheus.NewDesc("strait_issuer_keys_age_seconds", "Time since an issuer's keys were last fetched with success.", label, nil),
		kids:     prometheus.NewDesc("strait_issuer_unknown_kids_total", "Tokens whose kid was not among the issuer's keys.", label, nil),
		failures: prometheus.NewDesc("strait_issuer_fetch_failures_total", "Fetches from the issuer, or questions about opaque tokens, that failed.", label, nil),
	})
}

// Describe names the metrics.
func (i *issuers) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{i.state, i.age, i.kids, i.failures} {
		out <- desc
	}
}

// Collect reads the state.
func (i *issuers) Collect(out chan<- prometheus.Metric) {
	for _, s := range i.stats() {
		out <- prometheus.MustNewConstMetric(i.state, prometheus.GaugeValue, 1, s.Name, s.State)
		if s.Age != nil {
			out <- prometheus.MustNewConstMetric(i.age, prometheus.GaugeValue, s.Age.Seconds(), s.Name)
		}
		out <- prometheus.MustNewConstMetric(i.kids, prometheus.CounterValue, float64(s.UnknownKids), s.Name)
		out <- prometheus.MustNewConstMetric(i.failures, prometheus.CounterValue, float64(s.Failures), s.Name)
	}
}
