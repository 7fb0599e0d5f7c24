package signature_test

import (
	"errors"
	"testing"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/signature"
)

func TestShippedCalibration(t *testing.T) {
	c := signature.Calibration()
	if c.Modality() != "signature" || c.Comparator() != signature.Comparator {
		t.Errorf("calibration is of %s, %s", c.Modality(), c.Comparator())
	}
	last, err := signature.Threshold(2)
	if err != nil {
		t.Fatal(err)
	}
	for _, oneIn := range []uint32{10, 100, c.Strictest()} {
		got, err := signature.Threshold(oneIn)
		if err != nil || got < last {
			t.Errorf("1 in %d: %v", oneIn, err)
		}
		last = got
	}
	for _, oneIn := range []uint32{0, c.Strictest() + 1} {
		if _, err := signature.Threshold(oneIn); !errors.Is(err, calibration.ErrUnsupported) {
			t.Errorf("1 in %d: %v, want ErrUnsupported", oneIn, err)
		}
	}
}
