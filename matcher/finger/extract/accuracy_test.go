package extract_test

import (
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/evaluate/modality"
	"github.com/tamga-id/tamga/matcher/finger/extract"
)

// picture is one image of the benchmark.
type picture struct {
	name  string
	image extract.Image
}

// pictures loads the benchmark, which is not part of this repository.
func pictures(t testing.TB) []picture {
	t.Helper()
	root := os.Getenv("TAMGA_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	dir := filepath.Join(root, "data", "fingerprint")
	f, err := os.Open(filepath.Join(dir, "manifest.tsv"))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("fingerprint benchmark is missing: %v", err)
		}
		t.Skipf("fingerprint benchmark is not at hand: %v", err)
	}
	defer f.Close()
	table := csv.NewReader(f)
	table.Comma = '\t'
	rows, err := table.ReadAll()
	if err != nil || len(rows) != 321 {
		t.Fatalf("manifest has %d lines (%v), want 321", len(rows), err)
	}
	var out []picture
	for _, row := range rows[1:] {
		dpi, err := strconv.Atoi(row[5])
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, "images", row[1]+".png"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := extract.Decode(raw, dpi)
		if err != nil {
			t.Fatalf("%s: %v", row[1], err)
		}
		out = append(out, picture{row[1], m})
	}
	return out
}

// templates extracts all of them.
func templates(t testing.TB, in []picture) []modality.FingerTemplate {
	t.Helper()
	out := make([]modality.FingerTemplate, len(in))
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for k := range workers {
		group.Go(func() {
			for i := k; i < len(in); i += workers {
				r, err := extract.Extract(in[i].image)
				if err != nil {
					t.Errorf("%s: %v", in[i].name, err)
				}
				out[i] = modality.FingerTemplate{Name: in[i].name, Sample: r.Sample}
			}
		})
	}
	group.Wait()
	return out
}

// TestAccuracy holds the mean equal error rate over the four sets of FVC2002 set B against a
// limit that leaves room above what was measured (0.3 %).
func TestAccuracy(t *testing.T) {
	if raceEnabled {
		t.Skip("320 images are too many under the race detector")
	}
	r, err := modality.Finger(context.Background(), templates(t, pictures(t)), evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Sets) != 4 || r.Failures != 0 {
		t.Fatalf("%d sets and %d failures, want 4 and 0", len(r.Sets), r.Failures)
	}
	for _, s := range r.Sets {
		t.Logf("%s: EER %.2f %%", s.Name, 100*s.EER)
	}
	if r.EER > 0.012 {
		t.Errorf("mean EER %.2f %%, want at most 1.2 %%", 100*r.EER)
	}
}

// BenchmarkExtract runs through the benchmark's own images; cpu-ms/op does not count the time that
// other processes had the core.
func BenchmarkExtract(b *testing.B) {
	in := pictures(b)
	b.ReportAllocs()
	k, start := 0, cpuSeconds()
	for b.Loop() {
		if _, err := extract.Extract(in[k*7%len(in)].image); err != nil {
			b.Fatal(err)
		}
		k++
	}
	b.ReportMetric(1000*(cpuSeconds()-start)/float64(b.N), "cpu-ms/op")
}
