package finger

import "errors"

// ErrUnsupported is returned by [Threshold] for a false match rate that the
// calibration cannot vouch for.
var ErrUnsupported = errors.New("false match rate beyond calibration")

// Threshold returns the comparison score from which on two fingers are called
// the same with a false match rate of at most one in fmrOneIn.
func Threshold(fmrOneIn uint32) (float64, error) {
	return 0, ErrUnsupported
}
