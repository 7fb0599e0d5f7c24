package extract

import (
	"cmp"
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/finger"
)

// spot is a place where the phase of the ridges turns once round: a ridge
// begins or forks. Pixels at workDPI.
type spot struct {
	x, y     float32
	angle    float32 // radians, in the picture's axes (y down), into the extra ridge
	strength float32 // of the ridges round it; 1 where they stand out fully
	ending   bool
	drop     bool
}

const (
	kindReach  = 4  // pixels from a spot at which the extra ridge is looked for
	ringPoints = 16 // of the circle on which the strength of the ridges is measured
	mostSpots  = 150
)

const ( // tuned
	ringReach   = float32(8)
	dipoleReach = float32(6)    // pixels between spots that are two ends of one flaw
	minStrength = float32(0.15) // what noise alone reaches
	faintShare  = float32(0.4)  // of the strength of nearly the strongest
	faintMost   = float32(0.3)  // strength that is never faint
)

// findSpots walks round every square of four pixels.
func (w *work) findSpots() {
	w.spots = w.spots[:0]
	e, o := &w.even, &w.odd
	for y := range e.height - 1 {
		at := e.origin + y*e.stride
		e0, e1 := e.pix[at:at+e.width], e.pix[at+e.stride:][:e.width]
		o0, o1 := o.pix[at:at+e.width], o.pix[at+e.stride:][:e.width]
		for x := range e.width - 1 {
			a, b, c, d := e0[x], e0[x+1], e1[x+1], e1[x]
			if (a > 0) == (b > 0) && (b > 0) == (c > 0) && (c > 0) == (d > 0) {
				continue
			}
			w.inspect(x, y, [4]float32{a, b, c, d}, [4]float32{o0[x], o0[x+1], o1[x+1], o1[x]})
		}
	}
}

// corners of a square in the order walked.
var corners = [4][2]int{{0, 0}, {1, 0}, {1, 1}, {0, 1}}

// inspect adds the spot in one square, if there is one.
func (w *work) inspect(x, y int, e, o [4]float32) {
	first := w.directionAt(x, y)
	if first == outside {
		return
	}
	for k := 1; k < 4; k++ {
		d := w.directionAt(x+corners[k][0], y+corners[k][1])
		if d == outside {
			return
		}
		// The odd part is told along the normal: where that is written the
		// other way round, so is the phase.
		switch turn := max(d, first) - min(d, first); {
		case turn > directions*3/4:
			o[k] = -o[k]
		case turn > directions/4:
			return // a core or delta: no phase goes round it
		}
	}
	n := winding(e, o)
	if n == 0 {
		return
	}
	dx, dy := zero(e, o)
	s := spot{x: float32(x) + dx, y: float32(y) + dy}
	t, _ := w.field.at(s.x, s.y)
	normal := t.normal()
	if math.Cos(normal-float64(first)*math.Pi/directions) < 0 {
		normal += math.Pi // the same line written the other way round
	}
	// With the phase growing along the normal, the side with more ridges is
	// a quarter turn from it, which one the sense of the winding tells.
	s.angle = float32(normal + math.Pi/2)
	if n > 0 {
		s.angle += math.Pi
	}
	w.spots = append(w.spots, s)
}

// winding is how often the phase of e + io turns round the square: the edges that cross the
// negative real axis, counted by sense.
func winding(e, o [4]float32) int {
	n := 0
	for k := range 4 {
		l := (k + 1) % 4
		if (o[k] >= 0) == (o[l] >= 0) {
			continue
		}
		// Where the edge meets the axis e is cross/(o[l]-o[k]).
		cross := e[k]*o[l] - e[l]*o[k]
		if o[k] >= 0 && cross > 0 {
			n++
		} else if o[k] < 0 && cross < 0 {
			n--
		}
	}
	return n
}

func (w *work) directionAt(x, y int) uint8 { return w.direction[y/patch*w.patchCols+x/patch] }

// zero is where the plane through the four values of e meets the one of o.
func zero(e, o [4]float32) (float32, float32) {
	plane := func(v [4]float32) (m, gx, gy float32) {
		return (v[0] + v[1] + v[2] + v[3]) / 4, (v[1] + v[2] - v[0] - v[3]) / 2, (v[2] + v[3] - v[0] - v[1]) / 2
	}
	em, ex, ey := plane(e)
	om, ox, oy := plane(o)
	det := ex*oy - ey*ox
	if det == 0 {
		return 0.5, 0.5
	}
	dx, dy := (ey*om-oy*em)/det, (ox*em-ex*om)/det
	return max(0, min(1, 0.5+dx)), max(0, min(1, 0.5+dy))
}

