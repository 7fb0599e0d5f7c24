package finger

import "math"

// nearby are the points of a template side by side.
type nearby struct {
	x, y  [MaxMinutiae + 1]float32
	angle [MaxMinutiae + 1]int32
}

// hit is a point of a and one of b that meet.
type hit struct{ a, b uint8 }

// mostHits is how many are found at once: more than one point can have.
const mostHits = 1024

// closeBy is what meetAVX2 works in.
type closeBy struct {
	nearby
	of   *prepared // whose points they are
	hits [mostHits]hit
}

// meetAVX2 finds the points of a that lie at less than the square root of squared
// from moved ones of b, from the given one on, and point nearly the same way. It
// returns how many it found and, should the hits be full, the point to go on with.
//
//go:noescape
func meetAVX2(a *nearby, na int, moved *vec, b *point, from, nb int, turned uint32, squared float32, hits *[mostHits]hit) (next, n int)

// meetAVX2 is meetGeneric; there are points in both.
func (s *scratch) meetAVX2(a, b *prepared, turned uint8, reach float32) {
	c := &s.close
	if c.of != a {
		c.load(a)
	}
	squared, scale := reach*reach, 1/(reach*reach)
	s.met += (len(a.points) + 7) / 8 * len(b.points)
	for from, n := 0, 0; from < len(s.moved); {
		from, n = meetAVX2(&c.nearby, len(a.points), &s.moved[0], &b.points[0], from, len(s.moved), uint32(turned), squared, &c.hits)
		for _, h := range c.hits[:n] {
			p, q := &a.points[h.a], &s.moved[h.b]
			dx, dy := p.x-q.x, p.y-q.y
			t := turn(p.angle, b.points[h.b].angle+turned)
			s.propound(h.a, h.b, (1-float32((float32(dx*dx)+float32(dy*dy))*scale))*turnWeight[t])
		}
	}
}

func (c *closeBy) load(a *prepared) {
	for i := range a.points {
		p := &a.points[i]
		c.x[i], c.y[i], c.angle[i] = p.x, p.y, int32(p.angle)
	}
	for i := len(a.points); i < len(c.x) && i%8 != 0; i++ {
		c.x[i] = float32(math.Inf(1))
	}
	c.of = a
}
