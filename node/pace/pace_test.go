package pace_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tamga-id/tamga/node/pace"
)

const ms = time.Millisecond

// TestRest: whatever the work took, what is seen is a multiple of what was settled before it.
func TestRest(t *testing.T) {
	for _, c := range []struct {
		units      int
		work, want time.Duration
		late       bool
	}{
		{1, 0, 2 * ms, false},
		{1, 1, 2 * ms, false},
		{1, 2 * ms, 2 * ms, false},
		{1, 2*ms + 1, 4 * ms, true},
		{0, 1, 2 * ms, false},
		{-5, 1, 2 * ms, false},
		{5, ms, 10 * ms, false},
		{5, 9 * ms, 10 * ms, false},
		{5, 31 * ms, 40 * ms, true},
		{1 << 40, ms, pace.Longest, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			l := pace.New(0).Begin(c.units)
			time.Sleep(c.work)
			late := l.Rest(t.Context())
			if took := time.Since(begin); took != c.want || late != c.late {
				t.Errorf("%d units, work of %v: took %v, late %v; want %v, %v", c.units, c.work, took, late, c.want, c.late)
			}
			begin = time.Now()
			if l.Rest(t.Context()); time.Since(begin) != 0 {
				t.Error("rested twice")
			}
		})
	}
}

// TestPause: what takes its own time is not made up for.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		l := pace.New(3 * ms).Begin(1)
		time.Sleep(ms)
		l.Pause()
		l.Pause()
		time.Sleep(7 * ms)
		l.Resume()
		l.Resume()
		time.Sleep(ms)
		l.Rest(t.Context())
		if took := time.Since(begin); took != 10*ms {
			t.Errorf("took %v", took)
		}
	})
}

func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), ms)
		defer stop()
		pace.New(time.Second).Begin(1).Rest(ctx)
		if took := time.Since(begin); took != ms {
			t.Errorf("took %v after its context ended", took)
		}
		var none *pace.Pace
		l := none.Begin(3)
		l.Pause()
		l.Resume()
		if l.Rest(t.Context()); time.Since(begin) != ms {
			t.Error("no pace waits")
		}
	})
}
