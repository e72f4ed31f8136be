package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// RevocationStats is the state of the revocations at one moment.
type RevocationStats struct {
	Revision int64
	Tokens   int           // ids of revoked tokens in memory
	Rules    int           // orders in memory that more than ids follow from
	Age      time.Duration // since they were last known to be the newest
}

// WatchRevocations registers the metrics of the revocations; stats is asked at
// each scrape.
func (m *Metrics) WatchRevocations(stats func() RevocationStats) {
	gauge := func(name, help string, value func(RevocationStats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(stats()) })
	}
	m.registry.MustRegister(
		gauge("strait_revocation_revision", "Revision of the revocations in force.", func(s RevocationStats) float64 { return float64(s.Revision) }),
		gauge("strait_revoked_tokens", "Ids of revoked tokens in memory.", func(s RevocationStats) float64 { return float64(s.Tokens) }),
		gauge("strait_revocation_rules", "Revocations in memory by subject, issuer, key and the like.", func(s RevocationStats) float64 { return float64(s.Rules) }),
		gauge("strait_revocations_age_seconds", "Time since the revocations were last known to be the newest; nothing is issued above 10.",
			func(s RevocationStats) float64 { return s.Age.Seconds() }),
	)
}
