package synth

import "github.com/tamga-id/tamga/matcher/finger"

// Extractor is a kind of minutia extractor. Two extractors see one capture alike, as far as the
// finger shows, and differ in what they miss and invent.
type Extractor uint8

// The extractors, in the manner of the two whose templates of FVC2002 were measured.
const (
	ExtractorSparse Extractor = iota // few minutiae, endings and bifurcations, no qualities (SecuGen)
	ExtractorDense                   // all it can find, with qualities (FingerJetFX)
)

// extractor has what tells templates of extractors apart. Percentages are of minutiae; those that
// grow with bad skin are for skin of quality 50.
type extractor struct {
	missed    int   // percent of clear minutiae
	faint     int   // percent of faint minutiae
	bad       int   // percent more of each
	invented  int   // percent
	paired    int   // percent of the invented that lie beside a minutia: ends of a broken ridge
	confused  int   // percent taken for the other type
	other     int   // percent of the vague reported as of neither type
	inset     int64 // pixels at the rim of the print where it finds nothing
	qualities bool
}

func extractorOf(e Extractor) extractor {
	switch e {
	case ExtractorSparse:
		return extractor{missed: 6, faint: 33, bad: 14, invented: 9, paired: 40, confused: 10, inset: 7}
	case ExtractorDense:
		return extractor{missed: 2, faint: 22, bad: 22, invented: 28, paired: 80, confused: 9, other: 75, qualities: true}
	}
	panic("synth: unknown extractor")
}

// patient is the extractor of the captures that never fail.
func patient() extractor {
	return extractor{missed: 2, faint: 10, bad: 5, invented: 5, paired: 40, confused: 8, other: 25, qualities: true}
}

// FingerCapture gives capture n of the finger as it comes, good or bad, for measuring. One n is one
// capture whatever the extractor. The position is 0 to 10; it panics beyond, and for a sensor or an
// extractor that is none.
func (p Person) FingerCapture(position uint8, n int, on Sensor, by Extractor) []byte {
	with, e := sensorOf(on), extractorOf(by)
	s := p.stream("finger-capture", uint64(position), uint64(n), uint64(on))
	c := with.newPress(s)
	c.skin = max(10, c.skin+p.stream("finger-skin", uint64(position)).spread(with.skinSpread))
	return p.extract(position, c, with, e, s, p.stream("finger-extract", uint64(position), uint64(n), uint64(on), uint64(by)))
}

// extract gives what an extractor finds of a press: shape draws what happens to the ridges, found
// what the extractor makes of them.
func (p Person) extract(position uint8, c press, on sensor, e extractor, shape, found *stream) []byte {
	if position > 10 {
		panic("synth: finger position out of range")
	}
	c.touch = place{max(20, c.touch.x-e.inset), max(20, c.touch.y-e.inset)}
	x := extraction{c: c, on: on, e: e, s: found}
	for _, r := range p.ridgePoints(position) {
		// Drawn for each minutia, shown or not, so that one more does not change the others.
		dx, dy := shape.spread(c.blur), shape.spread(c.blur)
		dim, missed, seen := shape.chance(x.worse(e.bad)), x.misses(r), x.disturb(r)
		if !c.shows(r.place) || missed || dim && r.faint {
			continue
		}
		q := c.lay(r.place)
		seen.place = place{q.x + int64(dx), q.y + int64(dy)}
		seen.angle += c.turn
		x.add(seen)
	}
	x.invent()
	return encodeFinger(position, min(100, c.skin), on, x.minutiae())
}

// extraction is the work of one extractor on one press.
type extraction struct {
	c     press
	on    sensor
	e     extractor
	s     *stream
	shown []ridgePoint // on the sensor
}

// worse scales percent, which are for skin of quality 50, to the skin at hand.
func (x *extraction) worse(percent int) int { return percent * max(0, 110-x.c.skin) / 60 }

func (x *extraction) misses(r ridgePoint) bool {
	percent := x.e.missed
	if r.faint {
		percent = x.e.faint
	}
	return x.s.chance(percent + x.worse(x.e.bad))
}

// disturb gives the direction, type and quality that the extractor sees: one direction of six is
// taken where the ridge bends or is broken.
func (x *extraction) disturb(r ridgePoint) ridgePoint {
	turned := degree * 5 / 2
	if x.s.chance(16) {
		turned *= 4
	}
	r.angle += uint16(x.s.spread(turned))
	if x.s.chance(x.e.confused + x.worse(4)) {
		r.kind = 3 - r.kind
	}
	if x.s.chance(x.e.other) && r.vague {
		r.kind = 0
	}
	r.quality = max(40, min(100, r.quality+x.s.spread(8)-x.worse(10)))
	return r
}

// invent adds minutiae that are none.
func (x *extraction) invent() {
	n := len(x.shown)
	percent := x.e.invented/2 + x.worse(x.e.invented/2)
	for range n {
		if !x.s.chance(percent) {
			continue
		}
		r := ridgePoint{angle: uint16(x.s.below(1 << 16)), kind: 1, quality: x.s.between(40, 70)}
		if near := x.shown[x.s.below(n)]; x.s.chance(x.e.paired) { // the other end
			dx, dy := rotate(int64(x.s.between(5, 14))*subpixel, 0, uint16(x.s.below(1<<16)))
			r.place, r.angle = place{near.x + dx, near.y + dy}, near.angle+uint16(x.s.spread(20*degree))
			if x.s.chance(40) {
				r.angle += halfTurn
			}
		} else {
			q := at(x.s.between(-padX, padX), x.s.between(-padY, padY))
			if !within(q, x.c.touch.x, x.c.touch.y) {
				continue
			}
			px, py := rotate(q.x, q.y, x.c.turn)
			r.place = place{px + x.c.shift.x, py + x.c.shift.y}
		}
		if x.s.chance(x.e.other / 2) {
			r.kind = 0
		}
		x.add(r)
	}
}

// add keeps a minutia unless one is there.
func (x *extraction) add(r ridgePoint) {
	spacing := int64(viewSpacing)
	if x.e.qualities {
		spacing = 4
	}
	if !crowded(x.shown, r.place, spacing) {
		x.shown = append(x.shown, r)
	}
}

// edge is how near to the border of the image extractors look, in pixels.
const edge = 6

// minutiae gives what falls on the image.
func (x *extraction) minutiae() []finger.Minutia {
	var out []finger.Minutia
	pixel := func(v int64) int { return int((v*int64(x.on.resolution)/197 + subpixel/2) >> 4) }
	for _, r := range x.shown {
		px, py := pixel(r.x)+x.on.width/2, x.on.height/2-pixel(r.y)
		if px < edge || px >= x.on.width-edge || py < edge || py >= x.on.height-edge || len(out) == finger.MaxMinutiae {
			continue
		}
		m := finger.Minutia{X: uint16(px), Y: uint16(py), Angle: uint8((r.angle + 128) >> 8), Type: r.kind}
		if x.e.qualities {
			m.Quality = uint8(r.quality)
		}
		out = append(out, m)
	}
	return out
}
