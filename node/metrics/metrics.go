// Package metrics shows a running node to Prometheus: the text and OpenMetrics formats of its exposition, version
// 0.0.4 and 1.0.0, at /metrics.
//
// New, then note what was asked and answered with [Metrics.Asked] and [Metrics.Answered], and serve [Metrics.Handler].
// Everything else is read from the node when it is scraped. A node that waits for its custodians serves [Sealed].
//
// Whoever reads metrics must learn of nobody: labels are words from closed sets (codes of the registry, causes of the
// transport, families of keys, words of what needs attention), never a name, a member, an officer or a text. What was
// found of a person is one code, "decided", as in the node's log: also that no one is enrolled under an identifier.
// Durations are counted together, whatever came out, and in steps of ten, so that two scrapes around one verification
// do not tell what it found. On a node that few ask, they do tell that one took place.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/node/internal/loopback"
)

// Facts are what a scrape finds.
type Facts struct {
	Started    time.Time
	Members    int               // known, without the node itself
	Connected  int               // of them
	Running    int               // frames of peers that are worked on
	Waiting    int               // frames of peers that wait for that
	Refused    map[string]uint64 // peers' connections, streams and frames since the start, by cause
	Alarms     map[string]uint64 // that Queries raised since the start, by kind
	Subjects   int64
	StoreReady bool // whether the gallery takes changes
	Ledger     uint64
	Keys       map[string]time.Time // family to when its present generation became so
	Free       uint64               // bytes of the data folder's disk that are free, when FreeKnown
	FreeKnown  bool
	Attention  map[string]bool // what an operator has to look after, and whether he has to
}

// Metrics counts what a node does. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	outcomes *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

// Ends of a verification.
const (
	asked    = "asked"    // this node asked
	answered = "answered" // this node was asked
)

// New returns Metrics that ask gather at every scrape, one at a time.
func New(gather func() Facts) *Metrics {
	m := &Metrics{registry: prometheus.NewPedanticRegistry(),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tamga_verifications_total",
			Help: "Verifications by end (asked, answered) and code; decided: whatever was found of a person."}, []string{"end", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tamga_verification_seconds",
			Help: "What verifications took, whatever came out.", Buckets: []float64{0.01, 0.1, 1, 10}}, []string{"end"}),
	}
	for _, end := range []string{asked, answered} {
		m.outcomes.WithLabelValues(end, decided)
		m.took.WithLabelValues(end)
	}
	m.registry.MustRegister(m.outcomes, m.took, &reader{gather: gather}, sealed(0))
	return m
}

const decided = "decided"

// label is the code as far as it may be shown. A code that is not in the registry is none.
func label(c protocol.Code) string {
	e, ok := protocol.Lookup(c)
	switch {
	case !ok:
		return "unknown"
	case e.Outcome == protocol.Refused || e.Outcome == protocol.Unavailable:
		return string(c)
	}
	return decided
}

// Asked counts a verification that this node asked for.
func (m *Metrics) Asked(c protocol.Code, took time.Duration) { m.count(asked, c, took) }

// Answered counts one that it was asked for.
func (m *Metrics) Answered(c protocol.Code, took time.Duration) { m.count(answered, c, took) }

func (m *Metrics) count(end string, c protocol.Code, took time.Duration) {
	m.outcomes.WithLabelValues(end, label(c)).Inc()
	m.took.WithLabelValues(end).Observe(took.Seconds())
}

// Handler serves /metrics and nothing else.
func (m *Metrics) Handler() http.Handler { return serve(m.registry) }

// Sealed serves what is known of a node whose root key is not open: that.
func Sealed() http.Handler {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(sealed(1))
	return serve(r)
}

func sealed(value float64) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "tamga_sealed", Help: "1 while the root key waits for its custodians."})
	g.Set(value)
	return g
}

func serve(r *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Timeout: 10 * time.Second,
		EnableOpenMetrics: true, ErrorHandling: promhttp.HTTPErrorOnError}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		// No page of another origin reads this through a browser of the machine, by whatever name.
		if _, ok := r.Header["Origin"]; ok || !loopback.Host(r.Host) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
