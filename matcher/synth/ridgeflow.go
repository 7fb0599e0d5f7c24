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
	wave          senseWave
}

// newRidgeFlow draws a pattern in about the frequencies of human fingers (C. Wilson, G. Candela,
// C. Watson, J. Artificial Neural Networks 1(2), 1993: loops 65 %, whorls 28 %, arches 4 %, tented
// arches 3 %): loops mostly open to the little finger's side, thumbs have more whorls.
func newRidgeFlow(s, class *stream, position uint8) ridgeFlow {
	f := ridgeFlow{tilt: uint16(s.spread(4 * degree)), wave: newSenseWave(s)}
	side := 1 // where the delta is; seen from above, a right hand's ulnar loop has it on the left
	if position <= 5 {
		side = -1
	}
	if class.chance(8) {
		side = -side
	}
	jitter := func(x, y, deviation int) place { return at(x+s.spread(deviation), y+s.spread(deviation)) }
	kind := class.below(100)
	if thumb := position == 1 || position == 6; thumb {
		kind = kind*7/10 + 30
	}
	switch {
	case kind < 4:
		f.hump = int64(s.between(60, 130))
	case kind < 7: // a loop whose delta lies right below
		f.cores, f.deltas = []place{jitter(0, 25, 8)}, []place{jitter(0, -70, 10)}
	case kind < 70:
		f.cores = []place{jitter(0, 30, 14)}
		f.deltas = []place{jitter(side*105, -115, 22)}
	default:
		half := s.between(8, 45) // from spirals to double loops
		f.cores = []place{jitter(0, 20+half, 9), jitter(0, 20-half, 9)}
		f.deltas = []place{jitter(-115, -115, 22), jitter(115, -115, 22)}
	}
	return f
}

// senseWave tells which of the two senses of the ridges most minutiae of a region take: ridges that
// diverge begin new ones, all on one side. In the templates of FVC2002 two minutiae 20 pixels apart
// agree in 65 % of cases, and in half at 120.
type senseWave [3]struct{ x, y, phase int64 }

func newSenseWave(s *stream) senseWave {
	var w senseWave
	for i := range w { // 16ths of a pixel to 65536ths of a turn: waves of 190 to 500 pixels
		x, y := rotate(int64(s.between(130, 345)), 0, uint16(s.below(1<<16)))
		w[i].x, w[i].y, w[i].phase = x, y, int64(s.below(1<<16))
	}
	return w
}

func (w senseWave) positive(p place) bool {
	var sum int64
	for _, v := range w {
		height, _ := rotate(1000, 0, uint16((p.x*v.x+p.y*v.y)/subpixel+v.phase))
		sum += height
	}
	return sum >= 0
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
