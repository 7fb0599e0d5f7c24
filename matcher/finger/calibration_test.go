package finger_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/finger"
	"golang.org/x/sync/errgroup"
)

var update = flag.Bool("update", false, "measure anew and rewrite calibration_table.go")

// levels are the false match rates, one in, that the table answers for.
var levels = []uint32{10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000}

// nonMated returns the scores of every stride-th pair of different fingers of
// a and b, across sets as well as within. With a == b each pair counts once.
func nonMated(t *testing.T, a, b []impression, same bool, stride int) []float64 {
	t.Helper()
	var pairs [][2]int
	for i := range a {
		first := 0
		if same {
			first = i + 1
		}
		for j := first; j < len(b); j++ {
			if a[i].owner != b[j].owner {
				pairs = append(pairs, [2]int{i, j})
			}
		}
	}
	scores := make([]float64, (len(pairs)+stride-1)/stride)
	var group errgroup.Group
	const workers = 2
	for worker := range workers {
		group.Go(func() error {
			for k := worker; k < len(scores); k += workers {
				p := pairs[k*stride]
				scores[k] = finger.Compare(a[p[0]].template, b[p[1]].template)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(scores)
	return scores
}

// groups are the three ways two templates can come from two extractors.
func groups(t *testing.T, stride int) [][]float64 {
	t.Helper()
	a, b := impressions(t, "iso_secugen"), impressions(t, "iso_fjfx")
	return [][]float64{
		nonMated(t, a, a, true, stride),
		nonMated(t, b, b, true, stride),
		nonMated(t, a, b, false, stride),
	}
}

// allowed returns how many false matches among n comparisons still show, with
// 95 % confidence, a rate of at most one in oneIn: the most with a Poisson
// probability of at most 5 % of so few. Less than none means that n is too few.
func allowed(n int, oneIn uint32) int {
	mean := float64(n) / float64(oneIn)
	sum := 0.0
	for k := range n + 1 {
		logGamma, _ := math.Lgamma(float64(k + 1)) // in logarithms: exp(-mean) may be 0
		sum += math.Exp(float64(k)*math.Log(mean) - mean - logGamma)
		if sum > 0.05 {
			return k - 1
		}
	}
	return n
}

// TestCalibration holds the thresholds against a seventh of the comparisons
// they were made from, or makes them anew.
func TestCalibration(t *testing.T) {
	if *update {
		writeTable(t, groups(t, 1))
		return
	}
	for g, scores := range groups(t, 7) {
		for _, oneIn := range levels {
			threshold, err := finger.Threshold(oneIn)
			if err != nil {
				t.Fatalf("Threshold(%d): %v", oneIn, err)
			}
			at, _ := slices.BinarySearch(scores, threshold)
			got, mean := float64(len(scores)-at), float64(len(scores))/float64(oneIn)
			if most := mean + 3*math.Sqrt(mean); got > most {
				t.Errorf("group %d, 1 in %d: %v false matches of %d, want at most %.0f", g, oneIn, got, len(scores), most)
			}
		}
	}
}

func writeTable(t *testing.T, groups [][]float64) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, `package finger

// calibration is written by
//
//	go test ./matcher/finger -run TestCalibration -update
//
// from all pairs of different fingers of FVC2002 DB1_B to DB4_B (40 fingers, 8
// impressions each), within the sets and across them: %d comparisons of SecuGen
// templates, %d of FingerJetFX templates and %d of one with the other, %d
// in all. For each rate 1/N a threshold is taken in each of the three groups at
// which the one-sided 95 %% Poisson bound of the FMR is at most 1/N, and the
// highest of the three is kept. The bound needs 3 N comparisons in the smallest
// group, so the table stops at 1/10000.
//
// What this does not cover: the comparisons come from 40 fingers and are not
// independent, so the true confidence is lower than stated; other extractors and
// populations may differ. A node that decides on its own data should measure
// with matcher/evaluate.
var calibration = [...]operatingPoint{
`, len(groups[0]), len(groups[1]), len(groups[2]), len(groups[0])+len(groups[1])+len(groups[2]))
	for _, oneIn := range levels {
		threshold := 0.0
		for _, scores := range groups {
			k := allowed(len(scores), oneIn)
			if k < 0 {
				t.Fatalf("%d comparisons do not support 1 in %d", len(scores), oneIn)
			}
			// Just above the first score that must not match, in steps of 0.0001.
			threshold = max(threshold, (math.Floor(scores[len(scores)-1-k]*1e4)+1)/1e4)
		}
		fmt.Fprintf(&b, "{%d, %.4f},\n", oneIn, threshold)
	}
	b.WriteString("}\n")
	source, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("calibration_table.go", source, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestThresholdRises(t *testing.T) {
	last := 0.0
	for _, oneIn := range levels {
		got, err := finger.Threshold(oneIn)
		if err != nil || got <= last {
			t.Errorf("Threshold(%d) = %v, %v, want more than %v", oneIn, got, err, last)
		}
		last = got
	}
	between, _ := finger.Threshold(101)
	if stricter, _ := finger.Threshold(200); between != stricter {
		t.Errorf("Threshold(101) = %v, want the stricter %v", between, stricter)
	}
}

func TestThresholdRefusesUnsupportedClaims(t *testing.T) {
	for _, oneIn := range []uint32{0, 10001, 1_000_000, math.MaxUint32} {
		if got, err := finger.Threshold(oneIn); !errors.Is(err, finger.ErrUncalibrated) || got != 0 {
			t.Errorf("Threshold(%d) = %v, %v, want ErrUncalibrated", oneIn, got, err)
		}
	}
	if got := allowed(2995, 1000); got != -1 {
		t.Errorf("allowed(2995, 1000) = %d, want -1 by the rule of three", got)
	}
	if got := allowed(2996, 1000); got != 0 {
		t.Errorf("allowed(2996, 1000) = %d, want 0", got)
	}
}
