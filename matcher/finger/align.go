package finger

import "math"

// Rigid alignment of b onto a.
const (
	hypotheses  = 4   // alignments tried, from the pairs with the most votes
	refinements = 2   // least-squares rounds for each
	pairReach   = 16  // pixels within which aligned minutiae may be the same
	pairTurn    = 24  // 256ths of a turn within which they may be
	sameShift   = 8.0 // hypotheses closer than this at the middle are one
)

// motion turns and shifts b onto a.
type motion struct{ cos, sin, dx, dy float32 }

func (m motion) apply(x, y float32) (float32, float32) {
	return m.cos*x - m.sin*y + m.dx, m.sin*x + m.cos*y + m.dy
}

// match is a pair of minutiae that an alignment brings together.
type match struct {
	a, b   uint8
	weight float32 // 1 when they coincide, towards 0 at the limits
}

// fromPair is the motion that lays minutia q on minutia p, direction included.
func fromPair(p, q *point) motion {
	cos, sin := p.cos*q.cos+p.sin*q.sin, p.sin*q.cos-p.cos*q.sin
	return motion{cos, sin, p.x - (cos*q.x - sin*q.y), p.y - (sin*q.x + cos*q.y)}
}

// fit is the rigid motion of least weighted squares over the matches (Horn
// 1987, in the plane). With fewer than two places to go by it returns m.
func fit(a, b *prepared, matches []match, m motion) motion {
	var sum, ax, ay, bx, by float32
	for i := range matches {
		w, p, q := matches[i].weight, &a.points[matches[i].a], &b.points[matches[i].b]
		sum += w
		ax, ay = ax+w*p.x, ay+w*p.y
		bx, by = bx+w*q.x, by+w*q.y
	}
	if sum <= 0 {
		return m
	}
	ax, ay, bx, by = ax/sum, ay/sum, bx/sum, by/sum
	var dot, det float32
	for i := range matches {
		w, p, q := matches[i].weight, &a.points[matches[i].a], &b.points[matches[i].b]
		px, py, qx, qy := p.x-ax, p.y-ay, q.x-bx, q.y-by
		dot += w * (px*qx + py*qy)
		det += w * (py*qx - px*qy)
	}
	norm := float32(math.Hypot(float64(dot), float64(det)))
	if norm < 1 {
		return m
	}
	cos, sin := dot/norm, det/norm
	return motion{cos, sin, ax - (cos*bx - sin*by), ay - (sin*bx + cos*by)}
}

// pairUp moves b by m and matches minutiae one to one, closest first. It
// leaves the matches in s.matches and returns the sum of their weights.
func (s *scratch) pairUp(a, b *prepared, m motion) float32 {
	s.move(b, m)
	s.candidates = s.candidates[:0]
	turned := int(math.Round(math.Atan2(float64(m.sin), float64(m.cos)) * 128 / math.Pi))
	for j := range s.moved {
		q := &s.moved[j]
		angle := b.points[j].angle + uint8(turned)
		for i := range a.points {
			p := &a.points[i]
			dx, dy := p.x-q.x, p.y-q.y
			d2 := dx*dx + dy*dy
			if d2 >= pairReach*pairReach {
				continue
			}
			t := turn(p.angle, angle)
			if t >= pairTurn {
				continue
			}
			w := (1 - d2/(pairReach*pairReach)) * (1 - float32(t)*float32(t)/(pairTurn*pairTurn))
			s.candidates = append(s.candidates, candidate{uint8(i), uint8(j), uint16(w * (buckets - 1)), w})
		}
	}
	s.sortCandidates()
	s.freeAll()
	s.matches = s.matches[:0]
	var total float32
	for _, k := range s.order {
		c := &s.candidates[k]
		if s.takenA[c.a] || s.takenB[c.b] {
			continue
		}
		s.takenA[c.a], s.takenB[c.b] = true, true
		s.matches = append(s.matches, match{c.a, c.b, c.value})
		total += c.value
	}
	return total
}

// move fills s.moved with the places of b's minutiae after m.
func (s *scratch) move(b *prepared, m motion) {
	s.moved = s.moved[:0]
	for i := range b.points {
		x, y := m.apply(b.points[i].x, b.points[i].y)
		s.moved = append(s.moved, vec{x, y})
	}
}
