package finger

import (
	"errors"
	"fmt"
)

// ErrUncalibrated is returned by [Threshold] for a false match rate that no
// measurement behind this package vouches for. Nothing may be decided then.
var ErrUncalibrated = errors.New("false match rate beyond calibration")

// operatingPoint says from which score on a comparison is a match at an FMR of
// at most one in oneIn.
type operatingPoint struct {
	oneIn     uint32
	threshold float64
}

// MinDecidable is the least number of minutiae, on either side of a comparison, at
// which the rates of [Threshold] hold. The templates behind the calibration have 13
// and more, nearly all of them over 16; fragments of 5 to 8, cut out of them, were
// seen to match foreign fingers ten to twenty times as often as a threshold says.
// Whoever decides calls a comparison with fewer inconclusive.
const MinDecidable = 16

// Threshold returns the comparison score from which on two templates are
// called mated with a false match rate of at most one in fmrOneIn; between two
// measured points it takes the stricter. The error is [ErrUncalibrated] when
// fmrOneIn is 0 or asks for more than was measured: a rate of 1/N is vouched
// for only by some 3 N comparisons (the rule of three), and the table ends
// where they do.
func Threshold(fmrOneIn uint32) (float64, error) {
	if fmrOneIn == 0 {
		return 0, ErrUncalibrated
	}
	for _, p := range calibration {
		if fmrOneIn <= p.oneIn {
			return p.threshold, nil
		}
	}
	return 0, fmt.Errorf("%w: 1 in %d", ErrUncalibrated, fmrOneIn)
}
