// Package pressure tells whether the process has more to do than its processors do.
package pressure

import (
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// period is how often the scheduler is looked at: long enough for some hundred goroutines to have waited,
	// short enough to be felt by the next second's budgets.
	period = 100 * time.Millisecond
	// pressed is what one goroutine in ten has to wait for a processor where there is too much to do. A frame waits a
	// dozen times on its way through a node.
	pressed = 500 * time.Microsecond
)

// Gauge tells whether goroutines wait long for a processor, by the runtime's own histogram. It is of the process,
// not of the host: whatever takes the processors, less work taken on is what helps.
type Gauge struct {
	mu     sync.Mutex // guards what follows
	at     time.Time
	sample []metrics.Sample
	counts []uint64 // of the histogram at that time
	high   bool
}

// New is a gauge that has not looked yet.
func New() *Gauge {
	return &Gauge{sample: []metrics.Sample{{Name: "/sched/latencies:seconds"}}}
}

// High reports what was found when the last period began.
func (p *Gauge) High(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.at) < period {
		return p.high
	}
	p.at = now
	metrics.Read(p.sample)
	if p.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return false // a runtime that does not know
	}
	h := p.sample[0].Value.Float64Histogram()
	p.high = p.counts != nil && late(h, p.counts)
	p.counts = append(p.counts[:0], h.Counts...)
	return p.high
}

// late reports whether a tenth of what the histogram has counted since took longer than pressed.
func late(h *metrics.Float64Histogram, since []uint64) bool {
	var all, over uint64
	for i, n := range h.Counts {
		n -= since[i]
		all += n
		if h.Buckets[i] >= pressed.Seconds() {
			over += n
		}
	}
	return over*10 > all
}
