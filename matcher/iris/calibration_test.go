package iris_test

import (
	"errors"
	"testing"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/iris"
)

func TestShippedCalibration(t *testing.T) {
	for _, profile := range []string{iris.ProfileTest, iris.ProfileSynth} {
		t.Run(profile, func(t *testing.T) { testShipped(t, profile) })
	}
	if _, err := iris.Threshold("acme", 10); !errors.Is(err, iris.ErrUnknownProfile) {
		t.Errorf("another program's codes: %v, want ErrUnknownProfile", err)
	}
}

func testShipped(t *testing.T, profile string) {
	c, err := iris.Calibration(profile)
	if err != nil {
		t.Fatal(err)
	}
	if c.Modality() != "iris" || c.Comparator() != iris.Comparator(profile) {
		t.Errorf("calibration is of %s, %s", c.Modality(), c.Comparator())
	}
	last, err := iris.Threshold(profile, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, oneIn := range []uint32{10, 100, c.Strictest()} {
		got, err := iris.Threshold(profile, oneIn)
		if err != nil || got < last {
			t.Errorf("1 in %d: %v", oneIn, err)
		}
		last = got
	}
	for _, oneIn := range []uint32{0, c.Strictest() + 1} {
		if _, err := iris.Threshold(profile, oneIn); !errors.Is(err, calibration.ErrUnsupported) {
			t.Errorf("1 in %d: %v, want ErrUnsupported", oneIn, err)
		}
	}
}
