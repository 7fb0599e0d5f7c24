package synth

import (
	"cmp"
	"slices"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

// Half axes of the ellipse that could touch a sensor, in pixels at 500 dpi, and of the one that a
// patient officer has pressed on it.
const (
	padX, padY     = 175, 250
	touchX, touchY = 102, 150
)

const (
	viewSpacing  = 7   // pixels between minutiae of one capture
	area         = 980 // pixels for each minutia of the finger, in the median
	areaSpread   = 210 // deviation of its logarithm, in thousandths
	faintPercent = 27  // of minutiae
)

// ridgePoint is a minutia of the finger itself, whether or not a capture shows it.
type ridgePoint struct {
	place
	angle   uint16
	kind    uint8
	quality int
	faint   bool // found in some captures
	vague   bool // of a type that is hard to tell
}

// FingerReference gives the person's enrolled finger in exchange.FormatFinger2005, as a patient
// officer takes it. The position is 0 to 10 as in ISO/IEC 19794-2; it panics beyond.
func (p Person) FingerReference(position uint8) []byte {
	s := p.stream("finger-reference", uint64(position))
	c := press{touch: place{touchX, touchY}, blur: 8, skin: s.between(75, 95)}
	return p.extract(position, c, sensorOf(SensorOptical), patient(), s, s)
}

// FingerProbe gives capture n of the same finger by a patient officer: lying elsewhere and rolled
// and turned by up to 20 degrees, pressed differently, with minutiae displaced, missed and invented,
// but never so that it fails. The position is 0 to 10; it panics beyond.
func (p Person) FingerProbe(position uint8, n int) []byte {
	s := p.stream("finger-probe", uint64(position), uint64(n))
	c := press{
		touch: place{touchX, touchY},
		turn:  uint16(s.between(-20*degree, 20*degree)),
		shift: at(s.between(-28, 28), s.between(-28, 28)),
		roll:  at(s.between(-16, 16), s.between(-20, 20)),
		slip:  newSlip(s, 4),
		blur:  20,
		skin:  s.between(65, 95),
	}
	return p.extract(position, c, sensorOf(SensorOptical), patient(), s, s)
}

// ridgePoints draws the minutiae of a finger, at about the density and with the soft spacing of
// real ones. Those of twins follow a pattern of one class and differ otherwise.
func (p Person) ridgePoints(position uint8) []ridgePoint {
	s, class := p.stream("finger", uint64(position)), p.stream("finger-class", uint64(position))
	if _, twin := Sibling(p.Index); twin {
		class = newStream(p.seed, p.Jurisdiction, "finger-class", p.elder(), uint64(position))
	}
	flow := newRidgeFlow(s, class, position)
	const all = 314 * padX * padY / 100
	want := all / int(s.lognormal(area, areaSpread))
	points := make([]ridgePoint, 0, want)
	for try := 0; len(points) < want && try < 20*want; try++ {
		q := place{
			int64(s.between(-padX*subpixel, padX*subpixel)),
			int64(s.between(-padY*subpixel, padY*subpixel)),
		}
		spacing := int64(s.between(5, 22))
		if within(q, padX, padY) && !crowded(points, q, spacing) {
			points = append(points, flow.point(s, q))
		}
	}
	return points
}

func (f ridgeFlow) point(s *stream, q place) ridgePoint {
	r := ridgePoint{place: q, angle: f.along(q) + uint16(s.spread(5*degree)), quality: s.between(55, 98)}
	if s.chance(76) != f.wave.positive(q) {
		r.angle += halfTurn
	}
	r.kind = 1
	if s.chance(38) {
		r.kind = 2
	}
	if r.faint = s.chance(faintPercent); r.faint {
		r.quality -= 15
	}
	r.vague = s.chance(20)
	return r
}

// within says whether q lies in the ellipse with half axes a and b, in pixels.
func within(q place, a, b int64) bool {
	return q.x*q.x*b*b+q.y*q.y*a*a <= a*a*b*b*subpixel*subpixel
}

func crowded(points []ridgePoint, q place, spacing int64) bool {
	return slices.ContainsFunc(points, func(r ridgePoint) bool {
		return r.minus(q).squared() < spacing*spacing*subpixel*subpixel
	})
}

// encodeFinger writes the minutiae row by row as extractors do: the order must not tell which of
// two captures belong together.
func encodeFinger(position uint8, quality int, on sensor, shown []finger.Minutia) []byte {
	v := finger.Sample{
		Position: position, Quality: uint8(quality),
		Width: uint16(on.width), Height: uint16(on.height),
		ResX: uint16(on.resolution), ResY: uint16(on.resolution), Minutiae: shown,
	}
	slices.SortFunc(v.Minutiae, func(a, b finger.Minutia) int {
		return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X), cmp.Compare(a.Angle, b.Angle))
	})
	b, err := exchange.EncodeFinger([]finger.Sample{v})
	if err != nil {
		panic("synth: generated finger does not encode: " + err.Error())
	}
	return b
}
