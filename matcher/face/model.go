package face

import (
	"errors"
	"fmt"
)

// Identifiers of the models with a calibration.
const (
	// ModelSynth names the vectors of the synthetic people of package synth. No camera was
	// involved: a node must not accept it outside a sandbox.
	ModelSynth = "tamga-synth-face-1"
	// ModelMobileFaceNet is a MobileFaceNet of 128 dimensions over faces aligned by YuNet, the
	// vectors of the image and its mirror image summed.
	ModelMobileFaceNet = "mobilefacenet-128"
)

var (
	// ErrUnknownModel says that no calibration exists for a model, so no score of it can be turned
	// into a decision.
	ErrUnknownModel = errors.New("finding face threshold: model is not calibrated")
	// ErrUncalibrated says that a model is calibrated, but not for an FMR this low (or for 0).
	ErrUncalibrated = errors.New("finding face threshold: calibration does not support this FMR")
)

// Model describes a face recognition model that this package can decide with.
type Model struct {
	ID   string // identifier, as carried in the embedding container
	Dims int    // number of values of its vectors
}

// point is one measured operating point.
type point struct {
	oneIn     uint32  // FMR is 1/oneIn
	threshold float64 // least cosine that is accepted
}

// calibrations lists, for each model, measured operating points from lax to strict.
//
// The smallest FMR of a model follows the rule of 30 (ISO/IEC 19795-1): at least 30 false matches
// were seen at the threshold, so that the true rate lies within 30 % of the measured one with
// 90 % confidence. Thresholds are rounded up to the fourth decimal.
//
// A switch and not a package variable, so that no caller can move a threshold.
func calibrations(model string) (Model, []point, bool) {
	switch model {
	case ModelMobileFaceNet:
		// Measured over the 20,111,543 non-mated pairs of the 6,350 LFW embeddings of the test data.
		// 1 in 500,000 rests on 40 false matches; 1 in 1,000,000 would rest on 20 and is left
		// out. About twenty of the highest non-mated scores look like LFW's known labelling
		// errors, which can only push the strict thresholds up.
		return Model{ModelMobileFaceNet, 128}, []point{
			{100, 0.2538},
			{200, 0.2805},
			{500, 0.3132},
			{1_000, 0.3362},
			{2_000, 0.3579},
			{5_000, 0.3848},
			{10_000, 0.4040},
			{20_000, 0.4212},
			{50_000, 0.4436},
			{100_000, 0.4604},
			{200_000, 0.4814},
			{500_000, 0.5090},
		}, true
	case ModelSynth:
		// Measured over 100,005,153 non-mated pairs, reference against probe, of the first 14,143
		// people of synth.New(1, "KAZ"); the strictest rests on 49 false matches. None of the
		// 14,143 mated scores was below it.
		return Model{ModelSynth, 128}, []point{
			{100, 0.2047},
			{200, 0.2261},
			{500, 0.2518},
			{1_000, 0.2697},
			{2_000, 0.2864},
			{5_000, 0.3070},
			{10_000, 0.3217},
			{20_000, 0.3357},
			{50_000, 0.3534},
			{100_000, 0.3662},
			{200_000, 0.3789},
			{500_000, 0.3941},
			{1_000_000, 0.4050},
			{2_000_000, 0.4158},
		}, true
	}
	return Model{}, nil, false
}

// Lookup finds a model with a calibration.
func Lookup(id string) (Model, bool) {
	m, _, ok := calibrations(id)
	return m, ok
}

// Threshold gives the least score at which a comparison of the model is accepted at an FMR of at
// most 1/fmrOneIn. Between two measured operating points it takes the stricter. The error is
// [ErrUnknownModel], or [ErrUncalibrated] when fmrOneIn is 0 or asks for more than was measured;
// both mean that nothing may be decided.
func Threshold(model string, fmrOneIn uint32) (float64, error) {
	_, points, ok := calibrations(model)
	if !ok {
		return 0, ErrUnknownModel
	}
	if fmrOneIn == 0 {
		return 0, ErrUncalibrated
	}
	for _, p := range points {
		if fmrOneIn <= p.oneIn {
			return p.threshold, nil
		}
	}
	return 0, fmt.Errorf("%w: 1 in %d", ErrUncalibrated, fmrOneIn)
}
