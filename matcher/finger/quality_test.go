package finger_test

import (
	"testing"

	"github.com/tamga-id/tamga/matcher/finger"
)

func TestPoor(t *testing.T) {
	s := scattered(1, 40)
	if got := s.Poor(); got != finger.NoReason {
		t.Errorf("40 minutiae: %v", got)
	}
	s.Minutiae = s.Minutiae[:finger.MinDecidable-1]
	if got := s.Poor(); got != finger.FewMinutiae {
		t.Errorf("%d minutiae: %v", len(s.Minutiae), got)
	}
	for len(s.Minutiae) < 200 {
		s.Minutiae = append(s.Minutiae, s.Minutiae[len(s.Minutiae)%15])
	}
	if got := s.Poor(); got != finger.FewMinutiae {
		t.Errorf("15 minutiae repeated: %v", got)
	}
}

func TestFragment(t *testing.T) {
	s := scattered(1, finger.MinWhole)
	if s.Fragment() {
		t.Errorf("%d minutiae are a fragment", finger.MinWhole)
	}
	s.Minutiae = append(s.Minutiae[1:], s.Minutiae[1:]...)
	if !s.Fragment() || s.Poor() != finger.NoReason {
		t.Errorf("%d places repeated are no fragment, or undecidable", finger.MinWhole-1)
	}
}

// A fragment must score higher than a whole finger for the same claim.
func TestFragmentsAreHeldToMore(t *testing.T) {
	whole, fragment := finger.Calibration(), finger.FragmentCalibration()
	for _, oneIn := range []uint32{100, 1000, 10_000} {
		a, errA := whole.Threshold(oneIn)
		b, errB := fragment.Threshold(oneIn)
		if errA != nil || errB != nil || b.Score <= a.Score {
			t.Errorf("1 in %d: whole from %v on, fragment from %v on; %v, %v", oneIn, a.Score, b.Score, errA, errB)
		}
	}
}

func TestDoubt(t *testing.T) {
	good, few := scattered(1, 40), scattered(1, finger.MinDecidable-1)
	poor, unreported := scattered(2, 40), scattered(2, 40)
	good.Quality, poor.Quality, unreported.Quality = 60, finger.MinQuality-1, 0
	part := scattered(1, finger.MinWhole-1)
	for _, row := range []struct {
		name             string
		probe, reference finger.Sample
		want             finger.Reason
	}{
		{"none", good, good, finger.NoReason},
		{"few", few, good, finger.FewMinutiae},
		{"few-enrolled", good, few, finger.FewMinutiae},
		{"part", part, good, finger.SmallPart},
		{"part-enrolled", good, part, finger.SmallPart},
		{"part-before-capture", poor, part, finger.SmallPart},
		{"capture", poor, good, finger.PoorCapture},
		{"capture-enrolled", good, poor, finger.PoorCapture},
		{"capture-unreported", unreported, good, finger.NoReason},
	} {
		if got := finger.Doubt(row.probe, row.reference); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
