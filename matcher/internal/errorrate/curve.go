package errorrate

import (
	"math"
	"slices"
)

// Point is one operating point of a comparator.
type Point struct {
	FMR       float64 `json:"fmr"`       // fraction of non-mated comparisons at or above Threshold
	FNMR      float64 `json:"fnmr"`      // fraction of mated comparisons below it
	Threshold float64 `json:"threshold"` // comparison score
}

// step is one distinct score with the weights of the comparisons that have it.
// In a plain evaluation weights are counts; in a bootstrap replicate they are
// the products of how often the subjects were drawn.
type step struct {
	score           float64
	mated, nonMated float64
}

// Curve is all that the figures are computed from. It is immutable.
type Curve struct {
	steps           []step  // by ascending score
	Mated, NonMated float64 // sums over the steps
}

// newCurve sums up steps that are already in ascending order of score.
func newCurve(steps []step) Curve {
	c := Curve{steps: steps}
	for i := range steps {
		c.Mated += steps[i].mated
		c.NonMated += steps[i].nonMated
	}
	return c
}

// Of merges two lists of scores, neither of which it changes or keeps.
func Of(mated, nonMated []float64) Curve {
	steps := make([]step, 0, len(mated)+len(nonMated))
	for _, v := range mated {
		steps = append(steps, step{score: Number(v), mated: 1})
	}
	for _, v := range nonMated {
		steps = append(steps, step{score: Number(v), nonMated: 1})
	}
	slices.SortFunc(steps, func(a, b step) int {
		switch {
		case a.score < b.score:
			return -1
		case a.score > b.score:
			return 1
		}
		return 0
	})
	merged := steps[:0]
	for _, s := range steps {
		if n := len(merged); n > 0 && merged[n-1].score == s.score {
			merged[n-1].mated += s.mated
			merged[n-1].nonMated += s.nonMated
			continue
		}
		merged = append(merged, s)
	}
	return newCurve(merged)
}

// Number keeps scores within what JSON can express. One that is not a number
// counts as the lowest.
func Number(v float64) float64 {
	if math.IsNaN(v) {
		return -math.MaxFloat64
	}
	return min(math.MaxFloat64, max(-math.MaxFloat64, v))
}

// Complete reports whether both kinds of comparison occur, without which no
// rate that trades one for the other exists.
func (c Curve) Complete() bool { return c.Mated > 0 && c.NonMated > 0 }

// EER walks the thresholds upwards until FNMR reaches FMR and interpolates
// between the operating points on either side. It is 0 unless c is complete.
func (c Curve) EER() float64 {
	if !c.Complete() {
		return 0
	}
	mated, nonMated := 0.0, c.NonMated // mated below and non-mated at or above
	fmr, fnmr := 1.0, 0.0
	for i := range c.steps {
		mated += c.steps[i].mated
		nonMated -= c.steps[i].nonMated
		nextFMR, nextFNMR := max(0, nonMated/c.NonMated), mated/c.Mated
		if nextFNMR >= nextFMR {
			before, after := fmr-fnmr, nextFNMR-nextFMR
			return fnmr + (nextFNMR-fnmr)*before/(before+after)
		}
		fmr, fnmr = nextFMR, nextFNMR
	}
	return fnmr
}

// At returns, for the lowest threshold whose FMR is at most bound, the weights
// of mated comparisons below it and of non-mated ones that it accepts. The
// curve must be complete.
func (c Curve) At(bound float64) (missed, matched, threshold float64) {
	missed = c.Mated
	// When even the highest score is too many, nothing may be accepted.
	threshold = min(math.MaxFloat64, math.Nextafter(c.steps[len(c.steps)-1].score, math.Inf(1)))
	allowed := budget(bound, c.NonMated)
	for i := len(c.steps) - 1; i >= 0; i-- {
		if matched+c.steps[i].nonMated > allowed {
			break
		}
		matched += c.steps[i].nonMated
		missed -= c.steps[i].mated
		threshold = c.steps[i].score
	}
	return max(0, missed), matched, threshold
}

// budget is the weight of non-mated comparisons, of all there are, that may
// match at bound. The slack keeps 1/100 of 100 at one in spite of rounding.
func budget(bound, nonMated float64) float64 { return bound*nonMated*(1+1e-12) + 1e-9 }

// DET returns at most limit operating points by ascending threshold, spread
// evenly over the path of the curve in FNMR and in the logarithm of FMR. The
// first is the lowest score, where everything matches, and the last the highest.
func (c Curve) DET(limit int) []Point {
	if !c.Complete() {
		return nil
	}
	depth := max(1, math.Log10(c.NonMated)) // decades of FMR that can be seen
	points := make([]Point, 0, limit)
	mated, nonMated := 0.0, c.NonMated
	for i := range c.steps {
		p := Point{FMR: max(0, nonMated/c.NonMated), FNMR: min(1, mated/c.Mated), Threshold: c.steps[i].score}
		mated += c.steps[i].mated
		nonMated -= c.steps[i].nonMated
		// place rises from 0 to 2: both terms only grow with the threshold.
		place := min(1, -math.Log10(max(p.FMR, 1/c.NonMated))/depth) + p.FNMR
		next := float64(len(points)) * 2 / float64(limit-1)
		final := i == len(c.steps)-1
		if place < next && !final {
			continue
		}
		if len(points) == limit {
			points = points[:limit-1]
		}
		points = append(points, p)
	}
	return points
}
