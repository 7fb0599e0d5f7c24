package finger

import "math"

// Exponents of the score. The squared count of matches over the minutiae in
// the overlap is Tico and Kuosmanen's; that unmatched minutiae weigh more than
// there (1.6 for 1) was best at every set of FVC2002 by itself. The more area
// is shared by as many minutiae, the less likely they match by chance (S.
// Pankanti, S. Prabhakar, A. Jain, "On the Individuality of Fingerprints", IEEE
// TPAMI 24(8), 2002), and the less so if their types agree.
//
// How well the edges between neighbouring pairs agree is not here: two forms of such a term, a
// graph of compatible edges and the mean agreement of each pair's three nearest, were measured
// and made the tail worse (FNMR at FMR 1e-4 of FVC2002, one threshold: 8.1 to 8.9 % and 5.3 to
// 5.7 % by extractor). Edges act where pairs are chosen, in relaxation.
const (
	massPower    = 1.6
	areaPower    = 0.2
	areaUnit     = 1000 // square pixels
	areaFloor    = 3    // ... taken for granted
	kindsPower   = 0.2
	relaxedPower = 0.4
)

// finding is what an alignment came to.
type finding struct {
	Comparison
	q            float32 // soft count of the minutiae paired
	kinds        float32 // ... of those of the same type, less those of another
	massA, massB float32 // weight of the minutiae of each in the overlap
	area         float32 // of the overlap, in square pixels
}

// weigh lays b on a by m, lets the skin give if told so, pairs the minutiae and
// finds those that both fingers had a chance to show.
func (s *scratch) weigh(a, b *prepared, m motion, give bool) finding {
	s.move(b, m)
	if give {
		m, _ = s.refit(a, b, m, s.pairUp(a, b, m.turn(), rigidReach))
		s.bend(a)
	}
	s.pairUp(a, b, m.turn(), bentReach)
	clear(s.inA[:len(a.points)])
	clear(s.inB[:len(b.points)])
	var f finding
	f.Paired = len(s.matches)
	for _, x := range s.matches {
		s.inA[x.a], s.inB[x.b] = true, true
		p, r := &a.points[x.a], &b.points[x.b]
		w := x.weight * float32(math.Sqrt(float64(p.weight*r.weight)))
		f.q += w
		switch {
		case p.kind == 0 || r.kind == 0:
		case p.kind == r.kind:
			f.kinds += w
		default:
			f.kinds -= w
		}
	}
	s.overlap(a, b, m, &f)
	return f
}

// score joins the finding with the relaxed score.
func (f *finding) score(relaxed float32) float64 {
	if !(f.q > 0) {
		return 0
	}
	return math.Exp(2*math.Log(float64(f.q)) +
		relaxedPower*math.Log(float64(relaxed)) -
		massPower/2*math.Log(float64((f.massA+1)*(f.massB+1))) +
		areaPower*math.Log(float64(f.area/areaUnit+areaFloor)) +
		kindsPower*float64(f.kinds/max(f.q, 1)))
}

// overlap finds the minutiae of each that lie within the other's hull, where
// those matched are in any case, and the area that the hulls share.
func (s *scratch) overlap(a, b *prepared, m motion, f *finding) {
	s.hull = s.hull[:0]
	for _, v := range b.hull {
		x, y := m.apply(v.x, v.y)
		s.hull = append(s.hull, vec{x, y})
	}
	for i := range a.points {
		if s.inA[i] || within(s.hull, vec{a.points[i].x, a.points[i].y}, overlapMargin) {
			f.ProbeInOverlap++
			f.massA += a.points[i].weight
		}
	}
	for j := range b.points {
		if s.inB[j] || within(a.hull, s.moved[j], overlapMargin) {
			f.ReferenceInOverlap++
			f.massB += b.points[j].weight
		}
	}
	s.clipped, s.clipping = intersect(a.hull, s.hull, s.clipped, s.clipping)
	f.area = area(s.clipped)
	if smaller := min(area(a.hull), area(s.hull)); smaller > 0 {
		f.Overlap = max(0, min(1, finite(float64(f.area/smaller))))
	}
}

// overlapMargin is how far outside the other's hull a minutia still counts as
// one that the other finger had a chance to show, in pixels.
const overlapMargin = 8
