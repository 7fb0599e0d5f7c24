package pressure

import (
	"runtime/metrics"
	"testing"
	"time"
)

func TestLate(t *testing.T) {
	h := &metrics.Float64Histogram{Buckets: []float64{0, 1e-4, pressed.Seconds(), 1e-2}, Counts: []uint64{100, 20, 30}}
	for name, c := range map[string]struct {
		since []uint64
		want  bool
	}{
		"more-than-a-tenth": {[]uint64{20, 10, 10}, true},
		"less":              {[]uint64{0, 0, 25}, false},
		"nothing":           {[]uint64{100, 20, 30}, false},
	} {
		if got := late(h, c.since); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPressureReads: the runtime has the histogram under this name, and reading it is bounded to one in a period.
func TestPressureReads(t *testing.T) {
	p, now := New(), time.Now()
	p.High(now)
	if len(p.counts) == 0 {
		t.Fatal("the runtime has no such histogram")
	}
	p.counts[0] = ^uint64(0)
	p.High(now.Add(period - 1))
	if p.counts[0] != ^uint64(0) {
		t.Error("read again within the period")
	}
	p.High(now.Add(period))
	if p.counts[0] == ^uint64(0) {
		t.Error("not read after the period")
	}
}
