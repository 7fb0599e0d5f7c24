package modality_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/evaluate/modality"
	"github.com/tamga-id/tamga/matcher/iris"
)

// inventedIrises are random codes, each capture with bits of its own flipped.
func inventedIrises(eyes, each int) (names []string, samples []iris.Sample) {
	r := rand.New(rand.NewPCG(6, 6))
	for e := range eyes {
		var base iris.Sample
		for i := range base.Code {
			base.Code[i], base.Mask[i] = byte(r.Uint32()), 0xff
		}
		for range each {
			s := base
			for i := range s.Code {
				s.Code[i] ^= byte(r.Uint32() & r.Uint32()) // a quarter
			}
			names, samples = append(names, string(rune('a'+e))), append(samples, s)
		}
	}
	return names, samples
}

func TestIrisAgreesWithScores(t *testing.T) {
	names, samples := inventedIrises(8, 4)
	samples[5].Mask = [iris.Size]byte{} // a failure
	got, err := modality.Iris(context.Background(), names, samples, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var s evaluate.Scores
	for i := range samples {
		a, _ := iris.Prepare(samples[i])
		for k := range i {
			b, _ := iris.Prepare(samples[k])
			r, err := iris.Compare(a, b)
			if err != nil {
				r.Score = -1
			}
			if names[i] == names[k] {
				s.Mated = append(s.Mated, r.Score)
			} else {
				s.NonMated = append(s.NonMated, r.Score)
			}
		}
	}
	want := evaluate.Evaluate(s)
	if got.Mated != want.Mated || got.NonMated != want.NonMated || !near(float64(got.EER), float64(want.EER)) || got.Failures != 1 {
		t.Errorf("EER %v over %d+%d, %d failures; want %v over %d+%d and 1", got.EER, got.Mated, got.NonMated, got.Failures,
			want.EER, want.Mated, want.NonMated)
	}
	if diff := cmp.Diff(want.FNMRAtFMR, got.FNMRAtFMR); diff != "" {
		t.Error(diff)
	}
	if got.Modality != "iris" || float64(got.FNMRAtFMR["1e-2"]) < 3.0/48 {
		t.Errorf("%s, FNMR %v: the failed capture's pairs are missing", got.Modality, got.FNMRAtFMR)
	}
}

func TestIrisRefuses(t *testing.T) {
	names, samples := inventedIrises(2, 2)
	if _, err := modality.Iris(context.Background(), names[1:], samples, evaluate.Options{}); !errors.Is(err, modality.ErrShape) {
		t.Errorf("%v, want ErrShape", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := modality.Iris(ctx, names, samples, evaluate.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestIrisBenchmark compares the 71,253 pairs of the supplied codes.
func TestIrisBenchmark(t *testing.T) {
	dir := sharedDir(t, "iris")
	raw, err := os.ReadFile(filepath.Join(dir, "codes2048.bin"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(filepath.Join(dir, "codes2048.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var eyes []string
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n")[1:] {
		eyes = append(eyes, strings.Split(line, "\t")[1])
	}
	samples := make([]iris.Sample, len(eyes))
	for i := range samples {
		copy(samples[i].Code[:], raw[2*iris.Size*i:])
		copy(samples[i].Mask[:], raw[2*iris.Size*i+iris.Size:])
	}
	got, err := modality.Iris(context.Background(), eyes, samples, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("EER %.4f in %.4f, FNMR %v in %v", got.EER, got.EERCI95, got.FNMRAtFMR, got.FNMRCI95)
	if got.Mated != 1134 || got.NonMated != 70119 || got.Failures != 0 {
		t.Errorf("%d+%d comparisons, %d failures", got.Mated, got.NonMated, got.Failures)
	}
	if got.EER > 0.028 || got.FNMRAtFMR["1e-3"] > 0.052 {
		t.Errorf("EER %v, FNMR %v at FMR 1e-3, want at most 0.028 and 0.052", got.EER, got.FNMRAtFMR["1e-3"])
	}
}
