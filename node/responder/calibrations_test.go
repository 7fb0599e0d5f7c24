package responder_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tamga-id/tamga/federation/protocol"
	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/face"
	"github.com/tamga-id/tamga/matcher/finger"
	"github.com/tamga-id/tamga/node/comparison"
)

// around is a calibration of a comparator whose mated scores lie around one place and non-mated ones around another.
func around(t *testing.T, modality, comparator string, mated, nonMated float64) *calibration.Calibration {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	draw := func(mean float64) []float64 {
		out := make([]float64, 40_000)
		for i := range out {
			out[i] = mean + r.NormFloat64()/50
		}
		return out
	}
	c, err := calibration.Fit(calibration.Input{Modality: modality, Comparator: comparator, Data: "test",
		Groups: []calibration.Scores{{Name: "test", Sources: 10, Mated: draw(mated), NonMated: draw(nonMated)}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestOwnCalibration: an operator's calibration decides instead of the shipped one, and makes a model decidable.
func TestOwnCalibration(t *testing.T) {
	p := person(7)
	acme := embedding("acme-1", 256)
	for _, row := range []struct {
		name             string
		own              *calibration.Calibration
		reference, probe []byte
		want             protocol.Code
	}{
		{"unknown-model", nil, acme, acme, protocol.CodeNotComparable},
		{"unknown-model-calibrated", around(t, "face", face.Comparator("acme-1"), 0.9, 0.1), acme, acme, protocol.CodeMatched},
		{"shipped", nil, p.FaceReference(), p.FaceProbe(1), protocol.CodeMatched},
		{"own-and-stricter", around(t, "face", face.Comparator(face.ModelSynth), 2, 1.5), p.FaceReference(), p.FaceProbe(1), protocol.CodeNotMatched},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld().withLedger(t).withGallery(t, enrolled(p, faceTemplate(row.reference)))
			if row.own != nil {
				if err := w.calibrations.Add(row.own); err != nil {
					t.Fatal(err)
				}
			}
			w.law.d.FMROneIn = 10_000
			if a := w.send(t, about(p, faceProbe(row.probe))); a.Code != row.want {
				t.Errorf("got %s, want %s", a.Code, row.want)
			}
		})
	}
}

func TestCalibrationsRefuse(t *testing.T) {
	c := comparison.Calibrations{}
	if err := c.Add(nil); err == nil {
		t.Error("none was taken in")
	}
	if err := c.Add(around(t, "finger", finger.Comparator, 0.9, 0.1)); err != nil {
		t.Fatal(err)
	}
	if err := c.Add(around(t, "finger", finger.Comparator, 0.8, 0.1)); err == nil || !strings.Contains(err.Error(), "two calibrations") {
		t.Errorf("a second of one comparator: %v", err)
	}
	for modality, comparator := range map[string]string{"face": finger.FragmentComparator, "iris": face.Comparator("acme-1")} {
		if err := c.Add(around(t, modality, comparator, 0.9, 0.1)); err == nil || !strings.Contains(err.Error(), "is of modality \""+modality) {
			t.Errorf("a comparator's of modality %s: %v", modality, err)
		}
	}
	if err := c.Add(around(t, "finger", finger.Comparator+" beta", 0.9, 0.1)); err == nil || !strings.Contains(err.Error(), "this version compares") {
		t.Errorf("another version's: %v", err)
	}
}
