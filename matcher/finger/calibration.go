package finger

import (
	_ "embed" // for the calibration
	"sync"

	"github.com/tamga-id/tamga/matcher/calibration"
)

// Comparator is the name and version of what [Compare] computes. It changes whenever scores do, so that no calibration
// outlives them.
const Comparator = "minutia cylinder-code 8"

// FragmentComparator is Comparator where one side shows little of a finger.
const FragmentComparator = Comparator + ", fragments"

// The calibrations are made by
//
//	tamga calibrate finger --data iso_secugen --data iso_fjfx --out finger.calibration.json
//	tamga calibrate finger --data iso_secugen --data iso_fjfx --fragments --out fragment.calibration.json
//
// from all pairs of different fingers of FVC2002 DB1_B to DB4_B (40 fingers, 8 impressions each), within the sets and
// across them, of two extractors and of one with the other; and, for the first, from the MinWhole minutiae of each
// template that lie closest together with all templates: such parts matched 1.7 times as often at 1 in 1,000 and 3 times
// at 1 in 10,000 as whole fingers do, and whoever sends a probe may cut it. The comparisons come from 40 fingers and are not
// independent, so the true confidence is lower than stated; other extractors and populations may differ. A node that
// decides on its own data should calibrate on them.
//
//go:embed finger.calibration.json
var file []byte

//go:embed fragment.calibration.json
var fragmentFile []byte

var (
	shipped         = sync.OnceValue(func() *calibration.Calibration { return calibration.MustParse(file, Comparator) })
	shippedFragment = sync.OnceValue(func() *calibration.Calibration { return calibration.MustParse(fragmentFile, FragmentComparator) })
)

// Calibration says what scores of [Compare] mean.
func Calibration() *calibration.Calibration { return shipped() }

// FragmentCalibration says what scores mean where one side is a [Sample.Fragment]: it was made of the MinDecidable
// minutiae of each template that lie closest together, the fragment that an impostor would cut out, since it fits in
// most places of another finger.
func FragmentCalibration() *calibration.Calibration { return shippedFragment() }

// Threshold returns the comparison score from which on two templates are called mated with a false match rate of at
// most one in fmrOneIn, in a single comparison. The error is [calibration.ErrUnsupported] when fmrOneIn is 0 or asks
// for more than was measured.
func Threshold(fmrOneIn uint32) (float64, error) {
	claim, err := shipped().Threshold(fmrOneIn)
	return claim.Score, err
}
