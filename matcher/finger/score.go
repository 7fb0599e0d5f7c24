package finger

import (
	"math"
	"sync"
)

// overlapMargin is how far outside the other's hull a minutia still counts as
// one that the other finger had a chance to show, in pixels.
const overlapMargin = 8

// scratch is the working memory of one comparison. It holds traces of both
// templates, so it is wiped before it goes back to the pool.
type scratch struct {
	candidates     []candidate
	order          []int32
	starts         [buckets]int32
	takenA, takenB [MaxMinutiae + 1]bool
	pairs          []pair
	compatibility  []float32
	votes          []float32
	ranked         []int
	tried          []motion
	moved          []vec
	hull           []vec
	clipped        []vec
	clipping       []vec
	matches        []match
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

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
	s.assign(a, b)
	if len(s.pairs) < MinMinutiae {
		return 0
	}
	s.relax(a, b)
	return finite(float64(s.rank()))
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

func (s *scratch) compare(a, b *prepared) Comparison {
	s.assign(a, b)
	if len(s.pairs) < MinMinutiae {
		return Comparison{}
	}
	s.relax(a, b)
	relaxed := s.rank()
	var best alignment
	s.tried = s.tried[:0]
	for _, t := range s.ranked {
		if len(s.tried) == hypotheses {
			break
		}
		p := &s.pairs[t]
		m := fromPair(&a.points[p.a], &b.points[p.b])
		if s.known(m, &b.points[p.b]) {
			continue
		}
		if found := s.evaluate(a, b, m); found.value > best.value {
			best = found
		}
	}
	c := Comparison{Score: finite(math.Sqrt(float64(relaxed)) * float64(best.value))}
	if c.Score > 0 {
		c.Paired, c.ProbeInOverlap, c.ReferenceInOverlap = best.paired, best.inA, best.inB
		c.Overlap = s.sharedArea(a, b, best.motion)
	}
	return c
}

// Number of best pairs whose mean vote is the relaxed score: minNP and maxNP
// of the paper, between which it grows with the smaller template.
const (
	fewestPairs = 4
	mostPairs   = 12
	pairsMid    = 20
	pairsSlope  = 0.4
)

// rank orders the pairs by vote, best first, into s.ranked, and returns the
// mean vote of the best: the global similarity of the cylinder-code paper.
func (s *scratch) rank() float32 {
	s.ranked = s.ranked[:0]
	n := len(s.pairs)
	count := fewestPairs + int(math.Round(float64(sigmoid(float64(n), pairsMid, pairsSlope))*(mostPairs-fewestPairs)))
	count = min(count, n)
	var sum float32
	for range count {
		best := -1
		for t := range s.pairs {
			if s.pairs[t].vote >= 0 && (best < 0 || s.pairs[t].vote > s.pairs[best].vote) {
				best = t
			}
		}
		sum += s.pairs[best].vote
		s.pairs[best].vote = -1 // taken
		s.ranked = append(s.ranked, best)
	}
	return sum / float32(count)
}

// known reports whether a motion was tried that lays q on nearly the same
// place, turned nearly alike.
func (s *scratch) known(m motion, q *point) bool {
	x, y := m.apply(q.x, q.y)
	for _, o := range s.tried {
		ox, oy := o.apply(q.x, q.y)
		dx, dy := x-ox, y-oy
		if dx*dx+dy*dy < sameShift*sameShift && o.cos*m.cos+o.sin*m.sin > 0.98 {
			return true
		}
	}
	return false
}

// alignment is what one motion of b onto a came to.
type alignment struct {
	motion
	value    float32 // q^2/sqrt(n_a n_b)
	paired   int
	inA, inB int // minutiae of each in the overlap
}

// evaluate refines the motion m and weighs q, the soft count of matches,
// against the minutiae that both fingers had a chance to show.
func (s *scratch) evaluate(a, b *prepared, m motion) alignment {
	q := s.pairUp(a, b, m)
	for range refinements {
		if len(s.matches) < 2 {
			break
		}
		m = fit(a, b, s.matches, m)
		q = s.pairUp(a, b, m)
	}
	s.tried = append(s.tried, m)
	if q == 0 {
		return alignment{}
	}
	na, nb := s.overlap(a, b, m)
	value := q * q / float32(math.Sqrt(float64(na*nb)))
	return alignment{motion: m, value: value, paired: len(s.matches), inA: na, inB: nb}
}

// overlap counts the minutiae of each that lie within the other's hull. Those
// matched are counted in any case.
func (s *scratch) overlap(a, b *prepared, m motion) (na, nb int) {
	s.moveHull(b, m)
	for i := range a.points {
		if s.takenA[i] || within(s.hull, vec{a.points[i].x, a.points[i].y}, overlapMargin) {
			na++
		}
	}
	for j := range b.points {
		if s.takenB[j] || within(a.hull, s.moved[j], overlapMargin) {
			nb++
		}
	}
	return na, nb
}

// moveHull fills s.hull with b's hull after m.
func (s *scratch) moveHull(b *prepared, m motion) {
	s.hull = s.hull[:0]
	for _, v := range b.hull {
		x, y := m.apply(v.x, v.y)
		s.hull = append(s.hull, vec{x, y})
	}
}

// sharedArea is the area that the hulls have in common after m, as a fraction
// of the smaller hull; 0 when either has no area.
func (s *scratch) sharedArea(a, b *prepared, m motion) float64 {
	s.moveHull(b, m)
	smaller := min(area(a.hull), area(s.hull))
	if !(smaller > 0) {
		return 0
	}
	s.clipped, s.clipping = intersect(a.hull, s.hull, s.clipped, s.clipping)
	return min(1, finite(float64(area(s.clipped)/smaller)))
}

func (s *scratch) freeAll() {
	clear(s.takenA[:])
	clear(s.takenB[:])
}

// mostKept bounds the scratch that is kept for later comparisons, in entries:
// enough for about 120 minutiae a side. Wiping covers all that was ever grown, so one
// oversize template would otherwise tax every comparison after it.
const mostKept = 1 << 14

// release wipes s and gives it back to the pool.
func (s *scratch) release() {
	s.wipe()
	if cap(s.candidates) <= mostKept && cap(s.order) <= 2*mostKept && cap(s.compatibility) <= 2*mostKept {
		scratches.Put(s)
	}
}

// wipe overwrites everything but keeps the memory.
func (s *scratch) wipe() {
	clear(s.candidates[:cap(s.candidates)])
	clear(s.order[:cap(s.order)])
	clear(s.starts[:])
	s.freeAll()
	clear(s.pairs[:cap(s.pairs)])
	clear(s.compatibility[:cap(s.compatibility)])
	clear(s.votes[:cap(s.votes)])
	clear(s.ranked[:cap(s.ranked)])
	clear(s.tried[:cap(s.tried)])
	clear(s.moved[:cap(s.moved)])
	clear(s.hull[:cap(s.hull)])
	clear(s.clipped[:cap(s.clipped)])
	clear(s.clipping[:cap(s.clipping)])
	clear(s.matches[:cap(s.matches)])
}

// grow returns v with length n, its contents unspecified.
func grow(v []float32, n int) []float32 {
	if cap(v) < n {
		return make([]float32, n, 2*n)
	}
	return v[:n]
}
