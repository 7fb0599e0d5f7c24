package evaluate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// replicates of a bootstrap: enough that the 2.5 % tails rest on 25 each.
const replicates = 1000

// noSubject stands for the second subject of a comparison that is non-mated
// although one subject's name is on both sides: a forgery.
const noSubject = -1

// outcome is one comparison with the subjects it was between, numbered within
// its set. It is mated when both are the same.
type outcome struct {
	score float64
	a, b  int32
}

func (o outcome) mated() bool { return o.a == o.b }

// sample is one set's comparisons by descending score.
type sample struct {
	outcomes []outcome
	subjects int
}

func newSample(outcomes []outcome, subjects int) *sample {
	slices.SortFunc(outcomes, func(x, y outcome) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	return &sample{outcomes: outcomes, subjects: subjects}
}

// curve has every comparison once.
func (s *sample) curve() curve {
	steps := make([]step, 0, len(s.outcomes))
	for _, o := range slices.Backward(s.outcomes) {
		if n := len(steps); n == 0 || steps[n-1].score != o.score {
			steps = append(steps, step{score: o.score})
		}
		if last := &steps[len(steps)-1]; o.mated() {
			last.mated++
		} else {
			last.nonMated++
		}
	}
	return newCurve(steps)
}

// report has the sample's figures with their intervals.
func (s *sample) report() Report {
	r := s.curve().report()
	each, _ := bootstrap([]*sample{s})
	r.setIntervals(each[0])
	return r
}

// weights are the totals of a replicate.
func (s *sample) weights(drawn []float64) (mated, nonMated float64) {
	for _, o := range s.outcomes {
		if w := o.weight(drawn); o.mated() {
			mated += w
		} else {
			nonMated += w
		}
	}
	return mated, nonMated
}

// weight of a comparison when subject i was drawn drawn[i] times. A pair of
// different subjects weighs as the product of their draws: two draws of one
// subject give no non-mated comparison (after R. M. Bolle, N. K. Ratha,
// S. Pankanti, "Error analysis of pattern recognition systems - the subsets
// bootstrap", CVIU 93(1), 2004).
func (o outcome) weight(drawn []float64) float64 {
	if o.a == o.b || o.b == noSubject {
		return drawn[o.a]
	}
	return drawn[o.a] * drawn[o.b]
}

// figures are what a bootstrap has intervals of.
type figures struct {
	eer  float64
	fnmr [len(bounds)]float64
}

// replicate computes the figures of a redrawn sample, walking down from the
// highest score only as far as they need. ok is false when the draw left one
// kind of comparison out.
func (s *sample) replicate(drawn []float64) (f figures, ok bool) {
	mated, nonMated := s.weights(drawn)
	if mated == 0 || nonMated == 0 {
		return f, false
	}
	c := curve{nonMated: nonMated}
	strictest := len(bounds) - 1 // of the bounds still open
	accepted, matched := 0.0, 0.0
	fmr, fnmr := 0.0, 1.0
	crossed := false
	for i := 0; i < len(s.outcomes) && !(crossed && strictest < 0); {
		score := s.outcomes[i].score
		for ; i < len(s.outcomes) && s.outcomes[i].score == score; i++ {
			if w := s.outcomes[i].weight(drawn); s.outcomes[i].mated() {
				accepted += w
			} else {
				matched += w
			}
		}
		for ; strictest >= 0 && matched > c.budget(bounds[strictest].fmr); strictest-- {
			f.fnmr[strictest] = fnmr
		}
		nextFMR, nextFNMR := matched/nonMated, max(0, 1-accepted/mated)
		if !crossed && nextFMR >= nextFNMR {
			before, after := fnmr-fmr, nextFMR-nextFNMR
			f.eer = fnmr + (nextFNMR-fnmr)*before/(before+after)
			crossed = true
		}
		fmr, fnmr = nextFMR, nextFNMR
	}
	return f, true
}

// newDraws returns the source of a bootstrap's randomness, always the same:
// two reports of one input are equal.
func newDraws() *rand.Rand { return rand.New(rand.NewPCG(19795, 1)) }

// draw sets how often each subject occurs in one replicate.
func draw(r *rand.Rand, drawn []float64) {
	clear(drawn)
	for range drawn {
		drawn[r.IntN(len(drawn))]++
	}
}

// intervals are those of figures.
type intervals struct {
	eer  Interval
	fnmr [len(bounds)]Interval
}

// bootstrap returns, for each sample and for the mean over all of them, the
// 95 % intervals under redrawing of subjects within each sample. Replicates
// that leave a sample without one kind of comparison are passed over.
func bootstrap(samples []*sample) (each []intervals, mean intervals) {
	r := newDraws()
	all := make([][]figures, len(samples))
	means := make([]figures, 0, replicates)
	for range replicates {
		var sum figures
		usable := true
		for i, s := range samples {
			drawn := make([]float64, s.subjects)
			draw(r, drawn)
			f, ok := s.replicate(drawn)
			if !ok {
				usable = false
				continue
			}
			all[i] = append(all[i], f)
			share := 1 / float64(len(samples))
			sum.eer += f.eer * share
			for b, rate := range f.fnmr {
				sum.fnmr[b] += rate * share
			}
		}
		if usable {
			means = append(means, sum)
		}
	}
	for _, fs := range all {
		each = append(each, intervalsOf(fs))
	}
	return each, intervalsOf(means)
}

func intervalsOf(fs []figures) (in intervals) {
	values := make([]float64, len(fs))
	for i, f := range fs {
		values[i] = f.eer
	}
	in.eer = interval(values)
	for b := range bounds {
		for i, f := range fs {
			values[i] = f.fnmr[b]
		}
		in.fnmr[b] = interval(values)
	}
	return in
}

// interval is the central 95 % of the values, which it sorts.
func interval(values []float64) Interval {
	if len(values) == 0 {
		return Interval{0, 1}
	}
	slices.Sort(values)
	at := func(q float64) Rate { return Rate(values[int(math.Round(q*float64(len(values)-1)))]) }
	return Interval{at(0.025), at(0.975)}
}

// setIntervals adds to r the intervals of a bootstrap. A bootstrap of no error
// sees no error either; the rule of three on comparisons bounds it instead.
func (r *Report) setIntervals(in intervals) {
	if r.EER.Measured() {
		r.EERCI95 = atLeast(in.eer, float64(r.EER), min(r.Mated, r.NonMated))
	}
	for b := range bounds {
		name := bounds[b].name
		if rate := r.FNMRAtFMR[name]; rate.Measured() {
			r.FNMRCI95[name] = atLeast(in.fnmr[b], float64(rate), r.Mated)
		}
	}
	for i, p := range r.OperatingPoints {
		r.OperatingPoints[i].FNMRCI95 = r.FNMRCI95[p.Allowed]
	}
}

// atLeast widens an interval to hold the estimate, and where that is 0 of n,
// what n comparisons cannot rule out.
func atLeast(in Interval, estimate float64, n int) Interval {
	in[0], in[1] = min(in[0], Rate(estimate)), max(in[1], Rate(estimate))
	if estimate == 0 && n > 0 {
		in[1] = max(in[1], Rate(min(1, 3/float64(n))))
	}
	return in
}
