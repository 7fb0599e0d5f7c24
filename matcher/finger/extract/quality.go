package extract

import (
	"cmp"
	"math"
	"slices"
)

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

// What a capture should have for each share of the quality to be full, and what it is worth
// nothing with. Chosen so that the quality ranks the images of FVC2002 set B as their mean mated
// comparison score does.
const (
	leastArea    = 10.0  // square millimetres: less is an edge or a smudge and no finger
	fullArea     = 130.0 // square millimetres of ridges; a flat fingertip has 150 to 250
	fullMinutiae = 25.0
	fullClarity  = 0.65 // coherence of the ridges, mean
	noClarity    = 0.15 // that of noise
	fullContrast = 20.0 // grey levels, standard deviation
	// reasonBelow is the share of the quality from which on a part of it is no reason.
	reasonBelow = 0.5
)

// share is what one property contributes to the quality.
type share struct {
	reason Reason
	value  float64 // 0 to 1
	weight float64 // all weights add up to 1
}

// rate gives the whole image a quality from 0 to 100 and the reasons for a low one, the gravest
// first. The quality is a weighted geometric mean, so that nothing makes up for a property that
// is missing.
func (w *work) rate(minutiae int) (uint8, []Reason) {
	cells, coherence, contrast := w.survey()
	const squareMillimetres = cell * cell * (25.4 / workDPI) * (25.4 / workDPI)
	if cells*squareMillimetres < leastArea {
		return 0, []Reason{NoFinger}
	}
	shares := []share{
		{SmallArea, cells * squareMillimetres / fullArea, 0.2},
		{FewMinutiae, float64(minutiae) / fullMinutiae, 0.15},
		{UnclearRidges, (coherence - noClarity) / (fullClarity - noClarity), 0.5},
		{LowContrast, contrast / fullContrast, 0.15},
	}
	quality := 100.0
	for i := range shares {
		s := &shares[i]
		s.value = min(1, max(0, s.value))
		quality *= math.Pow(s.value, s.weight)
	}
	slices.SortStableFunc(shares, func(a, b share) int { return cmp.Compare(a.value, b.value) })
	var reasons []Reason
	for _, s := range shares {
		if s.value < reasonBelow {
			reasons = append(reasons, s.reason)
		}
	}
	return uint8(math.Round(quality)), reasons
}

// survey counts the cells of finger and gives their mean coherence and contrast.
func (w *work) survey() (cells, coherence, contrast float64) {
	f := &w.field
	for i, in := range f.inside {
		if !in {
			continue
		}
		cells++
		coherence += float64(w.clarity[i])
		x, y := i%f.cols*cell+cell/2, i/f.cols*cell+cell/2
		power := w.level.row(min(y, w.level.height-1))[min(x, w.level.width-1)]
		contrast += math.Sqrt(float64(power))
	}
	if cells > 0 {
		coherence, contrast = coherence/cells, contrast/cells
	}
	return cells, coherence, contrast
}
