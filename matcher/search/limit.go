package search

import (
	"errors"
	"fmt"
	"math"
)

// ErrLimit says that no limit can be given for an FPIR: it means "could not
// tell", and no list may be made at that rate.
var ErrLimit = errors.New("finding candidate limit")

// Limit returns the least score for a candidate at which a search by somebody
// who is not enrolled returns any candidate with a probability of at most fpir,
// among that many references. Threshold is the calibrated threshold of a single
// comparison at an FMR of at most 1 in oneIn, such as face.Threshold of a model
// or the Threshold of a calibration; when the comparisons behind it cannot vouch
// for the FMR needed, its error is returned, wrapped, with [ErrLimit].
//
// The FMR needed is 1-(1-fpir)^(1/references): each comparison is taken to be a
// chance of its own (ISO/IEC 19795-1; J. L. Wayman, "Error Rate Equations for
// the General Biometric System", IEEE Robotics & Automation 6(1), 1999).
// References of one subject are not independent, and a cascade drops some
// comparisons: both make the true rate lower.
func Limit(fpir float64, references int, threshold func(oneIn uint32) (float64, error)) (float64, error) {
	if !(fpir > 0 && fpir < 1) || references < 1 {
		return math.Inf(1), fmt.Errorf("%w: FPIR must lie between 0 and 1, and there must be references", ErrLimit)
	}
	oneIn := math.Ceil(1 / fmr(fpir, references))
	if oneIn > math.MaxUint32 {
		return math.Inf(1), fmt.Errorf("%w: beyond any calibration", ErrLimit)
	}
	score, err := threshold(uint32(oneIn))
	if err != nil {
		return math.Inf(1), fmt.Errorf("%w: %w", ErrLimit, err)
	}
	if math.IsNaN(score) {
		return math.Inf(1), fmt.Errorf("%w: threshold is not a number", ErrLimit)
	}
	return score, nil
}

// fmr is 1-(1-fpir)^(1/n), computed so that it does not vanish for small rates.
func fmr(fpir float64, n int) float64 {
	return -math.Expm1(math.Log1p(-fpir) / float64(n))
}
