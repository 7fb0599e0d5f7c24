package responder

import (
	"testing"

	"github.com/tamga-id/tamga/matcher/finger"
)

// views are n of one invented finger. Each names a finger in turn when named.
func views(n int, named bool) []*sample {
	out := make([]*sample, n)
	for i := range out {
		s := &sample{modality: ModalityFinger, view: finger.Sample{ResX: 197, ResY: 197}}
		if named {
			s.view.Position = uint8(i%10 + 1)
		}
		for m := range uint16(40) {
			s.view.Minutiae = append(s.view.Minutiae, finger.Minutia{X: 40 * (m % 7), Y: 40 * (m / 7), Angle: uint8(37 * m)})
		}
		out[i] = s
	}
	return out
}

// TestCostIsBounded: a Query that asks for more comparisons than can be decided on costs none, whatever the rate.
func TestCostIsBounded(t *testing.T) {
	for _, row := range []struct {
		name               string
		probes, references int
		named              bool
		oneIn              uint32
		want               bool
	}{
		{"ten-of-ten", 10, 10, false, 100, true},
		{"largest", 160, 1024, false, 10_000, false},
		{"largest-at-a-lax-rate", 160, 1024, false, 2, false},
		{"largest-named", 160, 1024, true, 2, false},
		{"one-of-largest", 1, 1024, false, 2, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			probes, references := views(row.probes, row.named), views(row.references, row.named)
			d := undecided(row.oneIn, nil)
			var err error
			if d.planned, err = d.fingerSources(probes, references); err != nil {
				t.Fatal(err)
			}
			ok, err := d.affordable()
			if err != nil || ok != row.want {
				t.Fatalf("affordable: %t, %v; want %t", ok, err, row.want)
			}
			prepared, pairs := 0, 0
			for _, s := range append(probes, references...) {
				if s.ready != nil {
					prepared++
				}
			}
			for _, s := range d.planned {
				pairs += len(s.pairs)
			}
			if !ok && prepared > 0 {
				t.Errorf("%d views were prepared for comparisons that lead nowhere", prepared)
			}
			if ok && pairs > mostComparisons {
				t.Errorf("%d comparisons, want at most %d", pairs, mostComparisons)
			}
		})
	}
}
