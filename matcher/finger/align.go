package finger

import "math"

// Rigid alignment of b onto a.
const (
	hypotheses = 4    // alignments tried, from the pairs with the most votes
	fewer      = 2    // ... when the votes are faint
	rigidReach = 18.0 // pixels within which aligned minutiae may be the same
	promising  = 0.75 // share of the best alignment's count from which another is refined
	sameShift  = 8.0  // hypotheses closer than this at the pair are one
	sameTurn   = 0.98 // ... if the cosine between them is more than this
)

// motion turns and shifts b onto a.
type motion struct{ cos, sin, dx, dy float32 }

func (m motion) apply(x, y float32) (float32, float32) {
	return m.cos*x - m.sin*y + m.dx, m.sin*x + m.cos*y + m.dy
}

// turn is the angle of m in 256ths of a turn.
func (m motion) turn() uint8 {
	return uint8(int(math.Round(math.Atan2(float64(m.sin), float64(m.cos)) * 128 / math.Pi)))
}

// motion is the one that lays the pair's minutia b on its minutia a, direction
// included.
func (p *pair) motion() motion {
	return motion{p.cos, p.sin, p.ax - (p.cos*p.bx - p.sin*p.by), p.ay - (p.sin*p.bx + p.cos*p.by)}
}

// alignment is a motion of b onto a and the soft count of matches it brings.
type alignment struct {
	motion
	q float32
}

// align tries at most as many motions of those that the ranked pairs propose
// and returns the best.
func (s *scratch) align(a, b *prepared, most int) alignment {
	var best alignment
	s.tried = s.tried[:0]
	for _, t := range s.ranked {
		if len(s.tried) == most {
			break
		}
		p := &s.pairs[t]
		m := p.motion()
		if s.known(m, p.bx, p.by) {
			continue
		}
		s.move(b, m)
		q := s.pairUp(a, b, m.turn(), rigidReach)
		if q >= promising*best.q {
			m, q = s.refit(a, b, m, q)
		}
		s.tried = append(s.tried, m)
		if q > best.q {
			best = alignment{m, q}
		}
	}
	return best
}

// known reports whether a motion was tried that lays the place x, y on nearly
// the same, turned nearly alike.
func (s *scratch) known(m motion, x, y float32) bool {
	mx, my := m.apply(x, y)
	for _, o := range s.tried {
		ox, oy := o.apply(x, y)
		dx, dy := mx-ox, my-oy
		if dx*dx+dy*dy < sameShift*sameShift && o.cos*m.cos+o.sin*m.sin > sameTurn {
			return true
		}
	}
	return false
}

// refit replaces the motion m, by which minutiae were just matched with the
// count q, by the one that fits these matches best, and matches anew.
func (s *scratch) refit(a, b *prepared, m motion, q float32) (motion, float32) {
	if len(s.matches) < 2 {
		return m, q
	}
	var f fitter
	for i := range s.matches {
		p, o := &a.points[s.matches[i].a], &b.points[s.matches[i].b]
		f.add(s.matches[i].weight, p.x, p.y, o.x, o.y)
	}
	m = f.solve(m)
	s.move(b, m)
	return m, s.pairUp(a, b, m.turn(), rigidReach)
}

// move fills s.moved with the places of b's minutiae after m.
func (s *scratch) move(b *prepared, m motion) {
	s.moved = s.moved[:0]
	for i := range b.points {
		x, y := m.apply(b.points[i].x, b.points[i].y)
		s.moved = append(s.moved, vec{x, y})
	}
}

// fitter gathers the sums from which the rigid motion of least weighted
// squares follows (Horn 1987, in the plane).
type fitter struct{ w, ax, ay, bx, by, dot, det float64 }

func (f *fitter) add(weight, ax, ay, bx, by float32) {
	w, x, y, u, v := float64(weight), float64(ax), float64(ay), float64(bx), float64(by)
	f.w += w
	f.ax, f.ay = f.ax+w*x, f.ay+w*y
	f.bx, f.by = f.bx+w*u, f.by+w*v
	f.dot += w * (x*u + y*v)
	f.det += w * (y*u - x*v)
}

// solve returns the motion, or m where the places are too close together to
// tell a turn.
func (f *fitter) solve(m motion) motion {
	if !(f.w > 0) {
		return m
	}
	ax, ay, bx, by := f.ax/f.w, f.ay/f.w, f.bx/f.w, f.by/f.w
	dot := f.dot - f.w*(ax*bx+ay*by)
	det := f.det - f.w*(ay*bx-ax*by)
	norm := math.Sqrt(dot*dot + det*det)
	if !(norm >= 1) {
		return m
	}
	cos, sin := dot/norm, det/norm
	return motion{float32(cos), float32(sin), float32(ax - (cos*bx - sin*by)), float32(ay - (sin*bx + cos*by))}
}
