package iris_test

import (
	"errors"
	"testing"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/iris"
)

func TestShippedCalibration(t *testing.T) {
	c := iris.Calibration()
	if c.Modality() != "iris" || c.Comparator() != iris.Comparator {
		t.Errorf("calibration is of %s, %s", c.Modality(), c.Comparator())
	}
	last, err := iris.Threshold(2)
	if err != nil {
		t.Fatal(err)
	}
	for _, oneIn := range []uint32{10, 100, c.Strictest()} {
		got, err := iris.Threshold(oneIn)
		if err != nil || got < last {
			t.Errorf("1 in %d: %v", oneIn, err)
		}
		last = got
	}
	for _, oneIn := range []uint32{0, c.Strictest() + 1} {
		if _, err := iris.Threshold(oneIn); !errors.Is(err, calibration.ErrUnsupported) {
			t.Errorf("1 in %d: %v, want ErrUnsupported", oneIn, err)
		}
	}
}
