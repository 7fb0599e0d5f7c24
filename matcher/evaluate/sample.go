package evaluate

import (
	"math"
	"slices"
)

// sample is a set's comparisons in order, with the subjects they are of.
type sample struct {
	outcomes []outcome // mated and the highest non-mated, by descending score
	body     []step    // the other non-mated, by descending score
	subjects int
	mated    []float64 // mated comparisons of each subject
	// blocks are ranges of subjects that were all compared with each other;
	// nil when what was compared is only known from the outcomes.
	blocks []block
}

// block is a range of subjects within which every capture was compared with
// every other, in one direction or both.
type block struct {
	first    int
	captures []float64 // of each subject
	both     bool
}

// sampleOf takes over what t gathered. Without blocks, t must not have
// forgotten anything.
func sampleOf(t *tally, subjects int, blocks []block) *sample {
	t.cut()
	s := &sample{outcomes: append(t.mated, t.tail...), subjects: subjects, blocks: blocks, mated: make([]float64, subjects)}
	for _, o := range t.mated {
		s.mated[o.a]++
	}
	slices.SortFunc(s.outcomes, descending)
	for bin, n := range slices.Backward(t.bins) {
		if n > 0 {
			// No threshold may lie within what the tail holds.
			s.body = append(s.body, step{score: min(binScore(uint32(bin)), t.floor), nonMated: float64(n)})
		}
	}
	return s
}

// curve has every comparison once.
func (s *sample) curve() curve {
	var steps []step
	s.walk(func(o outcome) float64 { return 1 }, func() float64 { return 1 }, func(next step) bool {
		steps = append(steps, next)
		return true
	})
	slices.Reverse(steps)
	return newCurve(steps)
}

// walk yields the distinct scores in descending order, with the weights of the
// comparisons that have them, until yield returns false. scale is asked for the
// weight of one comparison of the body, when the walk gets there.
func (s *sample) walk(weight func(outcome) float64, scale func() float64, yield func(step) bool) {
	each := 0.0
	for i, k := 0, 0; i < len(s.outcomes) || k < len(s.body); {
		var next step
		if k == len(s.body) || i < len(s.outcomes) && s.outcomes[i].score >= s.body[k].score {
			next.score = s.outcomes[i].score
		} else {
			next.score = s.body[k].score
		}
		for ; i < len(s.outcomes) && s.outcomes[i].score == next.score; i++ {
			if w := weight(s.outcomes[i]); s.outcomes[i].mated() {
				next.mated += w
			} else {
				next.nonMated += w
			}
		}
		for ; k < len(s.body) && s.body[k].score == next.score; k++ {
			if each == 0 {
				each = scale()
			}
			next.nonMated += each * s.body[k].nonMated
		}
		if !yield(next) {
			return
		}
	}
}

// weights are the totals when subject i was drawn drawn[i] times.
func (s *sample) weights(drawn []float64) (mated, nonMated float64) {
	for i, n := range s.mated {
		mated += drawn[i] * n
	}
	if s.blocks == nil {
		for _, o := range s.outcomes {
			if !o.mated() {
				nonMated += o.weight(drawn)
			}
		}
		return mated, nonMated
	}
	for _, b := range s.blocks {
		nonMated += b.nonMated(drawn)
	}
	return mated, nonMated
}

// nonMated is the sum of the weights of all pairs of captures of different
// subjects: all pairs less those of one subject.
func (b block) nonMated(drawn []float64) float64 {
	sum, own := 0.0, 0.0
	for i, n := range b.captures {
		w := n * drawn[b.first+i]
		sum += w
		own += w * w
	}
	if b.both {
		return sum*sum - own
	}
	return (sum*sum - own) / 2
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
	var budgets [len(bounds)]float64
	for b := range bounds {
		budgets[b] = budget(bounds[b].fmr, nonMated)
	}
	strictest := len(bounds) - 1 // of the bounds still open
	accepted, matched := 0.0, 0.0
	fmr, fnmr := 0.0, 1.0
	crossed := false
	body := 0.0 // comparisons in it
	for _, b := range s.body {
		body += b.nonMated
	}
	scale := func() float64 { return max(math.SmallestNonzeroFloat64, (nonMated-matched)/body) }
	s.walk(func(o outcome) float64 { return o.weight(drawn) }, scale, func(next step) bool {
		accepted += next.mated
		matched += next.nonMated
		for ; strictest >= 0 && matched > budgets[strictest]; strictest-- {
			f.fnmr[strictest] = fnmr
		}
		nextFMR, nextFNMR := matched/nonMated, max(0, 1-accepted/mated)
		if !crossed && nextFMR >= nextFNMR {
			before, after := fnmr-fmr, nextFMR-nextFNMR
			f.eer = fnmr + (nextFNMR-fnmr)*before/(before+after)
			crossed = true
		}
		fmr, fnmr = nextFMR, nextFNMR
		return !crossed || strictest >= 0
	})
	return f, true
}
