package synth

import (
	"cmp"
	"slices"

	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

// The sensor: a common single-finger one of 500 dpi.
const (
	sensorWidth      = 360
	sensorHeight     = 480
	sensorResolution = 197 // pixels per cm
)

// Half axes of ellipses around the middle of the pad, in pixels: what touches the sensor, and what
// could when the finger rolls.
const (
	touchX, touchY = 165, 220
	padX, padY     = 225, 280
)

const (
	fewestMinutiae = 30
	mostMinutiae   = 50
	masterSpacing  = 12 // pixels between minutiae of the finger
	viewSpacing    = 8  // pixels between minutiae of one capture
)

// ridgePoint is a minutia of the finger itself, whether or not a capture shows it.
type ridgePoint struct {
	place
	angle   uint16
	kind    uint8
	quality int
}

// FingerReference gives the person's enrolled finger in exchange.FormatFinger2005: 30 to 50
// minutiae. The position is 0 to 10 as in ISO/IEC 19794-2; it panics beyond.
func (p Person) FingerReference(position uint8) []byte {
	s := p.stream("finger-reference", uint64(position))
	return p.capture(position, s, placement{quality: s.between(70, 95)})
}

// FingerProbe gives capture n of the same finger: lying elsewhere and rolled and turned by up to
// 20 degrees, pressed differently, with minutiae displaced, missed and invented. The position is 0
// to 10; it panics beyond.
func (p Person) FingerProbe(position uint8, n int) []byte {
	s := p.stream("finger-probe", uint64(position), uint64(n))
	return p.capture(position, s, newPlacement(s))
}

// placement is how a finger lies on the sensor in one capture.
type placement struct {
	turn     uint16
	shift    place // of the finger on the sensor
	roll     place // of the touching part on the finger
	stretch  [2]int64
	noise    int // displacement in sixteenths of a pixel, standard deviation; 0 for none
	missed   int // percent of minutiae
	invented int // minutiae
	quality  int
}

func newPlacement(s *stream) placement {
	return placement{
		turn:     uint16(s.between(-20*degree, 20*degree)),
		shift:    at(s.between(-28, 28), s.between(-28, 28)), // 40 at the corners
		roll:     at(s.between(-20, 20), s.between(-25, 25)),
		stretch:  [2]int64{int64(s.between(-15, 15)), int64(s.between(-15, 15))},
		noise:    s.between(12, 28),
		missed:   s.between(4, 14),
		invented: s.between(0, 5),
		quality:  s.between(50, 90),
	}
}

// ridgePoints draws the minutiae of a finger: as many as the reference shall show, and with them
// those around that a rolled finger shows too.
func (p Person) ridgePoints(position uint8) []ridgePoint {
	s := p.stream("finger", uint64(position))
	flow := newRidgeFlow(s, position)
	want := s.between(fewestMinutiae, mostMinutiae)
	var points []ridgePoint
	for shown := 0; shown < want; {
		q := place{
			int64(s.between(-padX*subpixel, padX*subpixel)),
			int64(s.between(-padY*subpixel, padY*subpixel)),
		}
		if !within(q, padX, padY) || crowded(points, q, masterSpacing) {
			continue
		}
		points = append(points, flow.point(s, q))
		if within(q, touchX, touchY) {
			shown++
		}
	}
	return points
}

func (f ridgeFlow) point(s *stream, q place) ridgePoint {
	r := ridgePoint{place: q, angle: f.along(q) + uint16(s.spread(4*degree)), quality: s.between(45, 95)}
	if s.chance(50) {
		r.angle += halfTurn
	}
	r.kind = drawKind(s)
	return r
}

func drawKind(s *stream) uint8 {
	switch k := s.below(100); {
	case k < 55:
		return 1
	case k < 95:
		return 2
	}
	return 0
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

// capture lays the finger on the sensor and writes what it shows.
func (p Person) capture(position uint8, s *stream, c placement) []byte {
	if position > 10 {
		panic("synth: finger position out of range")
	}
	var shown []ridgePoint
	for _, r := range p.ridgePoints(position) {
		// Drawn for each minutia, shown or not, so that one more does not change the others.
		missed, moved := s.chance(c.missed), c.disturb(s, r)
		if missed || !within(r.minus(c.roll), touchX, touchY) || crowded(shown, moved.place, viewSpacing) {
			continue
		}
		shown = append(shown, moved)
	}
	for range c.invented {
		q := c.lay(ridgePoint{
			place:   at(s.between(-touchX, touchX), s.between(-touchY, touchY)),
			angle:   uint16(s.below(1 << 16)),
			kind:    drawKind(s),
			quality: s.between(20, 60),
		})
		if !crowded(shown, q.place, viewSpacing) {
			shown = append(shown, q)
		}
	}
	return encodeFinger(position, c.quality, shown)
}

// disturb gives the minutia as the capture shows it: displaced, turned a little, sometimes taken
// for the other type, then laid on the sensor.
func (c placement) disturb(s *stream, r ridgePoint) ridgePoint {
	if c.noise > 0 {
		r.x += int64(s.spread(c.noise))
		r.y += int64(s.spread(c.noise))
		r.angle += uint16(s.spread(c.noise * degree / 4)) // 3 to 7 degrees
		r.quality = max(1, min(100, r.quality+s.spread(8)))
		if s.chance(8) {
			r.kind = drawKind(s)
		}
	}
	return c.lay(r)
}

// lay stretches, turns and shifts.
func (c placement) lay(r ridgePoint) ridgePoint {
	x := r.x + r.x*c.stretch[0]/1000
	y := r.y + r.y*c.stretch[1]/1000
	r.x, r.y = rotate(x, y, c.turn)
	r.x, r.y = r.x+c.shift.x, r.y+c.shift.y
	r.angle += c.turn
	return r
}

// encodeFinger writes what falls on the sensor, row by row as extractors do: the order must not
// tell which minutiae of two captures belong together.
func encodeFinger(position uint8, quality int, shown []ridgePoint) []byte {
	v := finger.Sample{
		Position: position, Quality: uint8(quality),
		Width: sensorWidth, Height: sensorHeight, ResX: sensorResolution, ResY: sensorResolution,
	}
	for _, r := range shown {
		x := (r.x+subpixel/2)>>4 + sensorWidth/2
		y := sensorHeight/2 - (r.y+subpixel/2)>>4
		if x < 0 || x >= sensorWidth || y < 0 || y >= sensorHeight {
			continue
		}
		v.Minutiae = append(v.Minutiae, finger.Minutia{
			X: uint16(x), Y: uint16(y), Angle: uint8((r.angle + 128) >> 8),
			Type: r.kind, Quality: uint8(r.quality),
		})
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
