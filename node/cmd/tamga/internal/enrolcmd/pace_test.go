package enrolcmd

import (
	"slices"
	"testing"
	"time"
)

// TestPace: every tenth once, at the rate that it went, with the time that the rest
// takes at that rate.
func TestPace(t *testing.T) {
	for _, c := range []struct {
		name        string
		total       int
		from, batch int // the first that is reported done, and how many more each time
		records     int
		want        []string
	}{
		{"tenths", 2000, 100, 100, 2000, []string{
			"enrolling: 10 % (200 of 2000, 100 a second, 18s left)",
			"enrolling: 20 % (400 of 2000, 100 a second, 16s left)",
			"enrolling: 30 % (600 of 2000, 100 a second, 14s left)",
			"enrolling: 40 % (800 of 2000, 100 a second, 12s left)",
			"enrolling: 50 % (1000 of 2000, 100 a second, 10s left)",
			"enrolling: 60 % (1200 of 2000, 100 a second, 8s left)",
			"enrolling: 70 % (1400 of 2000, 100 a second, 6s left)",
			"enrolling: 80 % (1600 of 2000, 100 a second, 4s left)",
			"enrolling: 90 % (1800 of 2000, 100 a second, 2s left)",
			"enrolling: 100 % (2000 of 2000, 100 a second)",
		}},
		{"large-batches", 1000, 400, 400, 1000, []string{
			"enrolling: 40 % (400 of 1000)",
			"enrolling: 80 % (800 of 1000, 400 a second, 1s left)",
			"enrolling: 100 % (1000 of 1000, 300 a second)",
		}},
		{"resumed", 2000, 1500, 300, 2000, []string{
			"enrolling: 75 % (1500 of 2000)",
			"enrolling: 90 % (1800 of 2000, 300 a second, 1s left)",
			"enrolling: 100 % (2000 of 2000, 250 a second)",
		}},
		{"few", 999, 100, 100, 999, nil},
		{"stream", 0, 600, 600, 21000, []string{
			"enrolling: 1200, 600 a second",
			"enrolling: 10200, 600 a second",
			"enrolling: 20400, 600 a second",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := pace{total: c.total}
			now := time.Unix(1, 0)
			var got []string
			for done := c.from; ; done = min(done+c.batch, c.records) {
				if l := p.line(done, now); l != "" {
					got = append(got, l)
				}
				if done == c.records {
					break
				}
				now = now.Add(time.Second)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
