package finger

import "math"

// Compare returns the comparison score of two templates, 0 or more: 0 says
// that nothing speaks for the same finger. It does not depend on the order of
// its arguments, allocates next to nothing and may be called from any number
// of goroutines. A template that is nil, zero or wiped scores 0. What a score
// is worth, [Threshold] says.
//
// Bits are equal on one processor architecture; across architectures the last
// digits may differ where the compiler fuses multiplication and addition.
func Compare(probe, reference *Template) float64 {
	return Examine(probe, reference).Score
}

// Comparison is what [Examine] found: the score, and what an officer needs to
// know when it is not enough. The zero value says that nothing was found in
// common. "Probe" and "reference" are the arguments in their order; all but the
// score describe the best alignment found and are zero without one.
type Comparison struct {
	Score              float64 // as [Compare] returns it
	Paired             int     // minutiae that the two have in common
	ProbeInOverlap     int     // minutiae of the probe where the other finger was seen, too
	ReferenceInOverlap int     // minutiae of the reference where the probe was
	Overlap            float64 // area seen by both as a fraction of the smaller, 0 to 1
}

// Examine compares as [Compare] does, under the same guarantees, and says more
// of what it found. With the arguments exchanged, the two counts are, too.
func Examine(probe, reference *Template) Comparison {
	a, b := probe.contents(), reference.contents()
	if !usable(a, b) {
		return Comparison{}
	}
	swapped := outOfOrder(a, b)
	if swapped {
		a, b = b, a
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	c := s.compare(a, b)
	if c.Score < frameClear && framesDiffer(a, b) {
		d := s.compare(a.framed(), b.framed())
		if d.Score *= framePrice; d.Score > c.Score {
			c = d
		}
	}
	if swapped {
		c.ProbeInOverlap, c.ReferenceInOverlap = c.ReferenceInOverlap, c.ProbeInOverlap
	}
	return c
}

// Relaxed returns the score of the first two stages alone, local similarity
// and relaxation, 0 to 1, under the guarantees of [Compare]: a cheap estimate
// by which a 1:N search chooses whom to compare in full. It is not on the scale
// of Compare and no threshold applies to it.
func Relaxed(probe, reference *Template) float64 {
	a, b := probe.contents(), reference.contents()
	if !usable(a, b) {
		return 0
	}
	if outOfOrder(a, b) {
		a, b = b, a
	}
	s := scratches.Get().(*scratch)
	defer s.release()
	return finite(float64(s.propose(a, b)))
}

func usable(a, b *prepared) bool {
	return a != nil && b != nil && len(a.points) >= MinMinutiae && len(b.points) >= MinMinutiae
}

// outOfOrder reports whether a and b are to change places, so that every sum
// is made in the same order whichever came first.
func outOfOrder(a, b *prepared) bool {
	return len(a.points) > len(b.points) || len(a.points) == len(b.points) && a.order > b.order
}

// finite is v, or 0 for what comes of coordinates so far apart that their
// squares overflow.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// Where a comparison does less. On FVC2002 that saves more than half of the time,
// leaves the error rates from 1 in 1,000 down as they were to a tenth of a percent,
// and moves the EER by as little.
const (
	hopeless  = 0.0055 // relaxed score below which no alignment is tried
	dismissed = 1e-4   // ... and what it is scaled by to be the score
	faint     = 0.008  // relaxed score below which fewer alignments are tried
	slight    = 0.15   // relaxed score times squared count below which skin need not give
)

// Which turns are considered. A finger lies upright more often than not, so that
// what is found about another turn counts for a little less: upright ones lose
// next to nothing to the second chance that different fingers get.
const (
	unclear     = 0.02 // relaxed score below which fingers turned further are considered
	turnedLead  = 1.15 // ... times which theirs must reach to be believed
	turnedShare = 0.84 // of the score, for fingers turned by more than a quarter
)

// compare runs all stages. About half of the pairs of different fingers end
// after the second, with a score that orders them among themselves and is below
// that of any pair that was weighed and is worth a look.
func (s *scratch) compare(a, b *prepared) Comparison {
	relaxed := s.propose(a, b)
	if !(relaxed >= hopeless) {
		return Comparison{Score: dismissed * finite(float64(relaxed))}
	}
	most := hypotheses
	if relaxed < faint {
		most = fewer
	}
	best := s.align(a, b, most)
	if !(best.q > 0) {
		return Comparison{Score: dismissed * finite(float64(relaxed))}
	}
	f := s.weigh(a, b, best.motion, relaxed*best.q*best.q >= slight)
	f.Score = finite(f.score(relaxed))
	if best.cos < 0 {
		f.Score *= turnedShare
	}
	return f.Comparison
}

// propose leaves pairs of minutiae in s.pairs, the best of them in s.ranked,
// and returns the relaxed score. It looks at fingers turned by up to a quarter
// against each other and, when that is unclear and the cylinders speak for
// another turn, at that.
func (s *scratch) propose(a, b *prepared) float32 {
	s.finder.Count(a.cylinders, b.cylinders)
	upright := s.relaxed(a, b, 0)
	if !(upright < unclear) {
		return upright
	}
	centre, more := s.elsewhere()
	if !more {
		return upright
	}
	s.layBy()
	if other := s.relaxed(a, b, centre); other >= hopeless && other >= turnedLead*upright {
		return other
	}
	s.layBy()
	return upright
}

// layBy changes the pairs and their ranks for those laid by before.
func (s *scratch) layBy() {
	s.pairs, s.laidBy.pairs = s.laidBy.pairs, s.pairs
	s.ranked, s.laidBy.ranked = s.laidBy.ranked, s.ranked
}

// relaxed chooses, relaxes and ranks the pairs turned little about centre.
func (s *scratch) relaxed(a, b *prepared, centre uint8) float32 {
	s.ranked = s.ranked[:0]
	s.assign(a, b, centre)
	if len(s.pairs) < MinMinutiae {
		return 0
	}
	s.relax()
	return s.rank()
}

// Number of best pairs whose mean vote is the relaxed score: minNP and maxNP
// of the paper, between which it grows with the pairs there are.
const (
	fewestRanked = 4
	mostRanked   = 12
	rankedMid    = 20
	rankedSlope  = 0.4
)

// rankedOf tabulates that number.
var rankedOf = func() (table [mostPairs + 1]uint8) {
	for n := range table {
		share := float64(sigmoid(float64(n), rankedMid, rankedSlope))
		table[n] = uint8(min(n, fewestRanked+int(math.Round(share*(mostRanked-fewestRanked)))))
	}
	return table
}()

// rank orders the pairs by vote, best first, into s.ranked, and returns the
// mean vote of the best: the global similarity of the cylinder-code paper.
func (s *scratch) rank() float32 {
	count := int(rankedOf[len(s.pairs)])
	var taken [mostPairs]bool
	var sum float32
	for range count {
		best := -1
		for t := range s.pairs {
			if !taken[t] && (best < 0 || s.pairs[t].vote > s.pairs[best].vote) {
				best = t
			}
		}
		sum += s.pairs[best].vote
		taken[best] = true
		s.ranked = append(s.ranked, best)
	}
	return sum / float32(count)
}
