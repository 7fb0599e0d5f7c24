package modality_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/evaluate/modality"
)

// inventedFaces are clusters in dims dimensions, each image off its centre.
func inventedFaces(people, each, dims int) (subjects []string, vectors []float32) {
	r := rand.New(rand.NewPCG(5, 5))
	for p := range people {
		centre := make([]float64, dims)
		for d := range centre {
			centre[d] = r.NormFloat64()
		}
		for range each {
			subjects = append(subjects, fmt.Sprintf("s%d", p))
			for d := range centre {
				vectors = append(vectors, float32(centre[d]+1.4*r.NormFloat64()))
			}
		}
	}
	return subjects, vectors
}

// exactFaces scores all pairs in float64 without bins.
func exactFaces(subjects []string, dims int, vectors []float32) evaluate.Scores {
	var s evaluate.Scores
	for i := range subjects {
		for j := range i {
			var dot, ii, jj float64
			for d := range dims {
				a, b := float64(vectors[i*dims+d]), float64(vectors[j*dims+d])
				dot, ii, jj = dot+a*b, ii+a*a, jj+b*b
			}
			score := dot / math.Sqrt(ii*jj)
			if subjects[i] == subjects[j] {
				s.Mated = append(s.Mated, score)
			} else {
				s.NonMated = append(s.NonMated, score)
			}
		}
	}
	return s
}

func TestFaceAgreesWithExact(t *testing.T) {
	for _, each := range []int{4, 7} { // 280 and 490 rows: whole and broken blocks
		subjects, vectors := inventedFaces(70, each, 33)
		got, err := modality.Face(context.Background(), subjects, 33, vectors, evaluate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want := evaluate.Evaluate(exactFaces(subjects, 33, vectors))
		if got.Mated != want.Mated || got.NonMated != want.NonMated {
			t.Errorf("%d+%d comparisons, want %d+%d", got.Mated, got.NonMated, want.Mated, want.NonMated)
		}
		if math.Abs(float64(got.EER-want.EER)) > 1e-4 || want.EER < 0.001 {
			t.Errorf("EER %v, want %v", got.EER, want.EER)
		}
		for bound, rate := range want.FNMRAtFMR {
			if math.Abs(float64(got.FNMRAtFMR[bound]-rate)) > 0.003 {
				t.Errorf("FNMR at FMR %s is %v, want %v", bound, got.FNMRAtFMR[bound], rate)
			}
		}
		if got.EERCI95[0] > got.EER || got.EERCI95[1] < got.EER || got.EERCI95[0] == got.EERCI95[1] {
			t.Errorf("interval %v of %v", got.EERCI95, got.EER)
		}
	}
}

func TestFaceRepeats(t *testing.T) {
	subjects, vectors := inventedFaces(40, 3, 16)
	a, err := modality.Face(context.Background(), subjects, 16, vectors, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const comparisons = 120*119/2 + 80*40 // all pairs, and 80 probes in a gallery of 40
	last, calls := 0, 0
	b, err := modality.Face(context.Background(), subjects, 16, vectors, evaluate.Options{Progress: func(done, total int) {
		if done < last || total != comparisons {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last, calls = done, calls+1
	}})
	if err != nil || last != comparisons || calls == 0 {
		t.Fatalf("progress ended at %d: %v", last, err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
}

func TestFaceCountsFailures(t *testing.T) {
	subjects := []string{"a", "a", "b", "b", "c"}
	vectors := []float32{1, 0, 1, 0.1, 0, 0, 0, 1, float32(math.NaN()), 1}
	got, err := modality.Face(context.Background(), subjects, 2, vectors, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Failures != 2 || got.Mated != 2 || got.NonMated != 8 {
		t.Errorf("%d failures, %d+%d comparisons, want 2, 2+8", got.Failures, got.Mated, got.NonMated)
	}
	if got.DET[0].Threshold != -1 || got.DET[1].FNMR != 0.5 {
		t.Errorf("lowest score %v, FNMR %v above it", got.DET[0].Threshold, got.DET[1].FNMR)
	}
}

func TestFaceRefuses(t *testing.T) {
	for name, c := range map[string]struct{ subjects, dims, values int }{
		"short": {3, 4, 11}, "long": {3, 4, 13}, "extra-row": {3, 4, 16}, "no-dims": {3, 0, 0}, "negative": {1, -1, 1},
	} {
		_, err := modality.Face(context.Background(), make([]string, c.subjects), c.dims, make([]float32, c.values), evaluate.Options{})
		if !errors.Is(err, modality.ErrShape) {
			t.Errorf("%s: %v, want ErrShape", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	subjects, vectors := inventedFaces(5, 2, 4)
	if _, err := modality.Face(ctx, subjects, 4, vectors, evaluate.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := modality.Face(context.Background(), make([]string, 1<<20+1), 1, nil, evaluate.Options{}); !errors.Is(err, evaluate.ErrSize) {
		t.Errorf("too many captures: %v, want ErrSize", err)
	}
	// 12,000 captures of one subject are 72 million mated pairs.
	if _, err := modality.Face(context.Background(), make([]string, 12_000), 1, make([]float32, 12_000), evaluate.Options{}); !errors.Is(err, evaluate.ErrSize) {
		t.Errorf("too many mated pairs: %v, want ErrSize", err)
	}
	if got, err := modality.Face(context.Background(), nil, 4, nil, evaluate.Options{}); err != nil || got.Mated+got.NonMated != 0 {
		t.Errorf("nothing to compare: %+v, %v", got, err)
	}
}

// TestFaceBenchmark compares the 20 million pairs of the LFW embeddings.
func TestFaceBenchmark(t *testing.T) {
	dir := sharedDir(t, "face")
	raw, err := os.ReadFile(filepath.Join(dir, "embeddings128.f32"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(filepath.Join(dir, "embeddings128.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var subjects []string
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n")[1:] {
		subjects = append(subjects, strings.Split(line, "\t")[1])
	}
	vectors := make([]float32, len(raw)/4)
	if err := binary.Read(bytes.NewReader(raw), binary.LittleEndian, vectors); err != nil {
		t.Fatal(err)
	}
	got, err := modality.Face(context.Background(), subjects, 128, vectors, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("EER %.4f in %.4f, FNMR %v, %d mated, %d non-mated", got.EER, got.EERCI95, got.FNMRAtFMR, got.Mated, got.NonMated)
	if got.Mated+got.NonMated != len(subjects)*(len(subjects)-1)/2 || got.Failures != 0 || got.EER > 0.02 {
		t.Errorf("EER %v over %d+%d comparisons, %d failures", got.EER, got.Mated, got.NonMated, got.Failures)
	}
}
