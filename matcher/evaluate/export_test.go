package evaluate

import (
	"context"
	"math/rand/v2"
)

// Gathered reports on outcomes that went through tallies of a size, in the
// order given and from two workers, as if compared by Pairs.
func Gathered(keep int, scores []float64, a, b []int32, captures []float64) Report {
	tallies := [2]*tally{newTally(keep), newTally(keep)}
	for i, s := range scores {
		tallies[i%2].add(outcome{number(s), a[i], b[i]})
	}
	t := newTally(keep)
	t.merge(tallies[0], 0)
	t.merge(tallies[1], 0)
	s := sampleOf(t, len(captures), []block{{captures: captures}})
	r := s.curve().report()
	each, _, _ := bootstrap(context.Background(), s)
	r.setIntervals(each[0])
	return r
}

// Replicate computes the figures of one redrawn sample of trials, and the
// draws.
func Replicate(trials []Trial, subjects int, seed uint64) (eer float64, fnmr []float64, drawn []float64, ok bool) {
	t := newTally(1 << 20)
	for _, trial := range trials {
		o := outcome{number(trial.Score), int32(trial.Probe), int32(trial.Reference)}
		if trial.Forged {
			o.b = noSubject
		}
		t.add(o)
	}
	drawn = make([]float64, subjects)
	draw(rand.New(rand.NewPCG(seed, 1)), drawn)
	f, ok := sampleOf(t, subjects, nil).replicate(drawn)
	return f.eer, f.fnmr[:], drawn, ok
}

var (
	BinOf    = binOf
	BinScore = binScore
)
