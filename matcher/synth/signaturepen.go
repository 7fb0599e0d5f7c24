package synth

import "github.com/tamga-id/tamga/matcher/signature"

// signatureStep is the time between points, of the tablet of SVC2004.
const signatureStep = 10

// write moves the pen along the strokes and samples it. A tablet loses the pen in the air: but for
// its ends a stroke there leaves no points.
func (h hand) write(s *stream) signature.Sample {
	throws := h.throws()
	last := throws[len(throws)-1]
	end := last.begin + last.span*5/2
	out := signature.Sample{HasPressure: true, HasAngles: true}
	pressure, drift := int64(150), int64(0)
	air := 0
	for t := int64(0); t <= end && len(out.Points) < signature.MaxPoints; t += signatureStep {
		var at place
		now := throws[0]
		for i := range throws {
			if i > 0 && t < throws[i].begin {
				break
			}
			moved := throws[i].moved(t)
			at.x, at.y = at.x+moved.x, at.y+moved.y
			if t >= throws[i].begin+throws[i].span/3 || i == 0 {
				now = throws[i]
			}
		}
		if air = airborne(air, now.up); air > 1 {
			continue
		}
		aim := now.press
		if end-t < 60 || air > 0 {
			aim = 120
		}
		pressure += (aim-pressure)*3/10 + int64(s.spread(12))
		drift += int64(s.spread(6)) - drift/16
		out.Points = append(out.Points, signature.Point{
			X: float64(6000 + at.x + int64(s.spread(2))), Y: float64(5000 + at.y + int64(s.spread(2))),
			T: float64(t), Pressure: float64(max(1, min(1023, pressure))),
			Azimuth:  float64(max(0, min(3599, h.pen.azimuth+drift*2+at.x/60)) / 10 * 10),
			Altitude: float64(max(0, min(900, h.pen.altitude+drift+at.y/80)) / 10 * 10),
			Up:       air > 0,
		})
	}
	return out
}

// airborne counts the points of a stroke in the air.
func airborne(so int, up bool) int {
	if !up {
		return 0
	}
	return so + 1
}

// throw is a stroke with its times and vector worked out.
type throw struct {
	stroke
	begin  int64
	length int64  // of the arc
	first  uint16 // direction at its begin
}

func (h hand) throws() []throw {
	out := make([]throw, len(h.strokes))
	var from place
	begin := int64(-h.strokes[0].wait)
	for i, t := range h.strokes {
		begin += t.wait
		d := t.to.minus(from)
		out[i] = throw{t, begin, arc(root(d.squared()), t.bend), direction(d.x/4, d.y/4) - uint16(t.bend/2)}
		from = t.to
	}
	return out
}

// arc is the length of an arc over a chord that turns by so much: the chord times (b/2) / sin(b/2).
func arc(chord, bend int64) int64 {
	half := max(bend, -bend) / 2
	_, sin := rotate(1<<16, 0, uint16(half))
	if sin < 1<<10 {
		return chord
	}
	return chord * half * 411775 / one / sin // 2 pi, Q16
}

// moved is how far the throw has gone at a time: along an arc, by the distribution function of a
// lognormal. Twice sixteen steps approximate the arc.
func (w *throw) moved(t int64) place {
	share := w.share(t)
	if share == 0 {
		return place{}
	}
	// The chord of the arc so far points half way through its turn.
	bend := w.bend * share / one
	half := max(bend, -bend) / 2
	length := w.length * share / one
	if _, sin := rotate(1<<16, 0, uint16(half)); half > 64 {
		length = length * sin / (half * 411775 / one)
	}
	x, y := rotate(length, 0, w.first+uint16(bend/2))
	return place{x, y}
}

// share is the distribution function of the throw's lognormal, Q16, by the logistic function, which
// is nowhere off by more than a hundredth (S. Bowling et al., J. Ind. Eng. Manag. 2(1), 2009).
func (w *throw) share(t int64) int64 {
	if t <= w.begin {
		return 0
	}
	const slope = 1702 // of the logistic function, thousandths
	z := (log2((t-w.begin)<<16) - log2(w.span<<16)) * slope / w.sigma
	// log2 to natural and natural to 2 again cancel: 2^-z.
	return one * one / (one + exp2(max(-15*one, min(14*one, -z))))
}
