package finger

import "math"

// The give of the skin. Pressed on a sensor it stretches by more than a rigid
// motion can follow, alike in places near each other (A. Bazen, S. Gerez,
// "Fingerprint matching by thin-plate spline modelling of elastic
// deformations", Pattern Recognition 36(8), 2003). In place of their splines,
// which cost a system of equations, the displacement of a place is the mean of
// those of the matches around it, by a Gaussian of their distance, held back by
// a weight for no displacement at all.
const (
	bendSigma  = 50.0 // pixels over which displacements are alike
	bendHold   = 1.0  // matches' worth of no displacement
	bentReach  = 16.0 // pixels within which minutiae may be the same afterwards
	bendSteps  = 512  // table entries for the squared distances kept
	bendCutoff = 9.0  // squared distance, in bendSigma, beyond which nothing counts
)

var bendKernel = func() (table [bendSteps]float32) {
	for i := range table {
		table[i] = float32(math.Exp(-float64(i) / bendSteps * bendCutoff / 2))
	}
	return table
}()

// residual is how far a rigid motion leaves a matched minutia from its place,
// times the weight of the match.
type residual struct {
	at             vec
	dx, dy, weight float32
}

// bend moves b's minutiae, already moved rigidly, by the smoothed residuals of
// the matches.
func (s *scratch) bend(a *prepared) {
	s.residuals = s.residuals[:0]
	for _, m := range s.matches {
		p, q := &a.points[m.a], s.moved[m.b]
		s.residuals = append(s.residuals, residual{q, (p.x - q.x) * m.weight, (p.y - q.y) * m.weight, m.weight})
	}
	const scale = bendSteps / (bendCutoff * bendSigma * bendSigma)
	for j := range s.moved {
		q := &s.moved[j]
		var dx, dy float32
		sum := float32(bendHold)
		for i := range s.residuals {
			r := &s.residuals[i]
			ux, uy := q.x-r.at.x, q.y-r.at.y
			t := (ux*ux + uy*uy) * scale
			if !(t < bendSteps) {
				continue
			}
			k := bendKernel[int(t)]
			sum += k * r.weight
			dx += k * r.dx
			dy += k * r.dy
		}
		q.x += dx / sum
		q.y += dy / sum
	}
}
