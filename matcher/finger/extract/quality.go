package extract

import "math"

// Reason is what keeps the quality of an image low, a word from a closed set.
type Reason string

// The reasons, and what an operator can do about them.
const (
	NoFinger      Reason = "no-finger"      // no ridges: place the finger
	SmallArea     Reason = "small-area"     // too little of the finger: place it flat and in the middle
	FewMinutiae   Reason = "few-minutiae"   // too little to compare: capture again, or another finger
	UnclearRidges Reason = "unclear-ridges" // ridges run together or break off: clean finger and sensor, dry or moisten
	LowContrast   Reason = "low-contrast"   // ridges hardly stand out: press more firmly
)

// What a capture should have for each share of the quality to be full, and the share at and
// below which it is worth nothing.
const (
	fullArea     = 130.0 // square millimetres of ridges; a flat fingertip has 150 to 250
	fullMinutiae = 25.0
	fullClarity  = 0.75 // coherence of the ridges, mean
	noClarity    = 0.25
	fullContrast = 20.0 // grey levels, standard deviation
	// dominant is the share of the quality from which on a part of it is no reason.
	dominant = 0.6
)

// rate gives the whole image a quality from 0 to 100 and the reasons for a low one, the gravest
// first. The quality is the geometric mean of four shares, so that nothing makes up for one of
// them missing.
func (w *work) rate(minutiae int) (uint8, []Reason) {
	f := &w.field
	cells, coherence, contrast := 0, 0.0, 0.0
	for i, in := range f.inside {
		if !in {
			continue
		}
		cells++
		coherence += float64(w.clarity[i])
		x, y := i%f.cols*cell+cell/2, i/f.cols*cell+cell/2
		contrast += math.Sqrt(float64(w.level.row(min(y, w.level.height-1))[min(x, w.level.width-1)]))
	}
	if cells == 0 {
		return 0, []Reason{NoFinger}
	}
	const squareMillimetres = cell * cell * (25.4 / workDPI) * (25.4 / workDPI)
	shares := []struct {
		reason Reason
		value  float64
	}{
		{SmallArea, float64(cells) * squareMillimetres / fullArea},
		{FewMinutiae, float64(minutiae) / fullMinutiae},
		{UnclearRidges, (coherence/float64(cells) - noClarity) / (fullClarity - noClarity)},
		{LowContrast, contrast / float64(cells) / fullContrast},
	}
	product := 1.0
	var reasons []Reason
	for limit := 0.0; limit < dominant; limit += 0.1 {
		for _, s := range shares {
			if v := min(1, max(0, s.value)); v < dominant && v >= limit && v < limit+0.1 {
				reasons = append(reasons, s.reason)
			}
		}
	}
	for _, s := range shares {
		product *= min(1, max(0, s.value))
	}
	return uint8(math.Round(100 * math.Pow(product, 0.25))), reasons
}
