package synth

// Positions on a finger are sixteenths of a pixel from the middle of the pad, x to the right and y
// towards the tip: fine enough that rounding does not show.
const subpixel = 16

// place is a position on a finger.
type place struct{ x, y int64 }

func at(x, y int) place { return place{int64(x) * subpixel, int64(y) * subpixel} }

func (p place) minus(q place) place { return place{p.x - q.x, p.y - q.y} }

func (p place) squared() int64 { return p.x*p.x + p.y*p.y }

// ridgeFlow is the direction of the ridges over one finger. Loops and whorls follow the zero-pole
// model (B. Sherlock, D. Monro, "A model for interpreting fingerprint topology", Pattern Recognition
// 26(7), 1993): half the sum of the directions from the cores less that from the deltas. An arch,
// which has neither, is a hump.
type ridgeFlow struct {
	cores, deltas []place
	hump          int64  // height of the arch, 0 for loops and whorls
	tilt          uint16 // of the whole
}

// newRidgeFlow draws a pattern in about the frequencies of human fingers: loops 63 %, most of them
// open to the little finger's side, whorls 30 %, arches 7 %.
func newRidgeFlow(s *stream, position uint8) ridgeFlow {
	f := ridgeFlow{tilt: uint16(s.spread(4 * degree))}
	side := 1 // where the delta is; seen from above, a right hand's ulnar loop has it on the left
	if position <= 5 {
		side = -1
	}
	if s.chance(10) {
		side = -side
	}
	jitter := func(x, y, deviation int) place { return at(x+s.spread(deviation), y+s.spread(deviation)) }
	switch kind := s.below(100); {
	case kind < 63:
		f.cores = []place{jitter(0, 30, 12)}
		f.deltas = []place{jitter(side*105, -125, 18)}
	case kind < 93:
		f.cores = []place{jitter(0, 45, 12), jitter(0, -15, 14)}
		f.deltas = []place{jitter(-120, -135, 16), jitter(120, -135, 16)}
	default:
		f.hump = int64(s.between(60, 130))
	}
	return f
}

// along gives the direction of the ridge at a position, in one of its two senses.
func (f ridgeFlow) along(p place) uint16 {
	if f.hump != 0 {
		return f.tilt + f.slope(p)
	}
	var sum uint16
	for _, c := range f.cores {
		d := p.minus(c)
		sum += direction(d.x, d.y)
	}
	for _, c := range f.deltas {
		d := p.minus(c)
		sum -= direction(d.x, d.y)
	}
	return f.tilt + sum/2
}

// slope is the tangent of a hump that is highest below the middle and flat far from it.
func (f ridgeFlow) slope(p place) uint16 {
	const width = 100 * subpixel
	away := p.y + 60*subpixel
	flat := 2*width*width + p.squared() - p.x*p.x + away*away
	return direction(1000, -f.hump*12*p.x*width/flat)
}
