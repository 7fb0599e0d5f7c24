package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reader makes samples of what the node is at a scrape.
type reader struct{ gather func() Facts }

var _ prometheus.Collector = (*reader)(nil)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tamga_"+name, help, labels, nil)
}

// The descriptions are immutable.
var (
	descStarted   = desc("start_time_seconds", "When the node began to serve, in Unix time.")
	descMembers   = desc("members", "Other members of the federation that are known.")
	descConnected = desc("members_connected", "Other members with an open connection.")
	descRunning   = desc("frames_running", "Frames of peers that are worked on.")
	descWaiting   = desc("frames_waiting", "Frames of peers that wait to be worked on.")
	descRefused   = desc("peer_refusals_total", "Connections, streams and frames of peers that were refused, by cause; load, rate and bytes are told overloaded.", "cause")
	descAlarms    = desc("alarms_total", "Alarms that Queries raised since the start, by kind: canary, locked.", "kind")
	descSubjects  = desc("gallery_subjects", "People enrolled.")
	descStore     = desc("gallery_ready", "1 while the gallery takes changes.")
	descLedger    = desc("ledger_entries", "Entries of the ledger.")
	descKeys      = desc("key_since_seconds", "When the present generation of a key became so, in Unix time.", "key")
	descFree      = desc("disk_free_bytes", "Bytes free on the disk of the data folder.")
	descAttention = desc("attention", "1 for what an operator has to look after.", "what")
)

// Describe implements [prometheus.Collector].
func (r *reader) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descStarted, descMembers, descConnected, descRunning, descWaiting, descRefused, descAlarms, descSubjects,
		descStore, descLedger, descKeys, descFree, descAttention} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (r *reader) Collect(to chan<- prometheus.Metric) {
	f := r.gather()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descStarted, unix(f.Started))
	gauge(descMembers, float64(f.Members))
	gauge(descConnected, float64(f.Connected))
	gauge(descRunning, float64(f.Running))
	gauge(descWaiting, float64(f.Waiting))
	gauge(descSubjects, float64(f.Subjects))
	gauge(descStore, flag(f.StoreReady))
	gauge(descLedger, float64(f.Ledger))
	if f.FreeKnown {
		gauge(descFree, float64(f.Free))
	}
	for cause, n := range f.Refused {
		to <- prometheus.MustNewConstMetric(descRefused, prometheus.CounterValue, float64(n), cause)
	}
	for kind, n := range f.Alarms {
		to <- prometheus.MustNewConstMetric(descAlarms, prometheus.CounterValue, float64(n), kind)
	}
	for family, since := range f.Keys {
		gauge(descKeys, unix(since), family)
	}
	for what, is := range f.Attention {
		gauge(descAttention, flag(is), what)
	}
}

func unix(t time.Time) float64 { return float64(t.Unix()) }

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
