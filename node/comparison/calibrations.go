package comparison

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/matcher/iris"
	"github.com/tamga-id/tamga/matcher/signature"
)

// Calibrations are an operator's own calibrations by comparator, which come before those shipped with the matchers.
// With one, faces of a model, or irises of a profile, that no calibration is shipped for can be decided on, too. The nil Calibrations has none.
type Calibrations map[string]*calibration.Calibration

// Add takes in one more. It fails when nothing here computes such scores, or when there is one already.
func (c Calibrations) Add(one *calibration.Calibration) error {
	if one == nil {
		return errors.New("there is no calibration")
	}
	name := one.Comparator()
	if _, ok := c[name]; ok {
		return fmt.Errorf("two calibrations of %.200q", name)
	}
	modality := compares(name)
	if modality == "" {
		return fmt.Errorf("calibration is of %.200q: this version compares fingers with %q, faces with %q, irises with %q and signatures with %q",
			name, finger.Comparator, face.Comparator("MODEL"), iris.Comparator("PROFILE"), signature.Comparator)
	}
	if one.Modality() != modality {
		return fmt.Errorf("calibration of %.200q is of modality %.40q, not %q", name, one.Modality(), modality)
	}
	c[name] = one
	return nil
}

// compares is the modality of which a comparator here computes scores, "" for none.
func compares(comparator string) string {
	if _, isFace := face.ComparatorModel(comparator); isFace {
		return ModalityFace
	}
	if _, isIris := iris.ComparatorProfile(comparator); isIris {
		return ModalityIris
	}
	switch comparator {
	case finger.Comparator, finger.FragmentComparator:
		return ModalityFinger
	case signature.Comparator:
		return ModalitySignature
	}
	return ""
}

// iris is nil when nothing is known of the scores of the profile's codes.
func (c Calibrations) iris(profile string) *calibration.Calibration {
	if own, ok := c[iris.Comparator(profile)]; ok {
		return own
	}
	shipped, err := iris.Calibration(profile)
	if err != nil {
		return nil
	}
	return shipped
}

func (c Calibrations) signature() *calibration.Calibration {
	if own, ok := c[signature.Comparator]; ok {
		return own
	}
	return signature.Calibration()
}

func (c Calibrations) finger() *calibration.Calibration {
	if own, ok := c[finger.Comparator]; ok {
		return own
	}
	return finger.Calibration()
}

// fingerOf is the calibration for comparisons of whole fingers, or for some with a fragment among them.
func (c Calibrations) fingerOf(pairs []pair) *calibration.Calibration {
	if !slices.ContainsFunc(pairs, func(p pair) bool { return p.probe.view.Fragment() || p.reference.view.Fragment() }) {
		return c.finger()
	}
	if own, ok := c[finger.FragmentComparator]; ok {
		return own
	}
	return finger.FragmentCalibration()
}

// face is nil when nothing is known of the model's scores.
func (c Calibrations) face(model string) *calibration.Calibration {
	if own, ok := c[face.Comparator(model)]; ok {
		return own
	}
	shipped, err := face.Calibration(model)
	if err != nil {
		return nil
	}
	return shipped
}
