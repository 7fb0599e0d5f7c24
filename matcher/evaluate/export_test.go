package evaluate

import (
	"context"
	"math/rand/v2"

	"github.com/tamga-id/tamga/matcher/internal/errorrate"
)

// Gathered reports on outcomes that went through tallies of a size, in the
// order given and from two workers, as if compared by Pairs.
func Gathered(keep int, scores []float64, a, b []int32, captures []float64) Report {
	tallies := [2]*errorrate.Tally{errorrate.NewTally(keep), errorrate.NewTally(keep)}
	for i, s := range scores {
		tallies[i%2].Add(errorrate.Outcome{Score: errorrate.Number(s), A: a[i], B: b[i]})
	}
	t := errorrate.NewTally(keep)
	t.Merge(tallies[0], 0)
	t.Merge(tallies[1], 0)
	s := errorrate.NewSample(t, len(captures), []errorrate.Block{{Captures: captures}})
	r := reportOf(s.Curve())
	each, _, _ := bootstrap(context.Background(), []*errorrate.Sample{s}, []Report{r})
	r.setIntervals(each[0])
	return r
}

// Replicate computes the figures of one redrawn sample of trials, and the
// draws.
func Replicate(trials []Trial, subjects int, seed uint64) (eer float64, fnmr []float64, drawn []float64, ok bool) {
	t := errorrate.NewTally(1 << 20)
	for _, trial := range trials {
		o := errorrate.Outcome{Score: errorrate.Number(trial.Score), A: int32(trial.Probe), B: int32(trial.Reference)}
		if trial.Forged {
			o.B = errorrate.NoSubject
		}
		t.Add(o)
	}
	drawn = make([]float64, subjects)
	draw(rand.New(rand.NewPCG(seed, 1)), drawn)
	f, ok := errorrate.NewSample(t, subjects, nil).Replicate(drawn, boundRates())
	return f.EER, f.FNMR, drawn, ok
}

// SignaturesTooMany reports whether an evaluation of samples exceeds limit comparisons.
func SignaturesTooMany(samples []SignatureSample, references, limit int) (tooMany bool, made int, err error) {
	e, err := newSignatures(samples, references)
	if err != nil {
		return false, 0, err
	}
	defer e.wipe()
	return e.tooMany(limit), len(e.pairs), nil
}
