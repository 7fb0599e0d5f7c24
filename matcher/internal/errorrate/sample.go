package errorrate

import (
	"math"
	"slices"
)

// Sample is a set's comparisons in order, with the subjects they are of.
type Sample struct {
	outcomes []Outcome // mated and the highest non-mated, by descending score
	body     []step    // the other non-mated, by descending score
	Subjects int
	mated    []float64 // mated comparisons of each subject
	// blocks are ranges of subjects that were all compared with each other;
	// nil when what was compared is only known from the outcomes.
	blocks []Block
}

// Block is a range of subjects within which every capture was compared with
// every other, in one direction or both.
type Block struct {
	First    int       // number of the first subject
	Captures []float64 // of each subject
	Both     bool
}

// NewSample takes over what t gathered. Without blocks, t must not have
// forgotten anything.
func NewSample(t *Tally, subjects int, blocks []Block) *Sample {
	t.cut()
	s := &Sample{outcomes: append(t.mated, t.tail...), Subjects: subjects, blocks: blocks, mated: make([]float64, subjects)}
	for _, o := range t.mated {
		s.mated[o.A]++
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

// Curve has every comparison once.
func (s *Sample) Curve() Curve {
	var steps []step
	s.walk(func(o Outcome) float64 { return 1 }, func() float64 { return 1 }, func(next step) bool {
		steps = append(steps, next)
		return true
	})
	slices.Reverse(steps)
	return newCurve(steps)
}

// walk yields the distinct scores in descending order, with the weights of the
// comparisons that have them, until yield returns false. scale is asked for the
// weight of one comparison of the body, when the walk gets there.
func (s *Sample) walk(weight func(Outcome) float64, scale func() float64, yield func(step) bool) {
	each := 0.0
	for i, k := 0, 0; i < len(s.outcomes) || k < len(s.body); {
		var next step
		if k == len(s.body) || i < len(s.outcomes) && s.outcomes[i].Score >= s.body[k].score {
			next.score = s.outcomes[i].Score
		} else {
			next.score = s.body[k].score
		}
		for ; i < len(s.outcomes) && s.outcomes[i].Score == next.score; i++ {
			if w := weight(s.outcomes[i]); s.outcomes[i].Mated() {
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

// Weights are the totals when subject i was drawn drawn[i] times.
func (s *Sample) Weights(drawn []float64) (mated, nonMated float64) {
	for i, n := range s.mated {
		mated += drawn[i] * n
	}
	if s.blocks == nil {
		for _, o := range s.outcomes {
			if !o.Mated() {
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
func (b Block) nonMated(drawn []float64) float64 {
	sum, own := 0.0, 0.0
	for i, n := range b.Captures {
		w := n * drawn[b.First+i]
		sum += w
		own += w * w
	}
	if b.Both {
		return sum*sum - own
	}
	return (sum*sum - own) / 2
}

// weight of a comparison when subject i was drawn drawn[i] times. A pair of
// different subjects weighs as the product of their draws: two draws of one
// subject give no non-mated comparison (after R. M. Bolle, N. K. Ratha,
// S. Pankanti, "Error analysis of pattern recognition systems - the subsets
// bootstrap", CVIU 93(1), 2004).
func (o Outcome) weight(drawn []float64) float64 {
	if o.A == o.B || o.B == NoSubject {
		return drawn[o.A]
	}
	return drawn[o.A] * drawn[o.B]
}

// Figures are the rates of a replicate.
type Figures struct {
	EER  float64
	FNMR []float64 // at each of the bounds
}

// Replicate computes the figures of a redrawn sample, walking down from the
// highest score only as far as they need. bounds are false match rates by
// descending value. ok is false when the draw left one
// kind of comparison out.
func (s *Sample) Replicate(drawn, bounds []float64) (f Figures, ok bool) {
	mated, nonMated := s.Weights(drawn)
	if mated == 0 || nonMated == 0 {
		return f, false
	}
	f.FNMR = make([]float64, len(bounds))
	budgets := make([]float64, len(bounds))
	for b, bound := range bounds {
		budgets[b] = budget(bound, nonMated)
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
	s.walk(func(o Outcome) float64 { return o.weight(drawn) }, scale, func(next step) bool {
		accepted += next.mated
		matched += next.nonMated
		for ; strictest >= 0 && matched > budgets[strictest]; strictest-- {
			f.FNMR[strictest] = fnmr
		}
		nextFMR, nextFNMR := matched/nonMated, max(0, 1-accepted/mated)
		if !crossed && nextFMR >= nextFNMR {
			before, after := fnmr-fmr, nextFMR-nextFNMR
			f.EER = fnmr + (nextFNMR-fnmr)*before/(before+after)
			crossed = true
		}
		fmr, fnmr = nextFMR, nextFNMR
		return !crossed || strictest >= 0
	})
	return f, true
}

// Accepted is the weight of the comparisons at or above a threshold. known is
// false where the subjects of those have been forgotten.
func (s *Sample) Accepted(threshold float64, drawn []float64) (mated, nonMated float64, known bool) {
	if len(s.body) > 0 && threshold <= s.body[0].score {
		return 0, 0, false
	}
	for _, o := range s.outcomes {
		if o.Score < threshold {
			break
		}
		if o.Mated() {
			mated += o.weight(drawn)
		} else {
			nonMated += o.weight(drawn)
		}
	}
	return mated, nonMated, true
}
