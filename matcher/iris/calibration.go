package iris

import (
	"embed"
	"errors"
	"strings"
	"sync"

	"github.com/tamga-id/tamga/matcher/calibration"
)

// Profiles with a calibration. A profile names the program that makes codes of images: how much the codes of two eyes
// agree by chance is the program's doing, so a threshold of one means nothing for another.
const (
	// ProfileTest is the program that made the codes of the test data from CASIA-IrisV1.
	ProfileTest = "tamga-test-iris-1"
	// ProfileSynth names the codes of the synthetic people of package synth. No camera was involved: a node must not
	// accept it outside a sandbox.
	ProfileSynth = "tamga-synth-iris-1"
)

// ErrUnknownProfile says that no calibration exists for a profile, so no score of its codes can be turned into a
// decision.
var ErrUnknownProfile = errors.New("finding iris threshold: profile is not calibrated")

// comparator changes whenever scores do, so that no calibration outlives them.
const comparator = "elastic normalised Hamming distance 1 of "

// Comparator is the name and version of what [Compare] computes of codes of a profile, for its calibration.
func Comparator(profile string) string { return comparator + profile }

// ComparatorProfile is the profile that a name by [Comparator] is of.
func ComparatorProfile(name string) (profile string, ok bool) {
	return strings.CutPrefix(name, comparator)
}

// The calibrations are made by "tamga calibrate iris"; each file says of what data, and on how many comparisons it rests.
//
//go:embed *.calibration.json
var files embed.FS

var shipped = sync.OnceValue(func() map[string]*calibration.Calibration {
	out := map[string]*calibration.Calibration{}
	for _, profile := range []string{ProfileTest, ProfileSynth} {
		b, err := files.ReadFile(profile + ".calibration.json")
		if err != nil {
			panic("iris: " + err.Error())
		}
		out[profile] = calibration.MustParse(b, Comparator(profile))
	}
	return out
})

// Calibration says what scores of [Compare] mean for codes of a profile. The error is [ErrUnknownProfile].
func Calibration(profile string) (*calibration.Calibration, error) {
	c, ok := shipped()[profile]
	if !ok {
		return nil, ErrUnknownProfile
	}
	return c, nil
}

// Threshold returns the comparison score from which on two codes of a profile are called mated with a false match rate
// of at most one in fmrOneIn, in a single comparison. The error is [ErrUnknownProfile], or [calibration.ErrUnsupported]
// when fmrOneIn is 0 or asks for more than was measured.
func Threshold(profile string, fmrOneIn uint32) (float64, error) {
	c, err := Calibration(profile)
	if err != nil {
		return 0, err
	}
	claim, err := c.Threshold(fmrOneIn)
	return claim.Score, err
}
