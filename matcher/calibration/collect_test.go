package calibration_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/calibration"
)

func items(values ...float64) []calibration.Item[float64] {
	var out []calibration.Item[float64]
	for i, v := range values {
		out = append(out, calibration.Item[float64]{Source: string(rune('a' + i/2)), Capture: string(rune('0' + i%2)), Template: v})
	}
	return out
}

func TestCollect(t *testing.T) {
	difference := func(a, b float64) float64 { return a - b }
	a, b := items(1, 2, 30, 40), items(5, 6, 70, 80)
	last := 0
	within, err := calibration.Collect(t.Context(), "a", a, nil, difference, func(done, total int) {
		if done < last || total != 6 {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(within.Mated)
	slices.Sort(within.NonMated)
	if !slices.Equal(within.Mated, []float64{-10, -1}) || !slices.Equal(within.NonMated, []float64{-39, -38, -29, -28}) || within.Sources != 2 || last != 6 {
		t.Errorf("within: %+v, progress %d", within, last)
	}
	across, err := calibration.Collect(t.Context(), "a-b", a, b, difference, nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(across.Mated)
	// 1 with 6 and 2 with 5 and so on: other captures of the same source only.
	if !slices.Equal(across.Mated, []float64{-50, -30, -5, -3}) || len(across.NonMated) != 8 {
		t.Errorf("across: %+v", across)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := calibration.Collect(ctx, "a", a, nil, difference, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
