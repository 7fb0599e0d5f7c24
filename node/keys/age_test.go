package keys_test

import (
	"testing"
	"time"

	"github.com/tamga-id/tamga/node/keys"
)

// TestAge: with a retention of 20 days a generation is current for 10 and kept for 10 more.
func TestAge(t *testing.T) {
	key := make([]byte, 32)
	g := func(current uint32, since map[uint32]time.Time, numbers ...uint32) keys.Generations {
		out := keys.Generations{Current: current, Secrets: map[uint32][]byte{}, Since: since}
		for _, n := range numbers {
			out.Secrets[n] = key
		}
		return out
	}
	type times = map[uint32]time.Time
	for name, c := range map[string]struct {
		g    keys.Generations
		now  time.Time
		want keys.Age
	}{
		"alone":           {g(1, times{1: day(1)}, 1), day(5), keys.Age{Rotate: day(11)}},
		"alone-due":       {g(1, times{1: day(1)}, 1), day(11), keys.Age{Rotate: day(11)}},
		"prepared":        {g(1, times{1: day(1)}, 1, 2), day(11), keys.Age{Rotate: day(11)}},
		"overlap":         {g(2, times{1: day(1), 2: day(11)}, 1, 2), day(20), keys.Age{Rotate: day(21), Retire: day(21)}},
		"overlap-due":     {g(2, times{1: day(1), 2: day(11)}, 1, 2), day(21), keys.Age{Rotate: day(21), Retire: day(21), Keep: 2}},
		"three":           {g(3, times{1: day(1), 2: day(3), 3: day(11)}, 1, 2, 3), day(14), keys.Age{Rotate: day(21), Retire: day(13), Keep: 2}},
		"all-of-three":    {g(3, times{1: day(1), 2: day(3), 3: day(11)}, 1, 2, 3), day(21), keys.Age{Rotate: day(21), Retire: day(13), Keep: 3}},
		"unknown":         {g(2, nil, 1, 2), day(5), keys.Age{Rotate: day(5)}},
		"future":          {g(2, times{2: day(20)}, 1, 2), day(5), keys.Age{Rotate: day(5), Doubt: true}},
		"clock-reset":     {g(2, times{1: day(1), 2: day(11)}, 1, 2), day(-20000), keys.Age{Rotate: day(-20000), Doubt: true}},
		"after-a-reset":   {g(2, times{1: day(5), 2: day(-20000)}, 1, 2), day(6), keys.Age{Rotate: day(-19990), Retire: day(-19990)}},
		"and-replaced":    {g(3, times{1: day(5), 2: day(-20000), 3: day(6)}, 1, 2, 3), day(16), keys.Age{Rotate: day(16), Retire: day(-19990), Keep: 3}},
		"clock-a-bit-off": {g(1, times{1: day(5).Add(time.Minute)}, 1), day(5), keys.Age{Rotate: day(15).Add(time.Minute)}},
	} {
		if got := c.g.Age(20*24*time.Hour, c.now); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
