package synth

import "github.com/tamga-id/tamga/matcher/signature"

// Signatures follow the kinematic theory of rapid movements: a hand throws strokes at virtual
// targets, each with a lognormal speed, and the next begins before the last has ended (R. Plamondon,
// Biological Cybernetics 72, 1995; the planned targets after M. Ferrer, M. Diaz, C. Carmona-Duarte,
// A. Morales, "A Behavioral Handwriting Model for Static and Dynamic Signature Synthesis", IEEE TPAMI
// 39(6), 2017). Lengths are hundredths of a millimetre, times milliseconds, angles of the pen tenths
// of a degree and pressure 1 to 1023, as on the tablet of SVC2004.

// stroke is one throw of the hand.
type stroke struct {
	to     place // where it aims, from the middle of the first
	bend   int64 // turn of its direction from begin to end, in 65536ths
	wait   int64 // after the begin of the one before
	span   int64 // median of the lognormal time
	sigma  int64 // of the logarithm, thousandths
	press  int64 // pressure it presses towards
	up     bool  // the pen is in the air
	letter bool  // one of a row, not of the flourish
}

// pen is how a hand holds it.
type pen struct{ azimuth, altitude, pressure int64 }

// hand is what is in a person's habit: the plan and how near to it a signature comes.
type hand struct {
	strokes []stroke
	pen     pen
	height  int64
	loose   int64 // thousandths of the usual variation
}

// Deviations of one genuine signature from the plan. Those of a skilled forgery come on top: it is
// drawn after the image, which hides the order of time, force and the pen.
const (
	signatureLoose   = 200 // of the logarithm of a hand's looseness, thousandths
	signatureCare    = 200 // the same, within a hand
	forgedTargets    = 1700
	forgedTiming     = 225
	forgedSlow       = 1200
	forgedSlowSpread = 160
)

func (p Person) hand() hand {
	s := p.stream("signature")
	h := hand{
		pen: pen{
			azimuth:  1340 + int64(s.spread(110)),
			altitude: 540 + int64(s.spread(26)),
			pressure: max(300, min(900, 650+int64(s.spread(110)))),
		},
		height: s.lognormal(1900, 300),
		loose:  s.lognormal(1000, signatureLoose),
	}
	letters, flourish := int(s.lognormal(13, 380)), s.between(1, 6)
	advance, lean := s.lognormal(h.height/6, 300), int64(s.spread(400))
	tempo, sigma := s.lognormal(100, 200), int64(s.between(180, 360))
	turns := s.between(5, 95) // percent of strokes that bend to the left
	var x int64
	high := true
	for j := range letters + flourish {
		t := stroke{letter: j < letters, press: h.pen.pressure + int64(s.spread(170))}
		y := -h.height * int64(s.between(0, 25)) / 100
		if high = high != s.chance(88); high {
			y = h.height * int64(s.between(30, 85)) / 100
		}
		if s.chance(12) {
			y = y * 17 / 10
		}
		x += advance * int64(s.between(10, 210)) / 100
		if s.chance(14) {
			x -= advance * int64(s.between(100, 300)) / 100
		}
		if !t.letter {
			x += advance * int64(s.between(-700, 900)) / 100
			y = y * int64(s.between(50, 250)) / 100
		}
		t.to = place{x + y*lean/1000, y}
		t.bend = int64(s.between(20, 105) * degree)
		if !s.chance(turns) {
			t.bend = -t.bend
		}
		t.wait = s.lognormal(tempo, 230)
		t.span = t.wait * int64(s.between(95, 150)) / 100
		t.sigma = sigma + int64(s.spread(25))
		t.up = j > 0 && j < letters+flourish-1 && s.chance(28)
		if t.up {
			t.wait += int64(s.between(20, 170))
		}
		h.strokes = append(h.strokes, t)
	}
	return h
}

// SignatureCapture gives genuine signature n of the person.
func (p Person) SignatureCapture(n int) signature.Sample {
	s := p.stream("signature-capture", uint64(n))
	h := p.hand()
	return h.vary(s, s.lognormal(h.loose, signatureCare)).write(s)
}

// Forgery gives skilled forgery n of the person's signature, by somebody who has seen it and
// practised.
func (p Person) Forgery(n int) signature.Sample {
	// A forger makes four, as in SVC2004.
	f := p.stream("signature-forger", uint64(n/4))
	h := p.hand()
	h.pen = pen{
		azimuth:  1340 + int64(f.spread(110)),
		altitude: 545 + int64(f.spread(65)),
		pressure: max(200, min(900, 525+int64(f.spread(130)))),
	}
	slow := f.lognormal(forgedSlow, forgedSlowSpread)
	for i := range h.strokes {
		t := &h.strokes[i]
		t.wait = f.lognormal(t.wait*slow/1000, forgedTiming)
		t.span = f.lognormal(t.span*slow/1000, forgedTiming/2)
		t.press = h.pen.pressure + int64(f.spread(110))
		t.bend = t.bend * int64(f.between(80, 115)) / 100
	}
	h = h.vary(f, forgedTargets*6/10)
	s := p.stream("signature-forgery", uint64(n))
	return h.vary(s, forgedTargets*5/10).write(s)
}

// vary gives a signature off the plan, by so many thousandths of the usual.
func (h hand) vary(s *stream, loose int64) hand {
	spread := func(deviation int64) int64 { return int64(s.normal()) * deviation * loose / (normalUnit * 1000) }
	sizeX, sizeY := 1000+spread(60), 1000+spread(60)
	tempo, turn := 1000+spread(58), uint16(spread(2*degree))
	force := spread(45)
	h.pen.azimuth += spread(40)
	h.pen.altitude += spread(20)
	varied := make([]stroke, len(h.strokes))
	for i, t := range h.strokes {
		x := t.to.x*sizeX/1000 + spread(h.height/17)
		y := t.to.y*sizeY/1000 + spread(h.height/19)
		t.to.x, t.to.y = rotate(x, y, turn)
		t.bend += spread(7 * degree)
		t.wait = max(20, t.wait*tempo/1000+spread(t.wait/9))
		t.span = max(30, t.span*tempo/1000+spread(t.span/10))
		t.press += force + spread(45)
		varied[i] = t
	}
	h.strokes = varied
	return h
}
