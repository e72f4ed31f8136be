package telemetry

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is the program's set of Prometheus metrics, in a registry of its own.
type Metrics struct {
	registry  *prometheus.Registry
	exchanges *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	rejected  *prometheus.CounterVec
	asked     *prometheus.CounterVec
	fetches   *prometheus.CounterVec
	revision  prometheus.Gauge
}

// PoolStats is the state of the database pool at one moment.
type PoolStats struct {
	Acquired, Idle, Max int32
	Waited              int64 // acquisitions that had to wait, in all
}

// NewMetrics registers everything; version goes into strait_build_info, and
// pool, where it is not nil, is asked at each scrape.
func NewMetrics(version string, pool func() PoolStats) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		exchanges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strait_exchanges_total", Help: "Exchanges by decision and reason.",
		}, []string{"decision", "reason"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "strait_exchange_duration_seconds", Help: "Time from a read request to its answer.",
			Buckets: prometheus.ExponentialBuckets(100e-6, 2, 15),
		}, []string{"decision"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strait_rejected_total", Help: "Requests refused before an exchange: unreadable, not authenticated, or too many.",
		}, []string{"kind"}),
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strait_token_requests_total", Help: "Introspections and revocations that clients asked for, by result.",
		}, []string{"endpoint", "result"}),
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strait_key_fetches_total", Help: "Fetches of issuers' keys by result.",
		}, []string{"result"}),
		revision: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "strait_config_revision", Help: "Revision of the catalogue that decides.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "strait_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.exchanges, m.latency, m.rejected, m.asked, m.fetches, m.revision, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if pool != nil {
		m.registerPool(pool)
	}
	return m
}

func (m *Metrics) registerPool(pool func() PoolStats) {
	gauge := func(name, help string, value func(PoolStats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(pool()) })
	}
	m.registry.MustRegister(
		gauge("strait_db_connections_acquired", "Database connections in use.", func(s PoolStats) float64 { return float64(s.Acquired) }),
		gauge("strait_db_connections_idle", "Database connections idle.", func(s PoolStats) float64 { return float64(s.Idle) }),
		gauge("strait_db_connections_max", "Database connections allowed.", func(s PoolStats) float64 { return float64(s.Max) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "strait_db_acquire_waits_total", Help: "Times that a connection was waited for.",
		}, func() float64 { return float64(pool().Waited) }),
	)
}

// Exchanged counts one exchange and its time.
func (m *Metrics) Exchanged(decision, reason string, took time.Duration) {
	m.exchanges.WithLabelValues(decision, reason).Inc()
	m.latency.WithLabelValues(decision).Observe(took.Seconds())
}

// Rejected counts a request that never became an exchange; kind is "form",
// "client" or "rate".
func (m *Metrics) Rejected(kind string) { m.rejected.WithLabelValues(kind).Inc() }

// Introspected counts an introspection; result is "active", "inactive",
// "refused" or "error".
func (m *Metrics) Introspected(result string) { m.asked.WithLabelValues("introspect", result).Inc() }

// RevocationAsked counts a revocation that a client asked for; result is
// "revoked", "nothing", "refused" or "error".
func (m *Metrics) RevocationAsked(result string) { m.asked.WithLabelValues("revoke", result).Inc() }

// KeysFetched counts a fetch of an issuer's keys; result is "ok" or "failed".
func (m *Metrics) KeysFetched(result string) { m.fetches.WithLabelValues(result).Inc() }

// Revision shows which revision of the catalogue decides.
func (m *Metrics) Revision(n int64) { m.revision.Set(float64(n)) }

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
