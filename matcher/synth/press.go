package synth

// Sensor is a kind of fingerprint sensor, each in the manner of one set of FVC2002 (D. Maio et al.,
// ICPR 2002), whose sizes and resolutions they have.
type Sensor uint8

// The sensors.
const (
	SensorOptical     Sensor = iota // 388 x 374 pixels, 500 dpi
	SensorOpticalFine               // 296 x 560 pixels, 569 dpi
	SensorCapacitive                // 300 x 300 pixels, 500 dpi: dry and wet skin tell
	SensorIdeal                     // 288 x 384 pixels, 500 dpi: skin does not tell
)

// String gives the name of the sensor, fit for a file name; "unknown" beyond the last.
func (s Sensor) String() string {
	switch s {
	case SensorOptical:
		return "optical"
	case SensorOpticalFine:
		return "fine"
	case SensorCapacitive:
		return "capacitive"
	case SensorIdeal:
		return "ideal"
	}
	return "unknown"
}

// sensor has what tells captures of sensors apart. Lengths are pixels at 500 dpi but for width and
// height; deviations of logarithms are thousandths.
type sensor struct {
	width, height, resolution int
	touch                     place // half axes of the touching ellipse, in the median
	touchSpread               int64
	roll                      place // deviations of the part that touches
	shift                     place // deviations of where it lies on the sensor
	slip                      int   // deviation of the skin's, see newSlip
	skin, skinSpread          int   // quality
	spoilt                    int   // percent of captures with a spot where no ridges show
}

// sensorOf has the parameters, set so that the templates of the extractors reproduce what was
// measured on those of FVC2002 set by set: minutiae and their spread over the image, share of them
// in the overlap of two captures, share of those that pair, residual after the best rigid motion.
func sensorOf(s Sensor) sensor {
	switch s {
	case SensorOptical:
		return sensor{388, 374, 197, place{98, 160}, 210, place{12, 26}, place{25, 55}, 7, 84, 11, 25}
	case SensorOpticalFine:
		return sensor{296, 560, 224, place{116, 150}, 190, place{12, 28}, place{12, 60}, 7, 87, 11, 20}
	case SensorCapacitive:
		return sensor{300, 300, 197, place{89, 119}, 190, place{12, 19}, place{20, 25}, 7, 71, 13, 45}
	case SensorIdeal:
		return sensor{288, 384, 197, place{96, 136}, 80, place{9, 17}, place{35, 50}, 6, 92, 5, 5}
	}
	panic("synth: unknown sensor")
}

// press is how a finger lies on the sensor in one capture.
type press struct {
	turn  uint16
	shift place // of the finger on the sensor
	roll  place // of the touching part on the finger
	touch place // half axes of that part, in pixels
	slip  slip
	spots []spot
	blur  int // displacement of a minutia, in sixteenths of a pixel, standard deviation
	skin  int // quality, 1 to 100
}

// spot is a disc where ridges do not show.
type spot struct {
	place
	radius int64
}

// newPress draws a capture as it comes: two of three are taken with care, and the third is the
// subject's own idea, as in FVC2002, whose volunteers had to move, turn, dry and wet their fingers.
func (on sensor) newPress(s *stream) press {
	c := press{
		turn:  uint16(s.spread(4 * degree)),
		shift: at(s.spread(int(on.shift.x)), s.spread(int(on.shift.y))),
		roll:  at(s.spread(int(on.roll.x)), s.spread(int(on.roll.y))),
		touch: place{s.lognormal(on.touch.x, on.touchSpread), s.lognormal(on.touch.y, on.touchSpread)},
		slip:  newSlip(s, on.slip),
		blur:  20,
		skin:  max(15, min(100, on.skin+s.spread(on.skinSpread))),
	}
	switch s.below(9) {
	case 0, 1: // turned
		c.turn = uint16(s.between(-32*degree, 32*degree))
	case 2: // moved
		c.roll = at(3*s.spread(int(on.roll.x)), 3*s.spread(int(on.roll.y)))
	case 3: // dried or wetted
		c.skin = max(15, c.skin-s.between(0, 40))
	}
	if s.chance(on.spoilt) {
		for range s.between(1, 3) {
			q := at(s.spread(60), s.spread(80))
			c.spots = append(c.spots, spot{q, int64(s.between(15, 45)) * subpixel})
		}
	}
	return c
}

// shows says whether a place of the finger touches the sensor and prints.
func (c press) shows(q place) bool {
	q = q.minus(c.roll)
	for _, h := range c.spots {
		if q.minus(h.place).squared() < h.radius*h.radius {
			return false
		}
	}
	return within(q, c.touch.x, c.touch.y)
}

// lay takes a place of the finger to the sensor, in sixteenths of a pixel at 500 dpi from its
// middle.
func (c press) lay(q place) place {
	q = c.slip.move(q.minus(c.roll))
	x, y := rotate(q.x, q.y, c.turn)
	return place{x + c.shift.x, y + c.shift.y}
}

// slip is the elastic deformation of the skin by a finger that moves after it touched (R. Cappelli,
// D. Maio, D. Maltoni, "Modelling plastic distortion in fingerprint images", ICAPR 2001): an
// elliptic region in the middle sticks, the skin far outside follows the finger rigidly, and
// between them it is stretched.
type slip struct {
	middle, half place // of the region that sticks; half axes
	by           place // how far the finger moved
	turn         uint16
}

// newSlip draws a slip of the given deviation in pixels along each axis.
func newSlip(s *stream, deviation int) slip {
	return slip{
		middle: at(s.spread(15), s.spread(20)),
		half:   at(s.between(25, 50), s.between(30, 65)),
		by:     place{int64(s.spread(deviation * subpixel)), int64(s.spread(deviation * subpixel))},
		turn:   uint16(s.spread(deviation * degree / 3)),
	}
}

// slipReach is the width of the stretched region in half axes of the one that sticks, in
// thousandths: the paper's plasticity.
const slipReach = 1800

func (l slip) move(q place) place {
	if l.half == (place{}) {
		return q
	}
	d := q.minus(l.middle)
	u, v := 1000*d.x/l.half.x, 1000*d.y/l.half.y
	out := root(u*u+v*v) - 1000
	if out <= 0 {
		return q
	}
	brake := int64(1000)
	if out < slipReach {
		c, _ := rotate(500, 0, uint16(halfTurn*out/slipReach))
		brake = 500 - c
	}
	x, y := rotate(d.x, d.y, l.turn)
	return place{q.x + (x-d.x+l.by.x)*brake/1000, q.y + (y-d.y+l.by.y)*brake/1000}
}
