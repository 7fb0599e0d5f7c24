package evaluate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// replicates of a bootstrap: enough that the 2.5 % tails rest on 25 each.
const replicates = 1000

// outcome is one comparison with the subjects it was between, numbered within
// its set.
type outcome struct {
	score float64
	a, b  int32
}

// sample is one set's comparisons by ascending score.
type sample struct {
	outcomes []outcome
	subjects int
	steps    []step // working memory of weigh
}

func newSample(outcomes []outcome, subjects int) *sample {
	slices.SortStableFunc(outcomes, func(x, y outcome) int {
		switch {
		case x.score < y.score:
			return -1
		case x.score > y.score:
			return 1
		}
		return 0
	})
	return &sample{outcomes: outcomes, subjects: subjects}
}

// weigh returns the curve in which subject i was drawn drawn[i] times. A pair
// of different subjects weighs as the product of their draws: two draws of one
// subject give no non-mated comparison (after R. M. Bolle, N. K. Ratha,
// S. Pankanti, "Error analysis of pattern recognition systems - the subsets
// bootstrap", CVIU 93(1), 2004). A nil drawn takes every subject once.
func (s *sample) weigh(drawn []float64) curve {
	s.steps = s.steps[:0]
	weight := func(i int32) float64 {
		if drawn == nil {
			return 1
		}
		return drawn[i]
	}
	for _, o := range s.outcomes {
		next := step{score: o.score}
		if o.a == o.b {
			next.mated = weight(o.a)
		} else {
			next.nonMated = weight(o.a) * weight(o.b)
		}
		if n := len(s.steps); n > 0 && s.steps[n-1].score == o.score {
			s.steps[n-1].mated += next.mated
			s.steps[n-1].nonMated += next.nonMated
			continue
		}
		s.steps = append(s.steps, next)
	}
	return newCurve(s.steps)
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

// bootstrapMean returns, for each sample and for the mean over all of them,
// the 95 % interval of the equal error rate under redrawing of subjects within
// each sample. Replicates that leave a sample without one kind of comparison
// are passed over.
func bootstrapMean(samples []*sample) (each [][2]float64, mean [2]float64) {
	r := newDraws()
	rates := make([][]float64, len(samples))
	means := make([]float64, 0, replicates)
	for range replicates {
		sum, usable := 0.0, true
		for i, s := range samples {
			drawn := make([]float64, s.subjects)
			draw(r, drawn)
			c := s.weigh(drawn)
			if !c.complete() {
				usable = false
				continue
			}
			rate := c.eer()
			rates[i] = append(rates[i], rate)
			sum += rate
		}
		if usable {
			means = append(means, sum/float64(len(samples)))
		}
	}
	for _, rs := range rates {
		each = append(each, interval(rs))
	}
	return each, interval(means)
}

// interval is the central 95 % of the values, which it sorts.
func interval(values []float64) [2]float64 {
	if len(values) == 0 {
		return [2]float64{0, 1}
	}
	slices.Sort(values)
	at := func(q float64) float64 { return values[int(math.Round(q*float64(len(values)-1)))] }
	return [2]float64{at(0.025), at(0.975)}
}
