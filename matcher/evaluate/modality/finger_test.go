package modality_test

import (
	"context"
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
	"github.com/tamga-id/tamga/matcher/exchange"
	"github.com/tamga-id/tamga/matcher/finger"
)

// invented makes impressions of fingers that no one has: the minutiae of a
// finger, of which each impression misses some and shifts the rest.
func invented(set string, fingers, each int) []modality.FingerTemplate {
	var out []modality.FingerTemplate
	for f := range fingers {
		r := rand.New(rand.NewPCG(uint64(f), uint64(len(set))))
		var ms []finger.Minutia
		for range 30 {
			ms = append(ms, finger.Minutia{X: uint16(30 + r.IntN(240)), Y: uint16(30 + r.IntN(300)), Angle: uint8(r.IntN(256))})
		}
		for i := range each {
			var s finger.Sample
			for _, m := range ms {
				if r.IntN(10) > 0 {
					s.Minutiae = append(s.Minutiae, finger.Minutia{X: m.X + uint16(r.IntN(8)), Y: m.Y + uint16(r.IntN(8)), Angle: m.Angle + uint8(r.IntN(9))})
				}
			}
			out = append(out, modality.FingerTemplate{Name: fmt.Sprintf("%s_%d_%d", set, 101+f, i+1), Sample: s})
		}
	}
	return out
}

func TestFingerSetsAndPooled(t *testing.T) {
	templates := append(invented("one_A", 4, 3), invented("second_B", 3, 2)...)
	// All pairs of each set, and 8 and 3 probes in a gallery of 4 and 3.
	const comparisons = 12*11/2 + 6*5/2 + (8+3)*(4+3)
	last, calls := 0, 0
	got, err := modality.Finger(context.Background(), templates, evaluate.Options{Progress: func(done, total int) {
		if done < last || total != comparisons {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last, calls = done, calls+1
	}})
	if err != nil {
		t.Fatal(err)
	}
	if last != comparisons || calls == 0 {
		t.Errorf("progress ended at %d, want %d", last, comparisons)
	}
	a, b := set(t, got, "one_A"), set(t, got, "second_B")
	if len(got.Sets) != 2 || a.Mated != 12 || a.NonMated != 54 || b.Mated != 3 || b.NonMated != 12 {
		t.Errorf("sets %d: %d+%d and %d+%d comparisons", len(got.Sets), a.Mated, a.NonMated, b.Mated, b.NonMated)
	}
	if got.Mated != 15 || got.NonMated != 66 || got.Pooled.Mated != 15 || got.Pooled.NonMated != 66 {
		t.Errorf("together %d+%d, pooled %d+%d", got.Mated, got.NonMated, got.Pooled.Mated, got.Pooled.NonMated)
	}
	if !near(float64(got.EER-(a.EER+b.EER)/2), 0) || got.EER > 0.05 || got.Failures != 0 {
		t.Errorf("EER %v of %v and %v, %d failures", got.EER, a.EER, b.EER, got.Failures)
	}
}

// TestFingerCountsFailures: what cannot be compared fails, it does not vanish.
func TestFingerCountsFailures(t *testing.T) {
	templates := invented("set", 5, 2)
	templates[0].Sample = finger.Sample{}
	templates[3].Sample.Minutiae = templates[3].Sample.Minutiae[:2]
	got, err := modality.Finger(context.Background(), templates, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	set := set(t, got, "set")
	if got.Failures != 2 || set.Failures != 2 || got.Pooled.Failures != 2 {
		t.Errorf("%d, %d and %d failures, want 2", got.Failures, set.Failures, got.Pooled.Failures)
	}
	if set.Mated != 5 || set.NonMated != 40 {
		t.Errorf("%d+%d comparisons, want all 5+40", set.Mated, set.NonMated)
	}
	if got := set.FNMRAtFMR["1e-2"]; got < 0.4 {
		t.Errorf("FNMR %v, want at least the 2 failed of 5 mated pairs", got)
	}
}

func TestFingerRepeats(t *testing.T) {
	templates := invented("set", 6, 3)
	a, err := modality.Finger(context.Background(), templates, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range rand.New(rand.NewPCG(1, 1)).Perm(len(templates)) {
		templates[i], templates[k] = templates[k], templates[i]
	}
	b, err := modality.Finger(context.Background(), templates, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("reports of one input in two orders differ:\n%s", diff)
	}
}

func TestFingerRefuses(t *testing.T) {
	for _, name := range []string{"", "a", "a_1", "_1_2", "a__2", "a_1_"} {
		_, err := modality.Finger(context.Background(), []modality.FingerTemplate{{Name: name}}, evaluate.Options{})
		if !errors.Is(err, modality.ErrName) {
			t.Errorf("name %q: %v, want ErrName", name, err)
		}
	}
	twice := []modality.FingerTemplate{{Name: "a_1_1"}, {Name: "a_1_1"}}
	if _, err := modality.Finger(context.Background(), twice, evaluate.Options{}); err == nil {
		t.Error("a name that occurs twice was taken")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := modality.Finger(ctx, invented("set", 3, 2), evaluate.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got, err := modality.Finger(context.Background(), nil, evaluate.Options{}); err != nil || got.EER.Measured() || got.Mated != 0 {
		t.Errorf("nothing to compare: %+v, %v", got, err)
	}
}

// sharedDir is where the benchmarks lie, which are not part of this repository.
func sharedDir(t testing.TB, elements ...string) string {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	dir := filepath.Join(append([]string{root, "data"}, elements...)...)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("benchmark is missing: %v", err)
		}
		t.Skipf("benchmark is not at hand: %v", err)
	}
	return dir
}

// TestFingerBenchmark runs the protocol of FVC2002 set B on both extractors.
func TestFingerBenchmark(t *testing.T) {
	for _, extractor := range []string{"iso_secugen", "iso_fjfx"} {
		paths, err := filepath.Glob(filepath.Join(sharedDir(t, "fingerprint", extractor), "*.iso"))
		if err != nil || len(paths) != 320 {
			t.Fatalf("%d templates, %v", len(paths), err)
		}
		var templates []modality.FingerTemplate
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			samples, err := exchange.DecodeFinger(raw)
			if err != nil {
				t.Fatal(err)
			}
			templates = append(templates, modality.FingerTemplate{
				Name: strings.TrimSuffix(filepath.Base(path), ".iso"), Sample: samples[0],
			})
		}
		got, err := modality.Finger(context.Background(), templates, evaluate.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range got.Sets {
			name := s.Name
			if s.Mated != 280 || s.NonMated != 2880 {
				t.Errorf("%s: %d mated and %d non-mated, want 280 and 2880", name, s.Mated, s.NonMated)
			}
			t.Logf("%s %s: EER %.4f in %.4f", extractor, name, s.EER, s.EERCI95)
		}
		t.Logf("%s: mean EER %.4f in %.4f, FNMR %v; pooled EER %.4f, FNMR %v", extractor,
			got.EER, got.EERCI95, got.FNMRAtFMR, got.Pooled.EER, got.Pooled.FNMRAtFMR)
		if len(got.Sets) != 4 || got.EER > 0.03 || got.EERCI95[0] > got.EER || got.EERCI95[1] < got.EER {
			t.Errorf("%s: %d sets, mean EER %v in %v", extractor, len(got.Sets), got.EER, got.EERCI95)
		}
	}
}

func set(t *testing.T, r evaluate.Report, name string) evaluate.Report {
	t.Helper()
	for _, s := range r.Sets {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no set %q", name)
	return evaluate.Report{}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
