package signature

import (
	_ "embed" // for the calibration
	"sync"

	"github.com/tamga-id/tamga/matcher/calibration"
)

// Comparator is the name and version of what [Compare] computes. It changes whenever scores do, so that no calibration
// outlives them.
const Comparator = "dynamic time warping 2"

// The calibration is made by "tamga calibrate signature" from the test data; the file says which, and on how many
// comparisons it rests.
//
//go:embed signature.calibration.json
var file []byte

var shipped = sync.OnceValue(func() *calibration.Calibration { return calibration.MustParse(file, Comparator) })

// Calibration says what scores of [Compare] mean.
func Calibration() *calibration.Calibration { return shipped() }

// Threshold returns the comparison score from which on two signatures are called mated with a false match rate of at most
// one in fmrOneIn, in a single comparison. The error is [calibration.ErrUnsupported] when fmrOneIn is 0 or asks for more
// than was measured.
func Threshold(fmrOneIn uint32) (float64, error) {
	claim, err := shipped().Threshold(fmrOneIn)
	return claim.Score, err
}