// judge gives each spot its strength and kind, and drops those at the rim and those that stand
// out of noise only.
func (w *work) judge() {
	for i := range w.spots {
		s := &w.spots[i]
		var ok bool
		if s.strength, ok = w.around(s); !ok || s.strength < minStrength {
			s.drop = true
			continue
		}
		sin, cos := math.Sincos(float64(s.angle))
		ahead, _, _ := w.response(s.x+kindReach*float32(cos), s.y+kindReach*float32(sin))
		behind, _, _ := w.response(s.x-kindReach*float32(cos), s.y-kindReach*float32(sin))
		s.ending = ahead > behind
	}
}

// around is the mean strength of the ridges on a circle round the spot, false when that is not
// all on the finger.
func (w *work) around(s *spot) (float32, bool) {
	var sum float32
	for k := range ringPoints {
		sin, cos := math.Sincos(float64(k) * 2 * math.Pi / ringPoints)
		e, o, ok := w.response(s.x+ringReach*float32(cos), s.y+ringReach*float32(sin))
		if !ok {
			return 0, false
		}
		sum += float32(math.Sqrt(float64(e*e + o*o)))
	}
	return sum / ringPoints, true
}

// response is that of the nearest pixel, false outside the finger.
func (w *work) response(x, y float32) (e, o float32, ok bool) {
	px, py := int(math.Floor(float64(x)+0.5)), int(math.Floor(float64(y)+0.5))
	if px < 0 || py < 0 || px >= w.even.width || py >= w.even.height || w.directionAt(px, py) == outside {
		return 0, 0, false
	}
	at := w.even.origin + py*w.even.stride + px
	return w.even.pix[at], w.odd.pix[at], true
}

// quality is the chance, in per cent, that another extractor finds the same minutia: fitted to
// how often FingerJetFX does over FVC2002 set B, which goes from 3 % of those in the faintest
// ridges to 97 %.
func (s *spot) quality() uint8 {
	const even, width = 0.40, 0.08
	return uint8(max(1, min(100, math.Round(100/(1+math.Exp((even-float64(s.strength))/width))))))
}

// dropFaint drops spots among ridges much fainter than those of most others: they stand in the
// smudges round a finger. In a picture that is faint all over none is dropped.
func (w *work) dropFaint() {
	w.energies = w.energies[:0]
	for _, s := range w.spots {
		if !s.drop {
			w.energies = append(w.energies, s.strength)
		}
	}
	level := min(faintMost, faintShare*quantile(w.energies, 0.9))
	for i := range w.spots {
		if w.spots[i].strength < level {
			w.spots[i].drop = true
		}
	}
}

// cancel drops pairs of spots that turn opposite ways close together: a
// break of a ridge, a bridge between two, a speck.
func (w *work) cancel() {
	for i := range w.spots {
		a := &w.spots[i]
		for j := i + 1; j < len(w.spots); j++ {
			b := &w.spots[j]
			dx, dy := a.x-b.x, a.y-b.y
			if dx*dx+dy*dy > dipoleReach*dipoleReach {
				continue
			}
			if math.Cos(float64(a.angle-b.angle)) < 0 {
				a.drop, b.drop = true, true
			}
		}
	}
}

// collect turns the spots left into minutiae, the best first.
func (w *work) collect(m Image) []finger.Minutia {
	w.spots = slices.DeleteFunc(w.spots, func(s spot) bool { return s.drop })
	slices.SortFunc(w.spots, func(a, b spot) int {
		return cmp.Or(cmp.Compare(b.strength, a.strength), cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x))
	})
	var out []finger.Minutia
	for _, s := range w.spots[:min(len(w.spots), mostSpots)] {
		x := int((s.x+0.5)*w.scale - 0.5 + 0.5)
		y := int((s.y+0.5)*w.scale - 0.5 + 0.5)
		angle := int(math.Round(-float64(s.angle) * 128 / math.Pi))
		kind := uint8(2)
		if s.ending {
			kind = 1
		}
		out = append(out, finger.Minutia{
			X: uint16(min(x, m.Width-1)), Y: uint16(min(y, m.Height-1)),
			Angle: uint8(angle & 255), Type: kind,
			Quality: s.quality(),
		})
	}
	return out
}
